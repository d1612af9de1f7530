# SPDX-License-Identifier: MIT
"""The settle rule, with times given by hand."""

from pubkeep.cache.settle import MAX_ATTEMPTS, Settle
from pubkeep.protocol import ItemsQuery, Listing
from tests.daemon.cache.service import wire

A, B = b"a" * 16, b"b" * 16


def newest(asked: int, *ids: str) -> Listing:
    """An answer that a caller got of so many of the newest, asked for at 100."""
    return Listing(ItemsQuery(max_items=asked), tuple(wire(each, each) for each in ids), None, 100.0, 100.5)


def test_an_event_without_a_race_leaves_nothing_in_doubt() -> None:
    settle = Settle(fan_out=2.0)

    settle.event("x", A, 100.0, placed=True)

    assert not settle.unsettled()
    assert settle.next_due(100.0) is None


def test_an_event_in_the_window_of_a_listing_leaves_its_id_unsettled() -> None:
    settle = Settle(fan_out=2.0)

    settle.event("x", A, 99.0)
    racing = settle.answered(100.0, 101.0, None, {})

    assert racing == {"x"}
    assert settle.unsettled(["x"])
    assert not settle.unsettled(["y"])


def test_the_window_begins_fan_out_before_the_request() -> None:
    settle = Settle(fan_out=2.0)

    settle.event("early", A, 97.9)
    settle.event("inside", A, 98.0)

    assert settle.answered(100.0, 101.0, None, {}) == {"inside"}


def test_the_window_ends_fan_out_after_the_result() -> None:
    settle = Settle(fan_out=2.0)
    settle.answered(100.0, 101.0, None, {})

    settle.event("inside", A, 102.9)
    settle.event("late", A, 103.1)

    assert settle.unsettled(["inside"])
    assert not settle.unsettled(["late"])


def test_an_answer_that_shows_what_the_event_said_leaves_no_doubt() -> None:
    settle = Settle(fan_out=2.0)

    settle.event("x", A, 99.0)
    settle.event("y", None, 99.0)

    assert settle.answered(100.0, 101.0, None, {"x": A}) == frozenset()
    assert not settle.unsettled()


def test_an_answer_agrees_with_the_last_of_two_racing_events_but_decides_nothing() -> None:
    settle = Settle(fan_out=2.0)

    settle.event("x", A, 99.0)
    settle.event("x", B, 99.5)

    assert settle.answered(100.0, 101.0, None, {"x": B}) == {"x"}


def test_an_event_that_repeats_what_is_held_does_not_contradict_an_answer() -> None:
    settle = Settle(fan_out=2.0)
    settle.answered(100.0, 101.0, None, {"x": A})

    settle.event("x", A, 101.5, same=True)

    assert not settle.unsettled()


def test_an_answer_about_other_ids_does_not_concern_an_id() -> None:
    settle = Settle(fan_out=2.0)
    settle.event("x", A, 99.0)

    racing = settle.answered(100.0, 101.0, ["y"], {})

    assert racing == frozenset()
    assert not settle.unsettled()


def test_two_different_events_close_together_leave_the_id_unsettled() -> None:
    settle = Settle(fan_out=2.0)

    settle.event("x", A, 100.0)
    settle.event("x", B, 101.0)

    assert settle.unsettled(["x"])


def test_the_same_event_twice_is_harmless() -> None:
    settle = Settle(fan_out=2.0)

    settle.event("x", A, 100.0)
    settle.event("x", A, 100.1)

    assert not settle.unsettled()


def test_a_retraction_close_to_a_publication_leaves_the_id_unsettled() -> None:
    settle = Settle(fan_out=2.0)

    settle.event("x", A, 100.0)
    settle.event("x", None, 100.5)

    assert settle.unsettled(["x"])


def test_an_event_without_payload_leaves_the_id_unsettled() -> None:
    settle = Settle(fan_out=2.0)

    settle.event("x", None, 100.0, usable=False)

    assert settle.unsettled(["x"])


def test_a_doubt_is_due_when_the_id_was_quiet_for_fan_out() -> None:
    settle = Settle(fan_out=2.0)
    settle.event("x", A, 100.0)
    settle.event("x", B, 101.0)

    assert settle.due(102.9) == []
    assert settle.due(103.0) == ["x"]
    assert settle.next_due(101.0) == 103.0


def test_a_quiet_answer_by_id_settles_it() -> None:
    settle = Settle(fan_out=2.0)
    settle.event("x", A, 100.0)
    settle.event("x", B, 101.0)

    racing = settle.answered(103.5, 103.6, ["x"], {})
    settle.settled(["x"])

    assert racing == frozenset()
    assert not settle.unsettled()


def test_an_event_right_after_the_settling_answer_reopens_the_doubt() -> None:
    settle = Settle(fan_out=2.0)
    settle.doubt("x", 100.0)
    settle.answered(103.0, 103.1, ["x"], {})
    settle.settled(["x"])

    settle.event("x", B, 104.0)

    assert settle.unsettled(["x"])


def test_an_id_is_asked_for_only_so_often() -> None:
    settle = Settle(fan_out=2.0)
    settle.doubt("x", 100.0)

    for _ in range(MAX_ATTEMPTS):
        assert settle.due(200.0) == ["x"]
        settle.tried(["x"])

    assert settle.due(200.0) == []
    assert settle.next_due(200.0) is None
    assert settle.unsettled(["x"])


def test_two_new_ids_close_together_leave_the_order_unsettled() -> None:
    settle = Settle(fan_out=2.0)

    settle.event("x", A, 100.0, placed=True)
    settle.event("y", A, 101.0, placed=True)

    assert settle.unsettled()
    assert not settle.unsettled(["x", "y"])
    assert settle.order_due(102.0) == []
    assert settle.order_due(103.0) == ["x", "y"]


def test_two_new_ids_far_apart_leave_the_order_settled() -> None:
    settle = Settle(fan_out=2.0)

    settle.event("x", A, 100.0, placed=True)
    settle.event("y", A, 102.0, placed=True)

    assert not settle.unsettled()


def test_with_atomic_fan_out_only_a_request_under_way_makes_a_doubt() -> None:
    settle = Settle(fan_out=0.0)

    settle.event("x", A, 100.0, placed=True)
    settle.event("x", B, 100.0)
    settle.event("y", B, 100.0, placed=True)
    assert not settle.unsettled()

    settle.event("z", A, 101.5)
    assert settle.answered(101.0, 102.0, None, {}) == {"z"}


def test_a_whole_listing_ends_all_doubts_but_those_it_raced() -> None:
    settle = Settle(fan_out=2.0)
    settle.doubt("x", 50.0)
    settle.doubt("y", 99.5)
    settle.doubt_order("x")

    settle.clear(keep={"y"})

    assert settle.unsettled(["y"])
    assert not settle.unsettled(["x"])
    assert settle.order_ids == {}


def test_what_is_told_during_a_long_listing_is_remembered_until_it_ends() -> None:
    settle = Settle(fan_out=2.0)
    settle.watch(10.0)
    settle.event("early", b"1", 11.0)

    settle.event("late", b"2", 500.0)
    assert settle.named_since(10.0) == {"early", "late"}

    settle.unwatch(10.0)
    settle.event("later", b"3", 501.0)
    assert settle.named_since(10.0) == {"late", "later"}


def test_a_listing_in_another_order_than_a_later_answer_had_is_contradicted() -> None:
    settle = Settle(fan_out=2.0)
    settle.told(newest(2, "y", "x"), None, None, {})

    assert settle.contradicts(["w", "x", "y"], 99.0, turned=False)
    assert not settle.contradicts(["w", "x", "y"], 99.0, turned=True)
    assert settle.contradicts(["w", "y", "x", "z"], 99.0, turned=False)  # z went, or moved
    assert settle.contradicts(["w", "y"], 99.0, turned=False)  # x came
    assert not settle.contradicts(["w", "x", "y"], 101.0, turned=False)  # the listing is the later one


def test_where_fewer_came_than_were_asked_for_there_are_no_others() -> None:
    settle = Settle(fan_out=2.0)
    settle.told(newest(3, "x", "y"), None, None, {})

    assert settle.contradicts(["w", "x", "y"], 99.0, turned=False)
    assert not settle.contradicts(["x", "y"], 99.0, turned=False)


def test_a_listing_does_not_end_with_something_older_than_a_caller_got_meanwhile() -> None:
    settle = Settle(fan_out=2.0)
    settle.watch(99.0)

    settle.told(newest(1, "x"), ("x", "gone"), None, {"x": B})

    assert settle.denies({"x": A}, 99.0)
    assert settle.denies({"x": B, "gone": A}, 99.0)
    assert not settle.denies({"x": B, "other": A}, 99.0)
    settle.event("x", A, 100.5)
    assert not settle.denies({"x": A}, 99.0)  # that says what happened
    settle.told(newest(1, "x"), ("x",), ("x", "y"), {"x": A})
    assert settle.denies({"x": A}, 99.0)
    settle.unwatch(99.0)
    assert not settle.denies({"x": B}, 99.0)


def test_what_was_told_meanwhile_may_stand_elsewhere_in_a_later_answer() -> None:
    settle = Settle(fan_out=2.0)
    settle.event("x", A, 99.5, placed=True)
    settle.told(newest(2, "y", "x"), None, None, {})

    assert not settle.contradicts(["x", "y"], 99.0, turned=False)


def test_an_item_that_an_answer_had_after_its_retraction_was_told_is_expected() -> None:
    settle = Settle(2.0)
    settle.event("i", None, at=100.0)
    settle.doubt("i", 100.0)
    assert not settle.expects("i", held=False)

    settle.answered(100.5, 101.0, None, {"i": b"1"})  # the retraction was of earlier: it is there
    settle.answered(102.0, 102.1, ("i",), {})  # and now it is not, and this answer may not decide
    assert settle.expects("i", held=False)

    settle.event("i", None, at=103.0)  # this is why
    assert not settle.expects("i", held=False)


def test_an_answer_that_was_asked_for_before_the_retraction_was_told_says_nothing_of_later() -> None:
    settle = Settle(2.0)
    settle.event("i", None, at=100.0)
    settle.doubt("i", 100.0)

    settle.answered(99.5, 101.0, None, {"i": b"1"})

    assert not settle.expects("i", held=False)


def test_what_may_have_been_held_up_on_the_way_leaves_the_order_in_doubt() -> None:
    settle = Settle(fan_out=2.0)

    settle.event("x", A, 100.0, since=95.0, placed=True)
    settle.event("y", A, 103.0, since=99.0, placed=True)

    assert list(settle.order_ids) == ["x", "y"]


def test_of_two_values_that_may_have_passed_each_other_on_the_way_none_stands() -> None:
    settle = Settle(fan_out=2.0)

    settle.event("x", A, 100.0, since=95.0)
    settle.event("x", B, 103.0, since=99.0)

    assert settle.unsettled(["x"])

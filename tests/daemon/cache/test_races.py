# SPDX-License-Identifier: MIT
"""Events and answers out of order: the cache ends with what the service has, and never claims anything else."""

import asyncio
from xml.etree.ElementTree import Element

import pytest

from pubkeep.cache.sampling import PAYLOADS
from pubkeep.errors import NotAllowed, NotFound, StorageFull, Unavailable
from pubkeep.protocol import EventKind, NodeEvent, WireItem
from tests.daemon.cache.conftest import ENTRY, FAN_OUT, Bench
from tests.daemon.cache.service import KEY, PUBSUB, FakeService, wire


async def test_a_listing_that_lacks_an_item_of_an_earlier_event_does_not_remove_it(bench: Bench) -> None:
    async def overtaken() -> None:
        bench.service.publish_elsewhere("new", "4")

    bench.service.between = overtaken
    await bench.synchronise()
    await bench.settled()

    assert "new" in bench.service.items_held


async def test_of_two_overwrites_the_stored_one_wins_not_the_last_event(bench: Bench) -> None:
    bench.service.publish_elsewhere("a", "stored", told=False)
    bench.service.tell(wire("a", "stored"))
    bench.service.tell(wire("a", "overtaken"))

    during = await bench.state()
    await bench.settled()

    assert during[0] == "service"
    assert ("a", "stored") in (await bench.state())[1]


async def test_an_item_retracted_before_a_listing_is_not_resurrected_by_its_late_event(bench: Bench) -> None:
    del bench.service.items_held["b"]

    async def late() -> None:
        bench.service.tell(wire("b", "late"))

    bench.service.between = late
    await bench.synchronise()

    await bench.settled()
    assert "b" not in dict((await bench.state())[1])


async def test_an_older_answer_by_id_does_not_overwrite_what_was_listed_since(bench: Bench) -> None:
    async def listed() -> None:
        bench.service.items_held["b"] = "newer"
        await bench.synchronise()

    changed: list[str] = []
    bench.cache.listeners.append(lambda change: changed.extend(change.published))
    bench.service.between = listed  # the answer by id was read before
    bench.service.tell(WireItem("b", "", Element(f"{PUBSUB}item", {"id": "b"})))
    await asyncio.sleep(4 * FAN_OUT)
    await bench.undoubted()

    assert await bench.state() == ("cache", [("a", "1"), ("b", "newer"), ("c", "3")])
    assert changed == ["b"]


async def test_an_older_answer_by_id_does_not_settle_what_a_caller_was_shown_otherwise(bench: Bench) -> None:
    vouched: list[str] = []

    async def shown() -> None:
        bench.service.items_held["b"] = "newer"
        await bench.read(freshness="service", max=3)
        vouched.clear()

    bench.service.between = shown  # the answer by id was read before
    bench.service.tell(WireItem("b", "", Element(f"{PUBSUB}item", {"id": "b"})))
    async with asyncio.timeout(10):
        while "newer" not in vouched:
            answer = await bench.read(ids=("b",), freshness="cache", format="json")
            vouched += [row.title for row in answer.page.items if not answer.stale]
            await asyncio.sleep(FAN_OUT / 40)

    assert set(vouched) == {"newer"}


async def test_where_others_stand_otherwise_than_held_the_order_is_not_asked_for_again_and_again(bench: Bench) -> None:
    bench.cache._known.link(KEY.account, KEY.service).learn(order="creation")
    bench.service.items_held = {"c": "3", "a": "1", "b": "2"}
    bench.service.asked.clear()

    for item_id in ("d", "e"):
        bench.service.publish_elsewhere(item_id, item_id)
    await asyncio.sleep(FAN_OUT)
    await bench.undoubted()

    assert await bench.state() == ("cache", [(i, i.translate(str.maketrans("abc", "123"))) for i in "cabde"])
    assert len(bench.service.asked) < 10


async def test_the_order_of_the_newest_is_not_settled_beside_a_number_of_all_that_does_not_fit(bench: Bench) -> None:
    bench.service.counts = True
    del bench.service.items_held["a"]

    for item_id in ("d", "e"):
        bench.service.publish_elsewhere(item_id, item_id)
    await asyncio.sleep(FAN_OUT)
    await bench.undoubted()

    assert await bench.state() == ("cache", [("b", "2"), ("c", "3"), ("d", "d"), ("e", "e")])


async def test_an_older_answer_by_id_does_not_overwrite_a_newer_event(bench: Bench) -> None:
    async def overtaken() -> None:
        bench.service.publish_elsewhere("a", "newer")

    bench.service.between = overtaken
    await bench.read(ids=("a",), freshness="service")

    assert (await bench.state())[0] == "service"
    await bench.settled()


async def test_our_own_write_that_met_another_is_asked_for(bench: Bench) -> None:
    async def overtaken() -> None:
        bench.service.publish_elsewhere("a", "theirs")

    bench.service.between = overtaken
    await bench.cache.writer.publish(KEY, [ENTRY.format("ours")], ids=["a"])

    assert (await bench.state()) == ("service", [("b", "2"), ("c", "3"), ("a", "theirs")])
    await bench.settled()


async def test_our_own_write_does_not_win_over_a_listing_that_may_be_newer(bench: Bench) -> None:
    async def overtaken() -> None:
        bench.service.publish_elsewhere("a", "theirs", told=False)
        await bench.synchronise()

    bench.service.between = overtaken
    await bench.cache.writer.publish(KEY, [ENTRY.format("ours")], ids=["a"])
    answer = await bench.read(ids=("a",), format="json")

    assert (answer.source, answer.page.items[0].title) == ("service", "theirs")
    await bench.settled()


async def test_our_own_write_does_not_go_behind_what_a_listing_shows_after_it(bench: Bench) -> None:
    await bench.ordered()

    async def overtaken() -> None:
        bench.service.publish_elsewhere("z", "theirs", told=False)
        await bench.synchronise()

    bench.service.between = overtaken
    await bench.cache.writer.publish(KEY, [ENTRY.format("ours")], ids=["a"])

    assert (await bench.state()) == ("service", [("c", "3"), ("b", "moved"), ("a", "ours"), ("z", "theirs")])
    await bench.settled()


async def test_our_own_retraction_does_not_win_over_a_listing_that_may_be_newer(bench: Bench) -> None:
    async def overtaken() -> None:
        bench.service.publish_elsewhere("a", "theirs", told=False)
        await bench.synchronise()

    bench.service.between = overtaken
    await bench.cache.writer.retract(KEY, ["a"])

    assert (await bench.state()) == ("service", [("b", "2"), ("c", "3"), ("a", "theirs")])
    await bench.settled()


async def test_our_own_write_is_seen_by_the_next_read_without_an_event(bench: Bench) -> None:
    await bench.cache.writer.publish(KEY, [ENTRY.format("ours")], ids=["z"])
    answer = await bench.read(ids=("z",), format="json")

    assert (answer.source, answer.page.items[0].title) == ("cache", "ours")
    await bench.settled()


async def test_new_items_in_another_order_than_their_events_are_put_right(bench: Bench) -> None:
    bench.service.publish_elsewhere("x", "1", told=False)
    bench.service.publish_elsewhere("y", "2", told=False)
    bench.service.tell(wire("y", "2"))
    bench.service.tell(wire("x", "1"))

    assert (await bench.state())[0] == "service"
    await bench.settled()


async def test_new_items_are_put_right_too_where_payloads_are_not_believed(bench: Bench) -> None:
    link = bench.cache._known.link(KEY.account, KEY.service)
    link.learn(order="creation")
    link.distrust((PAYLOADS,))  # so each is asked for by id, which shows what it is, not where it stands
    bench.service.items_held |= {"x": "1", "y": "2"}
    bench.service.tell(wire("y", "2"))
    bench.service.tell(wire("x", "1"))

    await bench.service.drained(KEY)
    await bench.undoubted()

    assert await bench.state() == ("cache", list(bench.service.items_held.items()))


async def test_an_item_published_again_unchanged_while_it_is_listed_stands_where_it_moved_to(bench: Bench) -> None:
    await bench.ordered()

    async def overtaken() -> None:
        bench.service.publish_elsewhere("c", "3")

    bench.service.between = overtaken
    await bench.synchronise()
    await bench.undoubted()

    assert await bench.state() == ("cache", [("a", "moved"), ("b", "moved"), ("c", "3")])


async def test_old_news_show_nothing_of_the_order(bench: Bench) -> None:
    await asyncio.sleep(2 * FAN_OUT)  # no listing covers what comes
    old = NodeEvent(KEY, EventKind.ITEMS, bench.clock.boottime(), (wire("a", "old"),), delayed=True)
    bench.service.inbox.put(KEY, lambda: bench.cache.handle(old))

    await bench.service.drained(KEY)
    await bench.undoubted()
    await asyncio.sleep(2 * FAN_OUT)

    assert bench.cache.explain(KEY)["order"] == "unknown"
    assert await bench.state() == ("cache", [("a", "1"), ("b", "2"), ("c", "3")])


async def test_an_item_published_again_without_its_payload_may_have_moved(bench: Bench) -> None:
    await asyncio.sleep(2 * FAN_OUT)  # no listing covers what comes
    bench.service.publish_elsewhere("b", "2", told=False)
    bench.service.tell(WireItem("b", "", Element(f"{PUBSUB}item", {"id": "b"})))

    await bench.service.drained(KEY)
    await bench.undoubted()

    assert await bench.state() == ("cache", [("a", "1"), ("c", "3"), ("b", "2")])


async def test_an_item_published_again_unchanged_may_have_moved(bench: Bench) -> None:
    await asyncio.sleep(2 * FAN_OUT)  # no listing covers what comes
    bench.service.publish_elsewhere("b", "2")

    await bench.service.drained(KEY)
    await bench.undoubted()

    assert await bench.state() == ("cache", [("a", "1"), ("c", "3"), ("b", "2")])


async def test_a_listing_without_the_item_whose_place_is_in_doubt_does_not_settle_the_order(bench: Bench) -> None:
    for item_id in ("d", "e"):
        bench.service.publish_elsewhere(item_id, "new")
    await bench.settled()
    await asyncio.sleep(2 * FAN_OUT)  # the windows of all listings are over
    bench.service.publish_elsewhere("a", "moved")
    bench.service.publish_elsewhere("b", "moved")
    del bench.service.items_held["a"]  # its retraction is still on the way

    await bench.service.drained(KEY)
    await bench.undoubted()

    assert await bench.state() == ("cache", list(bench.service.items_held.items()))


@pytest.mark.parametrize("freshness", ["auto", "cache"])
async def test_an_answer_taken_while_a_page_is_read_does_not_make_the_page_newer(bench: Bench, freshness: str) -> None:
    begun = bench.clock.wall()

    def arrive() -> None:
        bench.service.publish_elsewhere("new", "4")
        bench.cache.answered(KEY.account, KEY.service, bench.clock.boottime() + FAN_OUT)

    bench.store.after_reading = arrive
    answer = await bench.read(max=7, freshness=freshness)

    assert "new" not in {row.id for row in answer.page.items}
    assert answer.as_of <= begun


async def test_two_overwrites_show_where_they_go_on_this_service(bench: Bench) -> None:
    await bench.ordered()

    assert [row[0] for row in (await bench.state())[1]] == ["c", "a", "b"]
    assert bench.cache.explain(KEY)["order"] == "publish"


async def test_an_event_that_only_adds_the_publisher_keeps_what_was_made_of_the_payload(bench: Bench) -> None:
    await bench.ordered()

    bench.service.tell(wire("a", "moved", publisher="romeo@localhost"))
    await bench.service.drained(KEY)
    answer = await bench.read(ids=("a",), format="json", freshness="cache")

    assert [(row.title, row.publisher) for row in answer.page.items] == [("moved", "romeo@localhost")]


async def test_a_node_deleted_between_subscription_and_listing_is_not_synced(bench: Bench) -> None:
    async def deleted() -> None:
        bench.service.deleted = True
        bench.service.tell(kind=EventKind.DELETE)

    bench.service.between = deleted
    await bench.synchronise()

    assert bench.cache.explain(KEY)["state"] == "gone"
    with pytest.raises(NotFound):
        await bench.read(freshness="cache")


async def test_a_node_that_was_gone_and_is_there_again_but_closed_is_denied(bench: Bench) -> None:
    bench.service.deleted = True
    bench.service.tell(kind=EventKind.DELETE)
    await bench.service.drained(KEY)
    bench.service.deleted, bench.service.closed = False, True

    with pytest.raises(NotAllowed):
        await bench.read(freshness="service")
    with pytest.raises(NotAllowed):
        await bench.read()


async def test_what_settles_a_doubt_and_cannot_be_stored_leaves_it(bench: Bench) -> None:
    bench.service.publish_elsewhere("a", "stored", told=False)
    bench.service.tell(wire("a", "stored"))
    bench.service.tell(wire("a", "overtaken"))
    await bench.service.drained(KEY)
    bench.store.fail, bench.store.failure = True, Unavailable("the database: another program keeps it locked")

    await bench.undoubted()

    assert await bench.state() == ("cache", [("b", "2"), ("c", "3"), ("a", "stored")])


async def test_a_confirmed_write_that_cannot_be_stored_is_read_from_the_service(bench: Bench) -> None:
    bench.store.fail = True

    with pytest.raises(StorageFull):
        await bench.cache.writer.publish(KEY, [ENTRY.format("4")], ids=["d"])

    assert await bench.state() == ("service", list(bench.service.items_held.items()))


@pytest.mark.parametrize("when", ["before it began", "while it goes on"])
async def test_a_cancelled_job_takes_back_no_proof_that_was_needed_before_it(bench: Bench, when: str) -> None:
    await bench.reconnect()
    job = await bench.cache.synchronise(KEY)

    async def cancel() -> None:
        job.cancel()

    if when == "before it began":
        job.cancel()
    else:
        bench.service.after_look = cancel

    await bench.undoubted()
    assert job.state == "cancelled"


async def test_an_event_that_could_not_be_stored_makes_the_node_stale_until_it_is_proved(bench: Bench) -> None:
    bench.store.fail = True

    bench.service.publish_elsewhere("new", "4")
    await bench.service.drained(KEY)
    held = await bench.read(freshness="cache")

    assert (held.stale, held.reason) == (True, "a change could not be stored")
    await bench.settled()


async def test_a_change_that_was_never_told_is_found_when_somebody_asks_the_service(bench: Bench) -> None:
    bench.service.publish_elsewhere("b", "silently", told=False)
    before = bench.cache.statistics([KEY.account]).get("holes", 0)

    await bench.read(freshness="service")

    assert bench.cache.statistics([KEY.account])["holes"] == before + 1
    await bench.settled()


async def test_a_lost_session_leaves_nothing_synced_and_the_next_one_proves_anew(bench: Bench) -> None:
    bench.cache.session_lost(KEY.account)
    bench.service.online = False
    lost = await bench.read()
    bench.service.items_held["meanwhile"] = "5"
    bench.service.online = True
    bench.cache.session_started(KEY.account)

    assert (lost.source, lost.stale, lost.reason) == ("cache", True, "not connected")
    await bench.settled()


async def test_a_resumed_session_loses_nothing(bench: Bench) -> None:
    bench.cache.session_lost(KEY.account)
    asked = len(bench.service.asked)

    bench.cache.session_resumed(KEY.account)

    assert (await bench.state())[0] == "cache"
    assert len(bench.service.asked) == asked


async def test_a_doubt_that_came_due_before_the_resumed_session_was_proved_is_ended_then(bench: Bench) -> None:
    bench.cache.session_lost(KEY.account)
    overwritten_without_payload(bench.service)
    await asyncio.sleep(2 * FAN_OUT)  # it is due, and nobody may ask yet

    bench.cache.session_resumed(KEY.account)

    await bench.settled()


async def test_a_doubt_whose_question_was_cut_off_is_asked_again_when_the_session_is_resumed(bench: Bench) -> None:
    cut_off = asyncio.Event()

    async def cut() -> None:
        bench.cache.session_lost(KEY.account)
        cut_off.set()
        raise Unavailable("the connection was lost")

    bench.service.between = cut
    overwritten_without_payload(bench.service)
    await cut_off.wait()

    bench.cache.session_resumed(KEY.account)

    await bench.settled()


def overwritten_without_payload(service: FakeService) -> None:
    """Another client overwrites the newest item; of what it says nothing is told."""
    service.items_held["c"] = "other"
    service.tell(WireItem("c", "", Element(f"{PUBSUB}item", {"id": "c"})))


async def test_a_read_waits_for_what_has_arrived(bench: Bench) -> None:
    await asyncio.sleep(4 * FAN_OUT)  # the window of the first listing is over
    for number in range(50):
        bench.service.publish_elsewhere(f"n{number}", "x")

    answer = await bench.read(ids=("n49",))

    assert (answer.source, len(answer.page.items)) == ("cache", 1)

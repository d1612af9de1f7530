# SPDX-License-Identifier: MIT
"""What a walk through a node proves, against services that lie."""

from xml.etree.ElementTree import Element

import pytest

from pubkeep.protocol import ItemsQuery, Listing, Rsm, WireItem
from pubkeep.sync.pager import PAGE, Pager


def listing(query: ItemsQuery | None, ids: list[str], rsm: Rsm | None = None, sent_at: float = 1.0) -> Listing:
    assert query is not None
    items = tuple(WireItem(item_id, "", Element("item")) for item_id in ids)
    return Listing(query, items, rsm, sent_at, sent_at + 1)


def names(start: int, end: int) -> list[str]:
    return [f"i{number}" for number in range(start, end)]


def test_an_answer_without_a_set_is_the_whole_node() -> None:
    pager = Pager(paged=False, max_items=1000)

    assert pager.query() == ItemsQuery()
    pager.take(listing(pager.query(), names(0, 321)))

    assert pager.query() is None
    assert pager.doubt(()) == ""
    assert list(pager.ids) == names(0, 321)


@pytest.mark.parametrize("paged", [False, True])
def test_a_round_number_of_items_is_not_taken_for_all_before_one_more_was_asked_for(paged: bool) -> None:
    honest, cutting = Pager(paged, max_items=1000), Pager(paged, max_items=1000)

    for pager, there in ((honest, 100), (cutting, 120)):
        pager.take(listing(pager.query(), names(0, 100)))
        assert pager.doubt(()) == "the listing was not finished"
        assert pager.query() == ItemsQuery(max_items=101)
        pager.take(listing(pager.query(), names(there - 101, there) if there > 100 else names(0, 100)))
        assert pager.query() is None

    assert honest.doubt(()) == ""
    assert cutting.doubt(()) == "the service cuts its answers to 100 items without a word"
    assert cutting.doubt(names(100, 120)) == ""


def test_what_pages_listed_must_be_there_at_once_too() -> None:
    pager = Pager(paged=False, max_items=1000, at_least=frozenset(names(0, 30)))

    pager.take(listing(pager.query(), names(0, 11)))

    assert pager.doubt(()) == "the service lists 11 items at once, and had more before"
    assert pager.doubt(names(11, 30)) == ""


def test_a_service_that_ignores_rsm_answers_with_the_whole_node() -> None:
    pager = Pager(paged=True, max_items=1000)

    assert pager.query() == ItemsQuery(rsm_max=PAGE)
    pager.take(listing(pager.query(), names(0, 321)))

    assert pager.query() is None
    assert pager.doubt(()) == ""


def test_pages_are_followed_by_the_services_own_cursor() -> None:
    pager = Pager(paged=True, max_items=1000)

    pager.take(listing(pager.query(), names(0, 100), Rsm("c0", "c99", 0, 150)))
    assert pager.query() == ItemsQuery(rsm_max=PAGE, rsm_after="c99")
    pager.take(listing(pager.query(), names(100, 150), Rsm("c100", "c149", 100, 150), sent_at=9.0))

    assert pager.query() is None
    assert pager.doubt(()) == ""
    assert pager.sent_at == 1.0
    assert pager.total == 150


def test_pages_without_a_count_end_with_an_empty_one() -> None:
    pager = Pager(paged=True, max_items=1000)

    pager.take(listing(pager.query(), names(0, 100), Rsm("a", "b")))
    pager.take(listing(pager.query(), names(100, 130), Rsm("c", "d")))
    assert pager.query() is not None
    pager.take(listing(pager.query(), [], Rsm()))
    pager.take(listing(pager.query(), names(129, 130), Rsm("d", "d")))

    assert pager.query() is None
    assert pager.doubt(()) == ""


def test_an_answer_cut_without_being_asked_is_continued() -> None:
    pager = Pager(paged=False, max_items=1000)

    pager.take(listing(pager.query(), names(0, 10), Rsm("i0", "i9", 0, 25)))

    assert pager.query() == ItemsQuery(rsm_max=PAGE, rsm_after="i9")


def test_a_count_that_does_not_fit_proves_nothing() -> None:
    pager = Pager(paged=True, max_items=1000)

    pager.take(listing(pager.query(), names(0, 100), Rsm("a", "b", 0, 150)))
    pager.take(listing(pager.query(), [], Rsm(None, None, None, 150)))

    assert pager.query() is None
    assert "counts 150 items and lists 100" in pager.doubt(())


def test_a_count_that_differs_by_what_was_told_meanwhile_is_no_lie() -> None:
    pager = Pager(paged=True, max_items=1000)

    pager.take(listing(pager.query(), names(0, 100), Rsm("a", "b", 0, 150)))
    pager.take(listing(pager.query(), names(100, 150), Rsm("c", "d", 100, 149)))
    pager.take(listing(pager.query(), [], Rsm(None, None, None, 149)))

    assert pager.doubt({"i3"}) == ""
    assert pager.doubt(()) != ""


def test_a_page_that_repeats_ends_the_walk_and_proves_nothing() -> None:
    pager = Pager(paged=True, max_items=1000)
    pager.take(listing(pager.query(), names(0, 100), Rsm("a", "b", 0, 500)))

    fresh = pager.take(listing(pager.query(), names(0, 100), Rsm("a", "c", 0, 500)))

    assert fresh == ()
    assert pager.query() is None
    assert pager.doubt(()) == "the service listed an item twice"


def test_a_cursor_that_does_not_advance_ends_the_walk() -> None:
    pager = Pager(paged=True, max_items=1000)
    pager.take(listing(pager.query(), names(0, 100), Rsm("a", "b", 0, 500)))

    pager.take(listing(pager.query(), names(100, 200), Rsm("a", "b", 0, 500)))

    assert pager.query() is None
    assert pager.doubt(()) == "the service's cursor does not advance"


def test_a_service_that_stops_paging_in_the_middle_proves_nothing() -> None:
    pager = Pager(paged=True, max_items=1000)
    pager.take(listing(pager.query(), names(0, 100), Rsm("a", "b", 0, 500)))

    pager.take(listing(pager.query(), names(100, 200)))

    assert pager.query() is None
    assert pager.doubt(()) == "the service stopped paging in the middle"


def test_a_node_above_the_limit_is_not_walked_to_its_end() -> None:
    pager = Pager(paged=True, max_items=150)
    pager.take(listing(pager.query(), names(0, 100), Rsm("a", "b", 0, 500)))

    pager.take(listing(pager.query(), names(100, 200), Rsm("c", "d", 100, 500)))

    assert pager.query() is None
    assert pager.doubt(()) == "the node has more than 150 items"


def test_an_empty_node_is_proved_by_one_answer() -> None:
    pager = Pager(paged=False, max_items=150)

    pager.take(listing(pager.query(), []))

    assert pager.query() is None
    assert pager.doubt(()) == ""


def test_ten_thousand_items_are_walked_to_the_end() -> None:
    pager = Pager(paged=True, max_items=200_000)

    while (query := pager.query()) is not None:
        start = int(query.rsm_after or -1) + 1
        pager.take(listing(query, names(start, start + 100), Rsm(str(start), str(start + 99), start, 10_000)))

    assert pager.doubt(()) == ""
    assert len(pager.ids) == 10_000


@pytest.mark.parametrize("index", [99, 101])
def test_a_page_that_does_not_begin_where_the_one_before_it_ended_proves_nothing(index: int) -> None:
    pager = Pager(paged=True, max_items=1000)

    pager.take(listing(pager.query(), names(0, 100), Rsm("a", "b", 0, 150)))
    pager.take(listing(pager.query(), names(100, 150), Rsm("c", "d", index, 150)))

    assert pager.query() is None
    assert pager.doubt(()) == "items changed their places without a notification"
    assert pager.doubt({"i3"}) == ""  # that says what happened


@pytest.mark.parametrize("index", [0, -1, None])
def test_a_service_that_does_not_number_its_pages_is_not_doubted(index: int | None) -> None:
    pager = Pager(paged=True, max_items=1000)

    for start in (0, 100, 200):
        pager.take(listing(pager.query(), names(start, start + 100), Rsm("a", f"i{start}", index, 300)))

    assert pager.query() is None
    assert pager.doubt(()) == ""


@pytest.mark.parametrize(("last", "doubt"), [("i3", ""), ("i4", "the service's last page does not end with what it ")])
def test_an_empty_page_without_a_count_is_the_end_where_the_last_page_ends_there_too(last: str, doubt: str) -> None:
    pager = Pager(paged=True, max_items=1000)

    pager.take(listing(pager.query(), names(0, 4), Rsm("i0", "i3")))
    pager.take(listing(pager.query(), [], Rsm()))
    assert pager.doubt(()) == "the listing was not finished"
    assert pager.query() == ItemsQuery(rsm_max=1, rsm_before="")
    pager.take(listing(pager.query(), [last], Rsm(last, last)))

    assert pager.query() is None
    assert pager.doubt(("i4",)).startswith(doubt)
    assert bool(pager.doubt(())) == bool(doubt)
    assert list(pager.ids) == names(0, 4)


def test_an_empty_node_has_no_last_page() -> None:
    pager = Pager(paged=True, max_items=1000)

    pager.take(listing(pager.query(), [], Rsm()))

    assert pager.query() is None
    assert pager.doubt(()) == ""


def test_items_that_are_counted_and_not_listed_are_missing_whatever_was_told_meanwhile() -> None:
    early, late = Pager(paged=True, max_items=1000), Pager(paged=True, max_items=1000)

    for pager, count in ((early, 6), (late, 3)):
        pager.take(listing(pager.query(), names(0, 4), Rsm("i0", "i3", 0, 6)))
        pager.take(listing(pager.query(), [], Rsm(count=count)))

    assert early.doubt(("i3", "i8", "i9")) == "the service counts 6 items and lists 4"
    assert late.doubt(("i3", "i8", "i9")) == ""

# SPDX-License-Identifier: MIT
"""What each way of asking proves, and what several prove together (the table of facts on catching up)."""

import pytest

from pubkeep.sync.proofs import TABLE, Extent, Proves, Way, contradicted, of_ids

NONE, NEW, CHANGED, ALL = Extent
ROWS = {
    Way.AT_ONCE: (ALL, True, ALL, ALL, True),
    Way.PAGES: (ALL, True, ALL, ALL, True),
    Way.IDS: (ALL, False, NONE, NONE, False),
    Way.NEWEST: (CHANGED, False, CHANGED, NEW, True),
    Way.NEWEST_CREATED: (NEW, False, NEW, NEW, True),
    Way.COUNT: (NONE, True, NONE, NONE, False),
    Way.ORDER_BY: (CHANGED, False, CHANGED, NONE, True),
    Way.ARCHIVE: (CHANGED, False, CHANGED, NONE, False),
}
IDS = of_ids("news", 10, readable=True, turned=True)
ENOUGH = {
    (Way.NEWEST, Way.COUNT): True,
    (Way.NEWEST,): False,
    (Way.NEWEST_CREATED, Way.COUNT): False,
    (Way.ORDER_BY,): False,
    (Way.ORDER_BY, Way.COUNT): False,
    (Way.ORDER_BY, Way.NEWEST_CREATED, Way.COUNT): True,
    (Way.ARCHIVE, Way.COUNT): False,
    (Way.ARCHIVE, Way.NEWEST_CREATED): False,
    (Way.ARCHIVE, Way.NEWEST_CREATED, Way.COUNT): True,
    (Way.AT_ONCE,): True,
    (Way.PAGES,): True,
}


def together(*ways: Way) -> Proves:
    proved = Proves()
    for way in ways:
        proved |= TABLE[way]
    return proved


@pytest.mark.parametrize("way", Way)
def test_each_way_proves_what_its_row_says_and_no_more(way: Way) -> None:
    assert TABLE[way] == Proves(*ROWS[way])


@pytest.mark.parametrize("ways", ENOUGH)
def test_a_copy_is_proved_anew_where_edits_absence_places_and_access_are(ways: tuple[Way, ...]) -> None:
    assert together(*ways).renews is ENOUGH[ways]


@pytest.mark.parametrize(
    ("node", "ids", "readable", "absent"),
    [("news", 3, True, True), ("news", 3, False, False), ("news", 0, True, False), ("a!b", 3, True, False)],
)
def test_a_list_of_ids_shows_what_went_only_beside_a_read_never_empty_and_never_with_an_exclamation_mark(
    node: str, ids: int, readable: bool, absent: bool
) -> None:
    assert of_ids(node, ids, readable=readable, turned=True).absent is absent


def test_a_list_of_ids_shows_the_order_only_where_its_direction_is_known() -> None:
    assert of_ids("news", 3, readable=True, turned=True).order is ALL
    assert of_ids("news", 3, readable=True, turned=False).order is NONE


@pytest.mark.parametrize("way", [Way.NEWEST_CREATED, Way.COUNT])
def test_ids_alone_show_no_edits(way: Way) -> None:
    assert not (IDS | TABLE[way]).renews
    assert (IDS | TABLE[Way.ARCHIVE] | TABLE[way]).renews is TABLE[way].access


@pytest.mark.parametrize(
    ("difference", "wrong"),
    [
        ({"different": True}, {Way.ARCHIVE}),
        ({"missing": True}, {Way.ARCHIVE, Way.IDS}),
        ({"extra": True}, set()),
        ({"extra": True, "told": True}, {Way.IDS}),
        ({}, set()),
    ],
)
def test_a_difference_shows_the_ways_to_be_wrong_that_had_excluded_it(
    difference: dict[str, bool], wrong: set[Way]
) -> None:
    by = frozenset((Way.ARCHIVE, Way.IDS, Way.NEWEST_CREATED))
    every = {"missing": False, "extra": False, "different": False, "told": False} | difference

    assert contradicted(by, **every) == wrong

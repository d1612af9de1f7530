# SPDX-License-Identifier: MIT
"""After an interruption: ids and the newest items prove as much as a listing, or nothing."""

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pubkeep.clock import CLOCKS_DIFFER
from pubkeep.config import CacheSettings
from pubkeep.errors import StorageFull
from pubkeep.protocol import ItemsQuery
from pubkeep.sync import fitting
from pubkeep.sync.catching_up import CONTENTS, HIDDEN_EDIT
from pubkeep.sync.proofs import Way
from pubkeep.sync.strategies import MAM, OVERLAP
from tests.daemon.cache.conftest import FAN_OUT, Bench, bench
from tests.daemon.cache.service import KEY

__all__ = ["bench"]
WORTH_IT = CacheSettings().catch_up
CHANGES = st.lists(st.tuples(st.sampled_from(["new", "edit", "touch", "retract"]), st.integers(0, 59)), max_size=12)


@given(changes=CHANGES, newest_first=st.booleans(), extra=st.integers(0, 30))
def test_what_fits_is_the_list_of_the_service(changes: list[tuple[str, int]], newest_first: bool, extra: int) -> None:
    held = [f"i{n}" for n in range(60)]
    service, changed = list(held), set()
    for number, (kind, at) in enumerate(changes):
        item_id = f"n{number}" if kind == "new" else f"i{at}"
        present = item_id in service
        if present:
            service.remove(item_id)
        if kind != "retract" and (present or kind == "new"):
            service.append(item_id)
            changed |= {item_id} if kind != "touch" else set()
    head = service[-(len(changed) + OVERLAP + extra) :]
    listed = service[::-1] if newest_first else service

    edited = changed & set(head)
    order = fitting.by_ids(listed, head, held, head)
    closed = order is not None and fitting.by_newest(held, order, head, edited)

    assert not closed or order == service
    if all(kind != "touch" for kind, _ in changes) and extra >= len(changes):
        assert closed


@pytest.fixture
async def large(bench: Bench) -> Bench:
    """A synced node of a service like Prosody, worth catching up."""
    bench.cache._known.link(KEY.account, KEY.service).learn(order="publish", reversed=False)
    bench.service.items_held = {f"i{n}": str(n) for n in range(WORTH_IT + 20)}
    await bench.synchronise()
    bench.service.asked.clear()
    bench.service.form = {"pubsub#title": "readable"}
    return bench


async def caught_up(bench: Bench, change: Callable[[], None]) -> list[ItemsQuery]:
    """What was asked for after another session began, until the copy is synced and equal."""
    await bench.reconnect(change)
    async with asyncio.timeout(10):
        while bench.cache.explain(KEY)["state"] != "synced":
            await asyncio.sleep(0.01)
    asked = list(bench.service.asked)
    answer = await bench.read(max=1000, format="json")
    assert answer.source == "cache"
    assert [(row.id, row.title) for row in answer.page.items] == list(bench.service.items_held.items())
    return asked


def whole(asked: list[ItemsQuery]) -> bool:
    return any(query.max_items is None and not query.ids for query in asked)


async def test_what_came_and_went_is_caught_up_without_listing_all(large: Bench) -> None:
    def change() -> None:
        large.service.publish_elsewhere("new", "1", told=False)
        large.service.publish_elsewhere("i5", "edited", told=False)
        del large.service.items_held["i7"]

    asked = await caught_up(large, change)

    assert not whole(asked)
    assert HIDDEN_EDIT in (await large.read()).untold


async def test_where_nothing_happened_little_is_asked(large: Bench) -> None:
    asked = await caught_up(large, lambda: None)

    assert [query.max_items for query in asked] == [OVERLAP]


async def test_a_copy_in_which_a_listing_ended_half_way_is_no_base_for_catching_up(large: Bench) -> None:
    async def full() -> None:
        raise StorageFull("the disk is full")

    large.service.publish_elsewhere("new", "1", told=False)
    large.store.after_applying = full  # the item is written, in which order all stand is not
    await large.synchronise()
    large.service.asked.clear()

    assert whole(await caught_up(large, lambda: None))


async def test_a_node_of_less_items_than_catch_up_says_is_listed_at_once(large: Bench) -> None:
    large.service.items_held = {f"i{n}": str(n) for n in range(WORTH_IT - 1)}
    await large.synchronise()
    large.service.asked.clear()

    assert whole(await caught_up(large, lambda: None))


async def test_where_much_happened_all_is_listed(large: Bench) -> None:
    def change() -> None:
        for n in range(WORTH_IT):
            large.service.publish_elsewhere(f"i{n}", "edited", told=False)

    assert whole(await caught_up(large, change))


async def test_an_order_that_shows_no_edits_is_listed_whole(large: Bench) -> None:
    large.cache._known.link(KEY.account, KEY.service).learn(order="creation")

    assert whole(await caught_up(large, lambda: None))


async def test_a_refusal_of_what_was_modified_last_is_one_of_the_node(large: Bench) -> None:
    link = large.cache._known.link(KEY.account, KEY.service)
    link.learn(order="creation", shown=link.traits.shown | {f"{Way.ORDER_BY}:0"})

    def change() -> None:
        large.service.closed = True

    await large.reconnect(change)
    async with asyncio.timeout(10):
        while large.cache.explain(KEY)["state"] != "denied":
            await asyncio.sleep(0.01)

    assert [query.order is not None for query in large.service.asked] == [True]


async def test_a_list_of_ids_that_is_empty_proves_nothing(large: Bench) -> None:
    large.service.shows_ids = False

    assert whole(await caught_up(large, lambda: None))


async def test_who_asks_for_a_synchronisation_gets_a_whole_one(large: Bench) -> None:
    large.cache.session_lost(KEY.account)
    large.cache.session_started(KEY.account)

    await large.synchronise()

    assert whole(large.service.asked)
    assert HIDDEN_EDIT not in (await large.read()).untold


async def test_where_nothing_shows_edits_an_unread_node_has_its_ids_first_and_its_contents_in_its_turn(
    large: Bench,
) -> None:
    node = large.cache._known.node(KEY)
    assert node is not None
    node.link.learn(order="creation")
    doubts: list[object] = []
    large.cache.listeners.append(lambda _: doubts.append(large.cache.explain(KEY)["doubt"]))

    def change() -> None:
        assert node is not None
        node.read_at = float("-inf")
        large.service.items_held["i7"] = "edited in its place"
        large.service.publish_elsewhere("new", "1", told=False)

    asked = await caught_up(large, change)

    assert CONTENTS in doubts
    assert [query.max_items for query in asked if not whole([query])][-1] == OVERLAP + 1
    assert whole(asked)


@pytest.mark.parametrize("subscription_lost", [False, True])
async def test_an_archive_that_is_as_late_as_events_are_shows_all_that_nobody_told(
    large: Bench, subscription_lost: bool
) -> None:
    service, now = large.service, large.clock.wall()
    large.cache._known.link(KEY.account, KEY.service).learn(order="creation")
    large.cache._known.link(KEY.account, KEY.service).features = frozenset({MAM})
    service.moves = False
    service.archived = [(now - 2 * CLOCKS_DIFFER, 0.0, item_id, text) for item_id, text in service.items_held.items()]

    def change() -> None:
        service.items_held["i7"] = "edited"
        service.subscribed = not subscription_lost
        service.archived.append((now, large.clock.boottime() + FAN_OUT * 0.9, "i7", "edited"))

    assert not whole(await caught_up(large, change))
    assert HIDDEN_EDIT not in (await large.read()).untold

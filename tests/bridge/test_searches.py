# SPDX-License-Identifier: MIT
"""Searches over a real bus, of a real store that takes its time."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pubkeep.storage.engines import READERS
from pubkeep.storage.store import Store
from pubkeep.storage.walking import Limits
from pubkeep_bridge.bus import Bus, Variant
from pubkeep_bridge.client import Pubkeep, SearchAnswer, connect
from pubkeep_bridge.client.errors import Cancelled, NotReady, PubkeepError
from pubkeep_bridge.contract import BUS_NAME, ROOT
from pubkeep_bridge.service.cache import Cache
from pubkeep_bridge.service.gate import Core, Gate
from pubkeep_bridge.service.objects import Objects
from pubkeep_bridge.service.streams import Streams
from tests.daemon.storage.conftest import KEY, item, opened

pytestmark = pytest.mark.dbus
ITEMS = 3000
EVERYTHING = '{"not": {"namespaces": ["urn:x"]}}'
"""No index helps, and nothing matches."""


class Served:
    """The interface Cache over a store, and how many rows were looked at one by one."""

    def __init__(self, bus: Bus, store: Store) -> None:
        self.objects = Objects(bus, ROOT)
        self.searching = 0
        self._store = store
        gate = Gate()
        accounts = SimpleNamespace(jids=lambda: [KEY.account])
        gate.open(Core(cast(Any, accounts), cast(Any, self), cast(Any, None), cast(Any, None)))
        self.objects.export(ROOT, Cache(gate, Streams()))

    async def search(self, *arguments: Any) -> Any:
        self.searching += 1
        try:
            return await self._store.search(*arguments)
        finally:
            self.searching -= 1

    async def several(self, number: int) -> None:
        """Wait until so many searches go on."""
        async with asyncio.timeout(10):
            while self.searching != number:
                await asyncio.sleep(0.005)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """Every row is a step, and there are many."""
    store, node = await opened(tmp_path / "data" / "pubkeep.db")
    await store.apply(node, [item(f"i{n}", "onions" if n % 2 else "garden") for n in range(ITEMS)])
    store.limits = Limits(seconds=60, few=1, many=1)
    yield store
    await store.close()


@pytest.fixture
async def served(private_bus: str, store: Store) -> AsyncIterator[Served]:
    bus = await Bus.connect(private_bus)
    await bus.request_name(BUS_NAME)
    served = Served(bus, store)
    yield served
    await served.objects.close()
    await bus.close()


@pytest.fixture
async def pubkeep(private_bus: str, served: Served) -> AsyncIterator[Pubkeep]:
    async with connect(private_bus) as pubkeep:
        yield pubkeep


async def test_a_newer_search_with_the_same_tag_ends_the_older_one_and_its_work(
    pubkeep: Pubkeep, served: Served
) -> None:
    older = [asyncio.create_task(pubkeep.search(EVERYTHING, tag="box")) for _ in range(2 * READERS)]
    await served.several(1)

    newest = await pubkeep.search("onions", limit=5, tag="box")

    ended = await asyncio.gather(*older, return_exceptions=True)
    assert len(newest.items) == 5
    assert [type(each) for each in ended] == [Cancelled] * 2 * READERS
    assert str(ended[0]) == "search: a newer one with the tag 'box' took its place"
    await served.several(0)
    found = await asyncio.gather(*[pubkeep.search("onions", limit=5) for _ in range(2 * READERS)])
    assert {len(each.items) for each in found} == {5}


async def test_what_is_written_after_a_search_was_ended_is_seen_by_all_readers(
    pubkeep: Pubkeep, served: Served, store: Store
) -> None:
    for query in [EVERYTHING] * READERS + ["onions"]:
        search = asyncio.create_task(pubkeep.search(query, tag="box"))
        await asyncio.sleep(0.05)
    await search
    (node,) = await store.nodes(KEY.account)

    await store.apply(node, [item("new", "unheard")])

    found = await asyncio.gather(*[pubkeep.search("unheard") for _ in range(2 * READERS)])
    assert [[each.id for each in answer.items] for answer in found] == [["new"]] * 2 * READERS


async def test_other_tags_other_callers_and_what_has_no_tag_go_on(
    pubkeep: Pubkeep, served: Served, private_bus: str
) -> None:
    async with connect(private_bus) as other:
        going_on = [
            asyncio.create_task(each)
            for each in (pubkeep.search(EVERYTHING, tag="other"), other.search(EVERYTHING, tag="box"))
        ]
        await served.several(2)

        await pubkeep.search("onions", tag="box")
        await pubkeep.search("onions")
        await pubkeep.search("onions", tag="")

        assert not any(each.done() for each in going_on)
        await other.search("onions", tag="box")
        await pubkeep.search("onions", tag="other")
        ended = await asyncio.gather(*going_on, return_exceptions=True)
    assert [type(each) for each in ended] == [Cancelled] * 2


async def test_a_search_under_a_tag_is_told_that_the_daemon_stops(pubkeep: Pubkeep, served: Served) -> None:
    search: asyncio.Task[SearchAnswer] = asyncio.create_task(pubkeep.search(EVERYTHING, tag="box"))
    await served.several(1)

    await served.objects.close()

    with pytest.raises(NotReady):
        await search
    assert served.searching == 0


async def test_snippets_and_ranks_cross_the_bus(pubkeep: Pubkeep) -> None:
    found = await pubkeep.search("onions", limit=2, extra=True, order_by=["rank"])

    assert [each.extra["snippet"] for each in found.items] == [["", "onions", ""]] * 2
    assert all(isinstance(each.extra["rank"], float) for each in found.items)
    with pytest.raises(PubkeepError, match="option 'tag'"):
        await pubkeep.call(ROOT, "Cache", "Search", "sa{sv}", "onions", {"tag": Variant("u", 3)})

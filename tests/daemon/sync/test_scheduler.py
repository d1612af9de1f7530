# SPDX-License-Identifier: MIT
"""Whose turn it is, how many at a time, and how much is asked for when a session begins."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from pubkeep.analysers.registry import Registry, load_entry_points
from pubkeep.cache.cache import Cache
from pubkeep.config import CacheSettings
from pubkeep.model import NodeKey
from pubkeep.protocol import EventKind, ItemsQuery, Listing, NodeEvent
from pubkeep.questions import ItemsRequest, NodeFilter
from pubkeep.storage.store import Store
from pubkeep.sync.jobs import Job, Jobs
from pubkeep.sync.renewing import DAY
from pubkeep.sync.scheduler import PACE
from tests.daemon.cache.conftest import Ahead
from tests.daemon.cache.service import KEY, FakeService, wire

A_WHILE = 3 * PACE
"""Seconds, real ones, for which is counted what is asked for."""
ONE_NODE = 4
"""Requests that bring a node here at most: two of disco#info, the subscription, the items."""
TOGETHER = 4


class Crowd(FakeService):
    """Many services with many nodes; what is asked for is noted, and may have to wait."""

    def __init__(self, clock: Ahead) -> None:
        super().__init__(clock)
        self.requests = 0
        self.listed: list[NodeKey] = []
        """Nodes in the order in which their items were asked for."""
        self.under_way = 0
        self.most = 0
        self.open = asyncio.Event()
        """Unset: no listing is answered."""
        self.open.set()

    async def items(self, node: NodeKey, query: ItemsQuery, apply: Callable[[Listing], Awaitable[Any]]) -> Any:
        self.requests += 1
        self.listed.append(node)
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await self.open.wait()
            return await super().items(node, query, apply)
        finally:
            self.under_way -= 1

    async def info(self, service: str, node: str = "") -> Any:
        self.requests += 1
        return await super().info(service, node)

    async def subscribe(self, node: NodeKey) -> str:
        self.requests += 1
        return await super().subscribe(node)

    async def subscriptions(self, node: NodeKey) -> tuple[str, ...]:
        self.requests += 1
        return await super().subscriptions(node)

    def notify(self, contact: str) -> None:
        """The last item of a contact's blog, as servers send it when we come (XEP-0163 4.3)."""
        key = NodeKey(KEY.account, contact, KEY.node)
        event = NodeEvent(key, EventKind.ITEMS, self._clock.boottime(), (wire("a", "1"),), ())
        self.inbox.put(key, lambda: self.listener.handle(event))


class Bench:
    """A cache that keeps nodes of the crowd."""

    def __init__(self, cache: Cache, crowd: Crowd, clock: Ahead) -> None:
        self.cache, self.crowd, self.clock = cache, crowd, clock

    async def keep(self, service: str, number: int) -> list[NodeKey]:
        """So many nodes of a service, synced, and read by nobody since the start."""
        keys = [NodeKey(KEY.account, service, f"{KEY.node}/{n}") for n in range(number)]
        for key in keys:
            await self.ended(await self.cache.synchronise(key))
        return keys

    @staticmethod
    async def ended(job: Job) -> None:
        async with asyncio.timeout(10):
            while not job.ended:
                await asyncio.sleep(0.005)

    def again(self) -> None:
        """Another session; what was asked for before does not count."""
        self.cache.session_lost(KEY.account)
        self.crowd.requests = 0
        self.crowd.listed.clear()
        self.cache.session_started(KEY.account)

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not condition():
                await asyncio.sleep(0.005)


@pytest.fixture
async def bench(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    """A parameter is the share that is listed anew each day."""
    clock = Ahead()
    store = await Store.open(tmp_path / "s" / "pubkeep.db", clock)
    await store.add_account(KEY.account, "x", uid=0, enabled=True, host="", port=0, tls="required")
    crowd, analysers = Crowd(clock), Registry()
    load_entry_points(analysers)
    settings = CacheSettings(fan_out=0.0, concurrent_syncs=TOGETHER, scrub=getattr(request, "param", 1.0))
    cache = Cache(store, crowd, analysers, Jobs(clock), clock, settings)
    crowd.listener = cache
    crowd.items_held = {"a": "1", "b": "2"}
    await cache.open([KEY.account])
    cache.session_started(KEY.account)
    yield Bench(cache, crowd, clock)
    crowd.open.set()
    await cache.close()
    await crowd.inbox.close()
    await store.close()


async def test_what_nobody_reads_is_proved_in_turn_and_a_login_is_no_storm(bench: Bench) -> None:
    keys = await bench.keep("one.localhost", 40) + await bench.keep("two.localhost", 40)

    bench.again()
    await asyncio.sleep(A_WHILE)

    assert 1 <= len(bench.crowd.listed) <= A_WHILE / PACE + 2
    assert bench.crowd.requests <= len(bench.crowd.listed) * ONE_NODE + ONE_NODE
    bench.clock.forward += len(keys) * PACE
    await bench.cache.get_items(keys[0], ItemsRequest())
    await bench.until(lambda: set(bench.crowd.listed) == set(keys))


async def test_the_contacts_who_show_themselves_at_a_login_are_looked_at_in_turn(bench: Bench) -> None:
    contacts = [f"contact{n}@localhost" for n in range(60)]
    bench.again()

    bench.cache.contacts(KEY.account, frozenset(contacts))
    for contact in contacts:
        bench.crowd.notify(contact)
    await asyncio.sleep(A_WHILE)

    assert len(bench.cache.get_nodes(NodeFilter(node=KEY.node), [KEY.account])) == 60
    assert 1 <= len(bench.crowd.listed) <= A_WHILE / PACE + 2
    assert bench.crowd.requests <= (len(bench.crowd.listed) + 1) * ONE_NODE


async def test_a_bounded_number_is_listed_at_a_time(bench: Bench) -> None:
    keys = await bench.keep("one.localhost", 20)
    for key in keys:
        await bench.cache.get_items(key, ItemsRequest())
    bench.crowd.most = 0

    bench.crowd.open.clear()
    bench.again()
    await bench.until(lambda: bench.crowd.under_way == TOGETHER)
    await asyncio.sleep(0.1)
    bench.crowd.open.set()
    await bench.until(lambda: set(bench.crowd.listed) == set(keys))

    assert bench.crowd.most == TOGETHER


async def test_what_was_read_last_is_proved_first(bench: Bench) -> None:
    keys = await bench.keep("one.localhost", 12)
    for number in (3, 7, 5, 0, 9, 11):
        await bench.cache.get_items(keys[number], ItemsRequest())

    bench.again()
    await bench.until(lambda: len(bench.crowd.listed) >= 6)

    assert set(bench.crowd.listed[:TOGETHER]) == {keys[number] for number in (11, 9, 0, 5)}
    assert set(bench.crowd.listed[TOGETHER:6]) == {keys[7], keys[3]}


async def test_what_somebody_waits_for_comes_before_all_else(bench: Bench) -> None:
    keys = await bench.keep("one.localhost", 12)
    for key in keys[:-1]:
        await bench.cache.get_items(key, ItemsRequest())
    bench.crowd.open.clear()
    bench.again()
    await bench.until(lambda: bench.crowd.under_way == TOGETHER)

    job = await bench.cache.synchronise(keys[-1])
    bench.crowd.open.set()
    await bench.ended(job)

    assert bench.crowd.listed[TOGETHER] == keys[-1]


async def test_a_service_with_many_nodes_does_not_hold_up_one_with_few(bench: Bench) -> None:
    few = await bench.keep("few.localhost", 1)
    many = await bench.keep("many.localhost", 20)
    for key in (*few, *many):
        await bench.cache.get_items(key, ItemsRequest())  # the one of the few was read first, so it would be last
    bench.crowd.open.clear()

    bench.again()
    await bench.until(lambda: bench.crowd.under_way == TOGETHER)

    assert few[0] in bench.crowd.listed


async def scrubbed(bench: Bench, days: float) -> list[NodeKey]:
    """What is listed anew in so much time, though nobody reads and nothing happens."""
    bench.crowd.listed.clear()
    for _ in range(round(days * 8)):
        bench.clock.forward += DAY / 8
        bench.cache._scheduler._wake.set()
        await asyncio.sleep(0.05)
    return list(bench.crowd.listed)


async def test_a_share_of_all_is_listed_anew_each_day_though_nobody_reads_it(bench: Bench) -> None:
    keys = await bench.keep("one.localhost", 4)

    listed = await scrubbed(bench, 2)

    assert set(listed) == set(keys)
    assert len(keys) <= len(listed) <= 3 * len(keys)


@pytest.mark.parametrize("bench", [0.0], indirect=True)
async def test_where_no_share_is_wanted_nothing_is_listed_anew(bench: Bench) -> None:
    await bench.keep("one.localhost", 4)

    assert await scrubbed(bench, 2) == []

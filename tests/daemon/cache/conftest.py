# SPDX-License-Identifier: MIT
"""A cache with a real store over the fake service."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from pubkeep.analysers.registry import Registry, load_entry_points
from pubkeep.cache.cache import Cache
from pubkeep.clock import Clock
from pubkeep.config import CacheSettings
from pubkeep.errors import PubkeepError, StorageFull
from pubkeep.model import Applied, NodeKey
from pubkeep.questions import Answer, ItemsRequest, Page
from pubkeep.storage.store import Store
from pubkeep.sync.jobs import Job, Jobs
from tests.daemon.cache.service import KEY, FakeService

FAN_OUT = 0.08
ENTRY = "<entry xmlns='http://www.w3.org/2005/Atom'><title>{}</title></entry>"


class Ahead(Clock):
    """A clock that can be put forward, as a suspend does, and whose wall clock somebody may set."""

    forward = 0.0
    shifted = 0.0
    """Seconds by which the wall clock was set, beside those that it went on in suspend."""

    def boottime(self) -> float:
        return super().boottime() + self.forward

    def wall(self) -> int:
        return super().wall() + int((self.forward + self.shifted) * 1_000_000)


class FragileStore(Store):
    """A store whose next transaction may fail."""

    fail = False
    failure: PubkeepError = StorageFull("the database: the disk is full")
    forgets = True
    """False: no rows can be dropped."""
    after_reading: Callable[[], None] | None = None
    """Happens once, when a page was read and before it is handed over."""

    before_reading: Callable[[], Awaitable[None]] | None = None
    """Happens once, before a page is read."""
    after_applying: Callable[[], Awaitable[None]] | None = None
    """Happens once, when a transaction was committed and before anybody knows."""

    after_forgetting: Callable[[], Awaitable[None]] | None = None
    """Happens once, when rows were dropped and before anybody knows."""
    after_digests: Callable[[], Awaitable[None]] | None = None
    """Happens once, when digests were read and before they are handed over."""

    async def digests(self, *arguments: Any, **more: Any) -> dict[str, bytes]:
        found = await super().digests(*arguments, **more)
        if happen := self.after_digests:
            self.after_digests = None
            await happen()
        return found

    async def page(self, *arguments: Any, **more: Any) -> Page:
        if before := self.before_reading:
            self.before_reading = None
            await before()
        page = await super().page(*arguments, **more)
        if happen := self.after_reading:
            self.after_reading = None
            happen()
        return page

    async def leftovers(self, account: str) -> list[NodeKey]:
        if self.fail:
            self.fail = False
            raise StorageFull("the database: the disk is full")
        return await super().leftovers(account)

    async def forget_node(self, *arguments: Any, **more: Any) -> Applied:
        if not self.forgets:
            raise StorageFull("the database: the disk is full")
        applied = await super().forget_node(*arguments, **more)
        if happen := self.after_forgetting:
            self.after_forgetting = None
            await happen()
        return applied

    async def forget_items(self, *arguments: Any, **more: Any) -> Applied:
        if not self.forgets:
            raise StorageFull("the database: the disk is full")
        return await super().forget_items(*arguments, **more)

    async def apply(self, *arguments: object, **more: object) -> Applied:
        if self.fail:
            self.fail = False
            raise self.failure
        applied = await super().apply(*arguments, **more)  # type: ignore[arg-type]
        if happen := self.after_applying:
            self.after_applying = None
            await happen()
        return applied


class Bench:
    """A cache over the fake service."""

    def __init__(self, store: FragileStore, service: FakeService, cache: Cache, jobs: Jobs, clock: Ahead) -> None:
        self.store, self.service, self.cache, self.jobs, self.clock = store, service, cache, jobs, clock

    async def read(self, **options: object) -> Answer:
        return await self.cache.get_items(KEY, ItemsRequest(**options))  # type: ignore[arg-type]

    async def state(self) -> tuple[str, list[tuple[str, str]]]:
        """(source, [(id, title)]) of a read."""
        answer = await self.read(format="json")
        return answer.source, [(row.id, row.title) for row in answer.page.items]

    async def synchronise(self) -> None:
        """List the whole node again, and wait for the end."""
        await self.ended(await self.cache.synchronise(KEY))

    @staticmethod
    async def ended(job: Job) -> Job:
        """Wait for its end."""
        async with asyncio.timeout(30):
            while not job.ended:
                await asyncio.sleep(0.01)
        return job

    async def reconnect(self, between: Callable[[], None] = lambda: None) -> None:
        """Another session; what happens in between is told to nobody."""
        self.cache.session_lost(KEY.account)
        between()
        self.cache.session_started(KEY.account)

    async def settled(self) -> None:
        """Wait until reads come from the cache, and are what the service has."""
        async with asyncio.timeout(30):
            while (await self.state()) != ("cache", list(self.service.items_held.items())):
                await asyncio.sleep(0.01)

    async def ordered(self) -> None:
        """The service shows twice which order it keeps, and has the time to tell otherwise: now it has c, a, b."""
        for item_id in ("a", "b"):
            self.service.publish_elsewhere(item_id, "moved")
            await self.settled()
            await asyncio.sleep(2 * FAN_OUT)
        async with asyncio.timeout(30):
            while self.cache.explain(KEY)["order"] == "unknown":
                await asyncio.sleep(0.01)

    async def written(self) -> None:
        """Wait until the database takes writes."""
        async with asyncio.timeout(30):
            while self.store.read_only:
                await asyncio.sleep(0.01)

    async def undoubted(self) -> None:
        """Wait, without any read, until the copy is vouched for."""
        async with asyncio.timeout(30):
            while self.cache.explain(KEY)["doubt"]:
                await asyncio.sleep(0.01)


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    """A synced node with the posts a, b and c."""
    clock = Ahead()
    store = await FragileStore.open(tmp_path / "s" / "pubkeep.db", clock)
    assert isinstance(store, FragileStore)
    await store.add_account(KEY.account, "x", uid=0, enabled=True, host="", port=0, tls="required")
    service, analysers, jobs = FakeService(clock), Registry(), Jobs(clock)
    load_entry_points(analysers)
    cache = Cache(store, service, analysers, jobs, clock, CacheSettings(fan_out=FAN_OUT))
    service.listener = cache
    service.items_held = {"a": "1", "b": "2", "c": "3"}
    await cache.open([KEY.account])
    cache.session_started(KEY.account)
    bench = Bench(store, service, cache, jobs, clock)
    await bench.settled()
    yield bench
    await cache.close()
    await service.inbox.close()
    await store.close()

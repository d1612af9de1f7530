# SPDX-License-Identifier: MIT
"""A cache over a scripted service in virtual time, brought into any state; and what can happen to it there."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable

from pubkeep.analysers.registry import Registry, load_entry_points
from pubkeep.cache.cache import Cache
from pubkeep.cache.sampling import PAYLOADS
from pubkeep.config import CacheSettings
from pubkeep.errors import NotAllowed, NotFound, PubkeepError, Unavailable
from pubkeep.model import NodeKey, Policy, Traits
from pubkeep.protocol import EventKind
from pubkeep.questions import Answer, Freshness, ItemsRequest, SearchRequest
from pubkeep.sync.jobs import Job, Jobs
from tests.daemon.cache.scripted import LATE, ScriptedService
from tests.daemon.cache.service import KEY
from tests.simulation.loop import VirtualClock, VirtualLoop
from tests.simulation.store import Disk, SimulatedStore, open_store

OTHER = KEY._replace(node="urn:nobody:knows:this")
"""A node of which no analyser wants to know."""
QUIET = 10.0
"""Seconds after which nothing is under way and nothing is in doubt."""
AT_ONCE = 0.05
"""Seconds in which what happened is written, and no answer can have come."""
TOO_OLD = 1000.0
"""Seconds after which a proof is too old."""


class Stage:
    """One node, its service, and the cache between it and us."""

    def __init__(self, key: NodeKey, *, items: int = 3) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        self.key = key
        self.clock = VirtualClock(loop, random.Random(1))
        self.disk = Disk(random.Random(2), Counter())
        self.service = ScriptedService(key, self.clock)
        self.service.foreign = key == OTHER
        self.service.items_held = {"abcdefghijklmnopqrstuvwxyz"[n]: str(n) for n in range(items)}
        self.analysers = Registry()
        load_entry_points(self.analysers)
        self.store: SimulatedStore
        self.cache: Cache
        self.jobs: Jobs

    async def open(self) -> None:
        """The daemon starts; the account is not connected yet."""
        self.store = open_store(self.disk, self.clock)
        if not await self.store.accounts():
            await self.store.add_account(KEY.account, "x", uid=0, enabled=True, host="", port=0, tls="required")
            shown = Traits(shown=frozenset({PAYLOADS}))  # else the first notification is compared with what is stored
            await self.store.save_traits(KEY.account, self.key.service, shown)
        self.jobs = Jobs(self.clock)
        self.cache = Cache(self.store, self.service, self.analysers, self.jobs, self.clock, CacheSettings())
        self.service.listener, self.service.online = self.cache, False
        await self.cache.open([KEY.account])

    async def close(self) -> None:
        """The daemon ends."""
        self.service.online = False
        await self.cache.close()
        await self.service.inbox.close()
        await self.store.close()

    def connect(self) -> None:
        """A new session."""
        self.service.online = True
        self.cache.session_started(KEY.account)

    def cut(self) -> None:
        """The stream is lost."""
        self.service.online = False
        self.cache.session_lost(KEY.account)

    async def read(self, freshness: Freshness = "auto", **options: object) -> Answer:
        """GetItems."""
        return await self.cache.get_items(self.key, ItemsRequest(freshness=freshness, **options))  # type: ignore[arg-type]

    async def answer(self, freshness: Freshness = "auto", **options: object) -> str:
        """What a read gives, in a word.

        `copy`, `stale` (the copy, marked), `part` (marked, and not complete), `asked` (the service), or the error.
        """
        try:
            answer = await self.read(freshness, **options)
        except PubkeepError as error:
            return type(error).__name__
        now = self.clock.wall()
        assert answer.as_of <= now
        assert answer.verified_at <= now
        assert bool(answer.reason) == answer.stale
        assert answer.source == "service" or "transit" in answer.untold
        if not answer.page.complete:
            return "part"
        return "stale" if answer.stale else "copy" if answer.source == "cache" else "asked"

    def explained(self) -> dict[str, object]:
        """What Explain says."""
        return dict(self.cache.explain(self.key))

    async def held(self) -> str:
        """The ids that the database has of the node, oldest first."""
        records = await self.store.nodes(KEY.account)
        ids = [i for record in records for i in await self.store.digests(record.number) if record.key == self.key]
        return "".join(ids)

    async def found(self) -> str:
        """The ids that a search finds."""
        found = await self.cache.search(SearchRequest(), [KEY.account])
        return "".join(sorted(row.id for row in found.items))

    def sent(self) -> str:
        """What the service was asked, in order; `again` stands for the same three times and more."""
        asked = self.service.sent
        for length in (1, 2):
            at, short = 0, list[str]()
            while at < len(asked):
                part, times = asked[at : at + length], 1
                while asked[at + times * length : at + (times + 1) * length] == part:
                    times += 1
                often = times >= 3
                short += [*part, "again"] if often else asked[at : at + 1]
                at += times * length if often else 1
            asked = short
        return ", ".join(asked)

    async def synchronise(self) -> Job:
        """List it whole, and wait for the end."""
        return await self.ended(await self.cache.synchronise(self.key))

    async def ended(self, job: Job) -> Job:
        """Wait for its end."""
        while not job.ended:
            await asyncio.sleep(0.01)
        return job

    # -- the states ------------------------------------------------------------------------------

    async def enter(self, state: str) -> None:
        """Bring it into this state; nothing else is under way then."""
        await self.open()
        self.connect()
        await asyncio.sleep(AT_ONCE)
        if state == "unknown":
            return
        await self.answer()
        await asyncio.sleep(QUIET)
        match state:
            case "syncing":
                self.cut()
                self.connect()
                await asyncio.sleep(2.5 * LATE)  # the subscription was listed, the listing is under way
            case "partial":
                await self.cache.set_policy(self.key, Policy(max_items=2))
            case "stale":
                self.clock.slept += TOO_OLD
            case "error":
                self.service.error = Unavailable("the server was not found")
                await self.synchronise()
                self.service.error = None
                return
            case "denied":
                self.service.error = NotAllowed("access is not allowed")
                await self.synchronise()
            case "gone":
                self.service.notify(EventKind.DELETE)
                self.service.error = NotFound("there is no such node")
        if state != "syncing":
            await asyncio.sleep(QUIET)
        assert self.explained()["state"] == state, self.explained()


def play(scene: Callable[[], Awaitable[None]]) -> None:
    """Run it in virtual time."""
    loop = VirtualLoop()
    asyncio.set_event_loop(loop)
    try:
        loop.run_until_complete(scene())
    finally:
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        asyncio.set_event_loop(None)
        loop.close()

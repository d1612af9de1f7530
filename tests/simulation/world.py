# SPDX-License-Identifier: MIT
"""One run: other people, readers, writers and faults, all from one seed."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from pubkeep.analysers.registry import Registry, load_entry_points
from pubkeep.cache.cache import Cache
from pubkeep.config import CacheSettings
from pubkeep.errors import NotAllowed, NotFound, PubkeepError, TimedOut
from pubkeep.model import NodeKey, NodeState
from pubkeep.questions import Freshness, ItemsRequest
from pubkeep.sync.jobs import Jobs
from tests.simulation.loop import EPOCH, VirtualClock, VirtualLoop
from tests.simulation.network import Network
from tests.simulation.oracle import History, judge
from tests.simulation.services import PROFILES, Service
from tests.simulation.store import SimulatedStore, open_store

ACCOUNT = "alice@localhost"
NODE = "urn:xmpp:microblog:0"
BUSY = 120.0
"""Seconds in which everything happens."""
QUIET = 200.0
"""Seconds until everything wanted is synced again: D and the longest back-off that a run provokes."""
IDS = 8


class Wrong(AssertionError):
    """An answer that may not be."""


class World:
    """A daemon's core between a network and its users."""

    def __init__(self, seed: int, folder: Path, blank: Path) -> None:
        self.seed, self.chance = seed, random.Random(seed)
        self.loop = asyncio.get_running_loop()
        assert isinstance(self.loop, VirtualLoop)
        self.clock = VirtualClock(self.loop, random.Random(seed + 1))
        self.seen: Counter[str] = Counter()
        self.trace: list[str] = []
        self.path, self.blank = folder / f"{seed}.db", blank
        self.network = Network(ACCOUNT, self.clock, random.Random(seed + 2), self.seen)
        self.faults = seed % 4 != 0
        profile = self.chance.choice(PROFILES)
        self.service = Service(f"{profile.name}.localhost", profile)
        self.network.services[self.service.jid] = self.service
        self.history = self.service.nodes[NODE] = History(profile.order, profile.fan_out > 0)
        self.key = NodeKey(ACCOUNT, self.service.jid, NODE)
        self.texts = 0
        self.store: SimulatedStore
        self.cache: Cache

    # -- life ----------------------------------------------------------------------------------------

    async def start(self) -> None:
        self.store = open_store(self.path, self.blank, self.clock, random.Random(self.seed + 3))
        analysers = Registry()
        load_entry_points(analysers)
        if not await self.store.accounts():
            await self.store.add_account(ACCOUNT, "x", uid=0, enabled=True, host="", port=0, tls="required")
        self.cache = Cache(self.store, self.network, analysers, Jobs(self.clock), self.clock, CacheSettings())
        self.network.listener = self.cache
        await self.cache.open([ACCOUNT])
        self.network.connect()

    async def stop(self) -> None:
        self.network.online = False
        await self.cache.close()
        await self.network.inbox.close()
        await self.store.close()

    async def run(self) -> None:
        """All of it; raises Wrong."""
        for _ in range(self.chance.randint(0, 14)):
            self._put()
        await self.start()
        await self._read(ItemsRequest(format="json"))
        actors: list[Callable[[], Awaitable[None]]] = [self._others, self._reader, self._reader, self._writer]
        if self.faults:
            actors.append(self._fault)
        until = self.loop.time() + BUSY
        await asyncio.gather(*(self._repeat(actor, until) for actor in actors))
        await self._afterwards()
        await self.stop()
        self.path.unlink()

    async def _repeat(self, actor: Callable[[], Awaitable[None]], until: float) -> None:
        while self.loop.time() < until:
            await asyncio.sleep(self.chance.choice((0.0, 0.01, 0.1, 1.0, 3.0)) * self.chance.random())
            await actor()

    def say(self, words: str) -> None:
        """A line of the trace."""
        self.trace.append(f"{self.loop.time():10.4f} {words}")

    # -- others ----------------------------------------------------------------------------------------

    def _put(self) -> None:
        self.texts += 1
        self._change("put", f"i{self.chance.randrange(IDS)}", f"t{self.texts}")

    def _change(self, *op: str) -> None:
        self.network.change(self.service, NODE, *op)
        self.say(f"service {op}")

    async def _others(self) -> None:
        await asyncio.sleep(self.chance.expovariate(1.0))
        state, dice = self.history.state(), self.chance.random()
        if not state.exists:
            self._change("made")
        elif not state.allowed:
            self._change("allow")
        elif dice < 0.7 or not state.items:
            self._put()
        elif dice < 0.94:
            self._change("del", self.chance.choice(state.items)[0])
        elif dice < 0.96:
            self._change("purge")
        elif self.faults and dice < 0.98:
            self._change("gone")
        elif self.faults:
            self._change("deny")

    # -- us --------------------------------------------------------------------------------------------

    def _request(self) -> ItemsRequest:
        ids = [f"i{n}" for n in range(IDS)]
        options: dict[str, Any] = self.chance.choice(
            (
                {},
                {"max": self.chance.randint(0, 9)},
                {"ids": tuple(self.chance.sample(ids, self.chance.randint(1, 4)))},
                {"before": self.chance.choice(ids), "max": 3},
                {"after": self.chance.choice(ids), "max": 3},
                {"index": self.chance.randint(0, 9), "max": 3},
            )
        )
        freshness: Freshness = self.chance.choice(("auto", "auto", "auto", "auto", "cache", "service", "quick"))
        if freshness == "auto" and self.chance.random() < 0.1:
            options["max_age"] = self.chance.choice((0, 30))
        return ItemsRequest(**options, freshness=freshness, format="json")

    async def _reader(self) -> None:
        await self._read(self._request())

    async def _read(self, request: ItemsRequest) -> None:
        begun, floor = self.clock.boottime(), self.history.floor
        self.say(f"reads {request.ids or ''} {request.max} {request.freshness}")
        try:
            answer = await self.cache.get_items(self.key, request)
        except (NotFound, NotAllowed) as error:
            self._refused(request, error, begun)
            return
        except PubkeepError as error:
            self.seen[f"reader {type(error).__name__}"] += 1
            if not self.faults and request.freshness != "cache" and "changed each time" not in str(error):
                raise Wrong(f"without any fault: {error}") from None
            return
        ended = self.clock.boottime()
        self.seen[f"read {answer.source}{' stale' if answer.stale else ''}"] += 1
        self.seen[f"state {answer.state}"] += 1
        self.say(f"read {answer.source} {answer.stale} {[(row.id, row.title) for row in answer.page.items]}")
        verdict = judge(self.history, request, answer, begun, ended, floor, self._moment)
        if not verdict.judged:
            self.seen["not judged"] += 1
        if verdict.wrong:
            raise Wrong(f"{request}: {verdict.wrong}")
        if not answer.stale:
            self.history.floor = max(self.history.floor, verdict.earliest)

    def _refused(self, request: ItemsRequest, error: PubkeepError, begun: float) -> None:
        """NotFound and NotAllowed must have been so within the minute in which they are remembered."""
        self.seen[f"reader {type(error).__name__}"] += 1
        states = [self.history.states[n] for n in self.history.between(begun - 64, self.clock.boottime())]
        anchor = request.before or request.after
        if isinstance(error, NotFound):
            fair = any(not s.exists or (anchor and anchor not in dict(s.items)) for s in states)
        else:
            fair = any(not s.allowed for s in states)
        if not fair and request.freshness != "cache":  # of an old copy errors cannot say that they are old
            raise Wrong(f"{request}: {type(error).__name__}: {error}")

    def _moment(self, wall: int) -> float:
        return (wall - EPOCH - self.clock.shifted) / 1_000_000

    async def _writer(self) -> None:
        await asyncio.sleep(self.chance.expovariate(0.3))
        item_id, dice = f"i{self.chance.randrange(IDS)}", self.chance.random()
        self.history.own.clear()
        self.texts += 1
        entry = f"<entry xmlns='http://www.w3.org/2005/Atom'><title>t{self.texts}</title></entry>"
        self.say(f"writes {item_id} t{self.texts} {dice:.2f}")
        try:
            if dice < 0.7:
                await self.cache.writer.publish(self.key, [entry], ids=[item_id])
            else:
                await self.cache.writer.retract(self.key, [item_id])
        except TimedOut:
            self.seen["write without answer"] += 1
        except PubkeepError as error:
            self.seen[f"write {type(error).__name__}"] += 1
        else:
            self.seen["write confirmed"] += 1
            self.history.floor = max(self.history.floor, self.history.own.get((item_id,), 0))
            self.say(f"wrote {item_id}")

    # -- faults ----------------------------------------------------------------------------------------

    async def _fault(self) -> None:
        await asyncio.sleep(self.chance.expovariate(0.1))
        name = self.chance.choice(
            ("cut and resume", "cut for good", "unreachable", "suspend", "restart", "disk full", "clock", "lost event")
        )
        self.seen[f"fault {name}"] += 1
        self.say(f"fault {name}")
        match name:
            case "cut and resume":
                self.network.cut()
                await asyncio.sleep(self.chance.uniform(0, 5))
                self.network.resume()
            case "cut for good":
                self.network.cut()
                await asyncio.sleep(self.chance.uniform(0, 5))
                self.network.connect()
            case "unreachable":
                self.service.unreachable = True
                await asyncio.sleep(self.chance.uniform(0, 8))
                self.service.unreachable = False
            case "suspend":
                self.clock.slept += self.chance.uniform(1, 8 * 3600)
            case "clock":
                return  # the oracle reads wall times of answers: jumps have a test of their own
            case "disk full":
                self.store.inline.failing = self.chance.randint(1, 3)
            case "lost event":
                if (
                    self.seen["fault lost event"] == 1 and "gone" not in self.service.profile.silent
                ):  # a second time within an hour is not fought
                    self.service.subscribed.discard(NODE)  # another program ends our subscription; nobody is told
            case "restart":
                await self.stop()
                await self.start()

    async def _afterwards(self) -> None:
        """Nothing happens any more, nobody asks: what is wanted becomes synced, and equal."""
        self.service.unreachable = False
        self.store.inline.failing = 0
        state = self.history.state()
        if not state.exists:
            self._change("made")
        if not state.allowed:
            self._change("allow")
        self.network.connect()
        await asyncio.sleep(QUIET)
        kept = self.cache._known.node(self.key)
        if kept is None:
            raise Wrong("afterwards: it is not kept")
        state_now = self.cache._known.state(kept)
        doubt = self.cache._known.doubts(kept, None, self.clock.boottime())
        page = await self.store.page(kept.record, limit=1000, format="json")
        rows = tuple((row.id, row.title) for row in page.items)
        if rows != self.history.state().items:
            raise Wrong(f"afterwards: {rows} is held, and {self.history.state().items} is there ({state_now} {doubt})")
        await self._read(ItemsRequest(format="json"))
        if self.cache._known.state(kept) is not NodeState.SYNCED and "ended again" not in doubt:
            doubt = self.cache._known.doubts(kept, None, self.clock.boottime())
            raise Wrong(f"afterwards: {self.cache._known.state(kept)}: {doubt}")

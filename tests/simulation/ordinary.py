# SPDX-License-Identifier: MIT
"""An hour of ordinary life, simulated: where answers come from, and what the services are asked for it.

Thirty blogs at three services; a feed reader that looks at five of them each minute, somebody who browses, others who
publish, a link that is cut now and then, a nap of the machine and a new session.
"""

import asyncio
import random
from collections import Counter

from pubkeep.analysers.registry import Registry, load_entry_points
from pubkeep.cache.cache import Cache
from pubkeep.config import CacheSettings
from pubkeep.errors import PubkeepError
from pubkeep.model import NodeKey
from pubkeep.questions import ItemsRequest
from pubkeep.sync.jobs import Jobs
from tests.simulation.history import History
from tests.simulation.loop import VirtualClock, VirtualLoop
from tests.simulation.network import Network, Sessions
from tests.simulation.services import PROFILES, Service
from tests.simulation.store import Disk, open_store

ACCOUNT = "alice@localhost"
HOUR = 3600.0
BLOGS = 10
"""At each service."""
POSTS = 40
FAVOURITES = 5
SERVICES = ("prosody", "ejabberd", "ejabberd-sql")
ENTRY = "<entry xmlns='http://www.w3.org/2005/Atom'><title>{}</title></entry>"


class Hour:
    """One hour of one account."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        self.loop, self.clock = loop, VirtualClock(loop, random.Random(seed + 1))
        self.seen: Counter[str] = Counter()
        services: dict[str, Service] = {}
        self.keys: list[NodeKey] = []
        for profile in PROFILES:
            if profile.name in SERVICES:
                service = Service(f"{profile.name}.localhost", profile)
                services[service.jid] = service
                for number in range(BLOGS):
                    name = f"urn:xmpp:microblog:0/{number}"
                    service.nodes[name] = History(profile.order, profile.fan_out > 0)
                    self.keys.append(NodeKey(ACCOUNT, service.jid, name))
        self.network = Network(ACCOUNT, services, self.clock, random.Random(seed + 2), self.seen)
        for key in self.keys:
            for number in range(POSTS):
                self._publish(key, f"i{number}")
        self.favourites = self.chance.sample(self.keys, FAVOURITES)
        store = open_store(Disk(random.Random(seed + 3), self.seen), self.clock)
        self.store = store
        analysers = Registry()
        load_entry_points(analysers)
        self.cache = Cache(
            store, Sessions({ACCOUNT: self.network}), analysers, Jobs(self.clock), self.clock, CacheSettings()
        )
        self.network.listener = self.cache

    def _publish(self, key: NodeKey, item_id: str) -> None:
        text = f"t{self.chance.randrange(10**9)}"
        self.network.change(self.network.services[key.service], key.node, "put", item_id, text)

    async def live(self) -> Counter[str]:
        """The hour. Returns what was counted in it."""
        await self.store.add_account(ACCOUNT, "x", uid=0, enabled=True, host="", port=0, tls="required")
        await self.cache.open([ACCOUNT])
        self.network.connect()
        for key in self.keys:  # which somebody reads for the first time, before the hour begins
            await self._read(key)
        await asyncio.sleep(300)
        self.seen.clear()
        before = Counter(self.cache.statistics([ACCOUNT]))
        until = self.loop.time() + HOUR
        await asyncio.gather(
            *(actor(until) for actor in (self._feeds, self._browses, self._others, self._own, self._link))
        )
        counted = Counter(self.cache.statistics([ACCOUNT])) - before + self.seen
        await self.cache.close()
        await self.network.inbox.close()
        await self.store.close()
        return counted

    async def _read(self, key: NodeKey) -> None:
        try:
            await self.cache.get_items(key, ItemsRequest(max=20, format="json"))
        except PubkeepError:
            self.seen["reads that failed"] += 1

    async def _feeds(self, until: float) -> None:
        while self.loop.time() < until:
            for key in self.favourites:
                await self._read(key)
            await asyncio.sleep(60)

    async def _browses(self, until: float) -> None:
        while self.loop.time() < until:
            await self._read(self.chance.choice(self.keys))
            await asyncio.sleep(self.chance.expovariate(1 / 30))

    async def _others(self, until: float) -> None:
        while self.loop.time() < until:
            self._publish(self.chance.choice(self.keys), f"i{self.chance.randrange(2 * POSTS)}")
            await asyncio.sleep(self.chance.expovariate(1 / 60))

    async def _own(self, until: float) -> None:
        while self.loop.time() < until:
            text = ENTRY.format(f"own{self.chance.randrange(10**9)}")
            await self.cache.writer.publish(self.favourites[0], [text])
            await asyncio.sleep(900)

    async def _link(self, until: float) -> None:
        """A cut after each quarter; at half past a nap of five minutes, in the end another session."""
        while self.loop.time() < until - 900:
            await asyncio.sleep(900)
            self.network.cut()
            if self.clock.slept or self.loop.time() < until - 1800:
                await asyncio.sleep(3)
                self.network.resume()
            else:
                self.clock.slept += 300
                self.network.connect()


def ordinary(seed: int = 1) -> Counter[str]:
    """Live it; what was counted."""
    loop = VirtualLoop()
    asyncio.set_event_loop(loop)

    async def work() -> Counter[str]:
        return await Hour(seed).live()

    counted = loop.run_until_complete(work())
    loop.close()
    return counted

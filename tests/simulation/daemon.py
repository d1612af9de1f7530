# SPDX-License-Identifier: MIT
"""The daemon's core between the networks and its users: started, stopped, killed anywhere, started again."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any, TypeVar
from xml.etree.ElementTree import Element

from pubkeep.analysers.blog import ANALYSER, parse
from pubkeep.analysers.registry import Registry
from pubkeep.cache.cache import Cache
from pubkeep.config import CacheSettings
from pubkeep.errors import StorageFull, Unavailable
from pubkeep.model import NodeChange
from pubkeep.sync.jobs import Jobs
from tests.simulation.loop import VirtualClock
from tests.simulation.network import Network, Sessions
from tests.simulation.store import Disk, SimulatedStore, open_store
from tests.simulation.users import Killed

T = TypeVar("T")
PATIENT = 40
"""Turns in which what is killed has to end."""
WORTH_IT = 12
"""Items from which on a few requests may prove a node again: the others have less."""


class Daemon:
    """One process after another on one disk."""

    def __init__(self, disk: Disk, networks: Mapping[str, Network], clock: VirtualClock) -> None:
        self.disk, self.networks, self._clock = disk, networks, clock
        self._users: set[asyncio.Task[Any] | None] = {asyncio.current_task()}
        """What goes on when the process dies."""
        self.signalled: Callable[[NodeChange], None] = lambda _change: None
        self.ending: Callable[[], None] = lambda: None
        self.analysers: Sequence[Mapping[str, Any]] = (ANALYSER,)
        """What the next process has."""
        self.settings = CacheSettings(catch_up=WORTH_IT)
        self.misparses = False
        """Whether their parsers fail for some items."""
        self._there = {jid: asyncio.Event() for jid in networks}
        """Set while it is an account."""
        for there in self._there.values():
            there.set()
        self.store: SimulatedStore
        self.cache: Cache
        self.running = asyncio.Event()
        self.dying = False

    def user(self, work: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
        """Something outside the process."""
        task = asyncio.create_task(work)
        self._users.add(task)
        task.add_done_callback(self._users.discard)
        return task

    async def start(self) -> None:
        """Open what is stored, connect."""
        self.store = open_store(self.disk, self._clock)
        analysers = Registry()
        for analyser in self.analysers:
            analysers.register_analyser({**analyser, "parser": self._parse} if "parser" in analyser else analyser)
        there = {account.jid for account in await self.store.accounts()}
        accounts = [jid for jid in self.networks if self._there[jid].is_set()]
        for jid in accounts:
            if jid not in there:
                await self._add(jid)
        sessions = Sessions(self.networks)
        self.cache = Cache(self.store, sessions, analysers, Jobs(self._clock), self._clock, self.settings)
        self.cache.listeners.append(self._signal)
        for network in self.networks.values():
            network.listener = self.cache
        await self.cache.open(accounts)
        for jid in accounts:
            self.networks[jid].parted = False
            self.networks[jid].connect()
        self.running.set()

    def _signal(self, change: NodeChange) -> None:
        self.signalled(change)

    def _parse(self, account: str, item: Element, service: str | None, node: str) -> dict[str, Any]:
        result = parse(account, item, service, node)
        match int(result["title"][1:]) % 3 if self.misparses else 0:
            case 1:
                self.disk.seen["parser raises"] += 1
                raise ValueError("it cannot be read")
            case 2:
                self.disk.seen["parser gives rubbish"] += 1
                return {"title": {result["title"]}}
        return result

    async def _add(self, jid: str) -> None:
        """Somebody adds it, and again where it could not be stored."""
        while True:
            try:
                await self.store.add_account(jid, "x", uid=0, enabled=True, host="", port=0, tls="required")
            except (StorageFull, Unavailable):
                await asyncio.sleep(0.5)
            else:
                return

    def has(self, jid: str) -> bool:
        """Whether it is an account now."""
        return self._there[jid].is_set()

    async def there(self, jid: str) -> None:
        """Wait until the daemon runs and has this account: of others nobody asks anything."""
        while not (self.running.is_set() and self._there[jid].is_set()):
            await self.running.wait()
            await self._there[jid].wait()

    async def remove_account(self, jid: str) -> None:
        """Somebody removes an account, as pubkeep.accounts does it."""
        for account in await self.store.accounts():
            if account.jid == jid:
                await self.cache.close_account(jid)
                self.networks[jid].part()
                await self.store.remove_account(account.number)
        self.networks[jid].part()
        self._there[jid].clear()

    async def add_account(self, jid: str) -> None:
        """Somebody adds it again; what an older file or an attempt before this one left goes first."""
        await self.remove_account(jid)
        await self._add(jid)
        await self.cache.open_account(jid)
        self._there[jid].set()
        self.networks[jid].parted = False
        self.networks[jid].connect()

    async def stop(self) -> None:
        """In order."""
        self.ending()
        self.running.clear()
        for network in self.networks.values():
            network.online = False
        await self.cache.close()
        for network in self.networks.values():
            network.leave()
            await network.inbox.close()
        await self.store.close()
        await self._end_all()

    async def kill(self) -> None:
        """As by kill -9: nothing of it goes on, what is committed stays."""
        self.ending()
        self.running.clear()
        self.dying = True
        self.store.inline.dead = True
        for network in self.networks.values():
            network.leave()
        await self._end_all()
        for network in self.networks.values():
            network.renew()
        self.dying = False

    async def _end_all(self) -> None:
        for _ in range(PATIENT):
            left = asyncio.all_tasks() - self._users - {asyncio.current_task()}
            if not left:
                return
            for task in sorted(left, key=lambda each: int(each.get_name().rpartition("-")[2])):
                task.cancel()
            await asyncio.sleep(0)
        raise AssertionError(f"what was ended goes on: {left}")

    async def call(self, work: Awaitable[T]) -> T:
        """A call of a user's. Raises Killed where the process dies meanwhile."""
        task = asyncio.ensure_future(work)
        try:
            await asyncio.wait((task,))
        except asyncio.CancelledError:
            task.cancel()
            raise
        if task.cancelled():
            raise Killed
        return task.result()

# SPDX-License-Identifier: MIT
"""One run: services, accounts, other people, users and faults, all from one seed."""

import asyncio
import contextlib
import logging
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

from pubkeep.cache.cache import Cache
from pubkeep.model import NodeChange, NodeKey
from pubkeep.questions import ItemsRequest, NodeFilter
from tests.simulation import IGNORED, MICROBLOG
from tests.simulation.cells import Cells
from tests.simulation.daemon import Daemon
from tests.simulation.ending import QUIET, SOON, Ending
from tests.simulation.faults import FAULTS, OFTEN, Fault, interrupted, name_of
from tests.simulation.followers import ByChanges, BySearch
from tests.simulation.history import History, State
from tests.simulation.loop import EPOCH, VirtualClock, VirtualLoop
from tests.simulation.network import Network
from tests.simulation.oracle import Sight
from tests.simulation.refusals import Refusal
from tests.simulation.services import LONG_PROFILES, PROFILES, Service
from tests.simulation.store import Disk
from tests.simulation.users import Users, Wrong

ACCOUNTS = ("alice@localhost", "bob@localhost")
BUSY = 120.0
"""Seconds in which everything happens."""
BUSY_LONG = 200.0
"""The same where lists are long: there, less happens at a time."""
STUCK = 600.0
"""Seconds after which what is under way then must be over."""
LONG_AGO = 7_200_000_000
"""Microseconds by which what an archive has is older than the history: clocks may differ by an hour."""
IDS = 8
MANY = 40
"""Names of items where lists are long."""
LONG_PACE = 0.15
"""Changes in a second of a long list that goes wrong: what never comes to rest is never caught up with."""
SHOWN = 3
FEW = 20
"""Below, somebody fills a long list again."""
CALM_PAUSE = 18.0
"""Seconds between two changes of others where nothing goes wrong: the floor is to measure the cache, not the burst."""


class World:
    """All there is."""

    def __init__(self, seed: int) -> None:
        self.seed, self.chance = seed, random.Random(seed)
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        self.loop = loop
        self.clock = VirtualClock(loop, random.Random(seed + 1))
        self.seen: Counter[str] = Counter()
        self.trace: list[str] = []
        self.faults = seed % 4 != 0
        self.busy = False
        """While users come and go; before and after it what is read is needed to compare."""
        self.long = seed % 7 == 3
        """Whether the list of the first node is long, so that catching up is worth it."""
        profile = PROFILES[(seed // 4) % len(PROFILES)]
        if self.long:
            profile = LONG_PROFILES[(seed // 7) % len(LONG_PROFILES)]
        self.jid = f"{profile.name}.localhost"
        self.kept_nodes = [MICROBLOG, f"{MICROBLOG}:comments/1"][: 1 + (seed % 3 == 0)]
        self.all_nodes = [*self.kept_nodes, IGNORED]
        self.networks: dict[str, Network] = {}
        self.keys: list[NodeKey] = []
        self.sights: dict[NodeKey, Sight] = {}
        for at, account in enumerate(ACCOUNTS[: 1 + (seed % 5 == 0)]):
            self._join(account, Service(self.jid, profile), random.Random(seed + 2 + at))
        self.changed_at: dict[NodeKey, float] = {}
        self.ended: set[tuple[str, str]] = set()
        self.restarting = asyncio.Lock()
        self.most_shifted = 0
        self._texts = self._burst = 0
        self._waiting: dict[NodeKey, asyncio.Event] = {}
        self.disk = Disk(random.Random(seed + 5), self.seen)
        self.daemon = Daemon(self.disk, self.networks, self.clock)
        self.daemon.signalled = self._signalled
        self.cells = Cells(self.seen, lambda: self.cache, self.keys, self._held)
        self.daemon.ending = lambda: self.cells.ends(list(self.networks))
        for network in self.networks.values():
            network.watcher = self.cells
        self.users = Users(self)
        self.by_search, self.by_changes = BySearch(self, self.chance), ByChanges(self, random.Random(seed + 6))

    def _join(self, account: str, service: Service, chance: random.Random) -> None:
        """An account. The service as it sees it is its own: what others do is done to each of them alike."""
        for node in self.all_nodes:
            history = service.nodes[node] = History(service.profile.order, service.profile.fan_out > 0)
            key = NodeKey(account, service.jid, node)
            self.keys.append(key)
            self.sights[key] = Sight(account, history)
        network = self.networks[account] = Network(account, {service.jid: service}, self.clock, chance, self.seen)
        network.changed.append(self._wake)
        network.wrote = lambda jid, node, op: self.also(account, node, op)

    @property
    def cache(self) -> Cache:
        """The one that runs."""
        return self.daemon.cache

    # -- life ----------------------------------------------------------------------------------------

    async def run(self) -> None:
        """All of it; raises Wrong."""
        for node in self.all_nodes:
            for _ in range(self.chance.randint(0, 10)):
                self.publish(node)
        if self.long:
            self._fill(MICROBLOG)
            self.long_ago()
        await self.daemon.start()
        first = [self.daemon.user(self.users.read(key, ItemsRequest(format="json"))) for key in self.keys]
        await asyncio.gather(*first)
        if self.long:
            await self._show_order()
        users = self.users
        actors: list[Callable[[], Awaitable[None]]] = [self._others, users.reader, users.reader, users.reader]
        actors += [users.writer, self.by_search.run]
        if self.seed % 3 == 2:
            actors.append(self.by_changes.run)
        if self.faults:
            actors += [self._fault, self._interruption if self.long else self._fault, users.decider]
        busy = BUSY_LONG if self.long else BUSY
        self.busy, until = True, self.loop.time() + busy
        watchman = self.daemon.user(self._watchman())
        try:
            async with asyncio.timeout(busy + STUCK):
                await self._all([self._repeat(actor, until) for actor in actors])
        except TimeoutError:
            raise Wrong("somebody waits for ever for an answer") from None
        self.busy = False
        await Ending(self).run()
        watchman.cancel()
        await self.daemon.stop()
        self._look()

    async def _show_order(self) -> None:
        """The service has shown in calmer times which order it keeps: nothing but an overwrite, again and again."""
        for _ in range(SHOWN):
            await asyncio.sleep(QUIET / 30)
            self.change(MICROBLOG, "put", self.chance.choice(self.state(MICROBLOG).items[:-1])[0], self.text())
        await asyncio.sleep(QUIET / 30)

    async def _all(self, works: Sequence[Any]) -> None:
        tasks = [self.daemon.user(work) for work in works]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()

    async def _repeat(self, actor: Callable[[], Awaitable[None]], until: float) -> None:
        while self.loop.time() < until:
            await asyncio.sleep(self.chance.choice((0.0, 0.01, 0.1, 1.0, 3.0)) * self.chance.random())
            await self.daemon.running.wait()
            await actor()
            self._look()

    async def _watchman(self) -> None:
        """Starts the process anew where it was killed."""
        while True:
            await self.disk.killed.wait()
            async with self.restarting:
                if self.disk.killed.is_set():
                    await self._kill()
                    await self._survives(self.daemon.start())

    async def _kill(self) -> None:
        self.disk.killed.clear()
        self.say("killed")
        await self.daemon.kill()

    async def restart(self, between: Callable[[], None] = lambda: None) -> None:
        """Stop the process in order and start it anew. One that is killed while it starts is the watchman's."""
        async with self.restarting:
            if not await self._survives(self.daemon.stop()):
                await self._kill()
            between()
            await self._survives(self.daemon.start())

    async def _survives(self, work: Coroutine[Any, Any, None]) -> bool:
        """Whether the process was not killed meanwhile: then nothing in it ever ends."""
        works = self.daemon.user(work), self.daemon.user(self.disk.killed.wait())
        await asyncio.wait(works, return_when=asyncio.FIRST_COMPLETED)
        if works[0].done():
            works[0].result()
        for each in works:
            each.cancel()
        return not self.disk.killed.is_set()

    def _look(self) -> None:
        if self.disk.ledger.wrong:
            raise Wrong(self.disk.ledger.wrong)
        if self.daemon.running.is_set():
            self.by_search.look()

    def say(self, words: str) -> None:
        """A line of the trace."""
        self.trace.append(f"{self.loop.time():10.4f} {words}")

    def text(self) -> str:
        """One that was never used."""
        self._texts += 1
        return f"t{self._texts}"

    # -- what is where -------------------------------------------------------------------------------

    def _held(self, key: NodeKey) -> set[str]:
        return {item_id for item_id, *_ in self.disk.ledger.rows(*key)}

    def some_key(self) -> NodeKey:
        """Often the first."""
        return self.keys[0] if self.chance.random() < 0.5 else self.chance.choice(self.keys)

    def ids(self, key: NodeKey) -> list[str]:
        """Names of items that may be there."""
        return [f"i{number}" for number in range(self._names(key.node))]

    def _names(self, node: str) -> int:
        """How many names items of a node have."""
        return MANY if self.long and node == MICROBLOG else IDS

    def kept(self, key: NodeKey) -> bool:
        """Whether an analyser wants it."""
        return key.node in self.kept_nodes

    def wanted(self, key: NodeKey) -> bool:
        """Whether it is kept now."""
        return bool(self.cache.get_nodes(NodeFilter(key.account, key.service, key.node), (key.account,)))

    def moment(self, wall: int) -> float:
        """The boottime of a wall time told now."""
        return (wall - EPOCH - self.clock.shifted) / 1_000_000

    async def next_change(self, key: NodeKey) -> None:
        """Wait for somebody to change the node, a little while."""
        event = self._waiting.setdefault(key, asyncio.Event())
        try:
            async with asyncio.timeout(SOON * (4 if self.long else 1)):
                await event.wait()
        except TimeoutError:
            return

    async def next_listing(self, key: NodeKey) -> None:
        """Wait for a list of the node to be asked for, a little while."""
        listing, end = self.networks[key.account].listing, self.loop.time() + SOON
        while not listing[key] and self.loop.time() < end:
            await asyncio.sleep(0.03)

    def _wake(self, account: str, service: str, node: str, op: tuple[str, ...]) -> None:
        key = NodeKey(account, service, node)
        self.say(f"service {account} {node} {op}")
        self.changed_at[key] = self.clock.boottime()
        if event := self._waiting.pop(key, None):
            event.set()

    def _signalled(self, change: NodeChange) -> None:
        self.say(f"signal {change.key.node} {change.what} {change.published} {change.retracted}")
        if (sight := self.sights.get(change.key)) is None:
            raise Wrong(f"a signal of a node that nobody asked for: {change}")
        sight.sequence = max(sight.sequence, change.sequence)
        if change.what == "deleted":
            sight.deleted(self.clock.boottime())
            self.networks[change.key.account].refused_at.pop(change.key, None)  # nothing was refused of a new one yet
        self.seen[f"signal {change.what}"] += 1

    # -- others ----------------------------------------------------------------------------------------

    def change(self, node: str, *op: str, silent: bool = False) -> None:
        """Somebody does something to a node."""
        for network in self.networks.values():
            with contextlib.suppress(Refusal):  # somebody was faster
                network.change(network.services[self.jid], node, *op, silent=silent)

    def also(self, account: str, node: str, op: tuple[str, ...]) -> None:
        """One account did it; the others see it."""
        for network in self.networks.values():
            if network.account != account:
                with contextlib.suppress(Refusal):  # it is gone there already
                    network.change(network.services[self.jid], node, *op)

    def state(self, node: str) -> State:
        """What the node is now, as the first account sees it."""
        return self.sights[NodeKey(ACCOUNTS[0], self.jid, node)].history.state()

    def publish(self, node: str) -> None:
        """Somebody publishes something."""
        number = self.chance.randrange(IDS)
        if self._names(node) > IDS and self.chance.random() < 0.3:  # most of a long list stays as it is
            number = self.chance.randrange(MANY)
        self.change(node, "put", f"i{number}", self.text())

    def hide_edit(self, node: str) -> None:
        """Somebody edits an item, and then publishes all after it again as they are."""
        if items := self.state(node).items[-self.chance.randint(2, FEW + 5) :]:
            self.change(node, "put", items[0][0], self.text())
            for item in items[1:]:
                self.change(node, "put", *item)

    def _fill(self, node: str) -> None:
        """Somebody publishes much at once."""
        lacking = sorted({*range(MANY)} - {int(item_id[1:]) for item_id, _ in self.state(node).items})
        for number in self.chance.sample(lacking, self.chance.randint(FEW, len(lacking))):
            self.change(node, "put", f"i{number}", self.text())

    def _pause(self) -> float:
        """Seconds until somebody changes something: now and then several in a row, in calm times seldom."""
        if self.faults:
            return self.chance.expovariate(LONG_PACE if self.long else 1.0)
        self._burst = self._burst - 1 if self._burst else self.chance.choice((0, 0, 0, 0, 0, 2))
        return self.chance.expovariate(2.0 if self._burst else 1 / CALM_PAUSE)

    async def _others(self) -> None:
        await asyncio.sleep(self._pause())
        key = self.some_key()
        node, dice = key.node, self.chance.random()
        state, network = self.state(node), self.networks[key.account]
        if not state.exists:
            self.change(node, "made")
        elif not self.sights[key].history.state().allowed:
            network.change(network.services[self.jid], node, "allow")
        elif self.long and node == MICROBLOG and len(state.items) < FEW:
            self._fill(node)
        elif self.long and dice < 0.05:
            self.hide_edit(node)
        elif dice < 0.7 or not state.items:
            self.publish(node)
        elif dice < 0.94:
            self.change(node, "del", self.chance.choice(state.items)[0])
        elif dice < 0.96:
            self.change(node, "purge")
        elif self.faults and dice < 0.98:
            self.change(node, "gone")
        elif self.faults:
            network.change(network.services[self.jid], node, "deny")

    async def _fault(self) -> None:
        await asyncio.sleep(self.chance.expovariate(0.17))
        await self._happens(self.chance.choice((*FAULTS, *OFTEN)))

    async def _interruption(self) -> None:
        await asyncio.sleep(self.chance.expovariate(0.3))
        await self._happens(interrupted)

    async def _happens(self, fault: Fault) -> None:
        network = self.chance.choice(list(self.networks.values()))
        async with self.restarting:
            pass
        await self.daemon.running.wait()
        self.seen[f"fault {name_of(fault)}"] += 1
        self.say(f"fault {name_of(fault)} {network.account}")
        await fault(self, network, self.jid)
        self.say(f"over {name_of(fault)}")

    def long_ago(self) -> None:
        """Hours pass at the services: what was published until now is older than any difference between clocks."""
        for network in self.networks.values():
            for archive in network.services[self.jid].archives.values():
                archive.back(LONG_AGO)


class TraceHandler(logging.Handler):
    """What the daemon says in its log belongs to the trace; what it calls an error is one."""

    def __init__(self, world: World, troubles: list[str]) -> None:
        super().__init__()
        self._world, self._troubles = world, troubles

    def emit(self, record: logging.LogRecord) -> None:
        words = record.getMessage()
        self._world.say(f"log {words}")
        if record.args and len(record.args) == 3:
            node, service, error = record.args
            for account in self._world.networks:
                self._world.cells.logged(NodeKey(account, str(service), str(node)), error)
        if record.levelno >= logging.ERROR:
            trouble = f"{type(record.exc_info[1]).__name__}: {record.exc_info[1]}" if record.exc_info else ""
            self._troubles.append(f"{words} {trouble}")

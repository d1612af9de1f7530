# SPDX-License-Identifier: MIT
"""O6: what must come true when nothing happens any more, without anybody's help."""

import asyncio
from typing import TYPE_CHECKING

from pubkeep.model import NodeKey, NodeState
from pubkeep.questions import ItemsRequest, NodeFilter
from tests.simulation import IGNORED, MICROBLOG
from tests.simulation.network import REPLY
from tests.simulation.oracle import HIDDEN, alike, text_of
from tests.simulation.users import Wrong

if TYPE_CHECKING:
    from tests.simulation.world import World

QUIET = 300.0
"""Seconds until everything wanted is synced again: D and the longest back-off that a run provokes."""
MAX_AGE = 900.0
LATE = 0.5
"""Seconds after which what was done is told, and archived, at most services."""
INTERRUPTIONS = 4
"""Of a long list."""
BUDGET = 90
"""Requests for each node."""
SOON = 3.0
"""Seconds that somebody waits for a change or a listing at most."""


class Ending:
    """The end of a world."""

    def __init__(self, world: "World") -> None:
        self._world = world

    async def run(self) -> None:
        """O6: nothing happens any more, nobody asks: what is wanted becomes synced, and equal."""
        world = self._world
        world.disk.kill_at = ""
        async with world.restarting:
            pass
        for node in world.kept_nodes:
            if not world.state(node).exists:
                world.change(node, "made")
        for key, sight in world.sights.items():
            if not sight.history.state().allowed:
                world.networks[key.account].change(world.networks[key.account].services[world.jid], key.node, "allow")
        for network in world.networks.values():
            network.paths[world.jid].errors.clear()
            if not network.stream.up:
                network.connect()
        await asyncio.sleep(REPLY + 5)  # what was to be dropped is dropped
        kept = [key for key in world.keys if key.node != IGNORED]
        for key in kept:
            if not world.wanted(key) or self._unserved(key):  # who reads it wants it again, or asks whether it may
                await world.users.read(key, ItemsRequest(format="json", freshness="service"))
        begun = {jid: network.requests for jid, network in world.networks.items()}
        verified = self._verified()
        world.say("quiet from now on")
        await asyncio.sleep(QUIET)
        for key in kept:
            if world.cells.state(key) not in ("denied", "gone"):  # nobody tells that it is back; a reader finds out
                self._compare(key, verified.get(key, -9e9), "without help")
        for jid, network in world.networks.items():
            if network.requests - begun[jid] > BUDGET * len(kept):
                raise Wrong(f"O6: {network.requests - begun[jid]} requests where nothing happens")
        before = {key: world.cells.state(key) for key in kept}
        await asyncio.sleep(MAX_AGE)
        for key in kept:
            if world.cells.state(key) != before[key]:
                world.cells.hit("max age", before[key])
        if world.long:
            await self._interrupted_again()
            await asyncio.sleep(MAX_AGE)
            await self._interrupted_unread()
        for key in kept:
            await world.users.read(key, ItemsRequest(format="json"))
        await asyncio.sleep(QUIET / 10)
        for key in kept:
            answer = await world.users.read(key, ItemsRequest(format="both"))
            self._compare(key, world.clock.boottime(), "after max_age")
            if answer is None or answer.source != "cache" or answer.stale or answer.state is not NodeState.SYNCED:
                doubt = world.cache.explain(key)
                if "ended again" not in str(doubt):
                    raise Wrong(f"O6: {key.node} is not synced: {answer and answer.reason} {doubt}")
        world.by_search.since = None
        await world.by_search.follow()
        await world.by_changes.follow()
        world.cells.compared()
        if fault := world.disk.ledger.index_fault():
            raise Wrong(fault)

    async def _interrupted_again(self) -> None:
        """Calm days: of a long list little is edited between two sessions, and every time it is caught up with."""
        world = self._world
        await self._synchronised()
        world.long_ago()
        for _ in range(INTERRUPTIONS):
            await self._edited_between_sessions(world.chance.choice((world.chance.uniform(0, LATE), SOON)))
            for pause in world.chance.choice(((0, QUIET / 10), (QUIET / 10,))):
                await asyncio.sleep(pause)  # who reads at once is given all by the service, and so is the copy
                for network in world.networks.values():
                    key = NodeKey(network.account, world.jid, MICROBLOG)
                    await world.users.read(key, ItemsRequest(format="json"))

    async def _interrupted_unread(self) -> None:
        """Nobody reads it, and another session begins after an edit: where nothing shows edits its ids come first."""
        await self._synchronised()
        await self._edited_between_sessions(SOON)

    async def _synchronised(self) -> None:
        world = self._world
        for network in world.networks.values():
            await world.users.decide("synchronise", NodeKey(network.account, world.jid, MICROBLOG))
        await asyncio.sleep(QUIET / 10)

    async def _edited_between_sessions(self, pause: float) -> None:
        world = self._world
        for network in world.networks.values():
            network.cut()
        await asyncio.sleep(QUIET / 100)
        for _ in range(world.chance.randint(1, 3)):
            world.publish(MICROBLOG)
        await asyncio.sleep(pause)  # after a short one, some of it is told in the next session or not yet archived
        for network in world.networks.values():
            network.connect()
        await asyncio.sleep(world.chance.uniform(0, SOON))

    def _unserved(self, key: NodeKey) -> bool:
        """Whether nothing is served of it, and nobody asks for it again within an hour."""
        return self._world.cache.explain(key)["state"] in ("denied", "ignored")

    def _verified(self) -> dict[NodeKey, float]:
        """When each node was last proved."""
        world = self._world
        nodes = world.cache.get_nodes(NodeFilter(), list(world.networks))
        if world.clock.shifted:
            return {}  # nobody knows by which clock it was told
        return {record.key: world.moment(record.verified_at) for record, _ in nodes}

    def _compare(self, key: NodeKey, since: float, when: str) -> None:
        """What is held is what the service has, but for what nobody told since then."""
        world = self._world
        history = world.sights[key].history
        rows = tuple((item_id, text_of("", xml)) for item_id, _, xml, _ in world.disk.ledger.rows(*key))
        for (_, text), (_, title, xml, _) in zip(rows, world.disk.ledger.rows(*key), strict=True):
            if title not in (text, ""):
                raise Wrong(f"O6: {title} with another payload: {xml}")
        number = len(history.changes)
        worlds = history.worlds(range(number, number + 1), history.loose(since, 9e9, 9e9))
        why, untold = (world.cache.explain(key).get(each, "") for each in ("words", "untold"))
        interrupted = world.networks[key.account].paths[world.jid].lost[0] if HIDDEN in str(untold) else since
        fitting = (alike(history.unhidden(rows, each, since, interrupted), each.items) for each in (worlds or [()])[0])
        if worlds is not None and not any(fitting):
            raise Wrong(f"O6 {when}: {key.account} {key.node}: {rows} is held, {history.state().items} is there: {why}")

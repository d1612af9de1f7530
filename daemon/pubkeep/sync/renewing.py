# SPDX-License-Identifier: MIT
"""What is done in time, so that the next read need not wait: signs of life, proofs that grow old, a slow scrub."""

import asyncio
import logging
from collections.abc import Callable, Collection
from functools import partial

from pubkeep.cache.barrier import barrier
from pubkeep.cache.parts import Part, Tools
from pubkeep.cache.wanted import Node
from pubkeep.errors import PubkeepError

log = logging.getLogger(__name__)

DAY = 86400.0
LEASE_EVERY = 45.0
"""Seconds between two signs of life of a service of which nodes are being read."""
ASK_HIDDEN = 3600.0
"""Seconds after which a denied or gone node is asked for again, though nobody reads it: nobody tells of its return."""
READ_LATELY = 600.0
"""Seconds for which a service counts as being read."""


class Renewing(Part):
    """Asks for signs of life, and wishes for the synchronisations that keep proofs young."""

    def __init__(self, tools: Tools, want: Callable[[Node], None]) -> None:
        super().__init__(tools)
        self._want = want
        self._barriers: dict[Node, asyncio.Task[None]] = {}
        self._scrub_due = self._clock.boottime()
        self._lease_due = self._clock.boottime() + LEASE_EVERY

    @property
    def tasks(self) -> Collection[asyncio.Task[None]]:
        """What is under way."""
        return self._barriers.values()

    def renew(self, now: float, syncing: Collection[Node]) -> float:
        """Do what is due; returns when something is due again.

        Args:
            syncing: what is being synchronised now.
        """
        if self._lease_due <= now:
            self._lease_due = now + LEASE_EVERY
            self._renew_leases(now)
        if self._scrub_due <= now:
            self._scrub(now, syncing)
        return min(self._lease_due, self._scrub_due)

    def _scrub(self, now: float, syncing: Collection[Node]) -> None:
        """List one node anew, the one whose proof is the oldest, so that a share of all has its turn each day."""
        share = self._settings.scrub
        kept = [n for n in self._known.nodes() if n.proof is not None and not n.hidden and n.next_attempt is None]
        self._scrub_due = now + (DAY / (share * len(kept)) if share and kept else DAY / 24)
        idle = [node for node in kept if self._known.live(node.key.account) and node not in syncing]
        oldest = min(idle, key=lambda node: node.proof.verified_at if node.proof else now, default=None)
        if share and oldest is not None and oldest.proof and now - oldest.proof.verified_at > DAY / share / 2:
            self._want(oldest)

    def _renew_leases(self, now: float) -> None:
        """Services read lately get a round trip, and nodes a new proof in time."""
        for node in self._known.nodes():
            hidden = node.hidden and now - max(node.refused_at, node.ended_at) >= ASK_HIDDEN
            if hidden or (now - node.read_at < READ_LATELY and self._known.grows_old(node, 2 * LEASE_EVERY)):
                self._want(node)
        for node in self._read_lately(now):
            if self._known.live(node.key.account) and node not in self._barriers:
                task = self._barriers[node] = asyncio.create_task(self._barrier(node))
                task.add_done_callback(partial(self._answered, node))

    def _answered(self, node: Node, _barrier: asyncio.Task[None]) -> None:
        del self._barriers[node]

    def _read_lately(self, now: float) -> Collection[Node]:
        """One node for each service that was read lately."""
        services: dict[tuple[str, str], Node] = {}
        for node in self._known.nodes():
            if now - node.read_at < READ_LATELY and node.subscribed_epoch == node.link.epoch:
                services[node.key.account, node.key.service] = node
        return services.values()

    async def _barrier(self, node: Node) -> None:
        try:
            stands = await barrier(node, self._sessions.client(node.key.account))
        except PubkeepError as error:
            log.debug("%s: no sign of life: %s", node.key.service, error)
            return
        if not stands:
            self._want(node)

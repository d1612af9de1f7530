# SPDX-License-Identifier: MIT
"""Which nodes are taken up: what callers read, and contacts show, is analysed; what somebody wants is kept."""

import contextlib
import logging
from collections.abc import Sequence
from typing import Protocol

from pubkeep.cache import asking
from pubkeep.cache.applying import Applier
from pubkeep.cache.parts import Part, Tools
from pubkeep.cache.passed import Passed
from pubkeep.cache.wanted import Node
from pubkeep.errors import NOT_STORED, UnknownObject
from pubkeep.model import Analysis, NodeKey, NodeRecord, NodeState
from pubkeep.protocol import NodeEvent, WireItem

log = logging.getLogger(__name__)


class Planner(Protocol):
    """What a read may ask of the scheduler."""

    def want(self, node: Node, *, urgent: bool = False) -> None:
        """Synchronise it, soon or next."""


class Adopter(Part):
    """Takes nodes up."""

    def __init__(self, tools: Tools, applier: Applier, planner: Planner) -> None:
        super().__init__(tools)
        self._applier = applier
        self._planner = planner
        self.passed = Passed(tools.clock)

    async def learn(self, key: NodeKey, items: Sequence[WireItem], sent_at: float) -> Analysis | None:
        """Analyse a node that is seen for the first time, and bring what somebody wants to `synced`."""
        if (node := self._known.node(key)) is not None:
            if node.hidden and not node.access.shown(sent_at):
                node.refused_at = float("-inf")  # it may be older than the refusal, or newer: the next read asks
            elif node.hidden:
                await self._applier.reveal(node)
            if asking.keeps_again(node.record) or self._known.needs_proof(node):
                self._planner.want(node, urgent=True)
            return node.record.analysis
        policy = self._known.policy(key)
        if self.passed.unwanted(key):
            return self.passed.analysis(key)
        first = items[-1] if items else None
        analysis = await self._analysers.analyse(key, first)
        if policy.sync == "always":
            await self._adopt_if_stored(key, analysis, "policy")
        elif analysis is not None and analysis.to_sync and policy.sync == "auto":
            await self._adopt_if_stored(key, analysis, "analyser")
        elif first is not None or not self._analysers.by_namespace:
            self.passed.analysed(key, analysis)
        return analysis

    async def _adopt_if_stored(self, key: NodeKey, analysis: Analysis | None, wanted_by: str) -> None:
        """Who reads a node is shown it all the same; the next read takes it up."""
        try:
            await self.adopt(key, analysis, wanted_by)
        except NOT_STORED as error:
            log.warning("%s at %s: not kept yet: %s", key.node, key.service, error)

    def state_of_unkept(self, key: NodeKey) -> NodeState:
        """Ignored: it was analysed within the last hour, and nobody wanted it."""
        return NodeState.IGNORED if self.passed.unwanted(key) else NodeState.UNKNOWN

    async def notice(self, event: NodeEvent) -> None:
        """A contact's node shows itself: what an analyser wants of it is fetched in its turn, not taken from here."""
        key = event.node
        analysis = await self._analysers.analyse(key, event.items[-1])
        if analysis is not None and analysis.to_sync and self._known.policy(key).sync == "auto":
            with contextlib.suppress(UnknownObject):  # the account was removed meanwhile
                await self.adopt(key, analysis, "contact", urgent=False)

    async def adopt(self, key: NodeKey, analysis: Analysis | None, wanted_by: str, *, urgent: bool = True) -> Node:
        """Somebody wants this node from now on. Raises UnknownObject where its account was removed meanwhile."""
        async with self._known.keeping:  # several first readers at once make one row
            if (node := self._known.node(key)) is None:
                self._known.check_open(key.account)
                record = NodeRecord(0, key, NodeState.STALE, "not fetched yet", analysis, wanted_by)
                node = self._known.add(await self._store.save_node(record))
                self.passed.forget(key, refusal=False)
                self._applier.tell(node, "state", None)
        self._planner.want(node, urgent=urgent)
        return node

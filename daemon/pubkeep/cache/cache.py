# SPDX-License-Identifier: MIT
"""The face of the cache: what D-Bus asks, and what sessions tell."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace

from pubkeep.cache.adopting import Adopter
from pubkeep.cache.applying import Applier
from pubkeep.cache.chosen import analyser_of
from pubkeep.cache.committing import Listener
from pubkeep.cache.healing import Healer
from pubkeep.cache.known import Known
from pubkeep.cache.nodes import Nodes
from pubkeep.cache.overview import Overview
from pubkeep.cache.parts import Tools
from pubkeep.cache.reading import Reader
from pubkeep.cache.reparsing import Reparser
from pubkeep.cache.wanted import Node
from pubkeep.cache.writing import Writer
from pubkeep.clock import Clock
from pubkeep.config import CacheSettings
from pubkeep.errors import Conflict, InvalidArgs, NotFound, PubkeepError, UnknownObject
from pubkeep.model import Analysis, Applied, Copy, NodeKey, NodeRecord, NodeState, Policy
from pubkeep.ports import Analysers, Sessions, Store
from pubkeep.protocol import NodeEvent
from pubkeep.questions import (
    Answer,
    ItemsRequest,
    NodeFilter,
)
from pubkeep.sync.explain import explain
from pubkeep.sync.jobs import Job, Jobs
from pubkeep.sync.scheduler import Scheduler
from pubkeep.sync.settling import Settler
from pubkeep.sync.syncing import Syncer

log = logging.getLogger(__name__)

Work = Callable[[], Awaitable[None]]
"""Begun when its turn comes: what is cancelled before that has not begun."""


class Cache(Overview):
    """Requests and events of all accounts."""

    def __init__(
        self, store: Store, sessions: Sessions, analysers: Analysers, jobs: Jobs, clock: Clock, settings: CacheSettings
    ) -> None:
        known = Known(settings, clock)
        tools = Tools(known, store, sessions, analysers, clock, settings)
        applier = Applier(tools)
        syncer, settler = Syncer(tools, applier), Settler(tools, applier)
        self._scheduler = Scheduler(tools, syncer, settler, applier, jobs)
        healer = Healer(tools, applier)
        super().__init__(tools, healer)
        self._applier = applier
        self._adopter = Adopter(tools, self._applier, self._scheduler)
        self._reader = Reader(tools, self._applier, self._scheduler, self._adopter, healer)
        self.writer = Writer(tools, self._applier, self._reader, self._scheduler, syncer)
        self.nodes = Nodes(tools, self._applier, self._reader, self._scheduler)
        self._reparser = Reparser(tools, self._applier, healer)
        self._applier.unwanted = self._drop_later
        self._work: asyncio.Task[None] | None = None
        self._dropping: set[asyncio.Task[None]] = set()

    @property
    def listeners(self) -> list[Listener]:
        """Called after each commit with what changed; must not wait."""
        return self._applier.listeners

    @property
    def sequence(self) -> int:
        """The number of the last change."""
        return self._store.sequence

    # -- life ------------------------------------------------------------------------------------

    async def open(self, accounts: Sequence[str]) -> None:
        """Take up what earlier runs kept, and start working in the background."""
        try:
            await self._store.declare(self._analysers.declared())
        except PubkeepError as error:  # what is asked of their JSON is found all the same, more slowly
            log.warning("what analysers declare is not indexed: %s", error)
        for account in accounts:
            await self.open_account(account)
        self._work = asyncio.create_task(self._scheduler.run())

    async def open_account(self, account: str) -> None:
        """Take up the nodes of an account."""
        self._known.open_account(account)
        for key, policy in (await self._store.policies(account)).items():
            self._known.set_policy(key, policy)
        for service, shown in (await self._store.traits(account)).items():
            link = self._known.link(account, service)
            link.traits = link.kept = shown
        outdated: list[tuple[Node, Analysis]] = []
        for record in await self._store.nodes(account):
            outdated += await self._take_up(record)
        if outdated:
            self._later(lambda: self._reparser.run(outdated))

    async def close(self) -> None:
        """End the background work; what it did is committed."""
        await self._reader.close()
        for task in self._dropping:
            task.cancel()
        if self._work is not None:
            self._work.cancel()
            await asyncio.gather(self._work, return_exceptions=True)

    async def close_account(self, account: str) -> None:
        """The account goes: subscriptions of ours are ended, its nodes are nobody's."""
        self._known.close_account(account)
        nodes = self._known.nodes(account)
        with contextlib.suppress(TimeoutError):  # the account goes all the same
            async with asyncio.timeout(2):
                await asyncio.gather(*(self.writer.drop(node.key) for node in nodes), return_exceptions=True)
        async with self._known.keeping:  # one was being taken up, perhaps
            for node in self._known.nodes(account):
                self._scheduler.drop(node)
                self._known.drop(node)
        self._known.forget_account(account)
        self._reader.forget_account(account)

    def _drop_later(self, node: Node) -> None:
        self._later(lambda: self._drop(node.key))

    def _later(self, work: Work) -> None:
        task = asyncio.create_task(_quietly(work))
        self._dropping.add(task)
        task.add_done_callback(self._dropping.discard)

    async def _drop(self, key: NodeKey) -> None:
        with contextlib.suppress(UnknownObject):  # somebody else was faster
            await self.writer.drop(key)

    async def _take_up(self, record: NodeRecord) -> list[tuple[Node, Analysis]]:
        """Remember a stored node; what the analysers say of it may have changed with the program.

        Returns it with its analysis, where its items were parsed by another one: until that is made up for, the node
        names the one that parsed them.
        """
        node, before = self._known.add(record), record.analysis
        if before is None:
            return []
        now = await self._analysers.again(record.key, before)
        if now is None:
            node.orphaned = record.wanted_by in ("analyser", "contact") and node.policy.sync != "always"
            return []
        parsed_by = replace(now, name=before.name, version=before.version)
        node.record = replace(record, analysis=parsed_by)
        return [(node, now)] if parsed_by != now else []

    # -- what sessions tell (ports.SessionListener) ----------------------------------------------

    def session_started(self, account: str) -> None:
        self._known.session(account, live=True, fresh=True)
        self._reader.forget_refusals(account)
        self._scheduler.session_started(account)
        self._later(lambda: self.writer.end_leftovers(account))
        for node in self._known.nodes(account):
            if node.unwanted:
                self._drop_later(node)

    def session_resumed(self, account: str) -> None:
        self._known.session(account, live=True)
        self._scheduler.session_resumed(account)

    def session_lost(self, account: str) -> None:
        self._known.session(account, live=False)

    def answered(self, account: str, service: str, sent_at: float) -> None:
        self._known.answered(account, service, sent_at)

    def dropped(self, account: str, why: str) -> None:
        self._known.dropped(account, why)

    def path_lost(self, account: str, service: str) -> None:
        if not self._known.has_link(account, service):
            return
        self._known.new_epoch(self._known.link(account, service))
        for node in self._known.nodes(account):
            if node.key.service == service:
                self._scheduler.want(node)

    def contacts(self, account: str, contacts: frozenset[str]) -> None:
        self._known.contacts[account] = contacts
        for node in self._known.nodes(account):
            if node.record.wanted_by == "contact" and node.key.service not in contacts and not node.key.is_own_pep:
                self._drop_later(node)

    async def handle(self, event: NodeEvent) -> None:
        self._reader.forget_refusal(event.node)
        if self._known.node(event.node) is None and event.items and self._known.notifies(event.node):
            await self._adopter.notice(event)
        else:
            await self._applier.handle(event)

    def written_again(self) -> None:
        """The database takes writes again: what failed is tried now."""
        for node in self._known.nodes():
            if node.failures:
                node.failures, node.next_attempt = 0, None
                self._scheduler.want(node)

    # -- what frontends ask ----------------------------------------------------------------------

    async def get_items(self, key: NodeKey, request: ItemsRequest) -> Answer:
        """See Reader.get_items."""
        return await self._reader.get_items(key, request)

    async def forget(
        self,
        where: NodeFilter,
        accounts: Sequence[str],
        *,
        created_before: int = 0,
        updated_before: int = 0,
        dry_run: bool = False,
        everything: bool = False,
    ) -> int:
        """Drop our copies, never the service's. Returns how many items that are, or would be.

        Raises:
            InvalidArgs: nothing restricts it and `everything` is not set.
        """
        dated = bool(created_before or updated_before)
        if where == NodeFilter() and not dated and not everything:
            raise InvalidArgs("filter: it is empty; set the option `everything` to forget all that is held")
        total = 0
        for record, _ in self.get_nodes(where, accounts):
            node = self._known.node(record.key)
            if node is None:
                continue
            if dry_run and not dated:
                total += record.items
            elif dry_run:
                total += await self._store.count_before(record.number, created_before, updated_before)
            elif dated:
                total += await self._forget_before(node, created_before, updated_before)
            else:
                total += await self.writer.drop(record.key)
        return total

    async def _forget_before(self, node: Node, created_before: int, updated_before: int) -> int:
        """Forget old items of a node. Where these are the first of its list, what is left is its head."""
        doubted, words = node.hole, "items were forgotten here"
        node.punch(words)
        held = list(await self._store.digests(node.record.number))

        async def store(record: NodeRecord) -> Applied:
            return await self._store.forget_node(
                record.number, "forgotten", created_before=created_before, updated_before=updated_before
            )

        applied = await self._applier.commit(node, node.unended(), store)
        if applied is None:
            return 0  # all of it went meanwhile
        self._applier.tell_items(node, applied)
        gone = set(applied.retracted)
        node.punch(words)  # a listing that began meanwhile may have seen them here
        holes = node.holes
        first = 0 < len(gone) < len(held) and gone == set(held[: len(gone)])
        if first and not node.syncing and not node.hidden and node.record.copy is Copy.WHOLE:
            await self._applier.save(node, state=NodeState.PARTIAL, reason=words, copy=Copy.HEAD)
        if not node.syncing and holes == node.holes and (not gone or (node.record.copy is Copy.HEAD and first)):
            node.hole = doubted
            node.changed()
        return len(gone)

    async def synchronise(self, key: NodeKey) -> Job:
        """Bring a node to `synced`, even where no analyser matches; a Job.

        Raises:
            Unavailable: the account is not connected.
            Conflict: its policy is never to keep it.
        """
        self._sessions.client(key.account)
        if self._known.policy(key).sync == "never":
            raise Conflict(f"{key.node} at {key.service}: its policy is never to keep it; set another one first")
        node = self._known.node(key)
        if node is None:
            analysis = await self._analysers.analyse(key, None)
            node = await self._adopter.adopt(key, analysis, "request")
        return self._scheduler.synchronise(node)

    async def verify(self, key: NodeKey, *, repair: bool) -> Job:
        """Compare the copy with the service; a Job whose result names what differs.

        Raises:
            Unavailable: the account is not connected.
            NotFound: nothing is held of this node.
        """
        node = self._known.node(key)
        if node is None or node.record.copy is Copy.NONE:
            raise NotFound(f"{key.node} at {key.service}: nothing is held of it here, so nothing can be compared")
        return self._scheduler.verify(node, repair=repair)

    async def heal(self, number: int) -> None:
        """Forget what is damaged of the node with this number, and fetch it again."""
        await self._healer.heal(number)

    def get_policy(self, key: NodeKey) -> Policy:
        """What was decided about the node."""
        return self._known.policy(key)

    async def set_policy(self, key: NodeKey, policy: Policy) -> None:
        """Decide about the node, kept here or not; it holds until it is decided otherwise."""
        self._known.check_open(key.account)
        before = self._known.policy(key)
        await self._store.save_policy(key, policy)
        self._known.check_open(key.account)
        self._known.set_policy(key, policy)
        self._reader.forget_refusal(key)
        node = self._known.node(key)
        if node is not None and node.unwanted:
            await self.writer.drop(key)
        elif node is not None and policy.max_items != before.max_items:
            node.punch("so many items are kept as was decided since")
            self._scheduler.want(node, urgent=True)
        elif node is not None and node.orphaned and policy.sync == "always":
            node.orphaned = False
            self._scheduler.want(node, urgent=True)
        elif node is None and policy.sync == "always":
            await self._adopter.adopt(key, await self._analysers.analyse(key, None), "policy")

    def explain(self, key: NodeKey) -> Mapping[str, object]:
        """Why the node is, or is not, answered from the cache."""
        node = self._known.node(key)
        namespace = node.record.analysis.namespace if node and node.record.analysis else ""
        unkept = self._adopter.state_of_unkept(key)
        return explain(self._known, self._clock, key, self._analysers.tried(key, namespace), unkept)

    def matched(self, analyser: str) -> int:
        """How many nodes this analyser has."""
        return sum(analyser_of(node) == analyser for node in self._known.nodes())


async def _quietly(work: Work) -> None:
    """Nobody waits for it: what fails is tried again in the next session."""
    try:
        await work()
    except PubkeepError as error:
        log.warning("put off until the next session: %s", error)

# SPDX-License-Identifier: MIT
"""GetItems: from the copy where it can be vouched for, from the service otherwise."""

import asyncio
import contextlib
from collections.abc import Collection
from dataclasses import replace

from pubkeep.cache import asking
from pubkeep.cache.adopting import Adopter, Planner
from pubkeep.cache.applying import Applier
from pubkeep.cache.barrier import barrier
from pubkeep.cache.healing import Healer
from pubkeep.cache.known import LEASE
from pubkeep.cache.parts import Part, Tools
from pubkeep.cache.wanted import Node
from pubkeep.errors import NOT_STORED, NotAllowed, NotFound, NotReady, PubkeepError, TimedOut, Unavailable
from pubkeep.model import Copy, NodeKey, NodeState
from pubkeep.protocol import Listing
from pubkeep.questions import Answer, ItemsRequest, Page

PATIENCE = 5.0
"""Seconds until a copy is served stale where the service does not answer."""
JOIN = 15.0
"""Seconds a reader waits for the fetch of the whole node that is under way, instead of queueing behind it."""
BARRIER = 1.0
"""Seconds a reader waits for the round trip that renews the lease."""
ASK_HIDDEN = 60.0
"""A denied or gone node is asked for at most this often, in seconds."""
READS = 10
"""So often a page is read anew because something was committed meanwhile."""
RESTLESS = "it changes faster than it can be read"


class Reader(Part):
    """Answers GetItems."""

    def __init__(self, tools: Tools, applier: Applier, planner: Planner, adopter: Adopter, healer: Healer) -> None:
        super().__init__(tools)
        self._healer = healer
        self._applier = applier
        self._planner = planner
        self._adopter = adopter
        self._passed = adopter.passed
        self._background: set[asyncio.Task[Answer]] = set()

    async def get_items(self, key: NodeKey, request: ItemsRequest) -> Answer:
        """The part of the node's list that the request names (CACHE.md, One meaning for GetItems).

        Raises:
            InvalidArgs, NotSupported: see asking.check.
            NotFound: no such node, or no such item to count from.
            NotAllowed: the service refuses.
            Unavailable: nothing is held and nobody can be asked.
            TimedOut: the service did not answer within 20 s.
        """
        link, now = self._known.link(key.account, key.service), self._clock.boottime()
        asking.check(link, key, request)
        node = self._known.node(key)
        link.read_at = now
        if node is not None:
            node.read_at = now
        counts = self._known.counts(key.account)
        try:
            answer = await self._healer.reading(lambda: self._answered(node, key, request))
        except asking.NoAnchor as error:
            counts["reads_refused"] += 1
            raise NotFound(str(error)) from None
        except PubkeepError:
            counts["reads_refused"] += 1
            raise
        counts["reads_stale" if answer.stale else f"reads_{answer.source}"] += 1
        return answer

    async def _answered(self, node: Node | None, key: NodeKey, request: ItemsRequest) -> Answer:
        match request.freshness:
            case "service":
                return await self._ask(key, request)
            case _ if asking.other_order(self._known.link(key.account, key.service), request):
                return await self._ask(key, request)
            case "cache":
                return await self._held_or_raise(node, key, request)
            case "quick" if node is not None and self._holds(node):
                if self._known.needs_proof(node):
                    self._planner.want(node, urgent=True)
                try:
                    return await self._held_or_raise(node, key, request)
                except NotFound:  # no such item to count from, in a copy that may be old
                    return await self._auto(node, request)
            case _ if node is None:
                return await self._ask_unknown(key, request)
            case _:
                return await self._auto(node, request)

    def forget_refusal(self, key: NodeKey) -> None:
        """A write or an event: what the service said before may not hold."""
        self._passed.forget(key)

    def forget_refusals(self, account: str) -> None:
        """A new session."""
        self._passed.forget_refusals(account)

    def forget_account(self, account: str) -> None:
        """The account goes."""
        self._passed.forget_account(account)

    async def close(self) -> None:
        """End what runs on behind answers that were given already."""
        for task in list(self._background):
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)

    # -- from the copy ---------------------------------------------------------------------------

    async def _auto(self, node: Node, request: ItemsRequest) -> Answer:
        as_of = await (self._barrier(node) if request.max_age == 0 else self._arrived(node))
        if (request.max_age != 0 or as_of is not None) and (answer := await self._vouched(node, request, as_of)):
            return answer
        if request.max_age and self._verified_within(node, request.max_age):
            with contextlib.suppress(NotFound):  # no such item to count from, in a copy that may be old
                return await self._held(node, request)
        if node.fetching is not None and self._known.live(node.key.account):
            try:
                async with asyncio.timeout(PATIENCE if self._holds(node) else JOIN):
                    await node.fetching.wait()
            except TimeoutError:
                if self._holds(node):
                    return await self._held(node, request)
            else:
                if answer := await self._vouched(node, request, await self._arrived(node)):
                    return answer
        if node.hidden and self._clock.boottime() - node.refused_at < ASK_HIDDEN:
            raise self._refusal(node)
        return await self._ask_or_held(node, request)

    async def _arrived(self, node: Node) -> float | None:
        """Wait until all that has arrived is committed.

        Returns what was `as_of` when it had arrived. An answer that is taken later says nothing of the copy as it is
        read then: a notification before it may still be waiting.
        """
        as_of = node.link.as_of
        await self._sessions.drained(node.key)
        return as_of

    async def _vouched(self, node: Node, request: ItemsRequest, as_of: float | None) -> Answer | None:
        """The answer from the copy if it is synced in the scope of the request, else None."""
        for _ in range(READS):
            doubt = self._doubt(node, request, as_of)
            if doubt == LEASE and (renewed := await self._barrier(node)) is not None:
                as_of = renewed
                doubt = self._doubt(node, request, as_of)
            if doubt:
                return None
            version = node.version
            if (page := node.kept_page(request)) is None:
                try:
                    found = await self._page(node, request)
                except NotFound:  # no such item to count from; among the newest it may be an older one
                    found = None
                if not await self._unchanged(node, version):
                    continue
                if found is None and node.record.copy is Copy.WHOLE:
                    raise NotFound(asking.no_anchor(node.key, request))
                if found is None:
                    return None
                page = found if node.record.copy is Copy.WHOLE else asking.inside(found, request, older=node.older)
                if page is None:
                    return None
                node.keep_page(request, page)
            page = replace(page, unknown=()) if page.unknown else page
            return self._answer(node, page, self._verified_at(node), "", as_of)
        return None

    @staticmethod
    async def _unchanged(node: Node, version: int) -> bool:
        """Whether nothing was committed, or came into doubt, since; what is being committed may be half seen."""
        if node.committing.locked():
            async with node.committing:
                return False
        return node.version == version

    def _doubt(self, node: Node, request: ItemsRequest, as_of: float | None) -> str:
        now = self._clock.boottime()
        late = as_of is None or now - as_of > self._settings.lease
        return self._known.doubts(node, request.ids, now) or (LEASE if late else "")

    async def _barrier(self, node: Node) -> float | None:
        """One round trip: what the service had told before it is here now, and the subscription still stands.

        Returns the new `as_of`; None where nobody answered in time.
        """
        try:
            client = self._sessions.client(node.key.account)
            epoch = node.link.epoch
            async with asyncio.timeout(BARRIER):
                stands = await barrier(node, client)
        except (PubkeepError, TimeoutError):
            return None
        if not stands:
            self._planner.want(node)
        as_of = await self._arrived(node)
        return as_of if epoch == node.link.epoch else None

    async def _held_or_raise(self, node: Node | None, key: NodeKey, request: ItemsRequest) -> Answer:
        if node is not None and node.hidden:
            raise self._refusal(node)
        if node is None or not self._holds(node):
            raise Unavailable(f"{key.node} at {key.service}: nothing is held of it here")
        return await self._held(node, request)

    async def _held(self, node: Node, request: ItemsRequest) -> Answer:
        """What is held, marked stale where it cannot be vouched for."""
        as_of = await self._arrived(node)
        for _ in range(READS):
            version, doubt, verified_at = node.version, self._doubt(node, request, as_of), self._verified_at(node)
            page = await self._page(node, request)
            if doubt or await self._unchanged(node, version):
                break
        else:
            doubt = doubt or RESTLESS
        if node.hidden:
            raise self._refusal(node)  # it was learnt meanwhile
        held = page if node.record.copy is Copy.WHOLE else asking.inside(page, request, older=node.older)
        if held is None or node.record.copy is Copy.NONE:
            page = replace(page, complete=False, index=None, count=None)
            return self._answer(node, page, verified_at, doubt or "only the newest items are held")
        if doubt:
            page = replace(held, complete=held.complete and not held.unknown, index=None, count=None)
            return self._answer(node, page, verified_at, doubt)
        return self._answer(node, replace(held, unknown=()), verified_at, "", as_of)

    async def _page(self, node: Node, request: ItemsRequest) -> Page:
        sequence = self._store.sequence
        if request.ids is not None:
            ids = list(dict.fromkeys(request.ids))
            page = await self._store.by_ids(node.record, ids, format=request.format, extra=request.extra)
        else:
            page = await self._store.page(
                node.record,
                limit=asking.DEFAULT_MAX if request.max is None else request.max,
                before=request.before or None,
                after=request.after,
                index=request.index,
                format=request.format,
                extra=request.extra,
            )
        return asking.fit(replace(page, sequence=sequence), request)

    def _answer(self, node: Node, page: Page, verified_at: int, doubt: str, as_of: float | None = None) -> Answer:
        synced = NodeState.SYNCED if node.record.copy is Copy.WHOLE else NodeState.PARTIAL
        state = self._known.state(node) if doubt else synced
        heard_at = verified_at if as_of is None else max(self._clock.wall_of(as_of), verified_at)
        return Answer(page, "cache", state, bool(doubt), doubt, heard_at, verified_at, node.untold)

    def _verified_at(self, node: Node) -> int:
        return self._clock.wall_of(node.proof.verified_at) if node.proof else node.record.verified_at

    def _holds(self, node: Node) -> bool:
        return not node.hidden and (node.record.copy is not Copy.NONE or node.record.items > 0)

    def _verified_within(self, node: Node, seconds: int) -> bool:
        """Whether the copy was proved no longer ago; only a proof of an earlier run is dated by the wall clock."""
        wall_age = (self._clock.wall() - node.record.verified_at) / 1_000_000
        age = self._clock.boottime() - node.proof.verified_at if node.proof else wall_age
        return node.record.copy is Copy.WHOLE and not node.hidden and 0 <= age <= seconds

    # -- from the service ------------------------------------------------------------------------

    async def _ask_unknown(self, key: NodeKey, request: ItemsRequest) -> Answer:
        self._passed.check(key)
        asked_at = self._clock.boottime()
        try:
            return await self._ask(key, request)
        except (NotFound, NotAllowed) as error:
            self._passed.refused(key, error, asked_at)
            raise

    async def _ask_or_held(self, node: Node, request: ItemsRequest) -> Answer:
        """Ask; where no answer comes within 5 s, or nobody can be asked, serve what is held, marked stale."""
        task = asyncio.create_task(self._ask(node.key, request))
        if not self._holds(node):
            return await task
        self._background.add(task)
        task.add_done_callback(self._done)
        await asyncio.wait({task}, timeout=PATIENCE)
        if task.cancelled():
            raise NotReady("the daemon stops; ask again when it is back")
        if task.done() and not isinstance(task.exception(), Unavailable | TimedOut):
            return task.result()
        if self._holds(node):
            with contextlib.suppress(NotFound):  # no such item to count from, in a copy that may be old
                return await self._held(node, request)
        return await task

    def _done(self, task: "asyncio.Task[Answer]") -> None:
        self._background.discard(task)
        if not task.cancelled():
            task.exception()  # it was told to the caller, or the caller got the copy

    async def _ask(self, key: NodeKey, request: ItemsRequest) -> Answer:
        link, asked_at = self._known.link(key.account, key.service), self._clock.boottime()
        client = self._sessions.client(key.account)
        kept = self._known.node(key)
        told = kept is not None and kept.subscribed_epoch == link.epoch

        async def feed(listing: Listing, ids: Collection[str] | None, everything: Collection[str] | None) -> None:
            if (wanted := self._known.node(key)) is None:
                return
            try:
                await self._applier.feed(wanted, listing, ids, everything)
            except NOT_STORED as error:
                wanted.punch(f"what the service shows cannot be stored: {error}")
                self._planner.want(wanted)

        try:
            asked = await asking.ask(client, link, key, request, feed, self._settings.max_items)
        except PubkeepError as error:
            if not asking.of_the_node(error):
                raise
            node = self._known.node(key)
            if node is not None and node.hidden and isinstance(error, type(self._refusal(node))):
                node.refused_at = asked_at if error.sent_at is None else error.sent_at
                node.access.refused(node.refused_at, self._clock.boottime(), link.fan_out)
            elif node is not None:
                node.punch(str(error))
                self._planner.want(node, urgent=True)
                if isinstance(error, NotAllowed):  # what one caller was refused is not shown to the next
                    await self._applier.denied(node, error, asked_at)
            raise
        analysis = await self._adopter.learn(key, asked.items, asked.sent_at)
        items = await asking.rows(self._analysers, key, analysis, asked.items, request)
        first, last = (items[0].id, items[-1].id) if items else ("", "")
        page = Page(items, asked.more, True, first, last, asked.index, asked.count, (), self._store.sequence)
        node = self._known.node(key)
        state = self._known.state(node) if node else self._adopter.state_of_unkept(key)
        as_of = self._clock.wall_of(asked.sent_at)
        told = told and node is kept
        torn = asked.pages > 1 and not await self._shows_one_moment(node, asked, request, page, told=told)
        if torn:
            page = replace(page, index=None, count=None)
        reason = "it may have changed while its pages were listed" if torn else ""
        return Answer(asking.fit(page, request), "service", state, torn, reason, as_of, as_of)

    async def _shows_one_moment(
        self, node: Node | None, asked: asking.Asked, request: ItemsRequest, page: Page, *, told: bool
    ) -> bool:
        """Whether an answer of several pages can be no mixture: nothing can have happened, or the copy is the same.

        Args:
            told: it was kept and subscribed when the first page was asked for.
        """
        if node is None or asking.other_order(node.link, request) is not None:
            return False
        if told and not node.link.fan_out and node.subscribed_epoch == node.link.epoch:
            return not node.settle.named_since(asked.sent_at)
        try:
            vouched = await self._vouched(node, request, await self._arrived(node))
        except NotFound:  # the item to count from went meanwhile
            return False
        return vouched is not None and asking.shown(vouched.page) == asking.shown(asking.fit(page, request))

    @staticmethod
    def _refusal(node: Node) -> PubkeepError:
        kind = NotAllowed if node.record.state is NodeState.DENIED else NotFound
        return kind(node.record.reason)

# SPDX-License-Identifier: MIT
"""Listing a node, whole or its newest items, into the copy.

What is listed is written page by page, new items and changed ones only, so that an interrupted walk
costs nothing twice. What the service no longer has goes in the last transaction, together with the
order and the proof, and only if the listing proves it: nothing is deleted first.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from pubkeep.cache import direction
from pubkeep.cache.applying import OTHER_ORDER, Applier
from pubkeep.cache.committing import BATCH
from pubkeep.cache.parts import Part, Tools, as_it_is
from pubkeep.cache.wanted import Node, Proof, Valid
from pubkeep.model import Copy, NewItem, NodeState
from pubkeep.ports import PubSubClient
from pubkeep.protocol import ItemsQuery, Listing, WireItem
from pubkeep.slices import Slices
from pubkeep.sync.pager import Pager
from pubkeep.sync.proofs import Way

EMPTIED = 10
"""A node of so many items that is listed as empty, without a purge, is listed a second time."""

MOVED_AWAY = "the node or the connection was replaced meanwhile"
OTHER_ANSWER = "another answer, which may be newer, came meanwhile"
REFUSED_MEANWHILE = "it was refused meanwhile"

Progress = Callable[[int, int], None]
"""Called with the items listed so far and their number, 0 where the service does not say."""


@dataclass(slots=True)
class Report:
    """How the copy differed from what the service listed; ids that changed meanwhile are left out."""

    repair: bool = True
    """Write what the service has; else only compare."""
    missing: list[str] = field(default_factory=list)
    extra: list[str] = field(default_factory=list)
    different: list[str] = field(default_factory=list)
    reordered: bool = False
    """The same items stood in another order."""

    @property
    def same(self) -> bool:
        """Whether nothing differed."""
        return not (self.missing or self.extra or self.different)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How it ended: proved, or why not and whether it should be tried again."""

    proved: bool
    reason: str = ""
    again: bool = False
    """At once: the node's own changes were in the way."""
    emptied: bool = False
    """All items were gone without a word: not believed before a second listing says so."""
    final: bool = False
    """Another attempt would end the same way."""
    partly: bool = False
    """Something was proved, but not all: the rest in its turn."""
    listed: frozenset[str] = frozenset()
    """What pages listed that do not fit together, though nothing changed meanwhile."""


class Lister(Part):
    """Writes what the service lists."""

    def __init__(self, tools: Tools, applier: Applier) -> None:
        super().__init__(tools)
        self._applier = applier

    async def whole(
        self,
        node: Node,
        client: PubSubClient,
        limit: int,
        progress: Progress,
        report: Report,
        *,
        at_least: frozenset[str] = frozenset(),
    ) -> Outcome:
        """List all of it, from the oldest to the newest; `final` where there are more than `limit`.

        Args:
            at_least: pages listed these and did not fit together: now all is asked for at once.
        """
        pager = Pager(node.link.paged and not at_least, limit, at_least=at_least)
        same, unchanged, epoch, holes = node.unended(), node.unchanged(), node.link.epoch, node.holes
        outcome = Outcome(proved=False)
        shown: dict[str, bytes] = {}

        async def take(listing: Listing) -> None:
            nonlocal outcome
            if not same() or epoch != node.link.epoch:
                outcome = Outcome(proved=False, reason=MOVED_AWAY, again=True)
                return
            if not await self._readable(node, listing):
                outcome = Outcome(proved=False, reason=REFUSED_MEANWHILE, again=True)
                return
            fresh = pager.take(listing)
            ask()  # the service works on the next page while this one is stored
            named = node.settle.named_since((pager.sent_at or listing.sent_at) - node.settle.fan_out)
            done = len(pager.ids) - len(fresh)
            for start in range(0, len(fresh), BATCH):
                part = fresh[start : start + BATCH]
                shown.update(await self._store_part(node, same, part, named, report))
                done += len(part)
                progress(done, max(pager.total, len(pager.ids)))
            if not same():
                outcome = Outcome(proved=False, reason=MOVED_AWAY, again=True)
            elif pager.ended:
                racing = node.settle.answered(pager.sent_at or listing.sent_at, listing.taken_at, None, shown)
                doubt = pager.doubt(named) or ("" if holes == node.holes else node.hole)
                if doubt:
                    outcome = await self._unproved(node, pager, doubt, limit, quiet=not named and holes == node.holes)
                else:
                    assert pager.sent_at is not None
                    ids, times = list(pager.ids), (pager.sent_at, listing.taken_at)
                    walk = _Walk(ids, racing, epoch, *times, Copy.WHOLE, pager.pages > 1, shown, pager.way)
                    outcome = await self._swap(node, unchanged, walk, report)

        under_way: list[asyncio.Task[None]] = []

        def ask() -> None:
            if (query := pager.query()) is not None:
                under_way.append(asyncio.create_task(client.items(node.key, query, take)))

        began = self._clock.boottime()
        node.settle.watch(began)
        ask()
        fetching = node.fetching = None if pager.paged else asyncio.Event()
        try:
            while under_way:
                await under_way.pop(0)
                if fetching is not None:
                    fetching.set()
                    node.fetching = None
        finally:
            node.settle.unwatch(began)
            if fetching is not None:
                fetching.set()
                node.fetching = None
            for task in under_way:
                task.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)
        self._applier.settle(node)
        return outcome

    async def head(self, node: Node, client: PubSubClient, number: int, report: Report) -> Outcome:
        """Keep the newest only: one listing of them, one more asked for, so that `whole` shows."""
        same, unchanged, epoch = node.unended(), node.unchanged(), node.link.epoch
        outcome = Outcome(proved=False)
        if node.link.traits.reversed is None:
            await self.direction(node, client)

        async def take(listing: Listing) -> None:
            nonlocal outcome
            if not unchanged():
                outcome = Outcome(proved=False, reason=MOVED_AWAY, again=True)
                return
            if not await self._readable(node, listing):
                outcome = Outcome(proved=False, reason=REFUSED_MEANWHILE, again=True)
                return
            items = node.link.oldest_first(listing.items)
            count = listing.rsm.count if listing.rsm and listing.rsm.count is not None else len(items)
            if len({item.id for item in items}) != len(items):
                outcome = Outcome(proved=False, reason="the service listed an item twice")
                return
            head = items[-number:]
            named = node.settle.named_since(listing.sent_at - node.settle.fan_out)
            shown: dict[str, bytes] = {}
            for start in range(0, len(head), BATCH):
                shown |= await self._store_part(node, same, head[start : start + BATCH], named, report)
            racing = node.settle.answered(listing.sent_at, listing.taken_at, None, shown)
            copy = Copy.WHOLE if len(items) <= number and count <= len(items) else Copy.HEAD
            walk = _Walk(
                [item.id for item in head], racing, epoch, listing.sent_at, listing.taken_at, copy, False, shown
            )
            outcome = await self._swap(node, unchanged, walk, report)

        began = self._clock.boottime()
        node.settle.watch(began)
        try:
            await client.items(node.key, ItemsQuery(max_items=number + 1), take)
        finally:
            node.settle.unwatch(began)
        self._applier.settle(node)
        return outcome

    async def _readable(self, node: Node, listing: Listing) -> bool:
        """Show what was hidden or ignored; False where it was refused, and this may be the older answer."""
        if node.access.shown(listing.sent_at) and (node.hidden or node.record.state is NodeState.IGNORED):
            await self._applier.reveal(node)
        return not node.hidden

    async def direction(self, node: Node, client: PubSubClient) -> None:
        """Whether the newest come first in answers of this service (cache/direction.py)."""

        async def ask(query: ItemsQuery) -> Listing:
            return await client.items(node.key, query, as_it_is)

        await direction.learn(node.link, ask, direction.FEW, await ask(direction.FEW))

    async def _store_part(
        self, node: Node, same: Valid, part: Sequence[WireItem], named: Collection[str], report: Report
    ) -> dict[str, bytes]:
        """Write what is new or other than held, but for ids that events named meanwhile. Returns all digests."""
        some = node.record.items > 0  # where nothing is held yet, nothing has to be compared
        held = await self._store.digests(node.record.number, [item.id for item in part]) if some else {}
        changed, digests = await self._applier.convert(node, part, held)
        news = [item for item in changed if item.id not in named or _agrees(node, item)]
        if news:
            node.settle.lesson.forget(self._clock.boottime(), node.settle.fan_out)  # they may have moved, too
        report.missing += [item.id for item in news if item.id not in held]
        report.different += [item.id for item in news if item.id in held]
        if report.repair and news:
            await self._begun(node, same)
            await self._applier.write(node, same, news)
        return digests

    async def _begun(self, node: Node, same: Valid) -> None:
        """Until the listing ends the copy is one of no moment: nothing less than a whole list can prove it again."""
        node.proof = None
        if node.record.verified_at:
            await self._applier.save(node, same, verified_at=0)

    async def _unproved(self, node: Node, pager: Pager, doubt: str, limit: int, *, quiet: bool) -> Outcome:
        """What was listed stays, but nothing goes and nothing is claimed."""
        if len(pager.ids) > limit:
            return Outcome(proved=False, reason=doubt, final=True)
        await self._applier.save(node, state=NodeState.STALE, reason=doubt)
        odd = frozenset(pager.ids) if pager.way is Way.PAGES and (quiet or pager.fault) else frozenset[str]()
        return Outcome(proved=False, reason=doubt, again=not pager.fault and not odd, listed=odd)

    async def _swap(self, node: Node, unchanged: Valid, walk: "_Walk", report: Report) -> Outcome:
        """The last page is written: the proof, the removals and the order, in one transaction."""
        if walk.sent_at < node.decided_at:
            return Outcome(proved=False, reason=OTHER_ANSWER, again=True)
        if node.settle.contradicts(walk.ids, walk.sent_at, turned=bool(node.link.traits.reversed)):
            return Outcome(proved=False, reason=OTHER_ORDER, again=True)
        if walk.copy is Copy.WHOLE and node.settle.denies(walk.shown, walk.sent_at):
            return Outcome(proved=False, reason=OTHER_ANSWER, again=True)
        held = await self._store.digests(node.record.number)
        slices, listed = Slices(), set(walk.ids)
        if not walk.racing and walk.copy is Copy.WHOLE:
            node.settle.lesson.listed(walk.ids, walk.taken_at)
        removals = await slices.pick(held, lambda item_id: item_id not in listed and item_id not in walk.racing)
        report.extra += removals
        if not walk.ids and len(removals) >= EMPTIED and not self._seen_empty(node, walk.sent_at):
            return Outcome(proved=False, reason="all items were gone without a word", emptied=True)
        if not report.repair and not report.same:
            node.punch("the service has something else")
            return Outcome(proved=True, reason=node.hole)
        remaining = await slices.pick(walk.ids, held.__contains__)
        remaining += await slices.pick(held, lambda item_id: item_id in walk.racing and item_id not in listed)
        gone = set(removals)
        kept = await slices.pick(held, lambda item_id: item_id not in gone) if gone else list(held)
        order = None if remaining == kept else remaining  # None: the copy has it already
        report.reordered = order is not None and not walk.racing
        deaf = node.subscribed_epoch != walk.epoch
        applied = await self._applier.commit(
            node,
            unchanged,
            lambda record: self._store.apply(record, removals=removals, order=order, record=record),
            state=NodeState.STALE if walk.copy is Copy.WHOLE else NodeState.PARTIAL,
            reason=f"not told of changes: {node.subscription}" if deaf else "",
            copy=walk.copy,
            verified_at=self._clock.wall_of(walk.sent_at),
            error="",
        )
        if applied is None or not unchanged():
            if applied is not None:
                self._applier.tell_items(node, applied)
            return Outcome(proved=False, reason=MOVED_AWAY, again=True)
        node.settle.clear(keep=walk.racing)
        for item_id in walk.racing.difference(listed).intersection(held):
            node.settle.doubt_order(item_id)  # it may be another one of this name
        if walk.several or node.settle.fan_out:
            for item_id in node.settle.placed_ids(walk.sent_at):
                node.settle.doubt_order(item_id)  # before it was listed, or after that
        node.older, node.decided_at = True, walk.taken_at
        node.proof, node.hole, node.emptied_at = Proof(walk.epoch, walk.sent_at, by=frozenset((walk.way,))), "", None
        node.changed()
        self._applier.tell_items(node, applied)
        self._applier.tell(node, "state", applied if not (applied.published or applied.retracted) else None)
        return Outcome(proved=True, reason=node.record.reason)

    def _seen_empty(self, node: Node, sent_at: float) -> bool:
        """Whether an earlier listing, long enough ago, had nothing either."""
        if node.emptied_at is None:
            node.emptied_at = self._clock.boottime()
        return sent_at - node.emptied_at >= node.link.fan_out and sent_at > node.emptied_at


@dataclass(frozen=True, slots=True)
class _Walk:
    """What a finished listing says."""

    ids: list[str]
    """Oldest first."""
    racing: frozenset[str]
    """Ids about which it does not decide."""
    epoch: int
    sent_at: float
    """When its first request was sent."""
    taken_at: float
    """When its last answer was taken."""
    copy: Copy
    several: bool
    """Whether it took several pages, of several moments."""
    shown: Mapping[str, bytes]
    """id -> digest of all that it listed."""
    way: Way = Way.AT_ONCE


def _agrees(node: Node, item: NewItem) -> bool:
    """Whether the last event said the same."""
    last = node.settle.last_event(item.id)
    return last is not None and last.digest == item.digest

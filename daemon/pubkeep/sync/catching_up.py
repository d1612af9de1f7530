# SPDX-License-Identifier: MIT
"""Catching up after a session that was not resumed, without fetching the whole node again.

What is new or edited is learnt from the node's archive, from an order by modification, or, where an overwritten item
moves to the end, from the newest items. What went, and where everything stands, from the number of all items or from
all ids. The newest items are always read, which shows that we may. What these prove together is said in proofs.py.

Only an archive shows each edit, and it may be as late as an event: asked sooner after the beginning of the epoch, it
might lack one of which nobody told us. Among the newest, an edit that was followed by a publication of *unchanged*
items can hide: then the kind `edit` is untold until the next listing of the whole node, and the proof keeps its age.
Where nothing shows edits, ids and the newest items still show what came and went; the copy is stale until its contents
are proved, in order of use.

Whatever does not fit exactly proves nothing, and the node is listed whole. So is, at once, one of less than `catch_up`
items (config.py): that costs no more.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pubkeep import payload
from pubkeep.cache.applying import Applier
from pubkeep.cache.parts import Part, Tools
from pubkeep.cache.wanted import Node, Proof, Valid
from pubkeep.model import Copy, NewItem, NodeState
from pubkeep.ports import PubSubClient
from pubkeep.protocol import ItemsQuery, Listing, WireItem
from pubkeep.slices import Slices
from pubkeep.sync import fitting, strategies
from pubkeep.sync.listing import MOVED_AWAY, Lister, Outcome
from pubkeep.sync.proofs import TABLE, Proves, Way, of_ids
from pubkeep.sync.strategies import OVERLAP, TRIES, Shown

COUNTED = 4 * OVERLAP
"""So many of the newest are asked for with the number of all, before all ids are."""
UNREAD = 600.0
"""Seconds after which nobody waits for a node: until its contents are proved its ids are."""
HIDDEN_EDIT = "edit"
CONTENTS = "contents: its ids are verified, edits made meanwhile show only in a list of all of it"


@dataclass(frozen=True, slots=True)
class _Evidence:
    """What is known before the newest are read."""

    held: dict[str, bytes]
    sent_at: float
    epoch: int
    unchanged: Valid
    edits: Shown
    ids: Shown | None


class CatchUp(Part):
    """Renews the proof of a node from little."""

    def __init__(self, tools: Tools, applier: Applier, lister: Lister) -> None:
        super().__init__(tools)
        self._applier = applier
        self._lister = lister

    def applies(self, node: Node) -> bool:
        """Whether it can prove anything: a whole copy, proved in an earlier session and not too long ago.

        An archive is as good after any time, and after a restart.
        """
        proof, link, now = node.proof, node.link, self._clock.boottime()
        if node.hole or node.hidden or node.settle.unsettled() or node.record.copy is not Copy.WHOLE:
            return False
        if node.record.items < self._settings.catch_up or (proof is not None and proof.epoch == link.epoch):
            return False
        if strategies.uses(link, Way.ARCHIVE) and Way.ARCHIVE in link.traits.shown:
            return bool(node.record.verified_at)
        if proof is None or now - proof.verified_at >= self._known.max_age(node) / 2:
            return False
        shows_edits = link.order == "publish" or any(strategies.uses(link, w) for w in (Way.ARCHIVE, Way.ORDER_BY))
        return shows_edits or now - node.read_at > UNREAD

    async def catch_up(self, node: Node, client: PubSubClient) -> Outcome | None:
        """Do it; None where the node has to be listed whole.

        Raises:
            NotFound, NotAllowed: the service's verdict.
        """
        if node.link.traits.reversed is None:
            await self._lister.direction(node, client)
        await self._archived(node)
        begun = self._clock.boottime(), node.link.epoch, node.unchanged()
        held = await self._store.digests(node.record.number)
        edits = await self._edits(node, client, held)
        if not edits.by and node.link.order != "publish" and self._clock.boottime() - node.read_at <= UNREAD:
            return None  # somebody waits for the contents
        known = edits.by or node.link.order == "publish"
        if known and node.link.order and strategies.uses(node.link, Way.COUNT):
            evidence = _Evidence(held, *begun, edits, None)
            query = ItemsQuery(rsm_max=COUNTED + len(set(edits.edits).difference(held)), rsm_before="")
            if (outcome := await self._newest(node, client, evidence, query)) is not None:
                return outcome
        if not strategies.uses(node.link, Way.IDS) or (ids := await strategies.listed_ids(node, client)) is None:
            return None
        assert ids.ids is not None
        evidence = _Evidence(held, *begun, edits, ids)
        number = len(set(ids.ids).difference(held)) + OVERLAP
        for _ in range(TRIES if node.link.order == "publish" else 1):
            outcome = await self._newest(node, client, evidence, ItemsQuery(max_items=number))
            if outcome is not None:
                return outcome
            number *= 4
            if number > len(ids.ids) / 2:
                break
        return None

    async def _archived(self, node: Node) -> None:
        """Wait until what was published before anybody told us of it is in the archive, where there is one."""
        if strategies.uses(node.link, Way.ARCHIVE):
            untold_until = max(node.link.epoch_began, node.resubscribed_at)
            await asyncio.sleep(untold_until + self._settings.fan_out - self._clock.boottime())

    async def _edits(self, node: Node, client: PubSubClient, held: dict[str, bytes]) -> Shown:
        """What shows each edit, where anything does but the newest items."""
        asking = {Way.ARCHIVE: strategies.archived, Way.ORDER_BY: strategies.last_modified}
        for way, ask in asking.items():
            if way is Way.ORDER_BY and node.link.order == "publish":
                continue  # the newest show the same
            if strategies.uses(node.link, way) and (shown := await ask(node, client, held)) is not None:
                node.link.distrust(shown.lied)
                if shown.by:
                    return shown
        return Shown()

    async def _newest(self, node: Node, client: PubSubClient, evidence: _Evidence, query: ItemsQuery) -> Outcome | None:
        """Read the newest and, in the inbox, put all together."""
        outcome: Outcome | None = None

        async def take(listing: Listing) -> None:
            nonlocal outcome
            node.access.shown(listing.sent_at)
            if not evidence.unchanged():
                outcome = Outcome(proved=False, reason=MOVED_AWAY, again=True)
                return
            held = await self._store.digests(node.record.number)
            quiet = held == evidence.held and not listing.too_old
            if not quiet or node.settle.named_since(evidence.sent_at - node.settle.fan_out):
                return  # something happens right now: the whole listing knows how to treat that
            node.settle.answered(evidence.sent_at, listing.taken_at, None, held)
            for items in _both_ways(node, listing):
                if (found := await self._fit(node, evidence, items, listing)) is not None:
                    outcome = await self._write(node, evidence, found)
                    return

        await client.items(node.key, query, take)
        return outcome

    async def _fit(
        self, node: Node, evidence: _Evidence, items: Sequence[WireItem], listing: Listing
    ) -> "_Found | None":
        """What ids or count, the newest and what shows edits prove together; None where they do not fit."""
        head, held, order, slices = [item.id for item in items], evidence.held, node.link.order, Slices()
        if len(head) < OVERLAP or len(set(head)) != len(head):
            return None
        shown = {item_id: item for item_id, item in evidence.edits.edits.items() if item_id not in head}
        if evidence.ids is not None and evidence.ids.ids is not None:
            listed = fitting.by_ids(evidence.ids.ids, head, held, [*head, *shown])
            proves = of_ids(node.key.node, len(evidence.ids.ids), readable=True, turned=listed is not None)
            by = evidence.ids.by
        else:
            count = listing.rsm.count if listing.rsm is not None else None
            listed = fitting.by_count(list(held), count, head, order) if count is not None else None
            proves, by = TABLE[Way.COUNT], frozenset((Way.COUNT,))
        await slices.pause()
        turned = bool(node.link.traits.reversed)
        if listed is None or node.settle.contradicts(listed, evidence.sent_at, turned=turned):
            return None
        await slices.pause()
        there = set(listed)
        contents = [*(item for item_id, item in shown.items() if item_id in there), *items]
        changed, digests = await self._applier.convert(node, contents, held)
        if evidence.edits.by and not _agree(evidence.edits.edits, changed, items, digests):
            node.link.distrust(evidence.edits.by)
            return None
        newest = Way.NEWEST if order == "publish" else Way.NEWEST_CREATED
        if newest is Way.NEWEST and not evidence.edits.by:
            edited = {item.id for item in changed}
            await slices.pause()
            if not fitting.by_newest(list(held), listed, head, edited):
                return None
        by |= evidence.edits.by | {newest}
        return _Found(listed, changed, proves | evidence.edits.proves | TABLE[newest], by, listing.taken_at)

    async def _write(self, node: Node, evidence: _Evidence, found: "_Found") -> Outcome:
        proof, started, epoch = node.proof, evidence.sent_at, evidence.epoch
        kept = set(found.order)
        deaf = node.subscribed_epoch != epoch
        exact = Way.ARCHIVE in found.by
        removals = [item_id for item_id in evidence.held if item_id not in kept]
        applied = await self._applier.commit(
            node,
            evidence.unchanged,
            lambda record: self._store.apply(
                record, found.changed, removals=removals, order=found.order, record=record
            ),
            state=NodeState.STALE,
            reason=f"not told of changes: {node.subscription}" if deaf else "",
            error="",
            verified_at=self._clock.wall_of(started) if exact else node.record.verified_at,
        )
        if applied is None or not evidence.unchanged():
            if applied is not None:
                self._applier.tell_items(node, applied)
            return Outcome(proved=False, reason=MOVED_AWAY, again=True)
        node.decided_at = found.taken_at
        node.link.show(way for way in found.by if way is not Way.ORDER_BY)
        if exact:
            node.proof = Proof(epoch, started, by=found.by)
        elif proof is not None:
            node.proof = Proof(epoch, proof.verified_at, (HIDDEN_EDIT,), by=found.by)
        if not found.proves.renews:
            node.punch(CONTENTS)
        node.changed()
        self._applier.tell_items(node, applied)
        self._applier.tell(node, "state", applied if not (applied.published or applied.retracted) else None)
        if not found.proves.renews:
            return Outcome(proved=False, reason=CONTENTS, partly=True)
        return Outcome(proved=True, reason=node.record.reason)


@dataclass(frozen=True, slots=True)
class _Found:
    """What is to be written."""

    order: list[str]
    changed: Sequence[NewItem]
    proves: Proves
    by: frozenset[Way]
    taken_at: float
    """When the newest came."""


def _both_ways(node: Node, listing: Listing) -> list[Sequence[WireItem]]:
    """The newest, oldest first: as `max_items` answers are known to come; last pages come one way or the other."""
    items = listing.items
    if listing.query.max_items is not None:
        return [node.link.oldest_first(items)]
    if listing.query.rsm_max is not None and len(items) > listing.query.rsm_max:
        return []  # it does not page
    return [items, items[::-1]]


def _agree(
    edits: Mapping[str, WireItem], changed: Sequence[NewItem], items: Sequence[WireItem], digests: dict[str, bytes]
) -> bool:
    """Whether what the newest items show to be new or edited stands among the edits, as it is."""
    newest = {item.id for item in items}
    if not newest.intersection(item.id for item in changed) <= set(edits):
        return False
    return all(payload.of_item(edits[each].element)[1] == digests[each] for each in newest.intersection(edits))

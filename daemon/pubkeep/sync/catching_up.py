# SPDX-License-Identifier: MIT
"""Catching up after a session that was not resumed, without fetching the whole node again.

Where an overwritten item moves to the end (order `publish`), what is new or edited stands among the newest. All ids,
by disco#items (XEP-0060 5.5), show what went and where everything stands; the newest items show what came; their
success shows that we may still read. Only an edit that was followed by a publication of something *unchanged* can hide:
so the kind `edit` is untold until the next listing of the whole node, and the proof keeps its age.

Whatever does not fit exactly proves nothing, and the node is listed whole. Where the order is another, or not known,
edits show only in a full listing: nothing is tried.
"""

from collections.abc import Sequence
from dataclasses import replace

from pubkeep.cache.applying import Applier
from pubkeep.cache.known import Node, Proof
from pubkeep.cache.parts import Part, Tools
from pubkeep.errors import NotAllowed, NotFound, NotSupported, Refused
from pubkeep.model import Copy, ItemsQuery, Listing, NewItem, NodeState
from pubkeep.ports import PubSubClient
from pubkeep.sync.listing import MOVED_AWAY, Lister, Outcome

WORTH_IT = 200
"""Items; a smaller node is listed whole in one answer that costs no more."""
OVERLAP = 10
"""So many of the newest must be as they are held, one after the other, so that the gap is closed."""
TRIES = 3
"""Each with four times as many of the newest."""
HIDDEN_EDIT = "edit"


class CatchUp(Part):
    """Renews the proof of a node from its ids and its newest items."""

    def __init__(self, tools: Tools, applier: Applier, lister: Lister) -> None:
        super().__init__(tools)
        self._applier = applier
        self._lister = lister

    def applies(self, node: Node) -> bool:
        """Whether it can prove anything: a whole copy, proved in an earlier session and not too long ago."""
        proof, link = node.proof, node.link
        return (
            proof is not None
            and proof.epoch != link.epoch
            and link.order == "publish"
            and not node.hole
            and not node.settle.unsettled()
            and node.record.copy is Copy.WHOLE
            and node.record.items >= WORTH_IT
            and self._clock.boottime() - proof.verified_at < self._known.max_age(node) / 2
        )

    async def catch_up(self, node: Node, client: PubSubClient) -> Outcome | None:
        """Do it; None where the node has to be listed whole.

        Raises:
            NotFound, NotAllowed: the service's verdict.
        """
        if node.link.traits.reversed is None:
            await self._lister.direction(node, client)
        sent_at = self._clock.boottime()
        try:
            listed = [each.name for each in await client.disco_items(node.key.service, node.key.node)]
        except (NotAllowed, NotFound, NotSupported, Refused):
            return None  # the listing decides what that means
        ids = set(listed)
        if not ids or "" in ids or len(ids) != len(listed):
            return None  # an empty list is what some services give to those whom they refuse
        held = await self._store.digests(node.record.number)
        number = len(ids.difference(held)) + OVERLAP
        for _ in range(TRIES):
            outcome = await self._newest(node, client, listed, sent_at, number)
            if outcome is not None:
                return outcome
            number *= 4
            if number > len(ids) / 2:
                break
        return None

    async def _newest(
        self, node: Node, client: PubSubClient, listed: Sequence[str], sent_at: float, number: int
    ) -> Outcome | None:
        epoch, incarnation, holes = node.link.epoch, node.incarnation, node.holes
        outcome: Outcome | None = None

        async def take(listing: Listing) -> None:
            nonlocal outcome
            if (epoch, incarnation, holes) != (node.link.epoch, node.incarnation, node.holes):
                outcome = Outcome(proved=False, reason=MOVED_AWAY, again=True)
                return
            items = listing.items[:: -1 if node.link.traits.reversed else 1]
            head = [item.id for item in items]
            held = await self._store.digests(node.record.number)
            changed, shown = await self._applier.convert(node, items, held)
            racing = node.settle.answered(sent_at, listing.taken_at, None, {**held, **shown})
            if racing or listing.too_old or node.settle.named_since(sent_at - node.settle.fan_out):
                return  # something happens right now: the whole listing knows how to treat that
            order = fits(list(held), list(listed), head, {item.id for item in changed})
            if order is None:
                return
            outcome = await self._write(node, changed, order, held, epoch)

        await client.items(node.key, ItemsQuery(max_items=number), take)
        return outcome

    async def _write(
        self, node: Node, changed: Sequence[NewItem], order: list[str], held: dict[str, bytes], epoch: int
    ) -> Outcome:
        proof = node.proof
        assert proof is not None
        kept = set(order)
        deaf = node.subscribed_epoch != epoch
        record = replace(
            node.record,
            state=NodeState.STALE,
            reason=f"not told of changes: {node.subscription}" if deaf else "",
            error="",
        )
        applied = await self._store.apply(
            record,
            changed,
            removals=[item_id for item_id in held if item_id not in kept],
            order=order,
            record=record,
        )
        node.record = record
        node.proof = Proof(epoch, proof.verified_at, (HIDDEN_EDIT,))
        node.changed()
        self._applier.committed(node, applied)
        self._applier.tell(node, "state", applied if not (applied.published or applied.retracted) else None)
        return Outcome(proved=True, reason=record.reason)


def fits(held: list[str], listed: list[str], head: list[str], changed: set[str]) -> list[str] | None:
    """The order that the service has, oldest first, if ids and newest items fit together and to the copy; else None.

    Args:
        held: our ids, oldest first.
        listed: all ids of the service, oldest or newest first.
        head: the newest, oldest first.
        changed: those of the head that are new or other than held.
    """
    if len(head) < OVERLAP or len(set(head)) != len(head):
        return None
    if listed[: len(head)] == head[::-1]:
        listed.reverse()
    if listed[-len(head) :] != head:
        return None
    there, newest = set(listed), set(head)
    expected = [item_id for item_id in held if item_id in there and item_id not in newest]
    if listed[: -len(head)] != expected:
        return None
    known = head[: next((at for at, item_id in enumerate(head) if item_id in changed), len(head))]
    places = {item_id: at for at, item_id in enumerate(i for i in held if i in there and i not in changed)}
    before = len(expected)
    closed = len(known) >= OVERLAP // 2 and all(places[item_id] == before + at for at, item_id in enumerate(known))
    return listed if closed else None

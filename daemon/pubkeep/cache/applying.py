# SPDX-License-Identifier: MIT
"""Events and answers into the store. Everything here runs inside the node's inbox, in the order of the stream."""

import logging
from collections.abc import Collection, Sequence
from itertools import dropwhile, islice

from pubkeep import payload
from pubkeep.cache.committing import always
from pubkeep.cache.conversion import convert
from pubkeep.cache.fed import absent, beside_head, otherwise_ordered
from pubkeep.cache.sampling import PAYLOADS, sample
from pubkeep.cache.verdicts import Verdicts
from pubkeep.cache.wanted import Node, Valid
from pubkeep.clock import CLOCKS_DIFFER
from pubkeep.errors import PubkeepError
from pubkeep.model import Copy, NewItem, NodeState
from pubkeep.protocol import Confirmation, EventKind, Listing, NodeEvent, WireItem
from pubkeep.slices import Slices

log = logging.getLogger(__name__)

UNTOLD = "the service had changes that it did not tell"
OTHER_ORDER = "the service has the newest in another order"


class Applier(Verdicts):
    """Writes what the services say."""

    # -- events ----------------------------------------------------------------------------------

    async def handle(self, event: NodeEvent) -> None:
        """Apply one event.

        What nobody wants is dropped, and so is what comes from a service at which we are not subscribed:
        the sender is the node's service by construction (`event.node`).
        """
        node = self._known.node(event.node)
        if node is None:
            self._known.dropped(event.node.account, "unwanted")
            return
        await self.committed(node)
        denied = node.record.state is NodeState.DENIED
        if self._known.notifies(event.node) and not denied and node.subscribed_epoch != node.link.epoch:
            self.verify(node)  # it wakes us and proves nothing
        if node.record.state is NodeState.GONE:
            node.refused_at = float("-inf")  # it is there again, perhaps: the next read asks
        subscribed = node.record.subscribed or node.subscribed_epoch == node.link.epoch
        if not subscribed or not self._concerned(node, event):
            if node.syncing and subscribed:
                node.punch("something was told while it was listed, and not taken")
            node.dropped_events += 1
            self._known.dropped(event.node.account, "hidden" if subscribed else "unsubscribed")
            return
        holes = node.holes
        node.counts["events"] += 1
        try:
            await self._apply_event(node, event)
        except Exception as error:
            node.punch("a change could not be stored")
            self.verify(node)
            if not isinstance(error, PubkeepError):
                raise
            log.warning("%s at %s: a change could not be stored: %s", event.node.node, event.node.service, error)
        if node.holes != holes:
            self.verify(node)
        self.settle(node)

    def _concerned(self, node: Node, event: NodeEvent) -> bool:
        """Whether an event says anything of a node of which nothing is served: only that it went, or may be readable.

        Services go on telling whom they refuse (ejabberd does), and what is not proved to be stored is not held.
        """
        if not node.hidden and node.record.state is not NodeState.IGNORED:
            return True
        if event.kind is EventKind.CONFIGURATION:
            node.described_epoch, node.refused_at = -1, float("-inf")
            self.verify(node)
        return event.kind is EventKind.DELETE

    async def _apply_event(self, node: Node, event: NodeEvent) -> None:
        if event.delayed and event.kind is not EventKind.ITEMS:
            node.punch("an old notification came late")
            return
        match event.kind:
            case EventKind.ITEMS:
                await self._apply_items(node, event)
            case EventKind.PURGE:
                await self.purged(node)
            case EventKind.DELETE:
                words = f"deleted; the service points to {event.redirect}" if event.redirect else "deleted"
                await self.gone(node, words)
            case EventKind.SUBSCRIPTION:
                if event.subscription != "subscribed":
                    node.unsubscribe(event.subscription or "none")
                    node.punch(f"the subscription is {node.subscription}")
                elif node.subscribed_epoch != node.link.epoch:
                    self.verify(node)  # approved: it is looked for in the list
            case EventKind.COLLECTION:
                pass
            case EventKind.CONFIGURATION:
                node.described_epoch = -1
                node.punch("the node's configuration changed")
                self.tell(node, "configured", None)
            case EventKind.UNKNOWN:
                node.punch("a notification was not understood")

    async def _apply_items(self, node: Node, event: NodeEvent) -> None:
        same, since = node.unended(), node.link.committed_since(event.at)
        old = event.delayed or since < node.ended_at  # it may be of a node of this name that is no more
        held = await self._store.digests(node.record.number, [i.id for i in event.items] + list(event.retracted))
        full = [i for i in event.items if payload.first_child(i.element) is not None or payload.refusal(i.element)]
        moves = node.link.order == "publish"  # equal ones too: all are written, and the store compares
        new_items, digests = await self.convert(node, full, {} if moves else held)
        if not same():
            return
        if not {*event.retracted, *(item.id for item in event.items)} <= held.keys():
            node.older = False  # it may have been the only one of those that are not kept
        if not old and self._beside_head(node, [item.id for item in event.items], held):
            return
        for item in event.items:
            known, told = held.get(item.id), digests.get(item.id)
            if old and told is not None and told == known:
                continue  # a copy of the last item, as some services send at subscription
            shows = told is not None and not old
            usable = shows and PAYLOADS not in node.link.traits.distrusted
            placed = shows and (known is None or node.link.order != "creation")  # written there, believed or not
            same_value, news = usable and told == known, self._news(node, event)
            meaning = {"usable": usable, "placed": placed, "same": same_value, "news": news}
            node.settle.event(item.id, told or b"", event.at, since=since, **meaning)
            sample(node, item.id, event.at, usable=usable)
            if usable and known is not None and known != told and not node.link.order:
                await self._overwritten(node, item.id, since)
            elif placed and known == told and not node.link.order:
                node.settle.doubt_order(item.id)  # published again, or told twice
            elif not (usable or old or known is None or node.link.order == "creation"):
                # what it is now shows when it is asked for by id; where it stands does not
                node.settle.doubt_order(item.id)
        for item_id in event.retracted:
            expected = old or node.record.copy is Copy.HEAD or node.settle.last_event(item_id) is not None
            if item_id not in held and not expected:
                node.punch("an item that is not held was retracted")
            node.settle.event(item_id, None, event.at, since=since, usable=not old)
        node.changed()
        if not old:
            await self.write(node, same, new_items, removals=[i for i in event.retracted if i in held], moves=moves)
            await self.trim(node, same)

    @staticmethod
    def _news(node: Node, event: NodeEvent) -> bool:
        """Whether an event may tell of something later than the last proof, for all that clocks differ."""
        return not event.delayed or not event.said_at or event.said_at > node.record.verified_at - CLOCKS_DIFFER

    @staticmethod
    def _beside_head(node: Node, ids: Sequence[str], held: Collection[str]) -> bool:
        """Whether nobody knows if what changed is one of the newest, which are all that is kept: then it is a hole."""
        if node.record.copy is not Copy.HEAD or node.link.order == "publish" or set(ids) <= set(held):
            return False
        node.punch("an item came of which nobody knows whether it is one of the newest")
        return True

    async def _overwritten(self, node: Node, item_id: str, since: float) -> None:
        """An item that is held has another payload now; it shows the order, if it surely was there before."""
        held = await self._store.digests(node.record.number) if self._known.certain(node) else {}
        behind = islice(dropwhile(lambda each: each != item_id, held), 1, None)
        node.settle.overwritten(item_id, behind, since)

    # -- answers ---------------------------------------------------------------------------------

    async def feed(
        self, node: Node, listing: Listing, ids: Collection[str] | None, everything: Collection[str] | None
    ) -> None:
        """Let the copy learn from an answer that a caller got: the next answer must not be an older one.

        A difference that no event explains shows that a change was kept from us: the node is verified. A copy that
        nobody vouches for may stand in another order until its listing ends, which this answer must not spoil: the
        listing is held against it then.

        Args:
            ids: what it covers; None: the newest.
            everything: all ids of the node, where this answer ends a list of the whole.
        """
        node.access.shown(listing.sent_at)
        await self.committed(node)
        if listing.too_old or listing.sent_at < node.ended_at:
            return
        same = node.unended()
        copy = Copy.NONE if node.hidden else node.record.copy
        held = await self._store.digests(node.record.number) if copy is not Copy.NONE else {}
        new_items, shown = await self.convert(node, listing.items, held)
        if not same():
            return
        slices, covered = Slices(), None if everything is not None else ids
        racing = node.settle.answered(listing.sent_at, listing.taken_at, covered, shown)
        if copy is Copy.HEAD and beside_head(node, held, listing, everything, shown, racing):
            node.punch(UNTOLD)
            self.verify(node)
        elif copy is Copy.WHOLE:
            settled = [item for item in new_items if not node.settle.unsettled((item.id,))]
            lacking = absent(list(held), listing, ids, everything)
            await slices.pause()
            if not same():
                return
            gone = [item_id for item_id in lacking if not node.settle.unsettled((item_id,))]
            if (settled or gone) and listing.sent_at < node.decided_at:
                # it may be older than the answer that came before it
                for item_id in (*gone, *(item.id for item in settled)):
                    node.settle.doubt(item_id, listing.taken_at)
                racing = frozenset(gone) or frozenset(item.id for item in settled)
            elif settled or gone:
                node.decided_at = listing.taken_at
                node.settle.lesson.forget(listing.taken_at, node.settle.fan_out)
                node.punch(UNTOLD)
                await self.write(node, same, settled, removals=gone)
                self.verify(node)
            elif ids is None and otherwise_ordered(node, list(held), listing):
                if not self._known.needs_proof(node):
                    node.punch(OTHER_ORDER)
                self.verify(node)
        await slices.pause()
        node.settle.told(listing, ids, everything, shown)
        if racing:
            node.changed()
            self.settle(node)

    async def confirm(self, node: Node, item: NewItem, confirmation: Confirmation) -> None:
        """Our own publish was confirmed: the next read sees it, unless an event for the id says otherwise.

        Who may publish need not be allowed to read: what was denied stays so until the service shows it.
        """
        same = node.unended()
        await self.committed(node)
        if node.record.state is NodeState.IGNORED:
            return  # it may be confirmed and not stored
        if node.hidden:
            node.refused_at = float("-inf")  # the next read asks
            self.verify(node)
        if node.record.state is NodeState.GONE and confirmation.taken_at > node.ended_at:
            await self.reveal(node)
        elif node.hidden:
            node.punch("published while it could not be read")
        last = node.settle.last_event(item.id)
        ours = [payload.digest(item.xml, publisher) for publisher in ("", node.key.account)]  # as our event may be told
        if last and last.at >= confirmation.sent_at and last.digest not in ours:
            node.settle.doubt(item.id, confirmation.taken_at)
            node.changed()
        elif (
            not (last and last.at >= confirmation.sent_at) and not node.hidden and confirmation.sent_at > node.ended_at
        ):
            held = await self._store.digests(node.record.number, [item.id])
            node.older = node.older and item.id in held
            if self._beside_head(node, [item.id], held):
                self.verify(node)
                return
            placed = item.id not in held or node.link.order != "creation"
            raced = node.settle.covered_since(item.id, confirmation.sent_at)  # by an answer that may be the newer one
            if placed and (raced or node.settle.placed_since(confirmation.sent_at)):
                node.settle.doubt_order(item.id)
            node.settle.event(item.id, item.digest, confirmation.taken_at, placed=placed, own=True)
            if raced and held.get(item.id) != item.digest:
                node.settle.doubt(item.id, confirmation.taken_at)
            if item.id in held and not node.link.order:
                await self._overwritten(node, item.id, confirmation.sent_at - node.settle.fan_out)
            await self._write_own(node, same, [item], moves=node.link.order == "publish")
        self.settle(node)

    async def confirm_retract(self, node: Node, item_id: str, confirmation: Confirmation) -> None:
        """Our own retraction was confirmed."""
        same = node.unended()
        last = node.settle.last_event(item_id)
        if last and last.at >= confirmation.sent_at and last.digest is not None:
            node.settle.doubt(item_id, confirmation.taken_at)
            node.changed()
        else:
            raced = node.settle.covered_since(item_id, confirmation.sent_at)
            held = bool(await self._store.digests(node.record.number, [item_id]))
            node.older = node.older and held
            node.settle.event(item_id, None, confirmation.taken_at, own=True)
            if raced and held:
                node.settle.doubt(item_id, confirmation.taken_at)
            await self._write_own(node, same, [], removals=[item_id])
        self.settle(node)

    async def _write_own(
        self, node: Node, valid: Valid, items: Sequence[NewItem], *, removals: Sequence[str] = (), moves: bool = False
    ) -> None:
        """What was confirmed and cannot be stored is a hole, as any other change."""
        try:
            await self.write(node, valid, items, removals=removals, moves=moves)
            await self.trim(node, valid)
            if node.hole:
                self.verify(node)
        except PubkeepError:
            node.punch("what you changed could not be stored")
            self.verify(node)
            raise

    async def confirm_purge(self, node: Node, confirmation: Confirmation) -> None:
        """Our own purge was confirmed: the next read sees it, unless an event named items meanwhile."""
        if node.settle.named_since(confirmation.sent_at):
            node.punch("purged by you, while others changed it")
        elif node.record.items:
            await self.purged(node)
        else:
            node.punch("purged by you")  # a listing that is under way may be older
        self.verify(node)

    # -- writing ---------------------------------------------------------------------------------

    async def convert(
        self, node: Node, items: Sequence[WireItem], held: dict[str, bytes]
    ) -> tuple[list[NewItem], dict[str, bytes]]:
        """Serialise and parse what differs from what is held. Returns that, and the digests of all."""
        if items and not node.seen_item:
            await self._analyse(node, items[-1])
        return await convert(self._analysers, node, items, held)

    async def _analyse(self, node: Node, item: WireItem) -> None:
        """An analysis that saw no item is not final: it is repeated at the first one."""
        node.seen_item = True
        before = node.record.analysis
        if before is not None and before.final:
            return
        analysis = await self._analysers.analyse(node.key, item)
        if analysis is not None and analysis != before:
            await self.save(node, always, analysis=analysis)
            if node.unwanted:
                self.unwanted(node)

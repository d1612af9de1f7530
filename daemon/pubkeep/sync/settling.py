# SPDX-License-Identifier: MIT
"""Asking again for what the settle rule left in doubt (cache/settle.py): ids by id, the order by the newest."""

from collections.abc import Mapping

from pubkeep.cache.applying import Applier
from pubkeep.cache.barrier import barrier
from pubkeep.cache.parts import Part, Tools
from pubkeep.cache.sampling import PAYLOADS
from pubkeep.cache.wanted import Node, Valid
from pubkeep.errors import PubkeepError
from pubkeep.model import Copy
from pubkeep.protocol import ItemsQuery, Listing
from pubkeep.sync.listing import Lister
from pubkeep.sync.proofs import Way

HEAD = 200
"""So many ids of doubtful order are settled by a listing of the newest; more need the whole node."""


class Settler(Part):
    """Ends doubts with one small request each."""

    def __init__(self, tools: Tools, applier: Applier) -> None:
        super().__init__(tools)
        self._applier = applier
        self._lister = Lister(tools, applier)

    async def settle(self, node: Node) -> bool:
        """Ask for what is due. Returns False where only a listing of the whole node can help.

        Raises:
            PubkeepError: the service gave no answer, or refused.
        """
        if node.record.copy is Copy.NONE:
            return True  # the synchronisation decides
        await self._learn_order(node)
        if ids := node.settle.due(self._clock.boottime()):
            await self._ids(node, ids)
        if ids := node.settle.order_due(self._clock.boottime()):
            return len(ids) < HEAD and await self._order(node, ids)
        return True

    async def _learn_order(self, node: Node) -> None:
        """Believe what a listing showed of the order, if nothing could be told meanwhile without our hearing of it."""
        due = node.settle.lesson.due(node.settle.fan_out)
        if due is None or due > self._clock.boottime():
            return
        try:
            stands = await barrier(node, self._sessions.client(node.key.account))
        except PubkeepError:
            stands = False
        order = node.settle.lesson.learnt(self._clock.boottime(), node.settle.fan_out)
        if order and stands and not node.link.order:
            node.link.teach(order)

    async def _ids(self, node: Node, ids: list[str]) -> None:
        same = node.unended()

        async def take(listing: Listing) -> None:
            node.access.shown(listing.sent_at)
            held = await self._store.digests(node.record.number, ids)
            asked = [item for item in listing.items if item.id in ids]
            changed, shown = await self._applier.convert(node, asked, held)
            if not same():
                return
            started = listing.sent_at - node.settle.fan_out
            racing = node.settle.named_since(started).intersection(ids)
            racing |= node.settle.shown_otherwise(ids, shown, listing.sent_at)
            if listing.sent_at < node.decided_at or listing.too_old:
                racing = frozenset(ids)  # an answer that may be newer came before this one
            node.settle.answered(listing.sent_at, listing.taken_at, ids, shown)
            node.settle.tried(racing)
            new_items = [item for item in changed if item.id not in racing]
            removals = [i for i in ids if i in held and i not in shown and i not in racing]
            for item in asked:
                if item.id not in racing and (item.id not in held or node.link.order != "creation"):
                    node.settle.doubt_order(item.id)  # what was published unseen stands nobody knows where
            for item_id in node.sampled.intersection(ids).difference(racing):
                self._compare(node, item_id, shown)
            if new_items or removals:
                node.decided_at = listing.taken_at
                node.settle.lesson.forget(listing.taken_at, node.settle.fan_out)
            missing = [i for i in ids if i not in shown and i not in racing]
            if any(node.settle.expects(i, held=i in held) for i in missing):
                node.punch("an item was gone without a word")
            if new_items or removals:
                await self._applier.write(node, same, new_items, removals=removals)
            node.settle.settled(i for i in ids if i not in racing)  # now that it is stored
            node.changed()

        client, began = self._sessions.client(node.key.account), self._clock.boottime()
        node.settle.watch(began)
        try:
            await client.items(node.key, ItemsQuery(ids=tuple(ids)), take)
        finally:
            node.settle.unwatch(began)

    @staticmethod
    def _compare(node: Node, item_id: str, shown: Mapping[str, bytes]) -> None:
        """A notification that shows something else than is stored is a hint from then on, at that service."""
        node.sampled.discard(item_id)
        last = node.settle.last_event(item_id)
        if last is None or last.digest is None or item_id not in shown:
            return
        if last.digest == shown[item_id]:
            node.link.show((PAYLOADS,))
        else:
            node.link.distrust((PAYLOADS,))

    async def _order(self, node: Node, ids: list[str]) -> bool:
        """List the newest: all ids in doubt and one more. False where what it shows does not fit ours."""
        number = len(ids) + 1
        same, fits = node.unended(), False

        async def take(listing: Listing) -> None:
            nonlocal fits
            node.access.shown(listing.sent_at)
            started = listing.sent_at - node.settle.fan_out
            racing = node.settle.named_since(started)
            head = [item.id for item in node.link.oldest_first(listing.items)][-number:]
            more = set(node.settle.order_ids).difference(ids)  # of what had arrived and was not applied yet
            turned = bool(node.link.traits.reversed)
            other = node.settle.contradicts(head, listing.sent_at, turned=turned, newest=True)
            if racing or more or other or listing.sent_at < node.decided_at or listing.too_old:
                fits = True  # something came in between: another attempt follows when it is quiet
                return
            digests = await self._store.digests(node.record.number)
            held = list(digests)
            counted = listing.rsm.count if listing.rsm is not None else None
            if counted not in (None, len(held)) and _believed(node):
                return  # something came or went without a word
            shown, asked = set(head), set(ids)
            mine = held[-number:]
            changed, _ = await self._applier.convert(node, listing.items, digests)
            if not same():
                fits = True  # nothing is in doubt about what is not there
                return
            sure = shown - asked
            first = next((at for at, each in enumerate(held) if each in sure), len(held))
            gone = [each for each in held[first:] if each not in shown and each not in asked]
            for each in (item_id for item_id in ids if item_id in shown and item_id in digests):
                behind = held[held.index(each) + 1 :]
                if not sure.intersection(behind).isdisjoint(head[head.index(each) :]):  # it passed none of them
                    gone += [other for other in behind if other not in shown and other not in asked]
            if len(gone) > HEAD:
                return
            if len(listing.items) < number:
                gone = [each for each in held if each not in shown]  # there are no more
            doubtful = dict.fromkeys([*gone, *(item.id for item in changed if item.id in digests)])
            if doubtful and node.settle.looked_for(doubtful):
                return  # they are there, and stand somewhere else
            if doubtful:  # asked for by id first
                for item_id in doubtful:
                    node.settle.doubt(item_id, listing.taken_at)
                fits = True
                return
            node.settle.lesson.listed(head, listing.taken_at)
            overwrote = node.settle.lesson.overwrote
            if overwrote and not node.link.order and overwrote not in head:
                return  # once for each service: the whole list shows its order
            if not shown.difference(mine) <= asked or not shown <= digests.keys():
                return
            if not asked & digests.keys() <= shown:
                return  # what is in doubt is not among the newest: gone, or somewhere else
            if head != mine:
                await self._place(node, same, listing, head)
            node.settle.order_settled()
            node.changed()
            fits = True

        client = self._sessions.client(node.key.account)
        if node.link.traits.reversed is None:
            await self._lister.direction(node, client)
        if node.link.traits.reversed is None:
            return False
        await client.items(node.key, ItemsQuery(max_items=number), take)
        return fits

    async def _place(self, node: Node, same: Valid, listing: Listing, head: list[str]) -> None:
        """Move these ids to the end, in this order."""
        by_id = {item.id: item for item in listing.items}
        held = await self._store.digests(node.record.number)
        order = [item_id for item_id in held if item_id not in by_id] + [i for i in head if i in held]
        await self._applier.commit(node, same, lambda record: self._store.apply(record, order=order))


def _believed(node: Node) -> bool:
    """Whether the number of all items that comes with the newest can be held against the copy."""
    return node.record.copy is Copy.WHOLE and Way.COUNT not in node.link.traits.distrusted

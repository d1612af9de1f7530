# SPDX-License-Identifier: MIT
"""One synchronisation: subscribe, list, swap.

What is listed is written page by page, new items and changed ones only, so that an interrupted walk
costs nothing twice. What the service no longer has goes in the last transaction, together with the
order and the proof, and only if the walk proves the whole node: nothing is deleted first.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

from pubkeep.cache.applying import BATCH, Applier
from pubkeep.cache.known import Node, Proof
from pubkeep.cache.parts import Part, Tools
from pubkeep.errors import NotAllowed, NotFound, NotSupported, PubkeepError, Refused
from pubkeep.model import Copy, ItemsQuery, Listing, NodeState
from pubkeep.ports import PubSubClient
from pubkeep.sync.pager import Pager

RSM = "http://jabber.org/protocol/rsm"
PROSODY = (("pubsub", "service", "Prosody PubSub Service"), ("server", "im", "Prosody"))
AGAIN = 3
"""So often a walk that the node's own changes spoiled is begun anew at once."""

Progress = Callable[[int, int], None]
"""Called with the items listed so far and their number, 0 where the service does not say."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How it ended: proved, or why not and whether it should be tried again soon."""

    proved: bool
    reason: str = ""
    again: bool = False


class Syncer(Part):
    """Makes copies whole and proves them."""

    def __init__(self, tools: Tools, applier: Applier) -> None:
        super().__init__(tools)
        self._applier = applier

    async def synchronise(self, node: Node, progress: Progress) -> Outcome:
        """Bring a node to `synced`.

        Raises:
            NotFound, NotAllowed: the service's verdict; the node is gone or denied now.
            PubkeepError: no answer, or trouble of ours; what is held stays, marked stale.
        """
        node.syncing = True
        node.changed()
        try:
            client = self._sessions.client(node.key.account)
            await self._subscribe(node, client)
            for _ in range(AGAIN):
                outcome = await self._walk(node, client, progress)
                if not outcome.again:
                    break
            return outcome
        except NotAllowed as error:
            node.proof, node.subscribed_epoch = None, -1
            await self._applier.save(node, state=NodeState.DENIED, reason=str(error), error="NotAllowed")
            raise
        except NotFound:
            await self._confirm_gone(node)
            raise
        finally:
            node.syncing = False
            node.changed()

    async def _subscribe(self, node: Node, client: PubSubClient) -> None:
        """Subscribe first, fetch then: what changes in between is told (CACHE.md, Sync 1).

        A subscription that an earlier session made is looked for before it is made again: ejabberd
        would give another subid for the same JID.
        """
        epoch = node.link.epoch
        if node.subscribed_epoch == epoch:
            return
        if node.link.rsm is None:
            await self._learn(node, client)
        node.settle.fan_out = node.link.fan_out
        try:
            states = await client.subscriptions(node.key) if node.record.subscribed else ()
            state = "subscribed" if "subscribed" in states else await client.subscribe(node.key)
        except (NotSupported, Refused, NotAllowed) as error:
            node.subscription = str(error)  # the node may be readable all the same: it is polled
            return
        node.subscription = state
        if not node.record.subscribed:
            await self._applier.save(node, subscribed=True)
        if state == "subscribed" and epoch == node.link.epoch:
            node.subscribed_epoch = epoch

    async def _learn(self, node: Node, client: PubSubClient) -> None:
        """What disco#info shows of the service.

        It pages where it says so: Prosody ignores RSM, and ejabberd's Mnesia reads the whole node for each page.
        Prosody's own PubSub tells a change in the same step in which it can be read, and an overwritten item
        moves to the end; everybody else is asked to show it.
        """
        link = node.link
        service = node.key.account.partition("@")[2] if node.key.is_own_pep else node.key.service
        try:
            info = await client.info(service)
        except (NotFound, NotAllowed, Refused, NotSupported):
            link.rsm = False
            return
        link.rsm = RSM in info.features
        if any(identity in PROSODY for identity in info.identities):
            link.fan_out, link.order = 0.0, "publish"

    async def _walk(self, node: Node, client: PubSubClient, progress: Progress) -> Outcome:
        pager = Pager(bool(node.link.rsm), self._settings.max_items)
        epoch, incarnation, holes = node.link.epoch, node.incarnation, node.holes
        outcome = Outcome(proved=False)
        shown: dict[str, bytes] = {}
        known = node.record.items > 0  # where nothing is held yet, nothing has to be compared

        async def take(listing: Listing) -> None:
            nonlocal outcome
            if (epoch, incarnation) != (node.link.epoch, node.incarnation):
                outcome = Outcome(proved=False, reason="the node or the connection was replaced meanwhile", again=True)
                return
            if node.hidden:
                await self._applier.reveal(node)
            fresh = pager.take(listing)
            ask()  # the service works on the next page while this one is stored
            held = await self._store.digests(node.record.number, [item.id for item in fresh]) if known else {}
            done = len(pager.ids) - len(fresh)
            named = node.settle.named_since((pager.sent_at or listing.sent_at) - node.settle.fan_out)
            for start in range(0, len(fresh), BATCH):
                part = fresh[start : start + BATCH]
                changed, digests = await self._applier.convert(node, part, held)
                shown.update(digests)
                await self._applier.write(node, [item for item in changed if item.id not in named])
                done += len(part)
                progress(done, max(pager.total, len(pager.ids)))
            if pager.ended:
                racing = node.settle.answered(pager.sent_at or listing.sent_at, listing.taken_at, None, shown)
                doubt = pager.doubt(named) or ("" if holes == node.holes else node.hole)
                outcome = await self._end(node, pager, racing, doubt, epoch)

        under_way: list[asyncio.Task[None]] = []

        def ask() -> None:
            if (query := pager.query()) is not None:
                under_way.append(asyncio.create_task(client.items(node.key, query, take)))

        ask()
        fetching = node.fetching = None if pager.paged else asyncio.Event()
        try:
            while under_way:
                await under_way.pop(0)
                if fetching is not None:
                    fetching.set()
                    node.fetching = None
        finally:
            if fetching is not None:
                fetching.set()
                node.fetching = None
            for task in under_way:
                task.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)
        self._applier.settle(node)
        return outcome

    async def _end(self, node: Node, pager: Pager, racing: frozenset[str], doubt: str, epoch: int) -> Outcome:
        """The last page is written: the proof, the removals and the order, in one transaction."""
        if doubt:
            partial = node.record.copy is not Copy.WHOLE and len(pager.ids) > self._settings.max_items
            await self._applier.save(node, state=NodeState.PARTIAL if partial else NodeState.STALE, reason=doubt)
            return Outcome(proved=False, reason=doubt, again=not pager.fault)
        assert pager.sent_at is not None
        held = await self._store.digests(node.record.number)
        removals = [item_id for item_id in held if item_id not in pager.ids and item_id not in racing]
        remaining = [item_id for item_id in pager.ids if item_id in held]
        remaining += [item_id for item_id in held if item_id in racing and item_id not in pager.ids]
        deaf = node.subscribed_epoch != epoch
        node.record = replace(
            node.record,
            state=NodeState.STALE,
            reason=f"not told of changes: {node.subscription}" if deaf else "",
            copy=Copy.WHOLE,
            verified_at=self._clock.wall_of(pager.sent_at),
            error="",
        )
        applied = await self._store.apply(
            node.record, removals=removals, order=_if_other(remaining, held, removals), record=node.record
        )
        node.settle.clear(keep=racing)
        node.proof, node.hole = Proof(epoch, pager.sent_at), ""
        node.changed()
        self._applier.committed(node, applied)
        self._applier.tell(node, "state", applied if not (applied.published or applied.retracted) else None)
        return Outcome(proved=True, reason=node.record.reason)

    async def _confirm_gone(self, node: Node) -> None:
        """A cursor or a subscription gives item-not-found too: a plain get decides whether the node is gone."""
        client = self._sessions.client(node.key.account)

        async def ignore(_: Listing) -> None:
            node.punch("the service did not find something of the node")

        try:
            await client.items(node.key, ItemsQuery(max_items=1), ignore)
        except NotFound as error:
            await self._applier.gone(node, str(error))

    async def unsubscribe(self, node: Node) -> None:
        """End what we subscribed; trouble is not the caller's: the subscription is dead with its node or account."""
        if node.record.subscribed and self._known.live(node.key.account):
            try:
                await self._sessions.client(node.key.account).unsubscribe(node.key)
            except PubkeepError:
                return


def _if_other(remaining: list[str], held: dict[str, bytes], removals: list[str]) -> list[str] | None:
    """The order to be written, None where the copy has it already."""
    gone = set(removals)
    return None if remaining == [item_id for item_id in held if item_id not in gone] else remaining

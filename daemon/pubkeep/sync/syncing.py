# SPDX-License-Identifier: MIT
"""One synchronisation: learn what the service is, subscribe, list."""

import asyncio

from pubkeep.cache import traits
from pubkeep.cache.applying import Applier
from pubkeep.cache.committing import always
from pubkeep.cache.parts import Part, Tools
from pubkeep.cache.sampling import PAYLOADS
from pubkeep.cache.wanted import Node
from pubkeep.errors import NotAllowed, NotFound, NotSupported, PubkeepError, Refused, TimedOut, Unavailable
from pubkeep.model import Copy, NodeKey, NodeState
from pubkeep.ports import PubSubClient
from pubkeep.protocol import ItemsQuery, Listing
from pubkeep.sync import strategies
from pubkeep.sync.catching_up import CatchUp
from pubkeep.sync.listing import Lister, Outcome, Progress, Report
from pubkeep.sync.pager import pages_refused
from pubkeep.sync.proofs import Way, contradicted

RSM = "http://jabber.org/protocol/rsm"
METADATA = "http://jabber.org/protocol/pubsub#meta-data"
PROSODY = (("pubsub", "service", "Prosody PubSub Service"), ("server", "im", "Prosody"))
WAITING = ("pending", "unconfigured")
"""States of a subscription that somebody else has to decide about (XEP-0060 4.2): asking again would make another."""
PROBED = 20
"""So many of the newest are asked for in another order."""
LISTS = frozenset((Way.AT_ONCE, Way.PAGES))
AGAIN = 3
"""So often a walk that the node's own changes spoiled is begun anew at once."""
SECOND_LOOK = 0.1
"""Seconds at least until a node that was listed as empty is listed again."""
RESUBSCRIBE = 3600.0
"""Seconds between two attempts to make a subscription again that somebody else ended."""


class Syncer(Part):
    """Makes copies whole and proves them."""

    def __init__(self, tools: Tools, applier: Applier) -> None:
        super().__init__(tools)
        self._applier = applier
        self._lister = Lister(tools, applier)
        self._catch_up = CatchUp(tools, applier, self._lister)

    async def synchronise(self, node: Node, progress: Progress, report: Report, *, briefly: bool = False) -> Outcome:
        """Bring a node to `synced`; with `report.repair` unset only compare, and leave a doubt where it differs.

        Args:
            briefly: what a few requests prove is enough (catching_up.py); else all of it is listed.

        Raises:
            NotFound, NotAllowed: the service's verdict; the node is gone or denied now.
            PubkeepError: no answer, or trouble of ours; what is held stays, marked stale.
        """
        node.syncing = True
        node.changed()
        began = self._clock.boottime()
        try:
            client = self._sessions.client(node.key.account)
            await self._learn(node, client)
            await self._subscribe(node, client)
            if briefly:
                caught_up = await self._catch_up.catch_up(node, client)
                if caught_up is not None and (caught_up.proved or caught_up.partly):
                    return caught_up
            trusted = node.proof is not None and node.proof.epoch == node.subscribed_epoch == node.link.epoch
            trusted = trusted and not node.hole
            outcome = await self._list(node, client, progress, report, trusted=trusted)
            if outcome.emptied:
                await asyncio.sleep(max(node.link.fan_out, SECOND_LOOK))
                outcome = await self._list(node, client, progress, report, trusted=trusted)
            if outcome.proved:
                began = self._clock.boottime()
                await self._probe(node, client)
            return outcome
        except NotAllowed as error:
            await self._applier.denied(node, error, began)
            raise
        except NotFound as error:
            if await self._confirm_gone(node):
                raise
            return Outcome(proved=False, reason=str(error))
        except NotSupported as error:
            await self._applier.ignore(node, str(error))
            return Outcome(proved=False, reason=str(error), final=True)
        finally:
            node.syncing = False
            node.changed()

    def can_catch_up(self, node: Node) -> bool:
        """Whether a few requests may prove enough."""
        return self._catch_up.applies(node)

    # -- before ----------------------------------------------------------------------------------

    async def _subscribe(self, node: Node, client: PubSubClient) -> None:
        """Subscribe first, fetch then: what changes in between is told (CACHE.md, Sync 1).

        A subscription that an earlier session made is looked for before it is made again: ejabberd
        would give another subid for the same JID. It is looked for at each proof: with a node that is deleted and made
        anew it goes, and ejabberd tells nobody. Prosody lists it on all the same, and tells nothing: there it is
        made again each time, which changes nothing where it stands. One that vanished is made again once; whoever
        ended it twice within an hour means it.
        """
        node.settle.fan_out = node.link.fan_out
        for _ in range(AGAIN):
            if await self._subscribed(node, client):
                break

    async def _subscribed(self, node: Node, client: PubSubClient) -> bool:
        """Look and subscribe; False where it ended meanwhile, so that nothing is known."""
        epoch, endings, now = node.link.epoch, node.endings, self._clock.boottime()
        try:
            states = await client.subscriptions(node.key) if node.record.subscribed else ()
            if "subscribed" in states and not node.link.fan_out:
                state = await client.subscribe(node.key)
            elif "subscribed" in states:
                state = "subscribed"
            elif waiting := [each for each in states if each in WAITING]:
                state = waiting[0]
            elif node.record.subscribed and now - node.resubscribed_at < RESUBSCRIBE:
                node.unsubscribe("the subscription was ended again by somebody else; in an hour it is made anew")
                return True
            else:
                vanished = node.record.subscribed
                if vanished:
                    node.unsubscribe()
                endings = node.endings
                state = await client.subscribe(node.key)
                if vanished:
                    node.resubscribed_at = now
        except (NotSupported, Refused, NotAllowed) as error:
            node.unsubscribe(str(error))  # the node may be readable all the same: it is polled
            return True
        if epoch != node.link.epoch:
            return True  # it is of a session that is over; the next one looks again
        known = node.subscribe(state, endings)
        if known and not node.record.subscribed:
            await self._applier.subscribed(node)
        return known

    async def _learn(self, node: Node, client: PubSubClient) -> None:
        """What disco#info shows of the service and of the node, and its configuration, if it is ours, in this epoch."""
        link = node.link
        if link.features is None:
            try:
                info = await client.info(node.key.service)
            except (NotFound, NotAllowed, Refused, NotSupported):
                link.features = frozenset()
            else:
                link.features = info.features
                if link.traits.rsm is None and any(identity in PROSODY for identity in info.identities):
                    link.learn(fan_out=0.0, order="publish", shown=link.traits.shown | {PAYLOADS})
            if link.traits.rsm is None:
                link.learn(rsm=RSM in link.features)
        described, ours = METADATA in link.features, node.key.is_own_pep
        if not (described or ours) or node.described_epoch == link.epoch:
            return
        epoch = link.epoch
        try:
            metadata = (await client.info(node.key.service, node.key.node)).metadata if described else {}
            ours = ours or node.key.account in metadata.get("pubsub#owner", "").split()
            form = await client.configuration(node.key) if ours else {}
        except (NotFound, NotAllowed, Refused, NotSupported):
            return  # the listing will say more
        node.described_epoch = epoch
        node.told, node.keeps = traits.told(node.key, metadata, form), traits.keeps(form)
        if traits.dynamic(metadata):
            raise NotSupported(f"{node.key.node} at {node.key.service}: its items differ from reader to reader")
        title = metadata.get("pubsub#title", "")
        if title != node.record.title:
            await self._applier.save(node, always, title=title)

    async def _list(
        self, node: Node, client: PubSubClient, progress: Progress, report: Report, *, trusted: bool
    ) -> Outcome:
        outcome = Outcome(proved=False)
        by = frozenset(Way(way) for way in node.proof.by) if node.proof is not None else frozenset[Way]()
        for attempt in range(AGAIN):
            if attempt:
                await self._learn(node, client)  # the node's configuration may be what changed meanwhile
            report.missing, report.extra, report.different = [], [], []
            limit = self._known.max_items(node)  # somebody may decide otherwise at any time
            if node.policy.max_items:
                outcome = await self._lister.head(node, client, limit, report)
            else:
                outcome = await self._whole(node, client, limit, progress, report)
                if outcome.listed:
                    outcome = await self._at_once(node, client, limit, progress, report, outcome)
                if outcome.final:
                    outcome = await self._lister.head(node, client, self._known.max_items(node), report)
            if not outcome.again:
                break
        if not outcome.proved:
            node.punch(outcome.reason)
        if trusted and outcome.proved and not report.same:
            self._contradicted(node, report, by)
        elif trusted and outcome.proved and report.reordered:
            node.link.learn(order="")  # it does not keep the order that it showed
        return outcome

    async def _whole(self, node: Node, client: PubSubClient, limit: int, progress: Progress, report: Report) -> Outcome:
        try:
            return await self._lister.whole(node, client, limit, progress, report)
        except NotSupported as error:
            if not (node.link.paged and pages_refused(error)):
                raise
            node.link.distrust((Way.PAGES, Way.COUNT))
            return await self._lister.whole(node, client, limit, progress, report)

    async def _at_once(
        self,
        node: Node,
        client: PubSubClient,
        limit: int,
        progress: Progress,
        report: Report,
        pages: Outcome,
    ) -> Outcome:
        """Its pages do not fit together: all of it in one answer, which shows whether they were at fault."""
        outcome = await self._lister.whole(node, client, limit, progress, report, at_least=pages.listed)
        if outcome.proved and node.proof is not None and Way.AT_ONCE in node.proof.by:
            node.link.distrust((Way.PAGES, Way.COUNT))
        return outcome if outcome.proved else pages

    async def _probe(self, node: Node, client: PubSubClient) -> None:
        """Whether it honours an order that it advertises (XEP-0413): the list that was just proved shows it."""
        link = node.link
        version = strategies.advertised_order(link.features or ())
        if not version or strategies.order_version(link) or Way.ORDER_BY in link.traits.distrusted:
            return
        started, proof = self._clock.boottime(), node.proof
        newest = list(await self._store.digests(node.record.number))[: -PROBED - 1 : -1]
        if len(newest) < PROBED or node.record.copy is not Copy.WHOLE:
            return
        honours = await strategies.honours_order(node, client, newest, version)
        if node.proof is not proof or node.settle.named_since(started - node.settle.fan_out):
            return  # it may have been something else that the answers showed
        if honours:
            link.show((f"{Way.ORDER_BY}:{version}",))
        elif honours is False:
            link.distrust((Way.ORDER_BY,))

    def _contradicted(self, node: Node, report: Report, by: frozenset[Way]) -> None:
        """The copy was thought to be synced and was not: what the service was believed to tell, it does not.

        Nor is a way of asking believed again that had excluded the difference.
        """
        link = node.link
        told = not {"retract", "purge", "trim", "expiry"}.intersection(node.untold)
        every, differs = bool(report.missing), bool(report.different)
        link.distrust(contradicted(by, missing=every, extra=bool(report.extra), different=differs, told=told) - LISTS)
        missing = every or differs
        kinds = traits.contradicted(node.told | {"transit"}, extra=bool(report.extra), missing=missing)
        link.learn(revoked=link.traits.revoked | kinds)
        if missing and link.fan_out < self._settings.fan_out:
            link.learn(fan_out=None)
            for other in self._known.nodes(node.key.account):
                if other.link is link:
                    other.settle.fan_out = link.fan_out

    async def _confirm_gone(self, node: Node) -> bool:
        """A cursor or a subscription gives item-not-found too: a plain get decides whether the node is gone."""
        client, asked_at = self._sessions.client(node.key.account), self._clock.boottime()

        async def ignore(listing: Listing) -> None:
            node.access.shown(listing.sent_at)
            node.punch("the service did not find something of the node")

        try:
            await client.items(node.key, ItemsQuery(max_items=1), ignore)
        except NotAllowed as error:
            await self._applier.denied(node, error, asked_at)
            raise
        except NotFound as error:
            node.refused_at = asked_at
            if node.record.state is not NodeState.GONE:  # how it went is known: deleted, perhaps with a redirect
                await self._applier.gone(node, str(error))
            return True
        return False

    async def unsubscribe(self, key: NodeKey) -> bool:
        """End what we subscribed. Returns False where nobody answered, so that it is to be tried again.

        A refusal is an end, too: the subscription is dead with its node or account.
        """
        try:
            await self._sessions.client(key.account).unsubscribe(key)
        except (Unavailable, TimedOut):
            return False
        except PubkeepError:
            return True
        return True

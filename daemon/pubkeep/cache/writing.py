# SPDX-License-Identifier: MIT
"""Writes: one IQ an item or id, and a confirmed one is seen by the very next read."""

from collections.abc import Mapping, Sequence
from xml.etree.ElementTree import Element

from pubkeep import payload
from pubkeep.cache.applying import Applier
from pubkeep.cache.committing import always
from pubkeep.cache.conversion import parse
from pubkeep.cache.parts import Part, Tools, in_time, words
from pubkeep.cache.reading import Reader
from pubkeep.cache.wanted import Node
from pubkeep.errors import (
    Conflict,
    InvalidArgs,
    NotAllowed,
    NotFound,
    NotSupported,
    PubkeepError,
    Refused,
    TimedOut,
    UnknownObject,
)
from pubkeep.model import NewItem, NodeKey
from pubkeep.ports import PubSubClient
from pubkeep.protocol import Confirmation, FieldValue, WireItem
from pubkeep.slices import Slices
from pubkeep.sync.scheduler import Scheduler
from pubkeep.sync.syncing import Syncer

PUBSUB = "http://jabber.org/protocol/pubsub"
PUBLISH_OPTIONS = "http://jabber.org/protocol/pubsub#publish-options"


class Writer(Part):
    """Publishes, retracts, subscribes, and ends what was subscribed."""

    def __init__(self, tools: Tools, applier: Applier, reader: Reader, scheduler: Scheduler, syncer: Syncer) -> None:
        super().__init__(tools)
        self._applier = applier
        self._reader = reader
        self._scheduler = scheduler
        self._syncer = syncer

    async def publish(
        self,
        key: NodeKey,
        payloads: Sequence[str],
        *,
        ids: Sequence[str] = (),
        publish_options: Mapping[str, FieldValue] | None = None,
        if_sequence: int | None = None,
    ) -> tuple[str, ...]:
        """Publish at the service, one IQ an item, in order; the next read sees them (XEP-0060 7.1).

        Ids that the caller does not give are made here, before anything is sent: who got no answer may
        publish again with the same ids without ending up with two items.

        Raises:
            InvalidArgs: malformed XML, or other ids than payloads.
            Conflict: one of the ids changed here after `if_sequence`; or the first item is stored, and the node is
                not configured as `publish_options` say.
            NotSupported: the service does not say that it knows publish-options; nothing was sent.
            PubkeepError: the service's refusal, or no answer; the message names the ids that are stored.
        """
        elements, slices = [], Slices()
        for xml in payloads:
            elements.append(payload.parse(xml))
            await slices.pause()
        if not elements:
            raise InvalidArgs("payloads: there is nothing to publish")
        if ids and len(ids) != len(elements):
            raise InvalidArgs(f"ids: {len(ids)} ids for {len(elements)} payloads")
        if len(set(ids)) != len(ids):
            raise InvalidArgs("ids: one of them stands twice")
        names = [given or self._clock.token(16) for given in ids or [""] * len(elements)]
        node = self._known.node(key)
        if if_sequence is not None:
            await self._unchanged(node, names, if_sequence)
        client = self._sessions.client(key.account)
        stored: list[str] = []
        under_way = ""
        try:
            async with in_time(key):
                if publish_options:
                    await self._offered(client, key)
                for name, element in zip(names, elements, strict=True):

                    async def confirm(confirmation: Confirmation, name: str = name, element: Element = element) -> str:
                        item_id = confirmation.ids[0] if confirmation.ids else name
                        if (wanted := self._known.node(key)) is not None:
                            item = await self._new_item(wanted, item_id, element)
                            await self._applier.confirm(wanted, item, confirmation)
                        return item_id

                    under_way = name
                    xml = payload.to_xml(element)
                    stored.append(await client.publish(key, name, xml, publish_options or {}, confirm))
                    under_way = ""
                    if publish_options and len(stored) == 1:
                        await self._honoured(client, key, publish_options)
        except PubkeepError as error:
            raise self._ended(error, key, under_way, stored, "stored") from None
        finally:
            self._reader.forget_refusal(key)  # now, since others may have asked meanwhile
        return tuple(stored)

    async def retract(self, key: NodeKey, ids: Sequence[str]) -> None:
        """Retract at the service, one IQ an id, with a notification asked for (XEP-0060 7.2).

        Raises:
            PubkeepError: the first refusal; the message names what is retracted already.
        """
        if not ids:
            raise InvalidArgs("ids: there is nothing to retract")
        client = self._sessions.client(key.account)
        done: list[str] = []
        under_way = ""
        try:
            async with in_time(key):
                for item_id in dict.fromkeys(ids):

                    async def confirm(confirmation: Confirmation, item_id: str = item_id) -> None:
                        if (wanted := self._known.node(key)) is not None:
                            await self._applier.confirm_retract(wanted, item_id, confirmation)

                    under_way = item_id
                    await client.retract(key, item_id, confirm)
                    done.append(item_id)
        except PubkeepError as error:
            raise self._ended(error, key, under_way, done, "retracted") from None

    async def subscribe(self, key: NodeKey) -> str:
        """Subscribe this installation's full JID (XEP-0060 6.1). Returns the state.

        Without one until now, the copy has to be proved anew.
        """
        node = self._known.node(key)
        endings = node.endings if node else 0
        state = await self._sessions.client(key.account).subscribe(key)
        await self._store.save_leftover(key, left=False)
        if node is not None and node is self._known.node(key):
            if node.subscribed_epoch != node.link.epoch:
                node.punch("not subscribed until now")  # also for a listing that is under way
                self._scheduler.want(node, urgent=True)
            node.subscribe(state, endings)
            await self._applier.subscribed(node)
        return state

    async def unsubscribe(self, key: NodeKey) -> None:
        """End the subscription of this installation's full JID (XEP-0060 6.2); the copy is stale from now on."""
        try:
            await self._sessions.client(key.account).unsubscribe(key)
        except TimedOut:
            if (node := self._known.node(key)) is not None:
                node.unsubscribe()
                node.punch("the end of the subscription was not answered")
                self._scheduler.want(node)
            raise
        if (node := self._known.node(key)) is not None:
            node.unsubscribe()
            await self._applier.save(node, subscribed=False, reason="the subscription was ended")

    async def drop(self, key: NodeKey, kind: str = "forgotten") -> int:
        """Nobody wants the node any more: end the subscription, drop the rows. Returns how many items went.

        Raises:
            UnknownObject: it is not kept.
        """
        node = self._known.node(key)
        if node is None:
            raise UnknownObject(f"{key.node} at {key.service}: it is not kept here")
        self._scheduler.drop(node)
        try:
            if node.record.subscribed and not await self._syncer.unsubscribe(key):
                if self._known.node(key) is not node:
                    return 0  # it went with its account, perhaps
                await self._store.save_leftover(key, left=True)
            async with self._known.keeping:
                if self._known.node(key) is not node:
                    return 0  # somebody else was faster
                number = node.record.items
                node.punch("it is being forgotten")  # who reads between the commit and its end sees an empty table
                applied = await self._applier.commit(
                    node, always, lambda record: self._store.forget_node(record.number, kind)
                )
                self._known.drop(node)
        except PubkeepError:  # it stays, and stays true
            node.unsubscribe("ended, since it was to be forgotten")
            node.resubscribed_at = float("-inf")  # nobody else ended it
            self._scheduler.want(node)
            raise
        self._scheduler.drop(node)  # who wished for it meanwhile
        self._reader.forget_refusal(key)
        self._applier.tell(node, "items", applied)
        return number

    async def end_leftovers(self, account: str) -> None:
        """End the subscriptions that nobody answered for when their nodes were dropped."""
        for key in await self._store.leftovers(account):
            kept = self._known.node(key) is not None  # again; its subscription is wanted
            if kept or await self._syncer.unsubscribe(key):
                await self._store.save_leftover(key, left=False)

    async def _new_item(self, node: Node, item_id: str, element: Element) -> NewItem:
        xml = payload.to_xml(element)
        item = WireItem(item_id, "", payload.item(item_id, element))
        parsed = await parse(self._analysers, node.key, node.record.analysis, item)
        return NewItem(item_id, "", xml, payload.digest(xml), parsed)

    async def _unchanged(self, node: Node | None, ids: Sequence[str], sequence: int) -> None:
        if node is None:
            raise NotFound("if_sequence: nothing is held of this node, so nothing can be compared")
        page = await self._store.by_ids(node.record, ids, format="none", extra=True)
        for row in page.items:
            changed_at = row.extra.get("sequence", 0)
            if isinstance(changed_at, int) and changed_at > sequence:
                raise Conflict(f"item {row.id!r}: it changed here after {sequence}; read it again first")

    @staticmethod
    async def _offered(client: PubSubClient, key: NodeKey) -> None:
        """A service that does not know publish-options (XEP-0060 7.1.5) would publish without a word, to everybody."""
        if PUBLISH_OPTIONS not in (await client.info(key.service)).features:
            raise NotSupported(f"{words(key)}: the service does not offer publish-options (XEP-0060 7.1.5)")

    @staticmethod
    async def _honoured(client: PubSubClient, key: NodeKey, options: Mapping[str, FieldValue]) -> None:
        """Compare with the configuration; where it is not ours to read, the word of the service has to do."""
        try:
            found = await client.configuration(key)
        except (NotAllowed, NotFound, NotSupported, Refused):
            return
        for name, wanted in options.items():
            if name not in found or not _same(wanted, found[name]):
                shown = _text(found[name]) if name in found else "not to be seen"
                raise Conflict(f"{words(key)}: {name} of the node is {shown}, not {_text(wanted)}")

    def _ended(self, error: PubkeepError, key: NodeKey, under_way: str, done: Sequence[str], verb: str) -> PubkeepError:
        """The same error, with what became of the items.

        A write without an answer may have happened, and one that found nothing shows that we may hold what is gone.
        """
        unsure = isinstance(error, TimedOut) and bool(under_way)
        doubtful = unsure or (isinstance(error, NotFound) and bool(under_way))
        if doubtful and (node := self._known.node(key)) is not None:
            node.settle.doubt(under_way, self._clock.boottime())
            node.changed()
            self._applier.settle(node)
        parts = [f"{verb}: {', '.join(done)}"] if done else [] if unsure else [f"nothing is {verb}"]
        if under_way and (unsure or done):
            parts.append(f"{under_way} {'may be' if unsure else 'is not'} {verb}")
        return type(error)(f"{error} ({'; '.join(parts)})")


def _same(wanted: FieldValue, found: FieldValue) -> bool:
    """Whether a field is as it was wanted, whatever the form's types are; `max` is what the service makes of it."""
    texts, shown = _texts(wanted), _texts(found)
    return texts == shown or (texts == {"max"} and all(each.isdecimal() for each in shown))


def _texts(value: FieldValue) -> set[str]:
    values = value if isinstance(value, tuple) else (value,)
    return {{"true": "1", "false": "0"}.get(str(each).lower(), str(each)) for each in values}


def _text(value: FieldValue) -> str:
    return ", ".join(value) if isinstance(value, tuple) else str(value)

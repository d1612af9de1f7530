# SPDX-License-Identifier: MIT
"""Writes: one IQ an item or id, and a confirmed one is seen by the very next read."""

from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree.ElementTree import Element

from pubkeep import payload
from pubkeep.cache.applying import Applier, parse
from pubkeep.cache.known import Node
from pubkeep.cache.parts import Part, Tools
from pubkeep.cache.reading import Reader
from pubkeep.errors import Conflict, InvalidArgs, NotFound, PubkeepError, TimedOut, UnknownObject
from pubkeep.model import Confirmation, NewItem, NodeKey, WireItem
from pubkeep.sync.scheduler import Scheduler
from pubkeep.sync.syncing import Syncer

PUBSUB = "http://jabber.org/protocol/pubsub"


class Writer(Part):
    """Publishes, retracts, and manages nodes and subscriptions at the service."""

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
        publish_options: Mapping[str, Any] | None = None,
        if_sequence: int | None = None,
    ) -> tuple[str, ...]:
        """Publish at the service, one IQ an item, in order; the next read sees them (XEP-0060 7.1).

        Ids that the caller does not give are made here, before anything is sent: who got no answer may
        publish again with the same ids without ending up with two items.

        Raises:
            InvalidArgs: malformed XML, or other ids than payloads.
            Conflict: one of the ids changed here after `if_sequence`.
            PubkeepError: the service's refusal, or no answer; the message names the ids that are stored.
        """
        elements = [payload.parse(xml) for xml in payloads]
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
        self._reader.forget_refusal(key)
        stored: list[str] = []
        for name, element in zip(names, elements, strict=True):
            xml = payload.to_xml(element)

            async def confirm(confirmation: Confirmation, name: str = name, element: Element = element) -> str:
                item_id = confirmation.ids[0] if confirmation.ids else name
                if (wanted := self._known.node(key)) is not None:
                    await self._applier.confirm(wanted, await self._new_item(wanted, item_id, element), confirmation)
                return item_id

            try:
                stored.append(await client.publish(key, name, xml, publish_options or {}, confirm))
            except PubkeepError as error:
                if isinstance(error, TimedOut):
                    self._doubt(key, name)
                if not stored:
                    raise
                raise type(error)(f"{error} (stored before: {', '.join(stored)})") from None
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
        for item_id in dict.fromkeys(ids):

            async def confirm(confirmation: Confirmation, item_id: str = item_id) -> None:
                if (wanted := self._known.node(key)) is not None:
                    await self._applier.confirm_retract(wanted, item_id, confirmation)

            try:
                await client.retract(key, item_id, confirm)
            except PubkeepError as error:
                if isinstance(error, TimedOut):
                    self._doubt(key, item_id)
                if not done:
                    raise
                raise type(error)(f"{error} (retracted before: {', '.join(done)})") from None
            done.append(item_id)

    async def subscribe(self, key: NodeKey) -> str:
        """Subscribe this installation's full JID (XEP-0060 6.1). Returns the state."""
        state = await self._sessions.client(key.account).subscribe(key)
        if (node := self._known.node(key)) is not None:
            await self._applier.save(node, subscribed=True)
            node.subscription = state
            node.subscribed_epoch = node.link.epoch if state == "subscribed" else -1
        return state

    async def unsubscribe(self, key: NodeKey) -> None:
        """End the subscription of this installation's full JID (XEP-0060 6.2); the copy is stale from now on."""
        await self._sessions.client(key.account).unsubscribe(key)
        if (node := self._known.node(key)) is not None:
            node.subscription, node.subscribed_epoch = "none", -1
            await self._applier.save(node, subscribed=False, reason="the subscription was ended")

    async def create_node(self, key: NodeKey, config: Mapping[str, Any]) -> str:
        """Create a node (XEP-0060 8.1). Returns its name."""
        self._reader.forget_refusal(key)
        name = await self._sessions.client(key.account).create_node(key, config)
        if (node := self._known.node(key._replace(node=name))) is not None and node.hidden:
            await self._applier.reveal(node)
            self._scheduler.want(node, urgent=True)
        return name

    async def delete_node(self, key: NodeKey) -> None:
        """Delete the node at the service, for everybody (XEP-0060 8.4)."""
        await self._sessions.client(key.account).delete_node(key)
        self._reader.forget_refusal(key)
        if (node := self._known.node(key)) is not None:
            await self._applier.gone(node, f"{key.node} at {key.service}: deleted by you")

    async def drop(self, key: NodeKey, kind: str = "forgotten") -> int:
        """Nobody wants the node any more: end the subscription, drop the rows. Returns how many items went.

        Raises:
            UnknownObject: it is not kept.
        """
        node = self._known.node(key)
        if node is None:
            raise UnknownObject(f"{key.node} at {key.service}: it is not kept here")
        self._scheduler.drop(node)
        await self._syncer.unsubscribe(node)
        number = node.record.items
        applied = await self._store.forget_node(node.record.number, kind)
        self._known.drop(key)
        self._reader.forget_refusal(key)
        self._applier.tell(node, "items", applied)
        return number

    async def _new_item(self, node: Node, item_id: str, element: Element) -> NewItem:
        item = Element(f"{{{PUBSUB}}}item", {"id": item_id})
        item.append(element)
        xml = payload.to_xml(element)
        parsed = await parse(self._analysers, node.key, node.record.analysis, WireItem(item_id, "", item))
        return NewItem(item_id, "", xml, payload.digest(xml), parsed)

    async def _unchanged(self, node: Node | None, ids: Sequence[str], sequence: int) -> None:
        if node is None:
            raise NotFound("if_sequence: nothing is held of this node, so nothing can be compared")
        page = await self._store.by_ids(node.record, ids, format="none", extra=True)
        for row in page.items:
            changed_at = row.extra.get("sequence", 0)
            if isinstance(changed_at, int) and changed_at > sequence:
                raise Conflict(f"item {row.id!r}: it changed here after {sequence}; read it again first")

    def _doubt(self, key: NodeKey, item_id: str) -> None:
        """A write without an answer may have happened."""
        if (node := self._known.node(key)) is not None:
            node.settle.doubt(item_id, self._clock.boottime())
            node.changed()
            self._applier.settle(node)

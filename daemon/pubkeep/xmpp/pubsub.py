# SPDX-License-Identifier: MIT
"""XEP-0060 requests of one account (ports.PubSubClient), as plain elements."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol, TypeVar
from xml.etree import ElementTree as ET

from pubkeep import markup
from pubkeep.errors import InvalidArgs, NotSupported, Refused
from pubkeep.model import NodeKey
from pubkeep.protocol import (
    ArchivePage,
    Confirmation,
    DiscoItem,
    FieldValue,
    ItemsQuery,
    Listing,
    OrderBy,
    Rsm,
    ServiceInfo,
    Subscription,
    WireItem,
)
from pubkeep.slices import Slices
from pubkeep.xmpp import disco, forms, owner
from pubkeep.xmpp.archives import Archives
from pubkeep.xmpp.conditions import meaning
from pubkeep.xmpp.events import items as wire_items
from pubkeep.xmpp.inbox import Inbox
from pubkeep.xmpp.requests import Request, Requests
from pubkeep.xmpp.stream import sendable

T = TypeVar("T")

PUBSUB = "{http://jabber.org/protocol/pubsub}"
RSM = "{http://jabber.org/protocol/rsm}"
PUBLISH_OPTIONS = "http://jabber.org/protocol/pubsub#publish-options"
LOSS = ("remote-server-not-found", "remote-server-timeout", "service-unavailable")
"""Conditions that show that something may have been lost on the way to a service."""


class Path(Protocol):
    """What is told of the way to a service."""

    def answered(self, account: str, service: str, sent_at: float) -> None: ...

    def path_lost(self, account: str, service: str) -> None: ...


class PubSub:
    """Requests of one account."""

    def __init__(self, account: str, full_jid: str, requests: Requests, inbox: Inbox, path: Path) -> None:
        self._account = account
        self._full_jid = full_jid
        self._requests = requests
        self._inbox = inbox
        self._path = path
        self.archives = Archives()
        """What comes for queries of archives that are under way."""

    # -- items -----------------------------------------------------------------------------------

    async def items(self, node: NodeKey, query: ItemsQuery, apply: Callable[[Listing], Awaitable[T]]) -> T:
        """Ask for items (XEP-0060 6.5, with XEP-0059 and XEP-0413), as one subscriber of several where it is wanted."""
        try:
            return await self._items(node, query, apply, "")
        except Refused as error:
            if "subid-required" not in str(error):
                raise
            ours = [each.subid for each in await self._own_subscriptions(node) if each.state == "subscribed"]
            if not ours:
                raise
            return await self._items(node, query, apply, ours[0])

    async def _items(self, node: NodeKey, query: ItemsQuery, apply: Callable[[Listing], Awaitable[T]], subid: str) -> T:
        pubsub = ET.Element(f"{PUBSUB}pubsub")
        asked = ET.SubElement(pubsub, f"{PUBSUB}items", {"node": node.node} | ({"subid": subid} if subid else {}))
        if query.max_items is not None:
            asked.set("max_items", str(query.max_items))
        for item_id in query.ids:
            ET.SubElement(asked, f"{PUBSUB}item", {"id": item_id})
        if query.rsm_max is not None:
            rsm = ET.SubElement(pubsub, f"{RSM}set")
            ET.SubElement(rsm, f"{RSM}max").text = str(query.rsm_max)
            if query.rsm_after is not None:
                ET.SubElement(rsm, f"{RSM}after").text = query.rsm_after
            if query.rsm_before is not None:
                ET.SubElement(rsm, f"{RSM}before").text = query.rsm_before
        if query.order is not None:
            pubsub.append(_order(query.order))

        async def read(answer: tuple[ET.Element, float, float]) -> T:
            stanza, sent_at, taken_at = answer
            rsm = stanza.find(f"{PUBSUB}pubsub/{RSM}set")
            found = stanza.find(f"{PUBSUB}pubsub/{PUBSUB}items")
            listed: list[WireItem] = []
            slices = Slices()
            for item in wire_items(found, f"{PUBSUB}item") if found is not None else ():
                listed.append(item)
                await slices.pause()
            return await apply(Listing(query, tuple(listed), _rsm(rsm) if rsm is not None else None, sent_at, taken_at))

        return await self._in_order("get", node, pubsub, lambda *answer: answer, read)

    async def publish(
        self,
        node: NodeKey,
        item_id: str,
        xml: str,
        options: Mapping[str, FieldValue],
        apply: Callable[[Confirmation], Awaitable[T]],
    ) -> T:
        """Publish one item (XEP-0060 7.1; options: 7.1.5)."""
        pubsub = ET.Element(f"{PUBSUB}pubsub")
        publish = ET.SubElement(pubsub, f"{PUBSUB}publish", {"node": node.node})
        item = ET.SubElement(publish, f"{PUBSUB}item", {"id": item_id})
        if xml:
            item.append(markup.parse(xml))
        if options:
            ET.SubElement(pubsub, f"{PUBSUB}publish-options").append(forms.submit(PUBLISH_OPTIONS, options))

        def read(stanza: ET.Element, sent_at: float, taken_at: float) -> Confirmation:
            named = stanza.iterfind(f"{PUBSUB}pubsub/{PUBSUB}publish/{PUBSUB}item")
            return Confirmation(tuple(i.get("id", "") for i in named if i.get("id")), sent_at, taken_at)

        return await self._in_order("set", node, pubsub, read, apply)

    async def retract(self, node: NodeKey, item_id: str, apply: Callable[[Confirmation], Awaitable[T]]) -> T:
        """Delete one item and have the subscribers told (XEP-0060 7.2)."""
        pubsub = ET.Element(f"{PUBSUB}pubsub")
        retract = ET.SubElement(pubsub, f"{PUBSUB}retract", {"node": node.node, "notify": "true"})
        ET.SubElement(retract, f"{PUBSUB}item", {"id": item_id})
        return await self._in_order(
            "set", node, pubsub, lambda _, sent_at, taken_at: Confirmation((item_id,), sent_at, taken_at), apply
        )

    # -- subscriptions ---------------------------------------------------------------------------

    async def subscribe(self, node: NodeKey) -> str:
        """See ports.PubSubClient (XEP-0060 6.1)."""
        pubsub = ET.Element(f"{PUBSUB}pubsub")
        ET.SubElement(pubsub, f"{PUBSUB}subscribe", {"node": node.node, "jid": self._full_jid})
        answer = await self._ask("set", node, pubsub)
        subscription = answer.find(f"{PUBSUB}pubsub/{PUBSUB}subscription")
        return subscription.get("subscription", "subscribed") if subscription is not None else "subscribed"

    async def unsubscribe(self, node: NodeKey) -> None:
        """See ports.PubSubClient (XEP-0060 6.2). Where the service wants a subid, all of ours are ended."""
        try:
            await self._unsubscribe(node, "")
        except Refused as error:
            if "subid-required" not in str(error):
                raise
            for each in await self._own_subscriptions(node):
                await self._unsubscribe(node, each.subid)

    async def _unsubscribe(self, node: NodeKey, subid: str) -> None:
        pubsub = ET.Element(f"{PUBSUB}pubsub")
        attributes = {"node": node.node, "jid": self._full_jid} | ({"subid": subid} if subid else {})
        ET.SubElement(pubsub, f"{PUBSUB}unsubscribe", attributes)
        await self._ask("set", node, pubsub)

    async def subscriptions(self, node: NodeKey) -> tuple[str, ...]:
        """See ports.PubSubClient (XEP-0060 5.6)."""
        return tuple(each.state for each in await self._own_subscriptions(node))

    async def all_subscriptions(self, node: NodeKey) -> tuple[Subscription, ...]:
        """See ports.PubSubClient (XEP-0060 5.6). The node may stand once, for all that is listed."""
        pubsub = ET.Element(f"{PUBSUB}pubsub")
        ET.SubElement(pubsub, f"{PUBSUB}subscriptions", {"node": node.node} if node.node else {})
        answer = await self._ask("get", node, pubsub)
        parent = answer.find(f"{PUBSUB}pubsub/{PUBSUB}subscriptions")
        whose = parent.get("node", node.node) if parent is not None else node.node
        return tuple(
            Subscription(
                each.get("node", whose), each.get("jid", ""), each.get("subscription", ""), each.get("subid", "")
            )
            for each in answer.iterfind(f"{PUBSUB}pubsub/{PUBSUB}subscriptions/{PUBSUB}subscription")
        )

    async def _own_subscriptions(self, node: NodeKey) -> list[Subscription]:
        listed = await self.all_subscriptions(node)
        return [each for each in listed if each.jid == self._full_jid and each.node == node.node]

    # -- nodes -----------------------------------------------------------------------------------

    async def create_node(self, node: NodeKey, config: Mapping[str, FieldValue]) -> str:
        """See ports.PubSubClient (XEP-0060 8.1)."""
        pubsub = ET.Element(f"{PUBSUB}pubsub")
        ET.SubElement(pubsub, f"{PUBSUB}create", {"node": node.node})
        if config:
            ET.SubElement(pubsub, f"{PUBSUB}configure").append(forms.submit(owner.NODE_CONFIG, config))
        answer = await self._ask("set", node, pubsub)
        created = answer.find(f"{PUBSUB}pubsub/{PUBSUB}create")
        return created.get("node", node.node) if created is not None else node.node

    async def delete_node(self, node: NodeKey) -> None:
        """See ports.PubSubClient (XEP-0060 8.4)."""
        await self._ask("set", node, owner.request("delete", node.node))

    async def purge_node(self, node: NodeKey, apply: Callable[[Confirmation], Awaitable[T]]) -> T:
        """See ports.PubSubClient (XEP-0060 8.5)."""
        request = owner.request("purge", node.node)
        return await self._in_order(
            "set", node, request, lambda _, sent_at, taken_at: Confirmation((), sent_at, taken_at), apply
        )

    async def configuration(self, node: NodeKey) -> Mapping[str, FieldValue]:
        """See ports.PubSubClient (XEP-0060 8.2.1)."""
        return owner.configuration(await self._ask("get", node, owner.request("configure", node.node)))

    async def configure(self, node: NodeKey, fields: Mapping[str, FieldValue]) -> None:
        """See ports.PubSubClient (XEP-0060 8.2.4)."""
        await self._ask("set", node, owner.configure(node.node, fields))

    async def affiliations(self, node: NodeKey) -> Mapping[str, str]:
        """See ports.PubSubClient (XEP-0060 8.9.1)."""
        return owner.affiliations(await self._ask("get", node, owner.request("affiliations", node.node)))

    async def set_affiliations(self, node: NodeKey, affiliations: Mapping[str, str]) -> None:
        """See ports.PubSubClient (XEP-0060 8.9.2)."""
        await self._ask("set", node, owner.affiliate(node.node, affiliations))

    # -- discovery -------------------------------------------------------------------------------

    async def info(self, service: str, node: str = "") -> ServiceInfo:
        """See ports.PubSubClient (XEP-0030 3.1; meta-data: XEP-0060 5.4)."""
        return disco.info(await self._ask("get", NodeKey(self._account, service, node), disco.info_query(node)))

    async def disco_items(self, service: str, node: str = "") -> tuple[DiscoItem, ...]:
        """See ports.PubSubClient (XEP-0030 4.1). Pages that the service makes unasked are followed (XEP-0059 2.6).

        Raises:
            NotSupported: the service says that there is more, and does not give it.
        """
        key = NodeKey(self._account, service, node)
        listed: dict[DiscoItem, None] = {}
        after = ""
        while True:
            answer = await self._ask("get", key, disco.items_query(node, after))
            last, count = disco.cursor(answer)
            known, slices = len(listed), Slices()
            for each in disco.items(answer):
                listed[each] = None
                await slices.pause()
            if len(listed) == known or not last or len(listed) == count:
                break
            after = last
        if len(listed) < count:
            raise NotSupported(f"{_words(key)}: the service lists {len(listed)} of {count} and does not go on")
        return tuple(listed)

    async def archive(self, node: NodeKey, number: int, before: str) -> ArchivePage:
        """See ports.PubSubClient (XEP-0313 4.1, XEP-0442 2)."""
        with self.archives.query(node, number, before) as query:
            return query.page(await self._ask("set", node, query.element))

    # -- sending ---------------------------------------------------------------------------------

    async def _ask(self, kind: str, node: NodeKey, payload: ET.Element) -> ET.Element:
        """Send and wait; the answer's place in the stream does not matter."""
        future: asyncio.Future[ET.Element] = asyncio.get_running_loop().create_future()

        def answered(stanza: ET.Element, sent_at: float, _: float) -> None:
            self._path.answered(node.account, node.service, sent_at)
            if not future.done():
                future.set_result(stanza)

        self._submit(kind, node, payload, answered, future)
        return await future

    async def _in_order(
        self,
        kind: str,
        node: NodeKey,
        payload: ET.Element,
        read: Callable[[ET.Element, float, float], Any],
        apply: Callable[[Any], Awaitable[T]],
    ) -> T:
        """Send; the answer is applied in the node's inbox, in the order of the stream."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()

        def answered(stanza: ET.Element, sent_at: float, taken_at: float) -> None:
            self._path.answered(node.account, node.service, sent_at)
            value = read(stanza, sent_at, taken_at)

            async def work() -> None:
                if future.cancelled() and kind == "get":
                    return  # who asked has given up; a write has happened all the same
                try:
                    result = await apply(value)
                except asyncio.CancelledError:
                    future.cancel()
                    raise
                except Exception as error:  # noqa: BLE001 (it is the waiter's)
                    if not future.done():
                        future.set_exception(error)
                else:
                    if not future.done():
                        future.set_result(result)

            self._inbox.put(node, work)

        self._submit(kind, node, payload, answered, future)
        return await future

    def _submit(
        self,
        kind: str,
        node: NodeKey,
        payload: ET.Element,
        answered: Callable[[ET.Element, float, float], None],
        future: "asyncio.Future[Any]",
    ) -> None:
        iq = ET.Element("iq", {"type": kind, "to": node.service})
        iq.append(payload)
        what = _words(node)
        if not sendable(iq):
            raise InvalidArgs(f"{what!r}: a name, id or value holds a control character, which XMPP cannot transport")
        domain, own = node.service.rpartition("@")[2], self._account.rpartition("@")[2]

        def refused(stanza: ET.Element, sent_at: float) -> None:
            error = stanza.find("{jabber:client}error")
            if error is not None and any(child.tag.rpartition("}")[2] in LOSS for child in error):
                self._path.path_lost(node.account, node.service)
            if not future.done():
                foreign = domain != own and not domain.endswith(f".{own}")
                refusal = meaning(error, what, foreign=foreign, write=kind == "set")
                refusal.sent_at = sent_at
                future.set_exception(refusal)

        self._requests.submit(Request(iq, what, answered, refused, future))


def _words(node: NodeKey) -> str:
    return f"{node.node} at {node.service}" if node.node else node.service


def _order(by: OrderBy) -> ET.Element:
    """The newest first, as the first version answers unasked (XEP-0413 3)."""
    newest_first = {"desc": "true"} if by.version == "1" else {}
    return ET.Element(f"{{urn:xmpp:order-by:{by.version}}}order", {"field": by.field} | newest_first)


def _rsm(element: ET.Element) -> Rsm:
    first = element.find(f"{RSM}first")
    return Rsm(
        first.text if first is not None else None,
        element.findtext(f"{RSM}last"),
        _number(first.get("index")) if first is not None else None,
        _number(element.findtext(f"{RSM}count")),
    )


def _number(text: str | None) -> int | None:
    try:
        return int(text) if text else None
    except ValueError:
        return None

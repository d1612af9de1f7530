# SPDX-License-Identifier: MIT
"""XEP-0060 requests of one account (ports.PubSubClient), as plain elements."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol, TypeVar
from xml.etree import ElementTree as ET

from pubkeep import markup
from pubkeep.errors import InvalidArgs, Refused
from pubkeep.model import Confirmation, ItemsQuery, Listing, NodeKey, Rsm, ServiceInfo
from pubkeep.xmpp.conditions import meaning
from pubkeep.xmpp.events import items as wire_items
from pubkeep.xmpp.inbox import Inbox
from pubkeep.xmpp.requests import Request, Requests
from pubkeep.xmpp.stream import sendable

T = TypeVar("T")

PUBSUB = "{http://jabber.org/protocol/pubsub}"
OWNER = "{http://jabber.org/protocol/pubsub#owner}"
RSM = "{http://jabber.org/protocol/rsm}"
DATA = "{jabber:x:data}"
DISCO = "{http://jabber.org/protocol/disco#info}"
NODE_CONFIG = "http://jabber.org/protocol/pubsub#node_config"
PUBLISH_OPTIONS = "http://jabber.org/protocol/pubsub#publish-options"
METADATA = "http://jabber.org/protocol/pubsub#meta-data"
_LOSS = ("remote-server-not-found", "remote-server-timeout", "service-unavailable")
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

    # -- items -----------------------------------------------------------------------------------

    async def items(self, node: NodeKey, query: ItemsQuery, apply: Callable[[Listing], Awaitable[T]]) -> T:
        """Ask for items (XEP-0060 6.5, with XEP-0059)."""
        pubsub = ET.Element(f"{PUBSUB}pubsub")
        asked = ET.SubElement(pubsub, f"{PUBSUB}items", {"node": node.node})
        if query.max_items is not None:
            asked.set("max_items", str(query.max_items))
        for item_id in query.ids:
            ET.SubElement(asked, f"{PUBSUB}item", {"id": item_id})
        if query.rsm_max is not None:
            rsm = ET.SubElement(pubsub, f"{RSM}set")
            ET.SubElement(rsm, f"{RSM}max").text = str(query.rsm_max)
            if query.rsm_after is not None:
                ET.SubElement(rsm, f"{RSM}after").text = query.rsm_after

        def read(stanza: ET.Element, sent_at: float, taken_at: float) -> Listing:
            found = stanza.find(f"{PUBSUB}pubsub/{PUBSUB}items")
            rsm = stanza.find(f"{PUBSUB}pubsub/{RSM}set")
            listed = wire_items(found, f"{PUBSUB}item") if found is not None else ()
            return Listing(query, listed, _rsm(rsm) if rsm is not None else None, sent_at, taken_at)

        return await self._in_order("get", node, pubsub, read, apply)

    async def publish(
        self,
        node: NodeKey,
        item_id: str,
        xml: str,
        options: Mapping[str, Any],
        apply: Callable[[Confirmation], Awaitable[T]],
    ) -> T:
        """Publish one item (XEP-0060 7.1; options: 7.1.5)."""
        pubsub = ET.Element(f"{PUBSUB}pubsub")
        publish = ET.SubElement(pubsub, f"{PUBSUB}publish", {"node": node.node})
        item = ET.SubElement(publish, f"{PUBSUB}item", {"id": item_id})
        if xml:
            item.append(markup.parse(xml))
        if options:
            ET.SubElement(pubsub, f"{PUBSUB}publish-options").append(_form(PUBLISH_OPTIONS, options))

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
            for _, subid in await self._own_subscriptions(node):
                await self._unsubscribe(node, subid)

    async def _unsubscribe(self, node: NodeKey, subid: str) -> None:
        pubsub = ET.Element(f"{PUBSUB}pubsub")
        attributes = {"node": node.node, "jid": self._full_jid} | ({"subid": subid} if subid else {})
        ET.SubElement(pubsub, f"{PUBSUB}unsubscribe", attributes)
        await self._ask("set", node, pubsub)

    async def subscriptions(self, node: NodeKey) -> tuple[str, ...]:
        """See ports.PubSubClient (XEP-0060 5.6)."""
        return tuple(state for state, _ in await self._own_subscriptions(node))

    async def _own_subscriptions(self, node: NodeKey) -> list[tuple[str, str]]:
        pubsub = ET.Element(f"{PUBSUB}pubsub")
        ET.SubElement(pubsub, f"{PUBSUB}subscriptions", {"node": node.node})
        answer = await self._ask("get", node, pubsub)
        found = answer.iterfind(f"{PUBSUB}pubsub/{PUBSUB}subscriptions/{PUBSUB}subscription")
        return [
            (each.get("subscription", ""), each.get("subid", ""))
            for each in found
            if each.get("jid") == self._full_jid and each.get("node", node.node) == node.node
        ]

    # -- nodes -----------------------------------------------------------------------------------

    async def create_node(self, node: NodeKey, config: Mapping[str, Any]) -> str:
        """See ports.PubSubClient (XEP-0060 8.1)."""
        pubsub = ET.Element(f"{PUBSUB}pubsub")
        ET.SubElement(pubsub, f"{PUBSUB}create", {"node": node.node})
        if config:
            ET.SubElement(pubsub, f"{PUBSUB}configure").append(_form(NODE_CONFIG, config))
        answer = await self._ask("set", node, pubsub)
        created = answer.find(f"{PUBSUB}pubsub/{PUBSUB}create")
        return created.get("node", node.node) if created is not None else node.node

    async def delete_node(self, node: NodeKey) -> None:
        """See ports.PubSubClient (XEP-0060 8.4)."""
        pubsub = ET.Element(f"{OWNER}pubsub")
        ET.SubElement(pubsub, f"{OWNER}delete", {"node": node.node})
        await self._ask("set", node, pubsub)

    async def info(self, service: str, node: str = "") -> ServiceInfo:
        """See ports.PubSubClient (XEP-0030 3.1; meta-data: XEP-0060 5.4)."""
        query = ET.Element(f"{DISCO}query", {"node": node} if node else {})
        answer = await self._ask("get", NodeKey(self._account, service, node or "(service)"), query)
        found = answer.find(f"{DISCO}query")
        if found is None:
            return ServiceInfo((), frozenset(), {})
        identities = tuple(
            (each.get("category", ""), each.get("type", ""), each.get("name", ""))
            for each in found.iterfind(f"{DISCO}identity")
        )
        features = frozenset(each.get("var", "") for each in found.iterfind(f"{DISCO}feature"))
        metadata: dict[str, str] = {}
        for form in found.iterfind(f"{DATA}x"):
            fields = {f.get("var", ""): f.findtext(f"{DATA}value") or "" for f in form.iterfind(f"{DATA}field")}
            metadata |= fields if fields.get("FORM_TYPE") == METADATA else {}
        return ServiceInfo(identities, features, metadata)

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
        what = f"{node.node} at {node.service}"
        if not sendable(iq):
            raise InvalidArgs(f"{what!r}: a name, id or value holds a control character, which XMPP cannot transport")
        domain, own = node.service.rpartition("@")[2], self._account.rpartition("@")[2]

        def refused(stanza: ET.Element) -> None:
            error = stanza.find("{jabber:client}error")
            if error is not None and any(child.tag.partition("}")[2] in _LOSS for child in error):
                self._path.path_lost(node.account, node.service)
            if not future.done():
                foreign = domain != own and not domain.endswith(f".{own}")
                future.set_exception(meaning(error, what, foreign=foreign))

        self._requests.submit(Request(iq, what, answered, refused, future))


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


def _form(kind: str, values: Mapping[str, Any]) -> ET.Element:
    """A submitted form (XEP-0004): values are bool, str or a list of str."""
    form = ET.Element(f"{DATA}x", {"type": "submit"})
    for name, value in {"FORM_TYPE": kind, **values}.items():
        field = ET.SubElement(form, f"{DATA}field", {"var": name} | ({"type": "hidden"} if name == "FORM_TYPE" else {}))
        texts = value if isinstance(value, list) else [("1" if value else "0") if isinstance(value, bool) else value]
        for text in texts:
            ET.SubElement(field, f"{DATA}value").text = text
    return form

# SPDX-License-Identifier: MIT
"""What an `<event/>` says (XEP-0060 7.1.2, 7.2.2, 8.3 to 8.5, 12.4). Pure: an element in, values out.

Accepted only as a message of its own, not of type error, and not inside carbons, archives or forwards: an
`<event/>` is looked for among the children of the stanza and nowhere else. The sender is the service. A sender
with a resource is none: it is somebody's client, or an occupant who speaks in the name of a room's address.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from xml.etree.ElementTree import Element

from pubkeep.model import NodeKey
from pubkeep.protocol import EventKind, NodeEvent, WireItem

EVENT = "{http://jabber.org/protocol/pubsub#event}"
DELAY = "{urn:xmpp:delay}delay"
SHIM = "{http://jabber.org/protocol/shim}"
_KINDS = {kind.value: kind for kind in EventKind} | {"items": EventKind.UNKNOWN}


def is_event(stanza: Element) -> bool:
    """Whether it is a message with an `<event/>` in it, wherever."""
    return stanza.tag == "{jabber:client}message" and next(stanza.iter(f"{EVENT}event"), None) is not None


def flaw(message: Element) -> str:
    """Why no service can have sent this event: `error`, `wrapped` or `sender`; empty where one can."""
    if message.get("type") == "error":
        return "error"
    if message.find(f"{EVENT}event") is None:
        return "wrapped"
    return "sender" if "/" in message.get("from", "") else ""


def read(message: Element, account: str, at: float) -> list[NodeEvent]:
    """The events in a message, in its order; empty where none can be accepted.

    Args:
        account: the bare JID that received it; a message without sender is from this account's own server.
        at: boottime in the stanza callback.
    """
    event = message.find(f"{EVENT}event")
    if event is None or flaw(message):
        return []
    service = (message.get("from") or account).lower()
    headers = message.iterfind(f"{SHIM}headers/{SHIM}header")
    collection = next((header.text or "" for header in headers if header.get("name") == "Collection"), "")
    result: list[NodeEvent] = []
    for child in event:
        name = child.tag.removeprefix(EVENT)
        node = child.get("node", "")
        key = NodeKey(account, service, node)
        if name == "items":
            result += _items(key, child, at, collection)
        elif name == "delete":
            redirect = child.find(f"{EVENT}redirect")
            uri = redirect.get("uri", "") if redirect is not None else ""
            result.append(NodeEvent(key, EventKind.DELETE, at, redirect=uri))
        else:
            state = child.get("subscription", "")
            result.append(NodeEvent(key, _KINDS.get(name, EventKind.UNKNOWN), at, subscription=state))
    if (delay := message.find(DELAY)) is not None:
        said_at = stamp(delay.get("stamp", ""))
        result = [replace(each, delayed=True, said_at=said_at) for each in result]
    return [each for each in result if each.node.node]


def stamp(text: str) -> int:
    """Microseconds since the epoch (XEP-0082); 0 where it is no moment."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return 0
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1_000_000)


def items(parent: Element, tag: str) -> Iterator[WireItem]:
    """The `<item/>` children with an id; one without cannot be addressed, neither here nor at the service."""
    for item in parent.iterfind(tag):
        if item_id := item.get("id"):
            yield WireItem(item_id, item.get("publisher", ""), item)


def _items(key: NodeKey, element: Element, at: float, collection: str) -> list[NodeEvent]:
    """What is named, and that there was more than that (XEP-0060 7.1.2.2 allows a notice without any item)."""
    named = tuple(items(element, f"{EVENT}item"))
    retracted = tuple(each.get("id", "") for each in element.iterfind(f"{EVENT}retract") if each.get("id"))
    result = []
    if named or retracted:
        result.append(NodeEvent(key, EventKind.ITEMS, at, named, retracted, collection=collection))
    if not result or len(named) + len(retracted) < len(element):
        result.append(NodeEvent(key, EventKind.UNKNOWN, at, collection=collection))
    return result

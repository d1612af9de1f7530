# SPDX-License-Identifier: MIT
"""Payloads as text: equal to what was received under C14N 2.0 with rewritten prefixes.

Comments and processing instructions do not exist in XMPP (RFC 6120 11.1).
"""

import hashlib
from xml.etree.ElementTree import Element

from pubkeep import markup

ITEM = "{http://jabber.org/protocol/pubsub}item"
_REFUSED = "{https://pubkeep.im/refused}why"
"""Attribute of an `<item/>` whose payload was too much; no server writes it."""


def item(item_id: str, payload: Element, publisher: str = "") -> Element:
    """An `<item/>` around a payload."""
    result = Element(ITEM, {"id": item_id} | ({"publisher": publisher} if publisher else {}))
    result.append(payload)
    return result


def first_child(item: Element) -> Element | None:
    """The payload of an `<item/>`: its first child element (XEP-0060 7.1.3 allows one)."""
    return next(iter(item), None)


def namespace(element: Element) -> str:
    """The namespace of an element, empty if it has none."""
    return element.tag[1:].rpartition("}")[0] if element.tag.startswith("{") else ""


def refuse(item: Element, why: str) -> None:
    """Take away the payload of an item; what names the item stays."""
    del item[:]
    item.text = None
    item.set(_REFUSED, why)


def refusal(item: Element) -> str:
    """Why the payload of an item was not taken; empty if it was."""
    return item.get(_REFUSED, "")


def to_xml(payload: Element | None) -> str:
    """Serialise a payload; empty text for an item without one."""
    return "" if payload is None else markup.write(payload)


def of_item(item: Element) -> tuple[str, bytes]:
    """The payload of an `<item/>` as text, and the digest of both; a refused payload differs from none."""
    xml = to_xml(first_child(item))
    return xml, digest(xml or refusal(item), item.get("publisher", ""))


def parse(xml: str) -> Element:
    """Parse a payload that a caller gives. Raises InvalidArgs, see `markup.parse`."""
    return markup.parse(xml)


def digest(xml: str, publisher: str = "") -> bytes:
    """16 bytes of a payload as `to_xml` writes it, and its publisher: equal ones mean equal items.

    Prefixes are named anew, so what the sender called them does not matter. The order of attributes does: two
    spellings of one payload may count as a change, which costs a signal and nothing else (canonicalising each
    item would cost 0.3 ms).
    """
    text = f"{publisher}\0{xml}" if publisher else xml
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def character_data(payload: Element | None) -> str:
    """What stands between the tags, white space folded: the search text of items nobody can parse."""
    return "" if payload is None else " ".join(" ".join(payload.itertext()).split())

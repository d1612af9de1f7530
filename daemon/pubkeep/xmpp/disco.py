# SPDX-License-Identifier: MIT
"""Service discovery (XEP-0030) and the meta-data of nodes (XEP-0060 5.4). Pure: elements in, values out."""

from collections.abc import Iterator
from xml.etree.ElementTree import Element, SubElement

from pubkeep.protocol import DiscoItem, FieldValue, ServiceInfo
from pubkeep.xmpp import forms

INFO = "{http://jabber.org/protocol/disco#info}"
ITEMS = "{http://jabber.org/protocol/disco#items}"
RSM = "{http://jabber.org/protocol/rsm}"
METADATA = "http://jabber.org/protocol/pubsub#meta-data"


def info_query(node: str) -> Element:
    """The question about a service, or about one of its nodes."""
    return Element(f"{INFO}query", {"node": node} if node else {})


def info(answer: Element) -> ServiceInfo:
    """What a `<query/>` of disco#info says; nothing where there is none."""
    query = answer.find(f"{INFO}query")
    if query is None:
        return ServiceInfo((), frozenset(), {})
    identities = tuple(
        (each.get("category", ""), each.get("type", ""), each.get("name", ""))
        for each in query.iterfind(f"{INFO}identity")
    )
    features = frozenset(each.get("var", "") for each in query.iterfind(f"{INFO}feature"))
    fields: dict[str, FieldValue] = {}
    for form in query.iterfind(f"{forms.DATA}x"):
        fields |= forms.read(form, METADATA)
    return ServiceInfo(identities, features, {name: _text(value) for name, value in fields.items()}, fields)


def items_query(node: str, after: str) -> Element:
    """The question for what comes after a cursor (XEP-0059 2.2), empty: for everything (XEP-0030 4.1)."""
    query = Element(f"{ITEMS}query", {"node": node} if node else {})
    if after:
        SubElement(SubElement(query, f"{RSM}set"), f"{RSM}after").text = after
    return query


def items(answer: Element) -> Iterator[DiscoItem]:
    """What is listed, one after the other: there may be very many."""
    for each in answer.iterfind(f"{ITEMS}query/{ITEMS}item"):
        yield DiscoItem(each.get("jid", ""), each.get("node", ""), each.get("name", ""))


def cursor(answer: Element) -> tuple[str, int]:
    """The cursor behind what is listed, and how many there are in all, where the service says so (else "" and 0).

    A service may page unasked (XEP-0059 2.6): then there may be more behind the cursor.
    """
    rsm = answer.find(f"{ITEMS}query/{RSM}set")
    if rsm is None:
        return "", 0
    count = rsm.findtext(f"{RSM}count") or ""
    return rsm.findtext(f"{RSM}last") or "", int(count) if count.isdecimal() else 0


def _text(value: FieldValue) -> str:
    if isinstance(value, tuple):
        return "\n".join(value)
    return value if isinstance(value, str) else "1" if value else "0"

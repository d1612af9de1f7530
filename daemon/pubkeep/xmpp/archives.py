# SPDX-License-Identifier: MIT
"""Archives of nodes (XEP-0313, XEP-0442): results come as messages before the answer to the query.

They are old news: nothing of them reaches the inbox, and who queries decides what they show. A message that belongs to
no query of ours, or comes from another sender than the one asked, is none of them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from xml.etree.ElementTree import Element, SubElement

from pubkeep.model import NodeKey
from pubkeep.protocol import ArchivePage, WireItem
from pubkeep.xmpp import events

MAM = "{urn:xmpp:mam:2}"
RSM = "{http://jabber.org/protocol/rsm}"
FORWARDED = "{urn:xmpp:forward:0}forwarded"
MESSAGE = "{jabber:client}message"


class Query:
    """A query that is under way."""

    def __init__(self, node: NodeKey, name: str, number: int, before: str) -> None:
        self.service = node.service
        self._node = node.node
        self._published: list[tuple[int, WireItem]] = []
        self.element = Element(f"{MAM}query", {"node": node.node, "queryid": name})
        rsm = SubElement(self.element, f"{RSM}set")
        SubElement(rsm, f"{RSM}max").text = str(number)
        SubElement(rsm, f"{RSM}before").text = before

    def take(self, result: Element) -> None:
        """One result; what is not a publication at the node is left out."""
        forwarded = result.find(FORWARDED)
        if forwarded is None:
            return
        delay = forwarded.find(events.DELAY)
        at = events.stamp(delay.get("stamp", "")) if delay is not None else 0
        for items in forwarded.iterfind(f"{MESSAGE}/{events.EVENT}event/{events.EVENT}items"):
            if items.get("node") == self._node:
                self._published += [(at, item) for item in events.items(items, f"{events.EVENT}item")]

    def page(self, answer: Element) -> ArchivePage:
        """All of them, after the answer."""
        fin = answer.find(f"{MAM}fin")
        if fin is None:
            return ArchivePage((), "", False)
        first = fin.findtext(f"{RSM}set/{RSM}first") or ""
        return ArchivePage(tuple(self._published), first, fin.get("complete") in ("true", "1"))


class Archives:
    """The queries under way, by name."""

    def __init__(self) -> None:
        self._numbers = count(1)
        self._open: dict[str, Query] = {}

    @contextmanager
    def query(self, node: NodeKey, number: int, before: str) -> Iterator[Query]:
        """For the time of its request."""
        name = f"archive{next(self._numbers)}"
        self._open[name] = Query(node, name, number, before)
        try:
            yield self._open[name]
        finally:
            del self._open[name]

    def take(self, message: Element) -> bool:
        """Take a result; False where it is none of ours."""
        result = message.find(f"{MAM}result")
        query = self._open.get(result.get("queryid", "")) if result is not None else None
        if result is None or query is None or message.get("from") != query.service:
            return False
        query.take(result)
        return True

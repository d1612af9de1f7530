# SPDX-License-Identifier: MIT
"""The bytes of a stream, cut into stanzas, with limits that hold before a tree grows.

RFC 6120 11.1 forbids most of what makes XML dangerous; it says nothing of size. What is too much is refused in
the smallest unit that it can be refused in: an `<item/>` loses its payload and keeps its name, a stanza loses its
children (an answer becomes an error), and only what does not end ends the connection. So nobody who can send us
256 KiB through our server can do more than send us nothing.
"""

from enum import Enum
from typing import NamedTuple
from xml.etree.ElementTree import Element, SubElement, TreeBuilder
from xml.parsers import expat
from xml.sax.saxutils import quoteattr

from pubkeep import payload
from pubkeep.markup import MAX_DEPTH, MAX_ELEMENTS, SEPARATOR, Reader, TooMuch

MIB = 1024 * 1024
MAX_TAG = 256 * 1024
"""Bytes of one tag: what servers accept as a whole stanza. expat scans it anew with each slice until it ends."""
MAX_SKIPPED = 4 * MIB
"""Bytes of something refused that are read over, before the connection is the better thing to end."""
MAX_TREE = 24 * MIB
"""Bytes a stanza's tree may take beyond twice the stanza's own, by an estimate that is rather too high."""
MAX_OUTSIDE = 8 * MIB
"""Bytes of a stanza that belong to none of its items."""
MANY_LEVELS, MAX_LEVELS = 1_000, 100_000
"""Depths that no document has; expat keeps 120 bytes of each, even when they are closed."""
MANY_NAMES, MAX_NAMES = 10_000, 64 * 1024
"""Different names; expat never forgets one. After many of either it is replaced, between two stanzas."""
ELEMENT, ATTRIBUTES, ATTRIBUTE, NAME = 200, 150, 100, 400
"""What an element takes, with its text; what having attributes adds; each of them; and each new name."""
STANZAS = "{urn:ietf:params:xml:ns:xmpp-stanzas}"
_STREAM, _STANZA, _ITEM = 1, 2, 5
"""Depths: stream, stanza, pubsub or event, items, item."""
_ITEMS = tuple(f"http://jabber.org/protocol/pubsub{part}{SEPARATOR}item" for part in ("", "#event"))


_NAMING = ("id", "publisher", "from", "to", "type")
"""Attributes that are kept of a tag that has too many."""


class Part(Enum):
    """What was found."""

    OPENED = "opened"
    STANZA = "stanza"
    REFUSED = "refused"
    """A stanza that was too much: its tag only, or an error in place of an answer."""
    CLOSED = "closed"


class Found(NamedTuple):
    """What was found, and the element: the stream's own, or a stanza."""

    part: Part
    element: Element
    why: str = ""


class Stanzas(Reader):
    """One stream of one connection."""

    def __init__(self, max_stanza: int, max_item: int) -> None:
        super().__init__()
        self._max_stanza = max_stanza
        self._max_item = max_item
        self._found: list[Found] = []
        self._fed = self._base = 0
        """Bytes fed; and where the present expat began."""
        self._root = Element("")
        self._path: list[Element] = []
        """The open elements of a stanza; where something is refused, to that and no further."""
        self._depth = 0
        self._stanza_at = self._item_at = self._refused_at = 0
        self._tree = self._tree_before_item = self._item_elements = 0
        self._in_items = 0
        """Bytes of the items of this stanza that have ended."""
        self._in_item = self._worn = False
        self._skip = 0
        """The depth of what is refused; 0 where nothing is."""
        self._why = ""
        """Why the stanza is refused."""

    def feed(self, data: bytes) -> list[Found]:
        """What ended in this slice. A slice of 16 KiB takes some milliseconds at worst.

        Raises:
            TooMuch: the connection has to end; `unfinished` has what was open.
        """
        self._fed += len(data)
        try:
            self._expat.Parse(data, False)
        except expat.ExpatError as error:
            raise TooMuch(f"the XML is malformed: {error}") from None
        at = self._at()
        if self._fed - at > MAX_TAG:
            raise TooMuch(f"a tag is longer than {MAX_TAG // 1024} KiB")
        if self._depth > _STREAM:
            self._check_stanza(at)
        elif at == self._fed and (self._worn or len(self._seen) > MANY_NAMES):
            self._renew()
        found, self._found = self._found, []
        return found

    def unfinished(self, why: str) -> Found | None:
        """The stanza that is open and will never end, refused."""
        return _refused(self._path[0], why) if self._path else None

    # -- what expat finds ------------------------------------------------------------------------

    def _start(self, name: str, attributes: list[str]) -> None:
        self._depth = depth = self._depth + 1
        if self._skip:
            self._pending = 0
            if depth > MANY_LEVELS:
                self._worn = True
                if depth > MAX_LEVELS:
                    raise TooMuch(f"elements are nested more than {MAX_LEVELS} deep")
            return
        if depth == _STREAM:
            self._root = self._open(name, attributes)
            self._expat.CharacterDataHandler = None
            self._found.append(Found(Part.OPENED, self._root))
            return
        if depth == _STANZA:
            self._build(TreeBuilder())
            self._stanza_at, self._in_items, self._tree, self._why = self._at(), 0, 0, ""
        elif depth == _ITEM and name in _ITEMS:
            self._in_item, self._item_elements = True, 0
            self._item_at, self._tree_before_item = self._at(), self._tree
        self._item_elements += 1
        self._tree += ELEMENT + (ATTRIBUTES + ATTRIBUTE * len(attributes) // 2 if attributes else 0)
        known = len(self._names)
        try:
            self._path.append(self._open(name, attributes))
        except TooMuch as error:
            pairs = zip(attributes[::2], attributes[1::2], strict=True)
            self._path.append(self._open(name, [part for pair in pairs if pair[0] in _NAMING for part in pair]))
            self._refuse(str(error))
            return
        self._tree += NAME * (len(self._names) - known)
        if depth > MAX_DEPTH + _ITEM:
            self._refuse(f"elements are nested more than {MAX_DEPTH} deep")
        elif self._in_item and self._item_elements > MAX_ELEMENTS:
            self._refuse(f"there are more than {MAX_ELEMENTS} elements")
        elif self._tree > MAX_TREE + 2 * (self._at() - self._stanza_at):
            self._in_item = False
            self._refuse("it has too many elements for its size")

    def _end(self, _name: str) -> None:
        depth = self._depth
        self._depth -= 1
        if self._skip:
            if depth > self._skip:
                return
            self._skip = 0
            self._expat.CharacterDataHandler = self._builder.data
        if depth == _STREAM:
            self._found.append(Found(Part.CLOSED, self._root))
            return
        element = self._close()
        self._path.pop()
        if depth == _ITEM and self._in_item:
            self._in_item = False
            size = self._at() - self._item_at
            self._in_items += size
            if size > self._max_item and not payload.refusal(element):
                payload.refuse(element, self._too_long())
        elif depth == _STANZA:
            self._expat.CharacterDataHandler = None
            self._found.append(_refused(element, self._why) if self._why else Found(Part.STANZA, element))

    def _at(self) -> int:
        """Where in the stream expat is: at the first byte of what it looks at."""
        return self._base + self._expat.CurrentByteIndex

    # -- what is too much ------------------------------------------------------------------------

    def _check_stanza(self, at: int) -> None:
        if at - self._stanza_at > self._max_stanza:
            raise TooMuch(f"a stanza is longer than {self._max_stanza} bytes; see [xmpp] max_stanza")
        if len(self._seen) > MANY_NAMES + MAX_NAMES:
            raise TooMuch(f"a stanza has more than {MAX_NAMES} different names")
        if self._skip:
            if at - self._refused_at > MAX_SKIPPED:
                raise TooMuch(f"a stanza does not end, and {self._why or payload.refusal(self._path[-1])}")
        elif self._in_item:
            if at - self._item_at > self._max_item:
                self._refuse(self._too_long())
        elif at - self._stanza_at - self._in_items > MAX_OUTSIDE:
            self._refuse(f"it has more than {MAX_OUTSIDE // MIB} MiB beside its items")

    def _too_long(self) -> str:
        return f"it is longer than {self._max_item} bytes; see [xmpp] max_item"

    def _refuse(self, why: str) -> None:
        """Leave out the item or stanza that is open, from here to its end, and what was read of it."""
        self._skip = _ITEM if self._in_item else _STANZA
        self._refused_at = self._at()
        self._expat.CharacterDataHandler = None
        while self._path[self._skip - 1 :]:
            self._path.pop()
            self._builder.end("")
        unit = self._path[-1]
        if self._in_item:
            self._tree = self._tree_before_item + ELEMENT
            payload.refuse(unit, why)
        else:
            del unit[:]
            self._why = why

    # -- long lives ------------------------------------------------------------------------------

    def _renew(self) -> None:
        """Go on with a new expat, as if the stream had begun here. Between two stanzas."""
        uri, _, local = self._root.tag[1:].rpartition("}")
        bound = {prefix: uris[-1] for prefix, uris in self._scopes.items()}
        prefix = next(each for each in bound if bound[each] == uri)
        declared = "".join(f" {f'xmlns:{each}' if each else 'xmlns'}={quoteattr(bound[each])}" for each in bound)
        head = f"<{f'{prefix}:' if prefix else ''}{local}{declared}>".encode()
        self._seen, self._names, self._scopes = {}, {}, {}
        self._expat = self._new_expat()
        self._expat.StartElementHandler = None
        self._expat.Parse(head, False)
        self._expat.StartElementHandler = self._start
        self._base, self._pending, self._worn = self._fed - len(head), 0, False


def _refused(stanza: Element, why: str) -> Found:
    """What is handed on in place of a stanza: it was received, and XEP-0198 counts it."""
    bare = Element(stanza.tag, stanza.attrib)
    if bare.get("type") == "result":
        bare.set("type", "error")
        error = SubElement(bare, "{jabber:client}error", {"type": "cancel"})
        SubElement(error, f"{STANZAS}policy-violation")
        SubElement(error, f"{STANZAS}text").text = f"the answer is not taken: {why}"
    return Found(Part.REFUSED, bare, why)

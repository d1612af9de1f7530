# SPDX-License-Identifier: MIT
"""XML to elements and back, without losing the prefixes that content relies on.

ElementTree forgets prefixes when it reads, and invents others when it writes. That is right for names, and wrong
for what stands in values: `xsi:type="xs:string"` means nothing where `xs` is not declared. So a reader of ours
remembers a declaration wherever a value looks as if it used it, as an attribute `xmlns:xs` of the element, and the
writer writes it there.
"""

import re
from collections.abc import Iterable
from itertools import count
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from pubkeep.errors import InvalidArgs

MAX_DEPTH = 200
"""How deep elements may be nested; no document is known that needs more."""
MAX_ATTRIBUTES = 64
"""Attributes and declarations of one tag."""
MAX_ELEMENTS = 16_384
"""Elements of one payload: at 16 bytes each they fill what servers accept as one stanza."""
MAX_BYTES = 512 * 1024
"""Bytes of one payload: twice what servers accept as one stanza, since theirs may be longer when written anew."""

XML = "http://www.w3.org/XML/1998/namespace"
SEPARATOR = "\x01"
"""Stands between namespace and name in what expat gives. No document can hold it; a namespace that holds the separator
is refused by expat as malformed, and `}`, which ElementTree's own parser uses, may stand in one."""
_USUAL = {"http://www.w3.org/1999/xhtml": "html"}
"""Prefixes that readers of our texts are used to."""
_DECLARED = "xmlns:"
_PREFIX = re.compile(r"(?<![\w.:-])([^\W\d][\w.-]*):(?=[^\W\d])")
"""What may be a prefix: of the whole value, of one of several in a list, or of a name in a path or an expression."""
_STEP = 512
"""Characters read in one go where only the beginning is wanted."""
_TEXT = 256
"""Characters of the longest text that may be a qualified name."""


class TooMuch(Exception):
    """A limit is exceeded; the message says which, in words."""


class Reader:
    """Builds elements from what expat finds; the base of what reads payloads and of what reads streams.

    Names are kept as ElementTree writes them, `{namespace}name`. The target of the text is replaced by who
    wants to leave text out.
    """

    def __init__(self) -> None:
        self._seen: dict[str, str] = {}
        """All names that expat has met."""
        self._names: dict[str, str] = {}
        self._scopes: dict[str | None, list[str]] = {}
        self._pending = 0
        """Declarations that belong to the next tag."""
        self._expat = self._new_expat()
        self._build(TreeBuilder())

    def _new_expat(self) -> expat.XMLParserType:
        parser = expat.ParserCreate("utf-8", SEPARATOR, intern=self._seen)
        parser.ordered_attributes = True
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.StartNamespaceDeclHandler = self._declare
        parser.EndNamespaceDeclHandler = self._forget
        parser.StartDoctypeDeclHandler = self._refuse_doctype
        if hasattr(parser, "SetReparseDeferralEnabled"):
            parser.SetReparseDeferralEnabled(False)  # it may hold back what is complete; stream.py does it its way
        return parser

    def _build(self, builder: TreeBuilder) -> None:
        """Put what comes now into this tree."""
        self._builder = builder
        self._expat.CharacterDataHandler = builder.data

    def _start(self, name: str, attributes: list[str]) -> None:
        raise NotImplementedError

    def _end(self, _name: str) -> None:
        raise NotImplementedError

    def _tag(self, name: str) -> str:
        """The name as ElementTree writes it."""
        tag = self._names.get(name)
        if tag is None:
            uri, separator, local = name.rpartition(SEPARATOR)
            tag = self._names[name] = f"{{{uri}}}{local}" if separator else name
        return tag

    def _open(self, name: str, attributes: list[str]) -> Element:
        """A start tag becomes an element. Raises TooMuch where it has too many attributes."""
        declared, self._pending = self._pending, 0
        if not attributes and declared <= MAX_ATTRIBUTES:
            return self._builder.start(self._tag(name), {})
        if declared + len(attributes) // 2 > MAX_ATTRIBUTES:
            raise TooMuch(f"a tag has more than {MAX_ATTRIBUTES} attributes")
        found = {self._tag(key): value for key, value in zip(attributes[::2], attributes[1::2], strict=True)}
        element = self._builder.start(self._tag(name), found)
        for value in attributes[1::2]:
            if ":" in value:
                self._keep(element, value)
        return element

    def _close(self) -> Element:
        """An end tag closes the innermost element."""
        element = self._builder.end("")
        text = element.text
        if text and ":" in text and len(text) <= _TEXT:
            self._keep(element, text)
        return element

    def _keep(self, element: Element, value: str) -> None:
        for prefix in _PREFIX.findall(value):
            if uris := self._scopes.get(prefix):
                element.set(_DECLARED + prefix, uris[-1])

    def _declare(self, prefix: str | None, uri: str) -> None:
        self._pending += 1
        self._scopes.setdefault(prefix, []).append(uri)

    def _forget(self, prefix: str | None) -> None:
        self._scopes[prefix].pop()
        if not self._scopes[prefix]:
            del self._scopes[prefix]

    def _refuse_doctype(self, *_: object) -> None:
        raise TooMuch("a document type declaration is not allowed in XMPP (RFC 6120 11.1)")


class _Document(Reader):
    """One document in a text."""

    def __init__(self) -> None:
        super().__init__()
        self._root: Element | None = None
        self._depth = self._elements = 0

    def read(self, xml: str) -> Element:
        """Raises TooMuch and expat.ExpatError."""
        self._expat.Parse(xml.encode(), True)
        assert self._root is not None  # expat accepts nothing without one
        return self._root

    def _start(self, name: str, attributes: list[str]) -> None:
        self._depth += 1
        self._elements += 1
        if self._depth > MAX_DEPTH:
            raise TooMuch(f"elements are nested more than {MAX_DEPTH} deep")
        if self._elements > MAX_ELEMENTS:
            raise TooMuch(f"there are more than {MAX_ELEMENTS} elements")
        self._open(name, attributes)

    def _end(self, _name: str) -> None:
        self._depth -= 1
        self._root = self._close()


def parse(xml: str) -> Element:
    """Parse a payload that a caller gives.

    Raises:
        InvalidArgs: not well-formed, with a document type, or beyond a limit; the message says where.
    """
    if len(xml) > MAX_BYTES:
        raise InvalidArgs(f"payload: it is larger than {MAX_BYTES // 1024} KiB; servers accept no more")
    try:
        return _Document().read(xml)
    except TooMuch as error:
        raise InvalidArgs(f"payload: {error}") from None
    except (expat.ExpatError, ValueError) as error:
        raise InvalidArgs(f"payload: not well-formed XML: {error}") from None


def root_namespace(xml: str) -> str:
    """The namespace of the outermost element of well-formed XML; little is read behind its tag."""
    names: list[str] = []
    parser = expat.ParserCreate("utf-8", SEPARATOR)
    parser.StartElementHandler = lambda name, _: names.append(name)
    start = 0
    while not names:
        end = start + _STEP
        parser.Parse(xml[start:end].encode(), end >= len(xml))
        start = end
    return names[0].rpartition(SEPARATOR)[0]


_ITEM = "{http://jabber.org/protocol/pubsub}item"


def write(root: Element, *, in_stream: bool = False) -> str:
    """Serialise an element, without its tail.

    Prefixes are named ns0, ns1 and so on in the order of their use, so that two texts of one payload are equal
    whatever their authors called them; those that values use stay what they are. Nothing here recurses. A carriage
    return is written as a character reference, since a raw one would come back as a line feed (XML 1.0 2.11).

    Args:
        in_stream: the root is a stanza, and stands in a stream whose default namespace is jabber:client. It has no
            prefix (RFC 6120 4.8.5), so its element is given without namespace; elements of a payload that have none
            say so, or they would fall into the stream's. A payload declares its prefixes itself: ejabberd keeps it
            without what stood around it, and would give back attributes whose prefix nothing declares.
    """
    names = _names(root.iter())
    parts: list[str] = []
    todo: list[tuple[Element | str, bool]] = [(root, False)]
    while todo:
        element, bare = todo.pop()
        if isinstance(element, str):
            parts.append(element)
            continue
        name, text = names[element.tag], element.text
        attributes = "".join(f' {names[key]}="{_in_attribute(value)}"' for key, value in element.items())
        declarations = names[""] if element is root else ""
        none = ' xmlns=""' if bare else ""
        if element.tail and element is not root:
            todo.append((_in_text(element.tail), False))
        if text or len(element):
            parts.append(f"<{name}{declarations}{none}{attributes}>{_in_text(text) if text else ''}")
            todo.append((f"</{name}>", False))
            named = in_stream and element.tag.startswith("{")
            for child in reversed(element):
                if in_stream and element is not root and element.tag == _ITEM and child.tag.startswith("{"):
                    todo.append((write(child, in_stream=True), False))
                else:
                    todo.append((child, named and not child.tag.startswith("{")))
        else:
            parts.append(f"<{name}{declarations}{none}{attributes}/>")
    return "".join(parts)


def _names(elements: Iterable[Element]) -> dict[str, str]:
    """Each name with its prefix; under the empty name the declarations of all prefixes."""
    names: dict[str, str] = {}
    for element in elements:
        names.setdefault(element.tag, "")
        for key in element.keys():  # noqa: SIM118 (an element is no mapping)
            names.setdefault(key, "")
    kept = {name.removeprefix(_DECLARED) for name in names if name.startswith(_DECLARED)}
    free = (prefix for number in count() if (prefix := f"ns{number}") not in kept)
    prefixes = {XML: "xml"}
    for name in names:
        if name.startswith("{"):
            uri, _, local = name[1:].rpartition("}")
            if uri not in prefixes:
                usual = _USUAL.get(uri)
                prefixes[uri] = usual if usual and usual not in kept else next(free)
            names[name] = f"{prefixes[uri]}:{local}"
        else:
            names[name] = name
    del prefixes[XML]
    names[""] = "".join(f' xmlns:{prefix}="{_in_attribute(uri)}"' for uri, prefix in prefixes.items())
    return names


def _in_text(text: str) -> str:
    if "&" in text:
        text = text.replace("&", "&amp;")
    if "<" in text:
        text = text.replace("<", "&lt;")
    if ">" in text:
        text = text.replace(">", "&gt;")
    if "\r" in text:
        text = text.replace("\r", "&#13;")
    return text


def _in_attribute(text: str) -> str:
    text = _in_text(text)
    if '"' in text:
        text = text.replace('"', "&quot;")
    if "\n" in text:
        text = text.replace("\n", "&#10;")
    if "\t" in text:
        text = text.replace("\t", "&#9;")
    return text

# SPDX-License-Identifier: MIT
"""Registering analysers, matching nodes, parsing items.

An analyser is a mapping:

* `name`*      unique and stable: it is stored with the nodes
* `type`*      a word for people: `blog`
* `node`       a prefix of node names, and/or
* `namespace`  of the payload, learnt from the first item
* `to_sync`    bring such nodes here and keep them; default False
* `parser`     `(account, item, service, node)` -> what the item means, as JSON-able data
* `match_cb`   `(account, analysis)`: may edit `analysis` in place: `type`, `subtype`, `to_sync`, `parser`, and any
               JSON-able key of its own; what comes out is stored with the node
* `version`    of the parser, a number; `schema`: a JSON Schema of what it gives
* `keys`       places of that (JSON pointers) that queries are expected to ask for -> `value`, or `date`: what stands
               there is RFC 3339, and compared as a moment

Both functions may be plain, coroutine functions, or return anything awaitable. `item` is an ElementTree copy of
`<item/>`; `service` is None for the account's own PEP.

Of a parser's result, the keys `title`, `published`, `updated` (RFC 3339, or microseconds) and `subtype` describe the
item everywhere, and `text` is what a search finds (and is not kept in the json); where it is missing, all strings
of the result are.
"""

import copy
import inspect
import json
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from typing import Any
from xml.etree.ElementTree import Element

from pubkeep import payload
from pubkeep.dates import microseconds
from pubkeep.errors import Conflict, InvalidArgs, NotFound
from pubkeep.model import Analysis, NodeKey, Parsed
from pubkeep.protocol import WireItem
from pubkeep.query.conditions import Path
from pubkeep.query.declared import Declared
from pubkeep.query.document import pointer

log = logging.getLogger(__name__)

GROUP = "pubkeep.analysers"
MAX_JSON = 1024 * 1024
"""Characters of one item's JSON; more is refused, and the item kept raw."""
_KEYS: dict[str, tuple[type, ...]] = {
    "name": (str,),
    "type": (str,),
    "node": (str,),
    "namespace": (str,),
    "to_sync": (bool,),
    "version": (int,),
    "schema": (dict,),
    "keys": (dict,),
}
_CALLABLES = ("parser", "match_cb")
KINDS = ("value", "date")
"""Of declared keys."""

Parser = Callable[[str, Element, str | None, str], Any]
MatchCallback = Callable[[str, dict[str, Any]], Any]


@dataclass(frozen=True, slots=True)
class Analyser:
    """One registered analyser."""

    name: str
    type: str
    node: str = ""
    namespace: str = ""
    to_sync: bool = False
    parser: Parser | None = None
    match_cb: MatchCallback | None = None
    version: int = 1
    schema: Mapping[str, Any] = field(default_factory=dict)
    keys: Mapping[str, str] = field(default_factory=dict)
    source: str = "built-in"

    def matches(self, node: str, namespace: str) -> bool:
        """Either suffices where there is both a prefix and a namespace."""
        by_name = bool(self.node) and node.startswith(self.node)
        return by_name or (bool(self.namespace) and namespace == self.namespace)


@dataclass(slots=True)
class Troubles:
    """What went wrong with an analyser since the start."""

    count: int = 0
    last: str = ""


class Registry:
    """All analysers, in the order of their registration."""

    def __init__(self) -> None:
        self._analysers: dict[str, Analyser] = {}
        self._parsers: dict[NodeKey, Parser | None] = {}
        self.troubles: dict[str, Troubles] = {}

    def register_analyser(self, declaration: Mapping[str, Any], source: str = "built-in") -> Analyser:
        """Add an analyser; it decides about nodes that none before it matches.

        Raises:
            InvalidArgs: a key is missing, unknown or of the wrong type.
            Conflict: the name is taken.
        """
        who = f"analyser {declaration.get('name', '?')!r}"
        for key, value in declaration.items():
            if key in _CALLABLES:
                if value is not None and not callable(value):
                    raise InvalidArgs(f"{who}: {key} must be a function")
            elif key not in _KEYS:
                raise InvalidArgs(
                    f"{who}: {key!r} is no key of an analyser; there are {', '.join([*_KEYS, *_CALLABLES])}"
                )
            elif not isinstance(value, _KEYS[key]) or (key == "version" and isinstance(value, bool)):
                raise InvalidArgs(f"{who}: {key} must be of type {_KEYS[key][0].__name__}")
        for place, kind in declaration.get("keys", {}).items():
            if not isinstance(place, str) or not place.startswith("/") or kind not in KINDS:
                raise InvalidArgs(
                    f"{who}: keys: {place!r} must be a JSON pointer ('/start') and say {' or '.join(KINDS)}"
                )
        for key in ("name", "type"):
            if not declaration.get(key):
                raise InvalidArgs(f"{who}: {key} is missing")
        if not declaration.get("node") and not declaration.get("namespace"):
            raise InvalidArgs(f"{who}: it needs a node (prefix) or a namespace, or it can match nothing")
        if declaration["name"] in self._analysers:
            raise Conflict(f"{who}: this name is taken")
        analyser = Analyser(**declaration, source=source)
        self._analysers[analyser.name] = analyser
        self.troubles[analyser.name] = Troubles()
        return analyser

    def all(self) -> list[Analyser]:
        """All, in the order of their registration."""
        return [*self._analysers.values()]

    def get(self, name: str) -> Analyser:
        """One of them. Raises NotFound."""
        if name not in self._analysers:
            raise NotFound(f"analyser {name!r}: there is none of this name; see List")
        return self._analysers[name]

    # -- ports.Analysers -------------------------------------------------------------------------

    def interests(self) -> frozenset[str]:
        """Names of PEP nodes that are wanted; such a node is called as its payload's namespace (XEP-0163 3)."""
        return frozenset(each.node or each.namespace for each in self._analysers.values() if each.to_sync)

    def declared(self) -> Declared:
        """See ports.Analysers."""
        places: dict[Path, frozenset[str]] = {}
        for analyser in self._analysers.values():
            for place, kind in analyser.keys.items():
                names = {analyser.name} if kind == "date" else set()
                places[pointer(place)] = places.get(pointer(place), frozenset()) | names
        return Declared(places)

    @property
    def by_namespace(self) -> bool:
        """See ports.Analysers."""
        return any(analyser.namespace for analyser in self._analysers.values())

    async def analyse(self, node: NodeKey, item: WireItem | None) -> Analysis | None:
        """See ports.Analysers."""
        element = payload.first_child(item.element) if item is not None else None
        namespace = payload.namespace(element) if element is not None else ""
        return await self._first(node, namespace, seen=element is not None)

    async def again(self, node: NodeKey, before: Analysis) -> Analysis | None:
        """See ports.Analysers."""
        return await self._first(node, before.namespace, seen=before.final)

    async def parse(self, node: NodeKey, analysis: Analysis, item: WireItem) -> Parsed:
        """See ports.Analysers."""
        analyser = self._analysers.get(analysis.name)
        if analyser is not None and node not in self._parsers:
            await self._analysis(analyser, node, analysis.namespace, final=True)
        parser = self._parsers[node] if analyser is not None else None
        if analyser is None or parser is None:
            return Parsed(text=_words(item))
        service = None if node.is_own_pep else node.service
        try:
            result = parser(node.account, copy.deepcopy(item.element), service, node.node)
            if inspect.isawaitable(result):
                result = await result
            return _parsed(result)
        except Exception as error:  # noqa: BLE001 (a parser is anybody's code)
            trouble, reason = self.troubles[analyser.name], str(error)[:300] or type(error).__name__
            trouble.count += 1
            trouble.last = f"item {item.id!r}: {reason}"
            return Parsed(text=_words(item), error=f"{analyser.name}: {reason}")

    def tried(self, node: NodeKey, namespace: str) -> list[tuple[str, str]]:
        """See ports.Analysers."""
        result = []
        for analyser in self._analysers.values():
            reasons = []
            if analyser.node:
                begins = "begins" if node.node.startswith(analyser.node) else "does not begin"
                reasons.append(f"the node's name {begins} with {analyser.node}")
            if analyser.namespace:
                seen = "none was seen yet" if not namespace else f"the items' is {namespace}"
                reasons.append(f"it looks for the namespace {analyser.namespace}; {seen}")
            result.append((analyser.name, "; ".join(reasons)))
        return result

    async def test(self, name: str, xml: str) -> str:
        """What an analyser's parser makes of a payload, as JSON.

        Raises:
            NotFound: no such analyser.
            InvalidArgs: the XML cannot be read, or the parser refuses it; the message says why.
        """
        analyser = self.get(name)
        if analyser.parser is None:
            raise InvalidArgs(f"analyser {name!r}: it has no parser")
        item = payload.item("test", payload.parse(xml))
        node = NodeKey("test@localhost", "pubsub.localhost", analyser.node or "test")
        parsed = await self.parse(node, Analysis(name, analyser.type), WireItem("test", "", item))
        self._parsers.pop(node, None)
        if parsed.error:
            raise InvalidArgs(f"xml: {parsed.error}")
        return parsed.json

    # -- parts -----------------------------------------------------------------------------------

    async def _first(self, node: NodeKey, namespace: str, *, seen: bool) -> Analysis | None:
        """The first that matches; `seen` where an item showed the namespace."""
        for analyser in self._analysers.values():
            if analyser.matches(node.node, namespace):
                # without an item, an analyser before this one may still match by namespace
                final = seen or not self._namespaces_before(analyser.name)
                return await self._analysis(analyser, node, namespace, final=final)
        return None

    def _namespaces_before(self, name: str) -> bool:
        for analyser in self._analysers.values():
            if analyser.name == name:
                return False
            if analyser.namespace:
                return True
        return False

    async def _analysis(self, analyser: Analyser, node: NodeKey, namespace: str, *, final: bool) -> Analysis:
        """What the analyser says of this node, after its callback."""
        values: dict[str, Any] = {
            "name": analyser.name,
            "type": analyser.type,
            "subtype": "",
            "to_sync": analyser.to_sync,
            "node": node.node,
            "namespace": namespace,
            "service": None if node.is_own_pep else node.service,
            "parser": analyser.parser,
        }
        given = set(values)
        extra = "{}"
        if analyser.match_cb is not None:
            try:
                result = analyser.match_cb(node.account, values)
                if inspect.isawaitable(result):
                    await result
                extra = json.dumps({key: value for key, value in values.items() if key not in given}, allow_nan=False)
            except Exception as error:  # noqa: BLE001 (a callback is anybody's code)
                log.warning("analyser %s: its match callback failed: %s", analyser.name, type(error).__name__)
                trouble = self.troubles[analyser.name]
                trouble.count += 1
                trouble.last = f"node {node.node!r}: {str(error)[:300] or type(error).__name__}"
                values["to_sync"] = False
        self._parsers[node] = values["parser"] if callable(values["parser"]) else None
        return Analysis(
            analyser.name,
            str(values["type"]),
            str(values["subtype"]),
            bool(values["to_sync"]),
            analyser.version,
            final,
            namespace,
            extra,
        )


def load_entry_points(registry: Registry) -> None:
    """Register what installed distributions offer; a broken one is logged and left out."""
    for point in sorted(
        entry_points(group=GROUP), key=lambda point: (point.value.partition(".")[0] != "pubkeep", point.name)
    ):
        built_in = point.value.startswith("pubkeep.")
        try:
            registry.register_analyser(point.load(), "built-in" if built_in else "entry-point")
        except Exception as error:  # noqa: BLE001 (anybody's code)
            log.warning("the analyser of entry point %s is left out: %s: %s", point.name, type(error).__name__, error)


def _words(item: WireItem) -> str:
    """The text of an item that nobody can read better."""
    return payload.character_data(payload.first_child(item.element))


def _parsed(result: object) -> Parsed:
    """A parser's result in our terms.

    Raises:
        ValueError, TypeError: it is no JSON, or too much.
    """
    if result is None:
        raise ValueError("the parser gave nothing")
    words = None
    if isinstance(result, Mapping):
        words = result.get("text")
        result = {key: value for key, value in result.items() if key != "text"}
    text = json.dumps(result, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    if len(text) > MAX_JSON:
        raise ValueError(f"the parser gave more than {MAX_JSON} characters")
    if not isinstance(result, Mapping):
        return Parsed(text, text=" ".join(_strings(result)))
    return Parsed(
        text,
        "",
        _string(result.get("title")),
        words if isinstance(words, str) else " ".join(_strings(result)),
        _moment(result.get("published")),
        _moment(result.get("updated")),
        _string(result.get("subtype")),
    )


def _string(value: object) -> str:
    return value if isinstance(value, str) else ""


def _moment(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return microseconds(value) if isinstance(value, str) else 0


def _strings(value: object) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _strings(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _strings(each)

# SPDX-License-Identifier: MIT
"""What a walk by cursor promises while the items change, in plain Python; nothing of the store is used for it.

An item that matches throughout, and whose place in the order does not change, comes exactly once. One whose place
changes comes at most once for each of its places. Nothing comes that does not match, and each page begins behind the
one before.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

ALICE, BOB = "alice@localhost", "bob@localhost"
NODES = (
    (ALICE, "pubsub.localhost", "urn:xmpp:microblog:0", "blog"),
    (ALICE, "events.localhost", "urn:x:event", "event"),
    (BOB, "pubsub.localhost", "urn:xmpp:microblog:0", "blog"),
)
"""(account, service, name, type)"""
SECOND = 1_000_000
DAY = 86_400
NOON = 1_780_000_000
"""When it all happens, in seconds."""
LATE = (NOON - 2) * SECOND
LONGEST = 256
"""Bytes of a string that count in an order."""


@dataclass(frozen=True, slots=True)
class Content:
    """What somebody publishes."""

    text: str = "apple"
    json: str = "{}"
    publisher: str = ""
    published: int = 0
    updated: int = 0
    created: int = 0


@dataclass(frozen=True, slots=True)
class Fact:
    """An item that is there."""

    node: int
    id: str
    content: Content
    stored: int
    second: int
    """The one that it counts to where the newest come first."""
    change: int
    """Grows with each."""

    @property
    def document(self) -> Any:
        """Its JSON."""
        return json.loads(self.content.json)

    @property
    def type(self) -> str:
        """Of its node."""
        return NODES[self.node][3]


def second_of(content: Content, stored: int, now: int) -> int:
    """The published date if it lies between 1990 and tomorrow, else when the item first came; in seconds."""
    published = content.published // SECOND
    return published if 631_152_000 <= published <= now // SECOND + DAY else stored // SECOND


# -- questions -----------------------------------------------------------------------------------------------


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _has(word: str) -> Callable[[Fact], bool]:
    return lambda fact: word in fact.content.text.split()


def _tagged(fact: Fact) -> bool:
    return "red" in [tag.lower() for tag in fact.document.get("tags", [])]


QUERIES: dict[str, Callable[[Fact], bool]] = {
    "{}": lambda fact: True,
    "apple": _has("apple"),
    "-apple": lambda fact: not _has("apple")(fact),
    "plum OR pear": lambda fact: _has("plum")(fact) or _has("pear")(fact),
    "type:event": lambda fact: fact.type == "event",
    '{"node_prefix": "urn:x:", "text": "apple"}': lambda fact: fact.type == "event" and _has("apple")(fact),
    '{"any": [{"types": ["event"]}, {"text": "plum"}]}': lambda fact: fact.type == "event" or _has("plum")(fact),
    '{"tags": ["RED"]}': _tagged,
    '{"not": {"tags": ["red"]}}': lambda fact: not _tagged(fact),
    '{"publishers": ["juliet"]}': lambda fact: fact.content.publisher.startswith("juliet@"),
    f'{{"published": {{"after": {LATE}}}}}': lambda fact: fact.content.published >= LATE,
    '{"parsed": {"path": "/n", "op": "exists"}}': lambda fact: "n" in fact.document,
    '{"parsed": {"path": "/n", "value": 1}}': lambda fact: (
        _is_number(fact.document.get("n")) and fact.document["n"] == 1
    ),
    '{"parsed": {"path": "/n", "op": ">=", "value": 1}}': lambda fact: (
        _is_number(fact.document.get("n")) and fact.document["n"] >= 1
    ),
    '{"parsed": {"path": "/m", "op": "missing"}}': lambda fact: "m" not in fact.document,
    '{"ids": ["a0", "a1", "a2", "a3", "b0", "b1"]}': lambda fact: fact.id in ("a0", "a1", "a2", "a3", "b0", "b1"),
}
"""Each with what it means."""
BY_RANK, RANKED = "plum OR pear", ("plum", "pear")
"""The one that is asked for by rank, and its words."""


# -- orders --------------------------------------------------------------------------------------------------

Part = tuple[bool, Any]
"""(whether there is nothing at that place, what there is)"""


@dataclass(frozen=True, slots=True)
class Declared:
    """Places of the JSON that are declared, and whether dates stand there in events."""

    places: tuple[tuple[str, bool], ...] = ()

    def dated(self, path: str, fact: Fact) -> bool:
        """Whether a date stands there."""
        return fact.type == "event" and (path, True) in self.places


def place(order_by: Sequence[str], fact: Fact, declared: Declared) -> tuple[Part, ...]:
    """Where it stands, the second it counts to at the end."""
    return (*(_part(each.removeprefix("-"), fact, declared) for each in order_by), (False, fact.second))


def _part(order: str, fact: Fact, declared: Declared) -> Part:
    content = fact.content
    if order.startswith("/"):
        document = fact.document
        if order[1:] not in document:
            return True, None
        return False, _json(document[order[1:]], declared.dated(order, fact))
    found: dict[str, Any] = {
        "published": fact.second,
        "updated": content.updated or content.published or fact.stored,
        "creation": content.created or fact.stored,
        "modification": fact.change,
        "id": fact.id.encode()[:LONGEST],
        "rank": -sum(map(_fit, RANKED, [fact.content.text] * len(RANKED))),
    }
    return False, found[order]


def _fit(word: str, text: str) -> float:
    """The more often it stands there the better, and in a short text."""
    number, length = text.split().count(word), len(text.split())
    return number * 2.2 / (number + 1.2 * (0.25 + 0.75 * length / 200)) if number else 0.0


def _json(value: Any, dated: bool) -> tuple[int, Any]:
    """null < false < true < number < string < array < object < date < what is none where dates stand."""
    match value:
        case None:
            return 0, 0
        case bool():
            return 1, value
        case int() | float():
            return 2, value
        case str():
            return _date(value) if dated else (3, value.encode()[:LONGEST])
        case list():
            return 4, 0
        case _:
            return 5, 0


def _date(value: str) -> tuple[int, Any]:
    try:
        return 6, datetime.fromisoformat(value).timestamp()
    except ValueError:
        return 7, value.encode()[:LONGEST]


def in_order(order_by: Sequence[str], one: tuple[Part, ...], other: tuple[Part, ...]) -> bool:
    """Whether the other may come behind the one, or beside it."""
    for order, (one_missing, one_value), (other_missing, other_value) in zip((*order_by, "-"), one, other, strict=True):
        if one_missing != other_missing:
            return other_missing
        if one_value != other_value:
            return bool((one_value < other_value) != order.startswith("-"))
        if order.endswith("published"):
            return True  # within a second they have an order that nobody is told
    return True


# -- walks ---------------------------------------------------------------------------------------------------

Name = tuple[int, str]
"""(node, id)"""


@dataclass(slots=True)
class Walk:
    """One search, page by page."""

    query: str
    order_by: tuple[str, ...]
    limit: int
    accounts: tuple[str, ...]
    max_bytes: int
    shown: dict[Name, tuple[Part, ...]] = field(default_factory=dict)
    """What matches now, and where it stands."""
    due: set[Name] = field(default_factory=set)
    """What has matched throughout, at one place."""
    seen: set[Name] = field(default_factory=set)
    """What came, and stands where it stood then."""
    last: tuple[Part, ...] | None = None
    cursor: str = ""

    def __post_init__(self) -> None:
        if {"rank", "-rank"}.intersection(self.order_by):
            self.query = BY_RANK

    def matching(self, facts: Iterable[Fact], hidden: set[int], declared: Declared) -> dict[Name, tuple[Part, ...]]:
        """What matches, and where it stands."""
        return {
            (fact.node, fact.id): place(self.order_by, fact, declared)
            for fact in facts
            if fact.node not in hidden and NODES[fact.node][0] in self.accounts and QUERIES[self.query](fact)
        }

    def begin(self, shown: dict[Name, tuple[Part, ...]]) -> None:
        """Nothing has come yet."""
        self.shown, self.due, self.seen = shown, set(shown), set()
        self.last, self.cursor = None, ""

    def changed(self, shown: dict[Name, tuple[Part, ...]]) -> None:
        """Something may have happened to the items."""
        moved = {name for name, where in self.shown.items() if shown.get(name) != where}
        self.due -= moved
        self.seen -= moved
        self.shown = shown

    def fault(self, page: Sequence[Name], *, end: bool) -> str:
        """What is wrong with the next page, empty where nothing is.

        Args:
            end: it is the last one.
        """
        if len(page) > self.limit:
            return "it is too long"
        last, seen = self.last, set(self.seen)
        for name in page:
            if name not in self.shown:
                return f"{name} does not match"
            if name in seen:
                return f"{name} comes twice"
            if last is not None and not in_order(self.order_by, last, self.shown[name]):
                return f"{name} stands before what came"
            last = self.shown[name]
            seen.add(name)
        for name in self.due - seen:
            if last is not None and not in_order(self.order_by, last, self.shown[name]):
                return f"{name} was passed over"
        return f"{self.due - seen} never came" if end and self.due - seen else ""

    def take(self, page: Sequence[Name], cursor: str) -> None:
        """A page that is right."""
        self.seen.update(page)
        self.last = self.shown[page[-1]] if page else self.last
        self.cursor = cursor

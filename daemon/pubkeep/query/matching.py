# SPDX-License-Identifier: MIT
"""What a query means: whether an item matches a condition.

The databases find candidates by their indexes; whatever they cannot decide exactly is decided here.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import assert_never

from pubkeep.model import NodeKey
from pubkeep.query.conditions import (
    All,
    Any,
    Condition,
    Dated,
    Json,
    Moment,
    Name,
    NodePrefix,
    Not,
    OneOf,
    Parsed,
    Path,
    Term,
    Text,
)
from pubkeep.query.values import MISSING, Missing, at, equal, folded, instant, kind
from pubkeep.query.words import words
from pubkeep.uri import node_uri


@dataclass(slots=True)
class Candidate:
    """An item with all that a query may ask of it."""

    node: NodeKey
    id: str
    publisher: str = ""
    type: str = ""
    subtype: str = ""
    namespace: str = ""
    analyser: str = ""
    tags: tuple[str, ...] = ()
    dates: Mapping[Moment, int] = field(default_factory=dict)
    """0 is unknown."""
    text: str = ""
    document: Json | Missing = MISSING
    instants: frozenset[Path] = frozenset()
    """Places that the analyser declares to hold dates (RFC 3339)."""
    _words: list[str] | None = None

    @property
    def words(self) -> list[str]:
        """Of its text."""
        if self._words is None:
            self._words = words(self.text)
        return self._words


def matches(condition: Condition, item: Candidate) -> bool:
    """Whether the item is one that is asked for."""
    match condition:
        case All():
            return all(matches(part, item) for part in condition.parts)
        case Any():
            return any(matches(part, item) for part in condition.parts)
        case Not():
            return not matches(condition.part, item)
        case OneOf():
            return _one_of(condition, item)
        case NodePrefix():
            return item.node.node.startswith(condition.prefixes)
        case Dated():
            date = item.dates.get(condition.moment, 0)
            early = condition.after is not None and date < condition.after
            late = condition.before is not None and date >= condition.before
            return bool(date) and not early and not late
        case Text():
            return _text(condition, item.words)
        case Parsed():
            return compare(condition, at(item.document, condition.path), dated=condition.path in item.instants)
        case _:
            assert_never(condition)


def publisher_matches(publisher: str, wanted: str) -> bool:
    """Whether a publisher is meant: by the bare JID, or, without an @, by the domain or the part before the @."""
    bare = publisher.partition("/")[0]
    return wanted in (bare, bare.partition("@")[0]) if "@" not in wanted else wanted == bare


def _one_of(condition: OneOf, item: Candidate) -> bool:
    match condition.name:
        case Name.ACCOUNT:
            return item.node.account in condition.values
        case Name.SERVICE:
            return item.node.service in condition.values
        case Name.NODE:
            return item.node.node in condition.values or node_uri(item.node) in condition.values
        case Name.TYPE:
            return item.type in condition.values
        case Name.SUBTYPE:
            return item.subtype in condition.values
        case Name.NAMESPACE:
            return item.namespace in condition.values
        case Name.ANALYSER:
            return item.analyser in condition.values
        case Name.ID:
            return item.id in condition.values
        case Name.PUBLISHER:
            return any(publisher_matches(item.publisher, wanted) for wanted in condition.values)
        case Name.TAG:
            return not {str(folded(tag)) for tag in condition.values}.isdisjoint(str(folded(tag)) for tag in item.tags)
        case _:
            assert_never(condition.name)


def _text(condition: Text, found: list[str]) -> bool:
    if not condition.groups and not condition.unwanted:
        return False
    if any(_has(term, found) for term in condition.unwanted):
        return False
    return all(any(_has(term, found) for term in group) for group in condition.groups)


def _has(term: Term, found: list[str]) -> bool:
    """Whether the words follow each other somewhere."""
    *first, last = term.words
    number = len(first)
    for start in range(len(found) - number):
        end = found[start + number]
        if (end.startswith(last) if term.prefix else end == last) and found[start : start + number] == first:
            return True
    return False


def compare(condition: Parsed, found: Json | Missing, *, dated: bool = False) -> bool:
    """Whether what stands at a place fits. Nothing fits what is missing, but `missing`.

    Args:
        dated: dates stand there, and are compared as moments; what is no date is a string.
    """
    if isinstance(found, Missing) or condition.operator in ("exists", "missing"):
        return isinstance(found, Missing) == (condition.operator == "missing")
    value = condition.value
    if condition.fold:
        value, found = folded(value), folded(found)
    if dated and condition.operator not in ("like", "starts_with"):
        value, found = _moments(value), _moments(found)
    return _OPERATORS[condition.operator](found, value)


def _moments(value: Json) -> Json:
    """Dates in it as objects with their moment, which are equal to nothing else that a caller sends."""
    match value:
        case str():
            return value if (moment := instant(value)) is None else {"\0instant": moment}
        case list():
            return [_moments(each) for each in value]
        case _:
            return value


def _in_order(one: Json, other: Json) -> int | None:
    """-1, 0 or 1; None where they cannot be compared."""
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys() == {"\0instant"}:
        one, other = one["\0instant"], other["\0instant"]
    if kind(one) != kind(other) or isinstance(one, (bool, list, dict)) or one is None:
        return None
    return (one > other) - (one < other)  # type: ignore[operator]


def _between(found: Json, value: Json) -> bool:
    assert isinstance(value, list)
    low, high = _in_order(found, value[0]), _in_order(found, value[1])
    return low is not None and high is not None and low >= 0 and high <= 0


def _overlap(found: Json, value: Json) -> bool:
    """Whether an array and a list have something in common; another value counts as an array of one."""
    assert isinstance(value, list)
    return any(equal(one, other) for one in (found if isinstance(found, list) else [found]) for other in value)


@lru_cache(maxsize=64)
def _pattern(like: str) -> re.Pattern[str]:
    """`%` is any run of characters, `_` any single one, a backslash takes the meaning away."""
    meanings = {"%": ".*", "_": "."}
    parts = re.findall(r"\\(.)|(%|_)|(\\|[^\\%_]+)", like, re.DOTALL)
    return re.compile("".join(meanings.get(run) or re.escape(taken or plain) for taken, run, plain in parts), re.DOTALL)


def _is_string(found: Json, value: Json, test: Callable[[str, str], bool]) -> bool:
    return isinstance(found, str) and isinstance(value, str) and test(found, value)


_OPERATORS: dict[str, Callable[[Json, Json], bool]] = {
    "==": equal,
    "!=": lambda found, value: not equal(found, value),
    ">": lambda found, value: _in_order(found, value) == 1,
    ">=": lambda found, value: _in_order(found, value) in (0, 1),
    "<": lambda found, value: _in_order(found, value) == -1,
    "<=": lambda found, value: _in_order(found, value) in (-1, 0),
    "between": _between,
    "in": lambda found, value: isinstance(value, list) and any(equal(found, each) for each in value),
    "overlap": _overlap,
    "like": lambda found, value: _is_string(found, value, lambda f, v: _pattern(v).fullmatch(f) is not None),
    "starts_with": lambda found, value: _is_string(found, value, str.startswith),
}

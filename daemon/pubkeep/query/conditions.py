# SPDX-License-Identifier: MIT
"""The syntax tree of a query: what both faces are read into, and all that a database has to understand.

A query is one condition. Exact meaning: matching.py.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]

Operator = Literal[
    "==", "!=", ">", ">=", "<", "<=", "between", "in", "overlap", "like", "starts_with", "exists", "missing"
]
Path = tuple[str, ...]
"""The tokens of a JSON pointer (RFC 6901); empty: the whole document."""


class Name(StrEnum):
    """What of an item or its node is one of given strings."""

    ACCOUNT = "accounts"
    SERVICE = "services"
    NODE = "nodes"
    """The node's name, or its URI."""
    TYPE = "types"
    SUBTYPE = "subtypes"
    NAMESPACE = "namespaces"
    """Of the payload."""
    ANALYSER = "analysers"
    ID = "ids"
    PUBLISHER = "publishers"
    """A bare JID; without an @ it is a domain or the part before the @."""
    TAG = "tags"
    """As the analyser gives them, case ignored."""


class Moment(StrEnum):
    """A date of an item; unknown ones lie in no range."""

    PUBLISHED = "published"
    UPDATED = "updated"
    CREATED = "created"
    """By the service."""
    STORED = "stored"
    """When it first came here."""


@dataclass(frozen=True, slots=True)
class OneOf:
    """It is one of these."""

    name: Name
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NodePrefix:
    """The node's name begins with one of these."""

    prefixes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Dated:
    """after <= the date < before, in microseconds since the Unix epoch."""

    moment: Moment
    after: int | None = None
    before: int | None = None


@dataclass(frozen=True, slots=True)
class Term:
    """Words that follow each other (words.py)."""

    words: tuple[str, ...]
    prefix: bool = False
    """The last one may go on."""


@dataclass(frozen=True, slots=True)
class Text:
    """What a person reads in the item has a term of each group, and none of the unwanted.

    Where there is neither a group nor an unwanted term (what was typed has no letter in it), nothing matches.
    """

    groups: tuple[tuple[Term, ...], ...] = ()
    unwanted: tuple[Term, ...] = ()


@dataclass(frozen=True, slots=True)
class Parsed:
    """A comparison with what stands at a place of the item's JSON."""

    path: Path
    operator: Operator = "=="
    value: Json = None
    fold: bool = False
    """Case is ignored in strings."""


@dataclass(frozen=True, slots=True)
class All:
    """Each of them; without any, everything."""

    parts: tuple["Condition", ...] = ()


@dataclass(frozen=True, slots=True)
class Any:
    """One of them at least; without any, nothing."""

    parts: tuple["Condition", ...] = ()


@dataclass(frozen=True, slots=True)
class Not:
    """Not that."""

    part: "Condition"


Condition = OneOf | NodePrefix | Dated | Text | Parsed | All | Any | Not
EVERYTHING = All()


def terms(condition: Condition) -> list[Term]:
    """What a condition looks for in texts, each once; not what it wants absent."""
    match condition:
        case Text(groups):
            found = [term for group in groups for term in group]
        case All(parts) | Any(parts):
            found = [term for part in parts for term in terms(part)]
        case _:
            found = []
    return list(dict.fromkeys(found))

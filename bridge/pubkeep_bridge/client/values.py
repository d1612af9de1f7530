# SPDX-License-Identifier: MIT
"""What the daemon answers, as frozen values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Item:
    """One item; what was not asked for is empty. Dates: microseconds since the Unix epoch, 0 = unknown."""

    uri: str
    account: str
    service: str
    node: str
    id: str
    type: str
    title: str
    published: int
    updated: int
    publisher: str
    xml: str
    json: str
    extra: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ItemsAnswer:
    """The answer to get_items. `meta` as documented in the interface: source, state, stale, ..."""

    items: Sequence[Item]
    meta: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class SearchAnswer:
    """The answer to search. `removed`: uris, with `since` only."""

    items: Sequence[Item]
    removed: Sequence[str]
    meta: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """One NodeChanged signal."""

    type: str
    account: str
    service: str
    node: str
    what: str
    sequence: int
    published: Sequence[str]
    retracted: Sequence[str]


def items(rows: Sequence[Sequence[Any]]) -> list[Item]:
    """Rows of the wire as items."""
    return [Item(*[*row[:12], plain(row[12])]) for row in rows]


def plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """a{sv} as Python values."""
    return {key: variant.value for key, variant in values.items()}

# SPDX-License-Identifier: MIT
"""What frontends ask, and what they are answered: frozen values, as model.py."""

from dataclasses import dataclass
from typing import Literal

from pubkeep.model import ItemRow, NodeState
from pubkeep.query.conditions import EVERYTHING, Condition

Format = Literal["xml", "json", "both", "none"]
Freshness = Literal["auto", "cache", "service", "quick"]


@dataclass(frozen=True, slots=True)
class ItemsRequest:
    """GetItems: the part of the node's list that is asked for (CACHE.md, One meaning for GetItems)."""

    ids: tuple[str, ...] | None = None
    max: int | None = None
    before: str | None = None
    after: str | None = None
    index: int | None = None
    order: Literal["service", "creation", "modification"] = "service"
    format: Format = "xml"
    extra: bool = False
    max_age: int | None = None
    freshness: Freshness = "auto"
    max_bytes: int = 2 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Page:
    """Rows, oldest first, with what surrounds them in the node's list."""

    items: tuple[ItemRow, ...]
    more: bool = False
    complete: bool = True
    first: str = ""
    last: str = ""
    index: int | None = None
    count: int | None = None
    unknown: tuple[str, ...] = ()
    sequence: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """A page and what can be said of its truth (CACHE.md)."""

    page: Page
    source: Literal["cache", "service"]
    state: NodeState
    stale: bool = False
    reason: str = ""
    as_of: int = 0
    verified_at: int = 0
    untold: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """A question over everything that one caller may see."""

    query: Condition = EVERYTHING
    order_by: tuple[str, ...] = ()
    """As in DBUS-API, The query; empty: the newest first."""
    limit: int = 50
    cursor: str = ""
    since: int | None = None
    format: Format = "json"
    extra: bool = False
    max_bytes: int = 2 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class SearchResult:
    """`removed` are URIs, with `since` only. `reset`: too much changed; the items are the first page anew.

    `unfinished`: it took too long; these are the first of the items, and the cursor goes on with the search.
    `indexing`: words of older items are still being indexed, so that a text may not be found in them.
    """

    items: tuple[ItemRow, ...]
    removed: tuple[str, ...] = ()
    sequence: int = 0
    cursor: str = ""
    count: int | None = None
    reset: bool = False
    unfinished: bool = False
    indexing: bool = False
    incomplete: int = 0
    stale: int = 0


@dataclass(frozen=True, slots=True)
class NodeFilter:
    """Which nodes; what is empty does not restrict."""

    account: str = ""
    service: str = ""
    node: str = ""
    node_prefix: str = ""
    type: str = ""
    state: str = ""
    analyser: str = ""
    since: int = 0

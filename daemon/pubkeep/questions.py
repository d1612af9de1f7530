# SPDX-License-Identifier: MIT
"""What frontends ask, and what they are answered: frozen values, as model.py."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pubkeep.model import ItemRow, NodeKey, NodeState
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
    `nodes` are all that the question concerned, whether they have anything that matches or not; not on the wire.
    """

    items: tuple[ItemRow, ...]
    removed: tuple[str, ...] = ()
    sequence: int = 0
    cursor: str = ""
    count: int | None = None
    reset: bool = False
    unfinished: bool = False
    indexing: bool = False
    nodes: Sequence[NodeKey] = ()
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

    def fits(self, node: NodeKey, kind: str) -> bool:
        """Whether a node is meant, as far as its name and type say it."""
        return (
            self.account in ("", node.account)
            and self.service in ("", node.service)
            and self.node in ("", node.node)
            and node.node.startswith(self.node_prefix)
            and self.type in ("", kind)
        )


@dataclass(frozen=True, slots=True)
class ChangesRequest:
    """What changed after `since`, in nodes that are meant."""

    since: int
    where: NodeFilter = NodeFilter()
    among: frozenset[NodeKey] | None = None
    """If given, in these nodes only."""
    limit: int = 1000

    def fits(self, node: NodeKey, kind: str) -> bool:
        """Whether a change of this node is asked for."""
        return self.where.fits(node, kind) and (self.among is None or node in self.among)


@dataclass(frozen=True, slots=True)
class Change:
    """The last change of an item, or of a node (empty id)."""

    sequence: int
    kind: str
    """As in DBUS-API, Changes."""
    node: NodeKey
    item_id: str
    type: str


@dataclass(frozen=True, slots=True)
class ChangesResult:
    """Oldest first. `next` is the number to ask from the next time."""

    changes: tuple[Change, ...]
    next: int
    more: bool

# SPDX-License-Identifier: MIT
"""What services are asked and what they say (XEP-0060 and its neighbours), as values; see model.py for the units."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, NamedTuple
from xml.etree.ElementTree import Element

from pubkeep.model import NodeKey

FieldValue = bool | str | tuple[str, ...]
"""A field of a data form (XEP-0004): boolean, text, or several texts."""


@dataclass(frozen=True, slots=True)
class WireItem:
    """An `<item/>` as it came, not yet serialised. The element is shared: read it only."""

    id: str
    publisher: str
    element: Element


class OrderBy(NamedTuple):
    """An `<order/>` (XEP-0413): the newest first."""

    field: Literal["creation", "modification"]
    version: Literal["0", "1"]
    """Of its namespace, `urn:xmpp:order-by:`."""


@dataclass(frozen=True, slots=True)
class ItemsQuery:
    """One `<items/>` request (XEP-0060 6.5); the fields are what stands in the stanza."""

    ids: tuple[str, ...] = ()
    max_items: int | None = None
    rsm_max: int | None = None
    rsm_after: str | None = None
    rsm_before: str | None = None
    """Empty: the last page (XEP-0059 2.5)."""
    order: OrderBy | None = None


@dataclass(frozen=True, slots=True)
class Rsm:
    """The `<set/>` of an answer (XEP-0059); None where the service said nothing."""

    first: str | None = None
    last: str | None = None
    index: int | None = None
    count: int | None = None


@dataclass(frozen=True, slots=True)
class ArchivePage:
    """A page of a node's archive (XEP-0442), oldest first."""

    published: tuple[tuple[int, WireItem], ...]
    """(when, by the service's clock; what)."""
    first: str
    """The cursor before it; empty where the page is."""
    begins: bool
    """Nothing was archived before."""


REMEMBERED = 60.0
"""Seconds for which it is remembered at least what events named."""


@dataclass(frozen=True, slots=True)
class Listing:
    """The answer to one `<items/>` request, items in the order of the stanza."""

    query: ItemsQuery
    items: tuple[WireItem, ...]
    rsm: Rsm | None
    sent_at: float
    """Boottime when the request was handed to the stream."""
    taken_at: float
    """Boottime when its result was taken, in the stanza callback."""

    @property
    def too_old(self) -> bool:
        """Whether it took so long (the machine slept) that nobody remembers what was told meanwhile."""
        return self.taken_at - self.sent_at > REMEMBERED


@dataclass(frozen=True, slots=True)
class Confirmation:
    """A write that the service answered with a result. `ids` as the service named them, if it did."""

    ids: tuple[str, ...]
    sent_at: float
    taken_at: float


@dataclass(frozen=True, slots=True)
class ServiceInfo:
    """What disco#info says of a service or node (XEP-0030; meta-data: XEP-0060 5.4)."""

    identities: tuple[tuple[str, str, str], ...]
    """(category, type, name)"""
    features: frozenset[str]
    metadata: Mapping[str, str]
    """Fields of the meta-data form, `pubsub#title` and so on, as text: several values one a line."""
    fields: Mapping[str, FieldValue] = field(default_factory=dict)
    """The same, as the form declares them."""


class DiscoItem(NamedTuple):
    """One `<item/>` of disco#items (XEP-0030 4): a node of a service, or an item of a node, its id being the name."""

    jid: str
    node: str
    name: str


class Subscription(NamedTuple):
    """One subscription of the account (XEP-0060 5.6); `subid` is empty where the service gives none."""

    node: str
    jid: str
    state: str
    subid: str


class EventKind(StrEnum):
    """What an `<event/>` of XEP-0060 may say."""

    ITEMS = "items"
    PURGE = "purge"
    DELETE = "delete"
    CONFIGURATION = "configuration"
    SUBSCRIPTION = "subscription"
    COLLECTION = "collection"
    """A node was associated with a collection, or disassociated (XEP-0248 7); says nothing of items."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class NodeEvent:
    """One `<event/>` about one node, as it came (XEP-0060 7.1.2, 7.2.2, 8.3-8.5)."""

    node: NodeKey
    kind: EventKind
    at: float
    """Boottime in the stanza callback."""
    items: tuple[WireItem, ...] = ()
    retracted: tuple[str, ...] = ()
    delayed: bool = False
    """With `<delay/>` (XEP-0203): an old value, a hint only."""
    said_at: int = 0
    """The moment in its `<delay/>`, microseconds since the epoch by the sender's clock; 0 where there is none."""
    subscription: str = ""
    """State of a `<subscription/>` notice."""
    redirect: str = ""
    collection: str = ""
    """The SHIM `Collection` header: the collection whose subscription brought this (XEP-0248)."""

# SPDX-License-Identifier: MIT
"""The values that cross layers: frozen, without behaviour that decides anything.

Dates are microseconds since the Unix epoch, UTC, 0 = unknown. Moments ("boottime") are seconds
of CLOCK_BOOTTIME as a float, only ever compared with each other. JIDs are normalised.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, NamedTuple
from xml.etree.ElementTree import Element


class NodeKey(NamedTuple):
    """A PubSub node as one account sees it. The account's own PEP has its bare JID as service."""

    account: str
    service: str
    node: str

    @property
    def is_own_pep(self) -> bool:
        """Whether the node belongs to the account itself (XEP-0163)."""
        return self.account == self.service


# ---- accounts ----------------------------------------------------------------------------------


class AccountState(StrEnum):
    """What `Account.State` says on D-Bus."""

    OFFLINE = "offline"
    CONNECTING = "connecting"
    ONLINE = "online"
    WAITING = "waiting"
    NEEDS_PASSWORD = "needs-password"  # noqa: S105 (a state, not a secret)
    REFUSED = "refused"


Tls = Literal["required", "direct", "allow-plaintext"]


@dataclass(frozen=True, slots=True)
class Account:
    """An account as it is stored. `number` is the last part of its object path, never used twice."""

    number: int
    jid: str
    resource: str
    """`pubkeep-` and 8 hexadecimal digits, made once for this account and installation."""
    uid: int
    enabled: bool = True
    host: str = ""
    """Where to connect to; empty: what DNS says."""
    port: int = 0
    tls: Tls = "required"


# ---- what comes from a service -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class WireItem:
    """An `<item/>` as it came, not yet serialised. The element is shared: read it only."""

    id: str
    publisher: str
    element: Element


@dataclass(frozen=True, slots=True)
class ItemsQuery:
    """One `<items/>` request (XEP-0060 6.5); the fields are what stands in the stanza."""

    ids: tuple[str, ...] = ()
    max_items: int | None = None
    rsm_max: int | None = None
    rsm_after: str | None = None


@dataclass(frozen=True, slots=True)
class Rsm:
    """The `<set/>` of an answer (XEP-0059); None where the service said nothing."""

    first: str | None = None
    last: str | None = None
    index: int | None = None
    count: int | None = None


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
    """Fields of the meta-data form, `pubsub#title` and so on."""


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
    subscription: str = ""
    """State of a `<subscription/>` notice."""
    redirect: str = ""
    collection: str = ""
    """The SHIM `Collection` header: the collection whose subscription brought this (XEP-0248)."""


# ---- items and nodes as we keep them -----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Parsed:
    """What an analyser makes of an item: derived, and rebuildable from the raw XML."""

    json: str = ""
    error: str = ""
    title: str = ""
    text: str = ""
    """What a person reads in it: the text to be searched, title included, never markup."""
    published: int = 0
    updated: int = 0
    subtype: str = ""


@dataclass(frozen=True, slots=True)
class NewItem:
    """An item to be written."""

    id: str
    publisher: str
    xml: str
    digest: bytes
    """Of the canonical form (payload.digest): equal digests mean equal payloads."""
    parsed: Parsed
    created: int = 0
    """The service's date, where it told one."""


@dataclass(frozen=True, slots=True)
class ItemRow:
    """An item as frontends see it (DBUS-API, ITEM). What was not asked for is empty."""

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
    extra: Mapping[str, object] = field(default_factory=dict)


class NodeState(StrEnum):
    """The states of CACHE.md. `synced` is computed at each read and stands in no table."""

    UNKNOWN = "unknown"
    IGNORED = "ignored"
    SYNCING = "syncing"
    STALE = "stale"
    ERROR = "error"
    PARTIAL = "partial"
    SYNCED = "synced"
    DENIED = "denied"
    GONE = "gone"


class Copy(StrEnum):
    """How much of the node is held."""

    NONE = "none"
    WHOLE = "whole"


@dataclass(frozen=True, slots=True)
class Analysis:
    """What the analysers made of a node; stored with it."""

    name: str
    """The analyser's name."""
    type: str
    subtype: str = ""
    to_sync: bool = False
    version: int = 1
    final: bool = True
    """False when it saw no item and the first one may change it."""
    namespace: str = ""
    extra: str = "{}"
    """Further keys that match_cb left, as a JSON object."""


@dataclass(frozen=True, slots=True)
class NodeRecord:
    """A node as it is stored. Only nodes that somebody wants have a row."""

    number: int
    key: NodeKey
    state: NodeState
    """What to say as long as it is not synced: stale, error, partial, denied, gone."""
    reason: str = ""
    analysis: Analysis | None = None
    wanted_by: str = ""
    """`analyser`, or `request` after Synchronise."""
    copy: Copy = Copy.NONE
    items: int = 0
    newest: int = 0
    """When something was last stored here."""
    sequence: int = 0
    verified_at: int = 0
    """Wall time of the last proof of the whole node."""
    subscribed: bool = False
    """We made the subscription, so we end it."""
    title: str = ""
    error: str = ""
    """Name of the error (`NotAllowed`, ...) behind `state` error or denied."""


# ---- requests of frontends ---------------------------------------------------------------------

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
    """A question over everything that one caller may see. Empty tuples and strings do not restrict."""

    text: str = ""
    types: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()
    limit: int = 50
    cursor: str = ""
    since: int | None = None
    format: Format = "json"
    extra: bool = False
    max_bytes: int = 2 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class SearchResult:
    """`removed` are URIs, with `since` only. `reset`: too much changed; the items are the first page anew."""

    items: tuple[ItemRow, ...]
    removed: tuple[str, ...] = ()
    sequence: int = 0
    cursor: str = ""
    count: int | None = None
    reset: bool = False
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


# ---- what changed ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Applied:
    """What one transaction did to one node."""

    sequence: int
    published: tuple[str, ...] = ()
    """Ids that are new or have another payload."""
    retracted: tuple[str, ...] = ()
    items: int = 0


@dataclass(frozen=True, slots=True)
class NodeChange:
    """Told after the commit (DBUS-API, NodeChanged)."""

    type: str
    key: NodeKey
    what: Literal["items", "parsed", "purged", "deleted", "configured", "state"]
    sequence: int
    published: tuple[str, ...] = ()
    retracted: tuple[str, ...] = ()

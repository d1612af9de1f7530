# SPDX-License-Identifier: MIT
"""The values that cross layers: frozen, without behaviour that decides anything.

Dates are microseconds since the Unix epoch, UTC, 0 = unknown. Moments ("boottime") are seconds
of CLOCK_BOOTTIME as a float, only ever compared with each other. JIDs are normalised.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, NamedTuple


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

    @property
    def octets(self) -> int:
        """What it takes in an answer, roughly."""
        snippet = self.extra.get("snippet")
        long = "".join((self.title, self.xml, self.json, *(snippet if isinstance(snippet, tuple) else ())))
        return 200 + (len(long) if long.isascii() else len(long.encode()))


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


HIDDEN = (NodeState.DENIED, NodeState.GONE)
"""States whose items nobody is shown."""


class Copy(StrEnum):
    """How much of the node is held."""

    NONE = "none"
    HEAD = "head"
    """The newest ones, without a gap."""
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
class Policy:
    """What a person decided about a node; it stands whether the node is kept or not."""

    sync: Literal["auto", "always", "never"] = "auto"
    """auto: the analysers decide."""
    max_items: int = 0
    """Only so many of the newest are kept; 0: the setting holds."""
    max_age: int = 0
    """Seconds a proof holds; 0: the setting holds."""


@dataclass(frozen=True, slots=True)
class Traits:
    """What a service has shown of itself: kept over restarts, revoked when it shows otherwise."""

    order: Literal["", "publish", "creation"] = ""
    """`publish` where an overwritten item moves to the end, `creation` where it stays; empty until seen."""
    reversed: bool | None = None
    """Whether `max_items` answers come newest first; None until seen."""
    rsm: bool | None = None
    """Whether disco#info advertises XEP-0059; None until asked."""
    fan_out: float | None = None
    """D: how much later than it can be read a change may be told, in seconds; None: as the setting says."""
    revoked: frozenset[str] = frozenset()
    """Kinds of change that it was believed to tell, until it kept one to itself."""
    shown: frozenset[str] = frozenset()
    """Ways of asking that its answers showed to work (sync/proofs.py); of XEP-0413 with its version: `order-by:1`."""
    distrusted: frozenset[str] = frozenset()
    """Ways of asking that were shown to be wrong there: never used again."""


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
    """`analyser`, `contact` (an analyser, at a contact's event), `request` after Synchronise, or `policy`."""
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

# SPDX-License-Identifier: MIT
"""What the daemon answers. Dates are microseconds since the Unix epoch, UTC, 0 = unknown.

Rows are frozen dataclasses; maps are dictionaries with known keys (`total=False`: a newer daemon may say more, an older
one less).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

from pubkeep_bridge.client.wire import plain


@dataclass(frozen=True, slots=True)
class Item:
    """One item; what was not asked for is empty."""

    uri: str
    """Its identity over all accounts: `xmpp://ACCOUNT/SERVICE?;node=NODE;item=ID`."""
    account: str
    service: str
    node: str
    id: str
    type: str
    """The analyser's word for it, empty where none reads it."""
    title: str
    published: int
    updated: int
    publisher: str
    xml: str
    json: str
    """What the analyser made of it, as its schema says; `data` has it as Python values."""
    extra: Mapping[str, Any]

    @property
    def data(self) -> Any:
        """`json`, parsed; None where it is empty."""
        import json  # only who asks pays for it

        return json.loads(self.json) if self.json else None


@dataclass(frozen=True, slots=True)
class ItemsAnswer:
    """The answer to get_items: rows, oldest first, and how far they can be trusted."""

    items: Sequence[Item]
    meta: Mapping[str, Any]
    """All that the daemon said; the interface PubSub documents it. The properties are what most callers need."""

    @property
    def source(self) -> str:
        """`cache` or `service`."""
        return str(self.meta.get("source", ""))

    @property
    def stale(self) -> bool:
        """Whether the service may hold something else by now; `reason` says why."""
        return bool(self.meta.get("stale", False))

    @property
    def reason(self) -> str:
        """Why it is stale."""
        return str(self.meta.get("reason", ""))

    @property
    def complete(self) -> bool:
        """Whether every row that was named is there."""
        return bool(self.meta.get("complete", True))

    @property
    def more(self) -> bool:
        """Whether rows exist beyond this page, in the direction asked."""
        return bool(self.meta.get("more", False))

    @property
    def as_of(self) -> int:
        """The service held this at some moment not before."""
        return int(self.meta.get("as_of", 0))


class Subscription(TypedDict, total=False):
    """One of the account's subscriptions."""

    node: str
    jid: str
    subscription: str
    """`subscribed`, `pending`, `unconfigured` or `none`."""
    subid: str


class Entry(TypedDict, total=False):
    """A node of a service, or an item of a node, its `name` being the id."""

    jid: str
    node: str
    name: str


@dataclass(frozen=True, slots=True)
class Discovery:
    """The answer to discover."""

    info: Mapping[str, Any]
    """`identities`, `features`, and of a node `title`, `description`, `access_model` and so on."""
    entries: Sequence[Entry]
    """An empty list proves nothing: some services list nothing where access is refused."""


@dataclass(frozen=True, slots=True)
class SearchAnswer:
    """The answer to search."""

    items: Sequence[Item]
    removed: Sequence[str]
    """Addresses of items that do not match any more, or are gone; with `since` only."""
    meta: Mapping[str, Any]

    @property
    def sequence(self) -> int:
        """The next `since`."""
        return int(self.meta.get("sequence", 0))

    @property
    def cursor(self) -> str | None:
        """Where the next page begins; None at the end."""
        return self.meta.get("cursor")

    @property
    def reset(self) -> bool:
        """With `since`: too much changed, `items` is the first page anew."""
        return bool(self.meta.get("reset", False))


@dataclass(frozen=True, slots=True)
class LoggedChange:
    """The last change of an item, or of a node (empty `id`)."""

    sequence: int
    kind: str
    """`published`, `retracted` and so on; the interface Cache documents them."""
    account: str
    service: str
    node: str
    id: str
    extra: Mapping[str, Any]
    """`type`: the analyser's word for the node."""


@dataclass(frozen=True, slots=True)
class Change:
    """One NodeChanged signal: read again what you show of this node.

    Two values of `what` are this client's own, all else being empty then: `stopped` (the daemon left the bus) and
    `started` (it is there again, what happened meanwhile was not told: search with `since`).
    """

    type: str
    account: str
    service: str
    node: str
    what: str
    """items, parsed, purged, deleted, configured, state; stopped, started."""
    sequence: int
    published: Sequence[str]
    retracted: Sequence[str]


class Status(TypedDict, total=False):
    """The properties of Manager."""

    Version: str
    ApiVersion: int
    State: str
    StateMessage: str
    Sequence: int


class AccountProperties(TypedDict, total=False):
    """The properties of Account."""

    Jid: str
    State: str
    ErrorName: str
    ErrorMessage: str
    Enabled: bool
    Uid: int


class Node(TypedDict, total=False):
    """A row of GetNodes."""

    account: str
    service: str
    node: str
    type: str
    subtype: str
    state: str
    analyser: str
    title: str
    items: int
    newest: int
    synced_at: int
    sequence: int
    error: str
    message: str


class Policy(TypedDict):
    """What was decided about a node; 0: the setting holds."""

    sync: str
    max_items: int
    max_age: int


class Analyser(TypedDict, total=False):
    """What Analysers.List and Describe tell; `schema` is a JSON Schema."""

    name: str
    type: str
    node: str
    namespace: str
    to_sync: bool
    version: int
    source: str
    schema: str
    matched: int
    parse_errors: int
    last_error: str


class Explanation(TypedDict, total=False):
    """What Sync.Explain tells; `words` is for people."""

    words: str
    state: str
    doubt: str
    tried: Sequence[str]
    reasons: Sequence[str]
    policy: str
    connected: bool
    analyser: str
    wanted_by: str
    subscription: str
    items: int
    verified_at: int
    epoch: int
    order: str
    untold: Sequence[str]
    proved_by: Sequence[str]
    shown: Sequence[str]
    distrusted: Sequence[str]
    failures: int
    dropped_events: int
    damaged: int
    account_dropped: Sequence[str]
    last_error: str
    last_message: str
    next_attempt: int


def items(rows: Sequence[Sequence[Any]]) -> list[Item]:
    """Rows of the wire as items."""
    return [Item(*[*row[:12], plain(row[12])]) for row in rows]

# SPDX-License-Identifier: MIT
"""What the cache needs from the outside, as small Protocols; `__main__` plugs the real ones in.

`pubkeep.storage` implements the stores, `pubkeep.xmpp` the services, `pubkeep.analysers` the
analysing. Fakes in tests implement the same.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from pubkeep.model import (
    Account,
    AccountState,
    Analysis,
    Applied,
    ItemRow,
    NewItem,
    NodeKey,
    NodeRecord,
    Parsed,
    Policy,
    Tls,
    Traits,
)
from pubkeep.protocol import (
    ArchivePage,
    Confirmation,
    DiscoItem,
    FieldValue,
    ItemsQuery,
    Listing,
    NodeEvent,
    ServiceInfo,
    Subscription,
    WireItem,
)
from pubkeep.query.declared import Declared
from pubkeep.questions import ChangesRequest, ChangesResult, Format, Page, SearchRequest, SearchResult

T = TypeVar("T")

# ---- storage -----------------------------------------------------------------------------------


class AccountStore(Protocol):
    """The accounts."""

    async def accounts(self) -> list[Account]:
        """All accounts, in the order of their numbers."""

    async def add_account(
        self, jid: str, resource: str, *, uid: int, enabled: bool, host: str, port: int, tls: Tls
    ) -> Account:
        """Store a new account. Raises Conflict where the JID is there."""

    async def enable_account(self, number: int, enabled: bool) -> None:
        """Keep whether it shall be connected."""

    async def remove_account(self, number: int) -> None:
        """Delete it with all that is held for it; its items get tombstones (kind `forgotten`)."""


class NodeStore(Protocol):
    """The nodes somebody wants."""

    async def nodes(self, account: str) -> list[NodeRecord]:
        """All stored nodes of an account (bare JID)."""

    async def save_node(self, record: NodeRecord) -> NodeRecord:
        """Write the row of this node, or make it (number 0); `items`, `newest` and `sequence` are the store's own.

        A sequence number is given (the node's state is a change). Returns the record as stored.
        """

    async def forget_node(
        self,
        number: int,
        kind: str,
        *,
        created_before: int = 0,
        updated_before: int = 0,
        record: NodeRecord | None = None,
    ) -> Applied:
        """Delete items of a node, all of them without a date.

        `kind` (`forgotten`, `purged` or `node-deleted`) is written to the tombstones; `record` is the node's row
        from then on, written in the same transaction.
        """

    async def count_before(self, number: int, created_before: int, updated_before: int) -> int:
        """How many items `forget_node` with these dates would delete."""


class LearntStore(Protocol):
    """What people decided about nodes, and what services showed of themselves."""

    async def policies(self, account: str) -> dict[NodeKey, Policy]:
        """All policies of an account that say anything."""

    async def save_policy(self, key: NodeKey, policy: Policy) -> None:
        """Keep it; one that says nothing is deleted."""

    async def traits(self, account: str) -> dict[str, Traits]:
        """By service."""

    async def save_traits(self, account: str, service: str, traits: Traits) -> None:
        """Keep what was learnt."""

    async def leftovers(self, account: str) -> list[NodeKey]:
        """Nodes that nobody wants any more, to which we may be subscribed still."""

    async def save_leftover(self, key: NodeKey, *, left: bool) -> None:
        """Keep that a subscription is to be ended, or (False) that it is over, or wanted again."""


class ItemStore(Protocol):
    """The items. One method call is one transaction."""

    async def apply(
        self,
        node: NodeRecord,
        upserts: Sequence[NewItem] = (),
        *,
        removals: Sequence[str] = (),
        order: Sequence[str] | None = None,
        moves: bool = False,
        record: NodeRecord | None = None,
    ) -> Applied:
        """Write what an event, a page or the end of a sync says, in one transaction.

        Args:
            upserts: new items go to the end of the order; known ones with another digest or publisher are
                overwritten in place; equal ones are left alone and not reported.
            removals: ids to delete; unknown ones are ignored. Each leaves a tombstone.
            order: all ids that remain, oldest first; ids held but absent from it keep their place before those
                that follow them. None leaves the order as it is.
            moves: overwritten items (equal ones too) move to the end, as the service does it.
            record: the node's row, written in the same transaction (see save_node).
        """

    async def digests(self, number: int, ids: Sequence[str] | None = None) -> dict[str, bytes]:
        """id -> digest of these items, or of all, in the order of the node."""

    async def damaged_items(self, number: int) -> list[str]:
        """The ids of those items of a node of which something else is stored than was, in its order."""

    async def forget_items(self, record: NodeRecord, ids: Sequence[str]) -> Applied:
        """Drop these items, which are damaged perhaps, and write the node's row; tombstones say `forgotten`."""


class ItemReader(Protocol):
    """Hot reads: one hop each."""

    async def page(
        self,
        node: NodeRecord,
        *,
        limit: int,
        before: str | None = None,
        after: str | None = None,
        index: int | None = None,
        format: Format = "xml",
        extra: bool = False,
    ) -> Page:
        """Rows oldest first: the newest `limit`, or those just before/after an id, or from a position.

        `more`: rows exist beyond this page in the direction asked (older for newest and before).

        Raises:
            NotFound: `before` or `after` is not held; the message names it.
        """

    async def by_ids(
        self, node: NodeRecord, ids: Sequence[str], *, format: Format = "xml", extra: bool = False
    ) -> Page:
        """The items held, in the order of `ids`; the others in `unknown`."""

    async def raw_items(self, number: int, after: int, limit: int) -> list[tuple[int, str, str, str, bytes]]:
        """(position, id, publisher, xml, digest) of the items after a position, for parsing them anew."""


class Finder(Protocol):
    """Questions over all nodes."""

    async def declare(self, declared: Declared) -> None:
        """Analysers declare places of their JSON: from now on dates there are moments; indexes for them are made."""

    async def search(self, request: SearchRequest, accounts: Sequence[str]) -> SearchResult:
        """Items of these accounts that match, in the order that is asked for.

        `incomplete` and `stale` are the caller's to fill in.
        """

    async def lookup(
        self, uris: Sequence[tuple[NodeKey, str]], *, format: Format, extra: bool
    ) -> tuple[list[ItemRow], list[int]]:
        """The items held, and the indexes of those that are not."""


class Historian(Protocol):
    """What changed."""

    async def changes(self, request: ChangesRequest, accounts: Sequence[str]) -> ChangesResult:
        """The last changes of items and nodes of these accounts, oldest first. What is hidden has none.

        Raises:
            CursorTooOld: they cannot be told from that number on.
        """


class Store(AccountStore, NodeStore, LearntStore, ItemStore, ItemReader, Finder, Historian, Protocol):
    """The whole database."""

    @property
    def sequence(self) -> int:
        """The last number given."""

    async def close(self) -> None:
        """End all connections, in order."""


# ---- XMPP --------------------------------------------------------------------------------------


class PubSubClient(Protocol):
    """PubSub requests of one account (XEP-0060). `node.service` says to whom they go.

    Methods with `apply` hand the answer to it inside the node's inbox, in the order of the stream, and
    return what it returns. All of them raise NotFound, NotAllowed, Refused, NotSupported, Unavailable
    (nothing was sent, or the service cannot be reached) and TimedOut (20 s, or the session ended).
    """

    async def items(self, node: NodeKey, query: ItemsQuery, apply: Callable[[Listing], Awaitable[T]]) -> T: ...

    async def publish(
        self,
        node: NodeKey,
        item_id: str,
        xml: str,
        options: Mapping[str, FieldValue],
        apply: Callable[[Confirmation], Awaitable[T]],
    ) -> T: ...

    async def retract(self, node: NodeKey, item_id: str, apply: Callable[[Confirmation], Awaitable[T]]) -> T: ...

    async def subscribe(self, node: NodeKey) -> str:
        """Subscribe with the full JID. Returns the state: `subscribed`, `pending`, `unconfigured`."""

    async def unsubscribe(self, node: NodeKey) -> None: ...

    async def subscriptions(self, node: NodeKey) -> tuple[str, ...]:
        """States of the full JID's subscriptions to this node (XEP-0060 5.6); also the cheap barrier of CACHE.md."""

    async def all_subscriptions(self, node: NodeKey) -> tuple[Subscription, ...]:
        """The account's subscriptions, of all its JIDs, to this node; without a name, to all at the service."""

    async def create_node(self, node: NodeKey, config: Mapping[str, FieldValue]) -> str:
        """Returns the node's name, which the service may have made."""

    async def delete_node(self, node: NodeKey) -> None: ...

    async def purge_node(self, node: NodeKey, apply: Callable[[Confirmation], Awaitable[T]]) -> T: ...

    async def configuration(self, node: NodeKey) -> Mapping[str, FieldValue]:
        """The configuration form (XEP-0060 8.2.1). Only owners may read it."""

    async def configure(self, node: NodeKey, fields: Mapping[str, FieldValue]) -> None:
        """Change these fields (XEP-0060 8.2.4)."""

    async def affiliations(self, node: NodeKey) -> Mapping[str, str]:
        """JID -> affiliation (XEP-0060 8.9.1). Only owners may read it."""

    async def set_affiliations(self, node: NodeKey, affiliations: Mapping[str, str]) -> None:
        """Change these and leave the others (XEP-0060 8.9.2)."""

    async def info(self, service: str, node: str = "") -> ServiceInfo: ...

    async def disco_items(self, service: str, node: str = "") -> tuple[DiscoItem, ...]:
        """The nodes of a service, or the items of a node (their `name` is the id), in the service's order (XEP-0030 4).

        It proves what is there and nothing else: ejabberd lists nothing where access is refused.
        """

    async def archive(self, node: NodeKey, number: int, before: str) -> ArchivePage:
        """The last so many publications before a cursor, empty: of all (XEP-0313 4, XEP-0442).

        It proves what was published, never what went, and nothing where it is empty: servers ignore the node's name.
        """


class SessionListener(Protocol):
    """What a session tells the cache, synchronously and in the order of the stream."""

    def session_started(self, account: str) -> None:
        """A new session: every service of this account is in a new epoch."""

    def session_resumed(self, account: str) -> None:
        """The old session goes on and a ping sent after it was answered: nothing was lost up to our server."""

    def session_lost(self, account: str) -> None:
        """The link is gone, or said to be dead."""

    def answered(self, account: str, service: str, sent_at: float) -> None:
        """The service answered a request, sent then, with a result."""

    def path_lost(self, account: str, service: str) -> None:
        """A sign of loss on the way to this service (remote-server-*, service-unavailable)."""

    def contacts(self, account: str, contacts: frozenset[str]) -> None:
        """Bare JIDs whose presence the account sees: the roster came, or changed."""

    def dropped(self, account: str, why: str) -> None:
        """Something came that nobody may send: an event that is an `error`, `wrapped` or of a `sender` that is none, or
        what belongs to a `login` when that is over."""

    async def handle(self, event: NodeEvent) -> None:
        """An event, in the inbox of its node."""


class Sessions(Protocol):
    """The XMPP sessions, one per account."""

    def client(self, account: str) -> PubSubClient:
        """Raises Unavailable where the account is not connected: nothing can be sent."""

    async def drained(self, node: NodeKey) -> None:
        """Returns when everything that had arrived for the node by now is handled."""


@dataclass(frozen=True, slots=True)
class SessionStatus:
    """State of a session, for people. `error` is the name of one of our errors, or empty."""

    state: AccountState
    error: str = ""
    message: str = ""


# ---- analysers ---------------------------------------------------------------------------------


class Analysers(Protocol):
    """Which nodes are wanted, and what their items mean."""

    async def analyse(self, node: NodeKey, item: WireItem | None) -> Analysis | None:
        """The first analyser that matches, its `match_cb` applied; None if none does.

        Without an item only prefixes decide, and the result may be not final; None then means "not by its name".
        """

    async def again(self, node: NodeKey, before: Analysis) -> Analysis | None:
        """What they say now of a node that was analysed in an earlier run; None if none of them matches it."""

    async def parse(self, node: NodeKey, analysis: Analysis, item: WireItem) -> Parsed:
        """What the analyser makes of the item. Never raises: trouble stands in `Parsed.error`."""

    def tried(self, node: NodeKey, namespace: str) -> list[tuple[str, str]]:
        """(name, why it does or does not match) of each analyser, in the order of registration.

        `namespace` is that of the items seen, empty if none was.
        """

    def declared(self) -> Declared:
        """Which places of their JSON are to be indexed."""

    @property
    def by_namespace(self) -> bool:
        """Whether any analyser looks at items at all: else a node without matching prefix is nobody's."""

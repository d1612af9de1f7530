# SPDX-License-Identifier: MIT
"""What is known in memory of the way to each service, and of each node that somebody wants.

`synced` is computed from this at each read and stored nowhere: after a crash, a cut or a suspend it
is false by itself.
"""

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from pubkeep.cache.settle import Settle
from pubkeep.clock import Clock
from pubkeep.config import CacheSettings
from pubkeep.model import Applied, Copy, ItemsRequest, NodeKey, NodeRecord, NodeState, Page

UNTOLD = (
    "retract",
    "purge",
    "delete",
    "trim",
    "expiry",
    "configuration",
    "access",
    "item-access",
    "mute",
    "subscription",
)
"""Kinds of change that a service is not known to tell; all of them, until it showed otherwise."""
PAGES_KEPT = 64
"""Pages kept ready for each node."""


@dataclass(slots=True)
class Link:
    """The way from one account to one service."""

    epoch: int = 0
    """Grows at each session that was not resumed and at each sign of loss on the way."""
    as_of: float | None = None
    """When the latest request was sent that the service answered with a result in this epoch, minus fan_out."""
    order: str = ""
    """`publish` where an overwrite moves to the end, `creation` where it stays; empty until seen."""
    reversed: bool | None = None
    """Whether `max_items` answers come newest first; None until seen."""
    rsm: bool | None = None
    """Whether disco#info advertises XEP-0059; None until asked."""
    fan_out: float = 2.0
    """D: how much later than it can be read this service may tell a change, in seconds."""
    read_at: float = float("-inf")
    """When one of its nodes was last read."""


@dataclass(frozen=True, slots=True)
class Proof:
    """That the copy was the whole node at some moment not before `verified_at` (boottime)."""

    epoch: int
    verified_at: float


@dataclass(slots=True, eq=False)
class Node:
    """A node that somebody wants."""

    record: NodeRecord
    link: Link
    settle: Settle
    proof: Proof | None = None
    subscribed_epoch: int = -1
    """The epoch in which the service said `subscribed`."""
    subscription: str = "none"
    """What it said last."""
    holes: int = 0
    """Counts what arrived for the node and was not committed; set before anything else can fail."""
    hole: str = ""
    """Why the copy cannot be vouched for, in words; empty after a proof that began later."""
    incarnation: int = 0
    """Grows when the node is deleted or forgotten: a listing of an older one writes nothing."""
    version: int = 0
    """Grows with each change of what a read would see or may claim."""
    read_at: float = float("-inf")
    asked_at: float = float("-inf")
    syncing: bool = False
    fetching: asyncio.Event | None = None
    """Set when the request for the whole node, now under way, is over."""
    failures: int = 0
    next_attempt: float | None = None
    """Boottime of the next synchronisation; None if none is planned."""
    urgent: bool = False
    dropped_events: int = 0
    seen_item: bool = False
    """Whether the analysers have seen an item of it since the start."""
    _pages: OrderedDict[ItemsRequest, Page] = field(default_factory=OrderedDict)

    @property
    def key(self) -> NodeKey:
        """Whose node it is."""
        return self.record.key

    @property
    def unwanted(self) -> bool:
        """Whether its analyser does not want it kept (any more)."""
        analysis = self.record.analysis
        return self.record.wanted_by == "analyser" and analysis is not None and not analysis.to_sync

    @property
    def untold(self) -> tuple[str, ...]:
        """Own PEP has no server-to-server link on which an event could get lost."""
        return UNTOLD if self.key.is_own_pep else (*UNTOLD, "transit")

    @property
    def hidden(self) -> bool:
        """Rows of denied and gone nodes are served by nobody."""
        return self.record.state in (NodeState.DENIED, NodeState.GONE)

    def changed(self) -> None:
        """What a read would see is another thing now."""
        self.version += 1
        self._pages.clear()

    def applied(self, applied: Applied, wall: int) -> None:
        """A transaction was committed."""
        self.record = replace(self.record, items=applied.items, sequence=applied.sequence, newest=wall)
        self.changed()

    def punch(self, reason: str) -> None:
        """Something for this node was lost or is not understood: nothing is synced until it is proved anew."""
        self.holes += 1
        self.hole = reason
        self.changed()

    def kept_page(self, request: ItemsRequest) -> Page | None:
        """A page read since the last change."""
        return self._pages.get(request)

    def keep_page(self, request: ItemsRequest, page: Page) -> None:
        """Keep a page until the next change."""
        self._pages[request] = page
        if len(self._pages) > PAGES_KEPT:
            self._pages.popitem(last=False)


class Known:
    """All links and nodes, by account."""

    def __init__(self, settings: CacheSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._links: dict[tuple[str, str], Link] = {}
        self._nodes: dict[NodeKey, Node] = {}
        self._live: set[str] = set()
        self._dropped: dict[str, Counter[str]] = {}

    def live(self, account: str) -> bool:
        """Whether the session is up, and nothing that it carried is missing."""
        return account in self._live

    def dropped(self, account: str, why: str) -> None:
        """An event was not taken: nobody wants the node, or it is not from who may say it."""
        self._dropped.setdefault(account, Counter())[why] += 1

    def dropped_events(self, account: str) -> dict[str, int]:
        """How many events of an account were not taken since the start, by the reason."""
        return dict(sorted(self._dropped.get(account, {}).items()))

    def has_link(self, account: str, service: str) -> bool:
        """Whether anything is known of the way to a service."""
        return (account, service) in self._links

    def link(self, account: str, service: str) -> Link:
        """The link, made at the first question."""
        return self._links.setdefault((account, service), Link(fan_out=self._settings.fan_out))

    def links(self, account: str) -> Iterator[Link]:
        """All links of an account."""
        return (link for (owner, _), link in self._links.items() if owner == account)

    def node(self, key: NodeKey) -> Node | None:
        """The node, if anybody wants it."""
        return self._nodes.get(key)

    def nodes(self, account: str = "") -> list[Node]:
        """The nodes of an account, or all, in the order of their keys."""
        return [self._nodes[key] for key in sorted(self._nodes) if not account or key.account == account]

    def add(self, record: NodeRecord) -> Node:
        """Remember a stored node."""
        link = self.link(record.key.account, record.key.service)
        node = Node(record, link, Settle(link.fan_out))
        self._nodes[record.key] = node
        return node

    def drop(self, key: NodeKey) -> None:
        """Nobody wants it any more."""
        if node := self._nodes.pop(key, None):
            node.incarnation += 1
            node.changed()

    def session(self, account: str, *, live: bool, fresh: bool = False) -> None:
        """The session came, went, or (fresh) is another one than before."""
        (self._live.add if live else self._live.discard)(account)
        if fresh:
            for link in self.links(account):
                self.new_epoch(link)

    def new_epoch(self, link: Link) -> None:
        """What was proved before proves nothing now."""
        link.epoch += 1
        link.as_of = None

    def answered(self, account: str, service: str, sent_at: float) -> None:
        """The service answered a request sent then: what it had told before is here, but for the last `fan_out`."""
        link = self.link(account, service)
        link.as_of = max(sent_at - link.fan_out, link.as_of or float("-inf"))

    def max_age(self, node: Node) -> float:
        """Seconds a proof holds: the setting up to 1,000 items, growing with the size to 24 hours."""
        return min(86400.0, self._settings.max_age * max(1.0, node.record.items / 1000))

    def needs_proof(self, node: Node) -> bool:
        """Whether a listing of the whole node is needed; not where a service is merely deaf or late."""
        proof = node.proof
        if node.record.copy is not Copy.WHOLE or node.hidden or node.hole or proof is None:
            return True
        too_old = self._clock.boottime() - proof.verified_at > self.max_age(node)
        return too_old or proof.epoch != node.link.epoch

    def doubts(self, node: Node, ids: tuple[str, ...] | None, now: float) -> str:
        """Why the copy cannot be vouched for now, for an answer about these ids (None: the list).

        Empty where it is synced: the copy is whole, proved in this epoch, the subscription seen in it, the
        service heard within the lease, the proof younger than max_age, no hole and nothing unsettled in scope.
        """
        link = node.link
        if node.record.copy is not Copy.WHOLE:
            return "not fetched whole yet"
        if not self.live(node.key.account):
            return "not connected"
        if node.proof is None or node.proof.epoch != link.epoch:
            return "not verified since the connection was made"
        if node.subscribed_epoch != link.epoch:
            return f"not subscribed ({node.subscription})"
        if node.hole:
            return node.hole
        if now - node.proof.verified_at > self.max_age(node):
            return "verified too long ago"
        if node.settle.unsettled(ids):
            return "changes are still being settled"
        if link.as_of is None or now - link.as_of > self._settings.lease:
            return LEASE
        return ""

    def state(self, node: Node) -> NodeState:
        """What to call it."""
        if node.hidden:
            return node.record.state
        if not self.doubts(node, None, self._clock.boottime()):
            return NodeState.SYNCED
        return NodeState.SYNCING if node.syncing else node.record.state


LEASE = "the service was not heard of for a while"
"""The one doubt that a single round trip can end."""

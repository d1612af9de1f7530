# SPDX-License-Identifier: MIT
"""What is known in memory of the way to each service, and of each node that somebody wants.

`synced` is computed from this at each read and stored nowhere: after a crash, a cut or a suspend it
is false by itself.
"""

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from pubkeep.cache import traits
from pubkeep.cache.access import Access
from pubkeep.cache.harm import RESTS, Harm
from pubkeep.cache.links import Link
from pubkeep.cache.settle import Settle
from pubkeep.clock import Clock
from pubkeep.config import CacheSettings
from pubkeep.errors import UnknownObject
from pubkeep.model import HIDDEN, Applied, Copy, NodeKey, NodeRecord, NodeState, Policy
from pubkeep.questions import ItemsRequest, Page

DROPPED = "events_dropped_"
"""How the counts of events that were not taken begin."""
PAGES_KEPT = 64
"""Pages kept ready for each node."""


Valid = Callable[[], bool]
"""Whether what began a while ago still holds."""


@dataclass(frozen=True, slots=True)
class Proof:
    """That the copy was the whole node, or its head, at some moment not before `verified_at` (boottime)."""

    epoch: int
    verified_at: float
    hidden: tuple[str, ...] = ()
    """Kinds of change that may have happened since `verified_at` and before this epoch, and that did not show."""
    by: frozenset[str] = frozenset()
    """The ways of asking that proved it (sync/proofs.py)."""


@dataclass(slots=True, eq=False)
class Node:
    """A node that somebody wants."""

    record: NodeRecord
    link: Link
    settle: Settle
    counts: Counter[str]
    """What happened to its account."""
    proof: Proof | None = None
    subscribed_epoch: int = -1
    """The epoch in which the service said `subscribed`."""
    subscription: str = "none"
    """What it said last."""
    endings: int = 0
    """Counts what showed that there is no subscription."""
    holes: int = 0
    """Counts what arrived for the node and was not committed; set before anything else can fail."""
    hole: str = ""
    """Why the copy cannot be vouched for, in words; empty after a proof that began later."""
    incarnation: int = 0
    """Grows when the node is deleted, refused or forgotten: what began before writes nothing."""
    ended_at: float = float("-inf")
    """When it was last learnt that there is no such node (any more)."""
    committing: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held from reading the record to its commit, never while the network is waited for (committing.py)."""
    version: int = 0
    """Grows with each change of what a read would see or may claim."""
    read_at: float = float("-inf")
    refused_at: float = float("-inf")
    """When a denied or gone node was last asked for and refused."""
    access: Access = field(default_factory=Access)
    syncing: bool = False
    fetching: asyncio.Event | None = None
    """Set when the request for the whole node, now under way, is over."""
    failures: int = 0
    next_attempt: float | None = None
    """Boottime of the next synchronisation; None if none is planned."""
    urgent: bool = False
    orphaned: bool = False
    """No analyser matches it any more: what is held stays as it is, and is not synchronised."""
    harm: Harm = field(default_factory=Harm)
    dropped_events: int = 0
    decided_at: float = float("-inf")
    """When the last answer came that changed or proved the copy: one that was asked for before may be older."""
    sampled: set[str] = field(default_factory=set)
    """Ids that are asked for to see whether the notification showed what is stored."""
    seen_item: bool = False
    """Whether the analysers have seen an item of it since the start."""
    policy: Policy = field(default_factory=Policy)
    told: frozenset[str] = frozenset()
    """Kinds of change that meta-data or configuration promise to tell (traits.py)."""
    keeps: int = 0
    """How many items the service keeps of it, where we may know that: the oldest go in silence on Prosody."""
    described_epoch: int = -1
    """The epoch in which the node's meta-data were read."""
    older: bool = True
    """Where only the newest are kept: whether there surely are others, as their listing showed."""
    emptied_at: float | None = None
    """When a listing first had nothing of a node of ten items or more."""
    resubscribed_at: float = float("-inf")
    """When a subscription that had vanished was made again."""
    _pages: OrderedDict[ItemsRequest, Page] = field(default_factory=OrderedDict)

    @property
    def key(self) -> NodeKey:
        """Whose node it is."""
        return self.record.key

    @property
    def unwanted(self) -> bool:
        """Whether nobody wants it kept (any more)."""
        analysis = self.record.analysis
        if self.policy.sync != "auto":
            return self.policy.sync == "never"
        if self.record.wanted_by == "policy":  # of earlier
            return analysis is None or not analysis.to_sync
        return self.record.wanted_by in ("analyser", "contact") and analysis is not None and not analysis.to_sync

    @property
    def untold(self) -> tuple[str, ...]:
        """Kinds of change that this service is not known to tell of this node."""
        hidden = self.proof.hidden if self.proof else ()
        return (*hidden, *traits.untold(self.key, self.told, self.link.traits.revoked))

    @property
    def hidden(self) -> bool:
        """Rows of denied and gone nodes are served by nobody."""
        return self.record.state in HIDDEN

    def unended(self) -> Valid:
        """What tells whether the node has neither gone nor been refused since now."""
        incarnation = self.incarnation
        return lambda: self.incarnation == incarnation

    def unchanged(self) -> Valid:
        """The same; and whether there was neither a hole nor another epoch since."""
        before = self.link.epoch, self.incarnation, self.holes
        return lambda: before == (self.link.epoch, self.incarnation, self.holes)

    def changed(self) -> None:
        """What a read would see is another thing now."""
        self.version += 1
        self._pages.clear()

    def applied(self, applied: Applied, wall: int) -> None:
        """A transaction was committed."""
        newest = wall if applied.published or applied.retracted else self.record.newest
        self.record = replace(self.record, items=applied.items, sequence=applied.sequence, newest=newest)
        self.changed()

    def punch(self, reason: str, *, untold: bool = True) -> None:
        """Something was lost (`untold`) or is in doubt: nothing is synced until it is proved anew."""
        self.holes += 1
        self.counts["holes"] += 1
        self.hole = reason
        if untold:
            self.settle.lesson.drop()
        self.changed()

    def subscribe(self, state: str, endings: int) -> bool:
        """The service said what our subscription is; of what happened in this epoch before it nobody told us.

        Args:
            endings: as they were when the request was made. Returns False where the subscription has ended since:
                the answer may be older than that.
        """
        if endings != self.endings:
            return False
        if state != "subscribed":
            self.unsubscribe(state)
        elif self.subscribed_epoch != self.link.epoch:
            self.subscription, self.subscribed_epoch = state, self.link.epoch
            if self.proof is not None and self.proof.epoch == self.link.epoch:
                self.punch("not subscribed until now")
        return True

    def unsubscribe(self, words: str = "none") -> None:
        """Nobody tells us of changes any more."""
        self.subscription, self.subscribed_epoch = words, -1
        self.endings += 1
        self.settle.lesson.drop()
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
        self._policies: dict[NodeKey, Policy] = {}
        self.keeping = asyncio.Lock()
        """Held while a node is taken up or given up: it and its row come and go together."""
        self.contacts: dict[str, frozenset[str]] = {}
        """By account: whose PEP events are wanted."""
        self._counts: dict[str, Counter[str]] = {}
        self._closed: set[str] = set()

    def live(self, account: str) -> bool:
        """Whether the session is up, and nothing that it carried is missing."""
        return account in self._live

    def counts(self, account: str) -> Counter[str]:
        """What happened to an account since the start; count it here (DBUS-API, GetStatistics)."""
        return self._counts.setdefault(account, Counter())

    def dropped(self, account: str, why: str) -> None:
        """An event was not taken: nobody wants the node, or it is not from who may say it."""
        self.counts(account)[f"{DROPPED}{why}"] += 1

    def dropped_events(self, account: str) -> dict[str, int]:
        """How many events of an account were not taken since the start, by the reason."""
        counts = sorted(self.counts(account).items())
        return {what.removeprefix(DROPPED): number for what, number in counts if what.startswith(DROPPED)}

    def has_link(self, account: str, service: str) -> bool:
        """Whether anything is known of the way to a service."""
        return (account, service) in self._links

    def link(self, account: str, service: str) -> Link:
        """The link, made at the first question."""
        return self._links.setdefault((account, service), Link(self._settings))

    def notifies(self, key: NodeKey) -> bool:
        """Whether an event for the node may come unasked: it is a contact's, or the account's own (XEP-0163 4.3)."""
        return key.is_own_pep or key.service in self.contacts.get(key.account, ())

    def policy(self, key: NodeKey) -> Policy:
        """What a person decided about the node."""
        return self._policies.get(key, Policy())

    def set_policy(self, key: NodeKey, policy: Policy) -> None:
        """Remember it."""
        self._policies[key] = policy
        if policy == Policy():
            del self._policies[key]
        if (node := self._nodes.get(key)) is not None:
            node.policy = policy
            node.changed()

    def open_account(self, account: str) -> None:
        """Its nodes may be kept."""
        self._closed.discard(account)

    def close_account(self, account: str) -> None:
        """It goes: from now on no node of it is taken up."""
        self._closed.add(account)

    def check_open(self, account: str) -> None:
        """Raise UnknownObject where the account was removed."""
        if account in self._closed:
            raise UnknownObject(f"{account}: the account was removed")

    def forget_account(self, account: str) -> None:
        """The account goes, with all that was known of it."""
        for key in [key for key in self._policies if key.account == account]:
            del self._policies[key]
        for place in [place for place in self._links if place[0] == account]:
            del self._links[place]
        self._counts.pop(account, None)
        self.contacts.pop(account, None)

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
        counts = self.counts(record.key.account)
        node = Node(record, link, Settle(link.fan_out), counts, policy=self.policy(record.key))
        self._nodes[record.key] = node
        return node

    def drop(self, node: Node) -> None:
        """Nobody wants it any more."""
        if self._nodes.get(node.key) is node:
            del self._nodes[node.key]
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
        link.new_epoch(self._clock.boottime())
        for node in self._nodes.values():
            if node.link is link:
                node.settle.lesson.drop()

    def answered(self, account: str, service: str, sent_at: float) -> None:
        """The service answered a request sent then (Link.answered)."""
        self.counts(account)["answers"] += 1
        self.link(account, service).answered(sent_at, self._clock.boottime())

    def max_age(self, node: Node) -> float:
        """Seconds a proof holds: the policy, or the setting up to 1,000 items, growing with the size to 24 hours."""
        if node.policy.max_age:
            return node.policy.max_age
        return min(86400.0, self._settings.max_age * max(1.0, node.record.items / 1000))

    def max_items(self, node: Node) -> int:
        """How many items of it are kept at most."""
        return node.policy.max_items or self._settings.max_items

    def needs_proof(self, node: Node) -> bool:
        """Whether a listing of the whole node is needed; not where a service is merely deaf or late."""
        proof = node.proof
        if node.record.state is NodeState.IGNORED or node.orphaned:
            return False
        if node.record.copy is Copy.NONE or node.hidden or node.hole or proof is None:
            return True
        return self._too_old(node, proof, self._clock.boottime()) or proof.epoch != node.link.epoch

    def certain(self, node: Node) -> bool:
        """Whether the copy, doubts apart, is what the service had and told until now."""
        return not self.needs_proof(node) and node.subscribed_epoch == node.link.epoch

    def grows_old(self, node: Node, seconds: float) -> bool:
        """Whether its proof, which holds now, will have become too old in so many seconds."""
        proof, now = node.proof, self._clock.boottime()
        return proof is not None and not self.needs_proof(node) and self._too_old(node, proof, now + seconds)

    def _too_old(self, node: Node, proof: Proof, now: float) -> bool:
        """A proof grows old where changes of some kind may be kept to itself by the service."""
        return now - proof.verified_at > self.max_age(node) and bool(node.untold)

    def doubts(self, node: Node, ids: tuple[str, ...] | None, now: float) -> str:
        """Why the copy cannot be vouched for now, for an answer about these ids (None: the list).

        Empty where it is synced: the copy is whole, proved in this epoch, the subscription seen in it, the
        service heard within the lease, the proof younger than max_age, no hole and nothing unsettled in scope.
        """
        link = node.link
        if node.hidden or node.record.state is NodeState.IGNORED:
            return node.record.reason or str(node.record.state)
        if node.orphaned:
            name = node.record.analysis.name if node.record.analysis else ""
            return f"the analyser {name} that wanted it is missing, so it is kept as it was and not synchronised"
        if node.record.copy is Copy.NONE:
            return RESTS if now < node.harm.rests_until else "not fetched whole yet"
        if not self.live(node.key.account):
            return "not connected"
        if node.proof is None or node.proof.epoch != link.epoch:
            return "not verified since the connection was made"
        if node.subscribed_epoch != link.epoch:
            return f"not subscribed ({node.subscription})"
        if node.hole:
            return node.hole
        if self._too_old(node, node.proof, now):
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
            return NodeState.SYNCED if node.record.copy is Copy.WHOLE else NodeState.PARTIAL
        return NodeState.SYNCING if node.syncing else node.record.state


LEASE = "the service was not heard of for a while"
"""The one doubt that a single round trip can end."""

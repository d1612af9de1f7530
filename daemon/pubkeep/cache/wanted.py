# SPDX-License-Identifier: MIT
"""What is known in memory of a node that somebody wants."""

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from pubkeep.cache import traits
from pubkeep.cache.access import Access
from pubkeep.cache.harm import Harm
from pubkeep.cache.links import Link
from pubkeep.cache.settle import Settle
from pubkeep.cache.watched import Watched
from pubkeep.model import HIDDEN, Applied, NodeKey, NodeRecord, Policy
from pubkeep.questions import ItemsRequest, Page

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
class Node(Watched):
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

# SPDX-License-Identifier: MIT
"""Which request comes next, and whether the pages together prove the whole node (XEP-0060 6.5, XEP-0059).

slixmpp's iterator takes an error for the end, yields nothing where the service does not page and never
ends where a page repeats. And services lie: answers are cut without a word, cursors do not advance,
counts are wrong. So the end must be *seen*, nothing may repeat, and the sum must fit the counts; where none is given, a
round number of items is not taken for all of them before one more was asked for, and an empty page not for the end
before the last page was: the item that it begins after may just have moved there.
"""

from collections.abc import Collection
from dataclasses import dataclass, field

from pubkeep.errors import NotSupported
from pubkeep.protocol import ItemsQuery, Listing, OrderBy, WireItem
from pubkeep.sync.proofs import Way

PAGE = 100
"""Items asked for in a page."""
CUTS = frozenset((10, 20, 25, 50, PAGE, 200, 250, 500, 1000))
"""Numbers of items at which services cut their answers: one more is asked for where just so many came unnumbered."""
NOT_KEPT = "persistent-items"
"""Named where the service keeps no items of the node (XEP-0060 6.5.9.6)."""


@dataclass(slots=True)
class Pager:
    """Walks a node from its oldest item to its newest. Make one for each walk."""

    paged: bool
    """Ask in pages from the start; else everything at once, in pages only where the answer was cut."""
    max_items: int
    """The walk stops where the node has more."""
    ids: dict[str, None] = field(default_factory=dict)
    """What was listed, oldest first."""
    sent_at: float | None = None
    """When the first request was sent."""
    taken_at: float = 0.0
    total: int = 0
    """What the service says that there are; 0 where it says nothing."""
    fault: str = ""
    """Why these pages can prove nothing."""
    ended: bool = False
    pages: int = 0
    order: OrderBy | None = None
    """Ask for another order than the service's own: then the walk goes from the newest to the oldest."""
    at_least: frozenset[str] = frozenset()
    """Ids that were listed in another way just before, and must be here too."""
    _surplus: frozenset[str] = frozenset()
    """What the newest showed that the list at once had not."""
    _confirms: bool = False
    _ends: bool = False
    _other_end: bool = False
    """The last page did not end with what was listed last."""
    _after: str | None = None
    _first_count: int | None = None
    _last_count: int | None = None
    _moved: bool = False
    """A page did not begin where the one before it ended."""

    @property
    def way(self) -> Way:
        """How it was listed."""
        return Way.PAGES if self._after is not None or self._first_count is not None else Way.AT_ONCE

    def query(self) -> ItemsQuery | None:
        """The next request, None at the end."""
        if self.ended:
            return None
        if self._confirms:
            return ItemsQuery(max_items=len(self.ids) + 1)
        if self._ends:
            return ItemsQuery(rsm_max=1, rsm_before="")
        if not self.paged:
            return ItemsQuery(order=self.order)
        return ItemsQuery(rsm_max=PAGE, rsm_after=self._after, order=self.order)

    def take(self, listing: Listing) -> tuple[WireItem, ...]:
        """Take the answer to the last query. Returns its items; none of them was seen before."""
        first_page = self.sent_at is None
        if first_page:
            self.sent_at = listing.sent_at
        self.taken_at = listing.taken_at
        if self._confirms:
            self.ended, self._surplus = True, frozenset(item.id for item in listing.items).difference(self.ids)
            return ()
        if self._ends:
            last = [*self.ids][-1]
            self.ended, self._other_end = True, not any(item.id == last for item in listing.items)
            return ()
        self.pages += 1
        if listing.rsm is not None and listing.items and listing.rsm.index and self.order is None:
            # ejabberd gives 0 for each page where it keeps items in SQL, and -1 in Mnesia now and then
            self._moved |= listing.rsm.index > 0 and listing.rsm.index != len(self.ids)
        fresh = {item.id: item for item in listing.items if item.id not in self.ids}
        if len(fresh) != len(listing.items):
            self._stop("the service listed an item twice")
        self.ids.update(dict.fromkeys(fresh))
        rsm = listing.rsm
        if rsm is not None and rsm.count is not None and rsm.count >= 0:
            self._first_count = rsm.count if first_page else self._first_count
            self._last_count = self.total = rsm.count
        if not self.fault and len(self.ids) > self.max_items:
            self._stop(f"the node has more than {self.max_items} items")
        if self.ended:
            return tuple(fresh.values())
        if rsm is None:
            self.ended = True
            if not first_page and listing.items:
                self.fault = "the service stopped paging in the middle"
            elif len(self.ids) in CUTS:
                self.ended, self._confirms = False, True
        elif not listing.items and rsm.count is None and self.ids and self.order is None:
            self._ends = True
        elif not listing.items or len(self.ids) == rsm.count:
            self.ended = True
        elif rsm.last is None:
            self._stop("the service cut its answer and gave no cursor to go on")
        elif rsm.last == self._after:
            self._stop("the service's cursor does not advance")
        else:
            self.paged, self._after = True, rsm.last
        return tuple(fresh.values())

    def doubt(self, racing: Collection[str]) -> str:
        """Why the walk does not prove the whole node, or empty.

        Args:
            racing: ids that events named meanwhile: so many may have gone since they were listed. Items that are
                counted and not listed are missing all the same: the one that the last page began after had moved.
        """
        if self.fault or not self.ended:
            return self.fault or "the listing was not finished"
        if self._other_end:
            return "the service's last page does not end with what it listed last"
        if not self._surplus <= set(racing):
            return self.cut
        if not self.at_least.difference(self.ids) <= set(racing):
            return f"the service lists {len(self.ids)} items at once, and had more before"
        surplus = 0 if self._last_count is None else len(self.ids) - self._last_count
        if surplus < 0 or surplus > len(racing):
            return f"the service counts {self._last_count} items and lists {len(self.ids)}"
        if self._first_count != self._last_count and not racing:
            return "the service's count changed without a notification"
        if self._moved and not racing:
            return "items changed their places without a notification"
        return ""

    @property
    def cut(self) -> str:
        """That one more was asked for and others came than were listed; empty where they did not."""
        return f"the service cuts its answers to {len(self.ids)} items without a word" if self._surplus else ""

    def _stop(self, fault: str) -> None:
        self.ended, self.fault = True, fault


def pages_refused(error: NotSupported) -> bool:
    """Whether a page was refused for being one; else the service keeps no items of the node (XEP-0060 6.5.9.6)."""
    return NOT_KEPT not in str(error)

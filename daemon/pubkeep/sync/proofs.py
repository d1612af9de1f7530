# SPDX-License-Identifier: MIT
"""What each way of asking proves of a node. Pure: a table, and how its rows add up.

Nothing but a list of all items proves everything. After an interruption the copy was whole once, so it is enough to
learn what is new, what is edited and what went since; several ways together may prove that, each what it can:
a list of ids shows no edits, an archive of publications no retractions, and neither that we may still read.
"""

from dataclasses import dataclass
from enum import IntEnum, StrEnum


class Way(StrEnum):
    """A way of asking; the names are kept with what a service showed (model.Traits)."""

    AT_ONCE = "at-once"
    """All items in one answer (XEP-0060 6.5.2), without a `<set/>` that says that there are more."""
    PAGES = "pages"
    """All items by the service's own cursors (XEP-0059), with all that pager.py asks of them."""
    IDS = "ids"
    """disco#items of the node (XEP-0060 5.5)."""
    NEWEST = "newest"
    """The newest items until some are as they are held, where an overwrite moves to the end."""
    NEWEST_CREATED = "newest-created"
    """The same where an overwrite stays in its place, or nobody knows."""
    COUNT = "count"
    """The number of all items that comes with a page (XEP-0059 2.7)."""
    ORDER_BY = "order-by"
    """The last modified until some are as they are held (XEP-0413)."""
    ARCHIVE = "archive"
    """What was published since (XEP-0442)."""


class Extent(IntEnum):
    """How much of something is proved."""

    NONE = 0
    NEW = 1
    """Of what came since; of the order: where that stands."""
    CHANGED = 2
    """Of what came or was edited since."""
    ALL = 3


@dataclass(frozen=True, slots=True)
class Proves:
    """What an answer proves of a node."""

    present: Extent = Extent.NONE
    """Which ids are there."""
    absent: bool = False
    """Which ids are not there."""
    contents: Extent = Extent.NONE
    order: Extent = Extent.NONE
    access: bool = False
    """That we may read it."""

    def __or__(self, other: "Proves") -> "Proves":
        return Proves(
            max(self.present, other.present),
            self.absent or other.absent,
            max(self.contents, other.contents),
            max(self.order, other.order),
            self.access or other.access,
        )

    @property
    def renews(self) -> bool:
        """Whether, with a copy that was whole at its last proof, all of the node is proved anew."""
        edits = self.contents >= Extent.CHANGED and self.present >= Extent.NEW
        return edits and self.absent and self.order >= Extent.NEW and self.access


_EVERYTHING = Proves(Extent.ALL, True, Extent.ALL, Extent.ALL, True)
TABLE = {
    Way.AT_ONCE: _EVERYTHING,
    Way.PAGES: _EVERYTHING,
    Way.IDS: Proves(present=Extent.ALL),
    Way.NEWEST: Proves(Extent.CHANGED, False, Extent.CHANGED, Extent.NEW, True),
    Way.NEWEST_CREATED: Proves(Extent.NEW, False, Extent.NEW, Extent.NEW, True),
    Way.COUNT: Proves(absent=True),
    Way.ORDER_BY: Proves(Extent.CHANGED, False, Extent.CHANGED, Extent.NONE, True),
    Way.ARCHIVE: Proves(Extent.CHANGED, False, Extent.CHANGED, Extent.NONE, False),
}
"""What is proved by each alone, as far as the service is truthful. COUNT: where it is as expected."""


def of_ids(node: str, ids: int, *, readable: bool, turned: bool) -> Proves:
    """What a list of ids proves.

    Args:
        node: its name; ejabberd lists nothing, or part, of one with `!`.
        ids: how many are listed; an empty list is what ejabberd gives to those whom it refuses.
        readable: items of the node were read beside it, in the same epoch.
        turned: it is known whether the newest come first.
    """
    absent = readable and ids > 0 and "!" not in node
    order = Extent.ALL if turned else Extent.NONE
    return Proves(present=Extent.ALL, absent=absent, order=order) if ids else Proves()


def contradicted(by: frozenset[Way], *, missing: bool, extra: bool, different: bool, told: bool) -> frozenset[Way]:
    """Which ways a full list shows to be wrong, of those by which the copy was thought to be proved.

    Args:
        missing, different: the service has items, or contents, that the copy has not.
        extra: the copy has items that the service has not.
        told: whether the service tells of all items that go; else they may have gone since.
    """
    wrong = {way for way in by if (missing or different) and TABLE[way].contents >= Extent.CHANGED}
    if missing or (extra and told):
        wrong |= by & {Way.IDS, Way.COUNT}
    return frozenset(wrong)

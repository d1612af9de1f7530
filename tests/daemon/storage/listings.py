# SPDX-License-Identifier: MIT
"""The list of one node as GetItems walks it, in plain Python: what stays where it is comes once."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Listing:
    """The list of one node, page by page, as GetItems walks it."""

    node: int
    forward: bool
    limit: int
    order: list[str]
    """As it is."""
    due: set[str] = field(default_factory=set)
    seen: list[str] = field(default_factory=list)
    at: str = ""
    """Where the next page begins."""

    def __post_init__(self) -> None:
        self.due = set(self.order)

    def next(self) -> list[str]:
        """The ids of the next page."""
        if not self.at:
            return self.order[: self.limit] if self.forward else self.order[-self.limit :]
        at = self.order.index(self.at)
        return self.order[at + 1 :][: self.limit] if self.forward else self.order[:at][-self.limit :]

    @property
    def more(self) -> bool:
        """Whether there is another page behind the next one."""
        next_page = self.next()
        end = self.order[-1:] if self.forward else self.order[:1]
        return bool(next_page) and end[0] not in next_page

    def take(self, page: list[str]) -> None:
        """A page that is right."""
        self.seen += page
        self.at = (page[-1] if self.forward else page[0]) if page else self.at

    def changed(self, order: list[str], moved: set[str]) -> bool:
        """Others went, came, or moved to the end. Returns whether it can still go on."""
        gone = moved | (set(self.order) - set(order))
        self.due -= gone
        self.seen = [item_id for item_id in self.seen if item_id not in gone]
        self.order = order
        return self.at not in moved and (not self.at or self.at in order)

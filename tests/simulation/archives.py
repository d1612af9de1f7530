# SPDX-License-Identifier: MIT
"""What simulated services archive of a node (XEP-0442), truthful or lying as their profile says."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from pubkeep.protocol import ArchivePage, WireItem

Archiving = Literal["", "all", "empty", "loses"]
"""Nothing, and so they say; all that is published; nothing, and they say otherwise; all but some of the new items."""
LOST = 8
"""Of so many items with new names one is lost."""


@dataclass(slots=True)
class Archive:
    """What was published at a node. It never shows what went."""

    kept: list[tuple[int, str, str]] = field(default_factory=list)
    """(when, by the service's wall clock; id; text), oldest first."""
    _names: set[str] = field(default_factory=set)
    _lost: int = 0

    def add(self, how: Archiving, at: int, item_id: str, text: str) -> None:
        """Something was published. What is lost is new: an edit that is in no archive shows nowhere."""
        new = item_id not in self._names
        self._names.add(item_id)
        self._lost += new
        if how == "all" or (how == "loses" and not (new and self._lost % LOST == 0)):
            self.kept.append((at, item_id, text))

    def back(self, microseconds: int) -> None:
        """All of it was published so much earlier."""
        self.kept = [(at - microseconds, item_id, text) for at, item_id, text in self.kept]

    def page(self, number: int, before: str, wire: Callable[[str, str], WireItem], until: int) -> ArchivePage:
        """The last so many before a cursor, empty: of all that was published until then."""
        end = int(before) if before else sum(at <= until for at, _, _ in self.kept)
        start = max(0, end - number)
        published = tuple((at, wire(item_id, text)) for at, item_id, text in self.kept[start:end])
        return ArchivePage(published, str(start) if published else "", start == 0)

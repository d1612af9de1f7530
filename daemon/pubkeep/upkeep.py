# SPDX-License-Identifier: MIT
"""What a database offers beside its contents: a look at itself, a copy, less room. `pubkeep.storage` implements it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

Progress = Callable[[int, int], None]
"""Called in the event loop with (done, total); total 0 where nobody knows."""


@dataclass(slots=True)
class Findings:
    """What was found in it."""

    problems: list[str] = field(default_factory=list)
    """Sentences; none where all is well."""
    damaged: bool = False
    """The file itself is: nothing in it can be believed."""
    harmed: set[int] = field(default_factory=set)
    """Numbers of nodes of which single items are damaged; the others can be believed."""
    misindexed: bool = False
    """An index has something else than the items."""
    items: int = 0
    """So many were looked at."""


class Upkeep(Protocol):
    """The database. What takes long goes on beside everything else and ends when its task is cancelled."""

    async def statistics(self) -> Mapping[str, int | str | bool]:
        """Its sizes, as Database.GetStatistics documents them."""

    async def check(self, progress: Progress) -> Findings:
        """Look at all of it, at one moment."""

    def condemn(self) -> None:
        """Have it built anew."""

    def begin_copy(self) -> tuple[Path, int]:
        """An empty file for a copy, and a descriptor to read it with, which is the caller's to close."""

    async def copy(self, target: Path, progress: Progress) -> int:
        """Fill it with what the database is at this moment; the name goes, the descriptor stays. Returns its size.

        Raises:
            StorageFull: there is not enough room.
        """

    async def move(self, place: Path | str, progress: Progress) -> int:
        """Write all of it, as it is at this moment, into another, empty database (config.py). Returns how many rows.

        Raises:
            Conflict: that one has something in it.
            StorageFull, Unavailable, Failed: it cannot be opened, or written.
        """

    async def compact(self) -> tuple[int, int]:
        """Write it anew without what is not used. Everybody who writes waits meanwhile. Returns both sizes.

        Raises:
            StorageFull: there is not enough room to do it.
        """

# SPDX-License-Identifier: MIT
"""Which order a service keeps, learnt from an overwrite that was the last change of all. Pure.

Where an overwritten item moves to the end, a listing shows it behind what stood behind it before; where it stays, not.
Other changes that nobody had told yet may have moved those, too. So what a listing shows holds when the service had the
time to tell them (`fan_out`), told nothing, and the subscription still stands.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

Order = Literal["publish", "creation"]


@dataclass(slots=True)
class Lesson:
    """What one node shows."""

    overwrote: str = ""
    """The id that the last event of all gave another payload."""
    _behind: frozenset[str] = frozenset()
    _shown: Order | None = None
    _shown_at: float = 0.0

    def overwritten(self, item_id: str, behind: Collection[str]) -> None:
        """The last event gave a held item another payload; `behind` are those that surely stood behind it before."""
        self.overwrote, self._behind = item_id, frozenset(behind)

    def drop(self) -> None:
        """Something may have happened that nobody told: nothing can be learnt of what was seen so far."""
        self.overwrote, self._behind, self._shown = "", frozenset(), None

    def forget(self, at: float, fan_out: float) -> None:
        """Something else changed: nothing can be learnt of what was shown less than `fan_out` ago."""
        self.overwrote, self._behind = "", frozenset()
        if self._shown and at < self._shown_at + fan_out:
            self._shown = None

    def listed(self, ids: Sequence[str], taken_at: float) -> None:
        """A listing, of all or of the newest, oldest first; no event raced it."""
        if not self.overwrote or self.overwrote not in ids:
            return
        place = ids.index(self.overwrote)
        before, after = (not self._behind.isdisjoint(part) for part in (ids[:place], ids[place + 1 :]))
        if before != after:
            self._shown, self._shown_at = "publish" if before else "creation", taken_at

    def due(self, fan_out: float) -> float | None:
        """When what was shown will hold; None where nothing was."""
        return self._shown_at + fan_out if self._shown else None

    def learnt(self, now: float, fan_out: float) -> Order | None:
        """What holds now, once for each overwrite."""
        if self._shown is None or now < self._shown_at + fan_out:
            return None
        shown = self._shown
        self.drop()
        return shown

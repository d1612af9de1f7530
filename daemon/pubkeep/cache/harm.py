# SPDX-License-Identifier: MIT
"""How often what is stored of a node was found damaged, and when that was too often: then it is the disk, perhaps."""

from dataclasses import dataclass, field

OFTEN, WITHIN = 3, 3600.0
"""What is damaged so often within these seconds is not fetched again before they are over."""
RESTS = "what is stored of it was damaged again and again, so it is fetched anew later only"


@dataclass(slots=True)
class Harm:
    """Of one node. Moments are of the boottime."""

    met: list[float] = field(default_factory=list)
    """When it was found, within those seconds before the last time."""
    rests_until: float = float("-inf")
    """Until then it is not synchronised."""

    def meet(self, now: float) -> None:
        """It was found once more."""
        self.met = [*(each for each in self.met if now - each < WITHIN), now]
        if len(self.met) >= OFTEN:
            self.rests_until = now + WITHIN

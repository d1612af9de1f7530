# SPDX-License-Identifier: MIT
"""What is known in memory of the way from an account to a service."""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from pubkeep.cache.order import Order
from pubkeep.cache.watched import Watched
from pubkeep.config import CacheSettings
from pubkeep.model import Traits

T = TypeVar("T")

STALLED = 2.5
"""So many times `fan_out` the way from a service may grow longer between two things that it tells."""


@dataclass(slots=True)
class Link(Watched):
    """The way from one account to one service."""

    settings: CacheSettings
    epoch: int = 0
    """Grows at each session that was not resumed and at each sign of loss on the way."""
    epoch_began: float = float("-inf")
    """When that was, in boottime."""
    as_of: float | None = None
    """When the latest request was sent that the service answered with a result in this epoch, minus fan_out."""
    traits: Traits = field(default_factory=Traits)
    features: frozenset[str] | None = None
    """Of disco#info; None until asked."""
    kept: Traits = field(default_factory=Traits)
    """The traits as they are stored."""
    read_at: float = float("-inf")
    """When one of its nodes was last read."""
    taught: str = ""
    """The order that one overwrite showed."""
    events: int = 0
    """Items that its notifications showed since the start."""
    _heard: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=64))
    """(when it came, as_of then) of its latest answers in this epoch."""

    @property
    def order(self) -> str:
        """See Traits."""
        return self.traits.order

    @property
    def paged(self) -> bool:
        """Whether lists are asked for in pages (XEP-0059)."""
        return bool(self.traits.rsm) and "pages" not in self.traits.distrusted

    @property
    def fan_out(self) -> float:
        """D: how much later than it can be read this service may tell a change, in seconds."""
        return self.settings.fan_out if self.traits.fan_out is None else self.traits.fan_out

    def new_epoch(self, now: float) -> None:
        """What was proved before proves nothing now."""
        self.epoch, self.epoch_began, self.as_of = self.epoch + 1, now, None
        self._heard.clear()

    def answered(self, sent_at: float, now: float) -> None:
        """It answered a request sent then: what it had told before is here, but for the last `fan_out`."""
        self.as_of = max(sent_at - self.fan_out, self.as_of or float("-inf"))
        self._heard.append((now, self.as_of))

    def committed_since(self, told_at: float) -> float:
        """When a change was made at the earliest of which we were told then.

        A service may tell a change `fan_out` late, and what it tells may be held up on the way for longer, in its
        order: what came after an answer was told after the service had worked on that request.
        """
        if not self.fan_out:
            return told_at
        barrier = max((as_of for came_at, as_of in self._heard if came_at <= told_at), default=float("-inf"))
        return min(told_at - self.fan_out, max(barrier, told_at - (1 + STALLED) * self.fan_out))

    def oldest_first(self, newest: Sequence[T]) -> Sequence[T]:
        """What a `max_items` answer has, turned where the newest are known to come first."""
        return newest[::-1] if self.traits.reversed else newest

    def learn(self, **shown: Any) -> None:
        """The service showed something of itself."""
        self.traits = replace(self.traits, **shown)

    def teach(self, order: Order) -> None:
        """An overwrite showed this order. It is believed when a second one shows the same.

        One may have been no overwrite: an item that went without a word and was published anew looks like one that
        moved.
        """
        if order == self.taught:
            self.learn(order=order)
        self.taught = order

    def show(self, ways: Iterable[str]) -> None:
        """Its answers showed that these ways of asking work (Traits)."""
        self.learn(shown=self.traits.shown.union(str(way) for way in ways))

    def distrust(self, ways: Iterable[str]) -> None:
        """Its answers showed these ways of asking to be wrong: they are used no more."""
        wrong = frozenset(str(way) for way in ways)
        kept = frozenset(way for way in self.traits.shown if way.partition(":")[0] not in wrong)
        self.learn(shown=kept, distrusted=self.traits.distrusted | wrong)

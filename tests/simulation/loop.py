# SPDX-License-Identifier: MIT
"""An event loop whose time jumps to the next timer, and clocks that hang on it."""

import asyncio
import random
import selectors
from collections.abc import Callable
from itertools import count

from pubkeep.clock import Clock

EPOCH = 1_700_000_000_000_000
"""Wall time at virtual second 0, in microseconds."""
TICK = 2e-6
"""Seconds that waiting takes at least: a difference that only rounding made must end."""
MOST_TURNS = 50_000
"""At one moment."""


class _Jumping(selectors.SelectSelector):
    """Nothing is ever ready; waiting takes no time."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self._turns = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("nothing will ever happen again")
        self._turns = 0 if timeout > 0 else self._turns + 1
        if self._turns > MOST_TURNS:
            self._turns = 0
            raise RuntimeError(f"{MOST_TURNS} turns at one moment: it never ends")
        self.now += max(timeout, TICK) if timeout > 0 else 0.0
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """Runs as fast as it can; `time()` is virtual."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)
        self._clock_resolution = 1e-9

    def time(self) -> float:
        return self._jumping.now

    def stall(self, seconds: float) -> None:
        """Something kept everybody else from running for so long."""
        self._jumping.now += seconds


class Elsewhere:
    """What goes on outside of the machine, also while it sleeps."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._under_way: dict[int, tuple[float, asyncio.TimerHandle, Callable[[], None]]] = {}
        self._numbers = count()

    def at(self, moment: float, work: Callable[[], None]) -> None:
        """Do this then."""
        number = next(self._numbers)

        def run() -> None:
            del self._under_way[number]
            work()

        self._under_way[number] = moment, self._loop.call_at(moment, run), work

    def after(self, seconds: float, work: Callable[[], None]) -> None:
        """Do this in so many seconds."""
        self.at(self._loop.time() + seconds, work)

    def slept(self, seconds: float) -> None:
        """The machine slept for so long: what was due meanwhile has happened, in its order."""
        waiting = sorted(self._under_way.items(), key=lambda entry: (entry[1][0], entry[0]))
        self._under_way.clear()
        for _, (moment, timer, work) in waiting:
            timer.cancel()
            if moment - seconds <= self._loop.time():
                work()
            else:
                self.at(moment - seconds, work)


class VirtualClock(Clock):
    """All clocks and all chance, from the loop and a seed."""

    def __init__(self, loop: VirtualLoop, chance: random.Random) -> None:
        self._loop = loop
        self._chance = chance
        self.slept = 0.0
        """Seconds of suspend: boottime goes on in them, the loop's time does not."""
        self.shifted = 0
        """Microseconds by which somebody set the wall clock."""

    def boottime(self) -> float:
        return round(1000.0 + self._loop.time() + self.slept, 6)

    def wall(self) -> int:
        return EPOCH + int(self.boottime() * 1_000_000) + self.shifted

    def token(self, octets: int) -> str:
        return self._chance.randbytes(octets).hex()

    def jitter(self, low: float, high: float) -> float:
        return self._chance.uniform(low, high)

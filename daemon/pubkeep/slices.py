# SPDX-License-Identifier: MIT
"""Long work on the event loop, cut into slices so that nobody waits for the whole of it."""

import asyncio
from collections.abc import Callable, Iterable
from itertools import islice
from typing import TypeVar

T = TypeVar("T")

STEP = 2000
"""Values looked at between two pauses: a third of a slice."""
SLICE = 0.001
"""Seconds of work after which others get a turn."""


class Slices:
    """Call `pause` between the steps of long work: it lets others run when the slice is used up."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()  # its time, so that a virtual clock is one for this, too
        self._end = self._loop.time() + SLICE

    async def pause(self) -> None:
        """Return at once, or after everybody else had a turn."""
        if self._loop.time() >= self._end:
            await asyncio.sleep(0)
            self._end = self._loop.time() + SLICE

    async def pick(self, values: Iterable[T], wanted: Callable[[T], object]) -> list[T]:
        """Those of very many that are wanted, in their order. Nobody may change them meanwhile."""
        picked: list[T] = []
        left = iter(values)
        while step := list(islice(left, STEP)):
            picked += filter(wanted, step)
            await self.pause()
        return picked

# SPDX-License-Identifier: MIT
"""Long work on the event loop, cut into slices so that nobody waits for the whole of it."""

import asyncio
import time

SLICE = 0.004
"""Seconds of work after which others get a turn."""


class Slices:
    """Call `pause` between the steps of long work: it lets others run when the slice is used up."""

    def __init__(self) -> None:
        self._end = time.perf_counter() + SLICE

    async def pause(self) -> None:
        """Return at once, or after everybody else had a turn."""
        if time.perf_counter() >= self._end:
            await asyncio.sleep(0)
            self._end = time.perf_counter() + SLICE

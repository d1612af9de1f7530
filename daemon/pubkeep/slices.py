# SPDX-License-Identifier: MIT
"""Long work on the event loop, cut into slices so that nobody waits for the whole of it."""

import asyncio

SLICE = 0.004
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

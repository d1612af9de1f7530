# SPDX-License-Identifier: MIT
"""Of what a caller asks under one tag only the newest goes on: whoever types waits for no word but the last."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from pubkeep.errors import Cancelled

T = TypeVar("T")


class Newest:
    """The work that goes on under tags."""

    def __init__(self) -> None:
        self._tasks: dict[tuple[str, str], asyncio.Task[Any]] = {}

    async def run(self, caller: str, tag: str, work: Coroutine[Any, Any, T]) -> T:
        """Do this work; an empty tag is none.

        Raises:
            Cancelled: newer work of this caller came with the same tag.
        """
        if not tag:
            return await work
        key = caller, tag
        task = asyncio.create_task(work)
        if older := self._tasks.get(key):
            older.cancel()
        self._tasks[key] = task
        try:
            return await task
        except asyncio.CancelledError:
            if self._tasks.get(key) is task:  # the daemon stops
                raise
            raise Cancelled(f"search: a newer one with the tag {tag!r} took its place") from None
        finally:
            if self._tasks.get(key) is task:
                del self._tasks[key]

# SPDX-License-Identifier: MIT
"""One FIFO for each node, for events and answers alike, filled synchronously in the stanza callback.

The coroutine that awaits an IQ resumes after later stanzas of the same TCP read were handled; what must keep
the order of the stream comes through here instead. No lock is held across a request: only the work itself runs
in the queue.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable

from pubkeep.model import NodeKey

log = logging.getLogger(__name__)

Work = Callable[[], Awaitable[object]]


class Inbox:
    """Work on nodes, in order for each of them, side by side for different ones."""

    def __init__(self) -> None:
        self._queues: dict[NodeKey, deque[Work]] = {}
        self._tasks: dict[NodeKey, asyncio.Task[None]] = {}

    def put(self, node: NodeKey, work: Work) -> None:
        """Append work; a consumer starts where none runs."""
        self._queues.setdefault(node, deque()).append(work)
        if node not in self._tasks:
            self._tasks[node] = asyncio.get_running_loop().create_task(self._consume(node))

    async def drained(self, node: NodeKey) -> None:
        """Return when all that was put for the node by now is done."""
        if node in self._tasks:
            done = asyncio.get_running_loop().create_future()

            async def mark() -> None:
                if not done.done():
                    done.set_result(None)

            self.put(node, mark)
            await done

    async def close(self) -> None:
        """End all work; what is queued is not done."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._queues.clear()

    async def _consume(self, node: NodeKey) -> None:
        queue, task = self._queues[node], self._tasks[node]
        try:
            while queue:
                work = queue.popleft()
                try:
                    await work()
                except asyncio.CancelledError:
                    if task.cancelling():
                        raise
                    log.warning("%s at %s: something that arrived was left half done", node.node, node.service)
                except Exception:
                    log.exception("%s at %s: something that arrived could not be handled", node.node, node.service)
        finally:
            del self._tasks[node]
            del self._queues[node]

# SPDX-License-Identifier: MIT
"""Long work of the daemon."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

from pubkeep_bridge.bus import Bus, BusError, Signal
from pubkeep_bridge.client.errors import PubkeepError, translated

_NAME = "im.pubkeep.Pubkeep1"


class Job:
    """A job; iterate over `progress`, or await `result`."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self.path = ""
        self._signals: asyncio.Queue[Signal] = asyncio.Queue()
        self._ends: list[Callable[[], Awaitable[None]]] = []
        self.outcome: Mapping[str, Any] | None = None
        """The result, once it is done."""

    async def listen(self) -> None:
        """Follow all jobs, before one is made: so nothing of it is lost."""
        finished = {"sender": _NAME, "interface": f"{_NAME}.Manager", "member": "JobFinished"}
        changed = {"sender": _NAME, "interface": "org.freedesktop.DBus.Properties", "arg0": f"{_NAME}.Job"}
        for rule in (finished, changed):
            self._ends.append(await self._bus.subscribe(self._signals.put_nowait, **rule))

    async def progress(self) -> AsyncIterator[tuple[int, int]]:
        """(done, total) as it grows, total 0 where it is unknown; ends with the job.

        Raises:
            PubkeepError: it failed or was cancelled.
        """
        done = total = 0
        try:
            while True:
                signal = await self._signals.get()
                if signal.member == "JobFinished" and signal.body[0] == self.path:
                    _, state, error, message, result = signal.body
                    if state != "done":
                        raise PubkeepError(error, message)
                    self.outcome = {key: variant.value for key, variant in result.items()}
                    return
                if signal.path == self.path and signal.member == "PropertiesChanged":
                    changed = signal.body[1]
                    done = changed["Done"].value if "Done" in changed else done
                    total = changed["Total"].value if "Total" in changed else total
                    yield done, total
        finally:
            for end in self._ends:
                await end()
            self._ends = []

    async def result(self) -> Mapping[str, Any]:
        """Wait for the end. Raises as `progress`."""
        if self.outcome is None:
            async for _ in self.progress():
                pass
        return self.outcome or {}

    async def cancel(self) -> None:
        """Job.Cancel."""
        try:
            await self._bus.call(_NAME, self.path, f"{_NAME}.Job", "Cancel")
        except BusError as error:
            raise translated(error) from None

# SPDX-License-Identifier: MIT
"""Long work of the daemon."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

from pubkeep_bridge.bus import Bus, BusError, Signal
from pubkeep_bridge.client.errors import NotRunning, PubkeepError, named, translated
from pubkeep_bridge.client.signals import Signals
from pubkeep_bridge.client.wire import plain

_NAME = "im.pubkeep.Pubkeep1"


class Job:
    """A job; iterate over `progress`, or await `result`. It runs on when nobody does."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self.path = ""
        self._signals = Signals(bus)
        self._error: PubkeepError | None = None
        self.outcome: Mapping[str, Any] | None = None
        """The result, once it is done."""

    async def listen(self) -> None:
        """Follow all jobs, before one is made: so nothing of it is lost."""
        await self._signals.listen_owner(_NAME)
        await self._signals.listen(sender=_NAME, interface=f"{_NAME}.Manager", member="JobFinished")
        properties = "org.freedesktop.DBus.Properties"
        await self._signals.listen(sender=_NAME, interface=properties, member="PropertiesChanged", arg0=f"{_NAME}.Job")

    async def begin(self, ask: Callable[[], Awaitable[list[Any]]]) -> list[Any]:
        """Follow the job that this call makes; it is the first result. Returns all of them."""
        await self.listen()
        try:
            answer = await ask()
        except BaseException:
            await self.close()
            raise
        self.path = answer[0]
        return answer

    async def close(self) -> None:
        """Follow no more; the job runs on."""
        await self._signals.close()

    async def progress(self) -> AsyncIterator[tuple[int, int]]:
        """(done, total) as it grows, total 0 where it is unknown; ends with the job.

        Raises:
            Cancelled: somebody cancelled it.
            NotRunning: the daemon left the bus, and the job with it. A sync goes on when the daemon is back.
            PubkeepError: it failed, with the error that the method would have answered.
        """
        done = total = 0
        while self.outcome is None:
            if self._error is not None:
                raise self._error
            signal = await self._signals.next()
            if signal.path == self.path and signal.member == "PropertiesChanged":
                changed = plain(signal.body[1])
                done, total = changed.get("Done", done), changed.get("Total", total)
                yield done, total
            elif self._ended(signal):
                await self.close()

    def _ended(self, signal: Signal) -> bool:
        """Whether this signal is the job's end; keeps how it ended."""
        if signal.member == "JobFinished" and signal.body[0] == self.path:
            _, state, error, message, result = signal.body
            if state == "done":
                self.outcome = plain(result)
            else:
                self._error = named(error, message)
            return True
        if signal.member == "NameOwnerChanged" and signal.body[1]:
            self._error = NotRunning(f"{_NAME}.Error.NotReady", "pubkeepd left the bus before the job was done")
            return True
        return False

    async def result(self) -> Mapping[str, Any]:
        """Wait for the end. Raises as `progress`."""
        async for _ in self.progress():
            pass
        return self.outcome or {}

    async def cancel(self) -> None:
        """End it; `progress` and `result` then raise Cancelled. What the node held before stays."""
        try:
            await self._bus.call(_NAME, self.path, f"{_NAME}.Job", "Cancel")
        except BusError as error:
            raise translated(error) from None

# SPDX-License-Identifier: MIT
"""Signals as a queue, so that one can listen before one asks and lose nothing."""

import asyncio
from collections.abc import Awaitable, Callable

from pubkeep_bridge.bus import Bus, NoBus, Signal

_BUS = "org.freedesktop.DBus"


class Signals:
    """Signals of the bus in the order in which they came."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._queue: asyncio.Queue[Signal | None] = asyncio.Queue()
        self._ends: list[Callable[[], Awaitable[None]]] = []
        bus.disconnected.add_done_callback(self._lost)

    async def listen(self, **rule: str) -> None:
        """Take the signals that match, as `Bus.subscribe`."""
        self._ends.append(await self._bus.subscribe(self._queue.put_nowait, **rule))

    async def listen_owner(self, name: str) -> None:
        """Take NameOwnerChanged of this name: its body is (name, old owner, new owner), empty for none."""
        await self.listen(sender=_BUS, interface=_BUS, member="NameOwnerChanged", arg0=name)

    async def next(self) -> Signal:
        """The next signal.

        Raises:
            NoBus: the bus went away.
        """
        signal = await self._queue.get()
        if signal is None:
            self._queue.put_nowait(None)
            raise NoBus("the bus went away")
        return signal

    async def close(self) -> None:
        """Take no more."""
        self._bus.disconnected.remove_done_callback(self._lost)
        ends, self._ends = self._ends, []
        for end in ends:
            await end()

    def _lost(self, _: "asyncio.Future[None]") -> None:
        self._queue.put_nowait(None)

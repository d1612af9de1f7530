# SPDX-License-Identifier: MIT
"""logind: disconnect in order before a suspend, connect again after it (org.freedesktop.login1, Inhibit)."""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable

from pubkeep_bridge.bus import Bus, BusError, NoBus, Signal

log = logging.getLogger(__name__)

LOGIND = ("org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.login1.Manager")


class SleepWatch:
    """Holds a delay inhibitor while the machine is awake, so that there is time to say goodbye."""

    def __init__(self, suspend: Callable[[], Awaitable[None]], wake: Callable[[], Awaitable[None]]) -> None:
        self._suspend = suspend
        self._wake = wake
        self._bus: Bus | None = None
        self._inhibitor = -1
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen; where there is no system bus or no logind, nothing happens."""
        try:
            self._bus = await Bus.connect("system", fds=True)
            await self._bus.subscribe(self._prepare, path=LOGIND[1], interface=LOGIND[2], member="PrepareForSleep")
            await self._inhibit()
        except (NoBus, BusError) as error:
            log.info("suspend is noticed by the clock only: %s", error)

    async def close(self) -> None:
        """Let go."""
        self._release()
        if self._bus is not None:
            await self._bus.close()

    async def _inhibit(self) -> None:
        assert self._bus is not None
        arguments = ["sleep", "Pubkeep", "disconnecting in order", "delay"]
        self._release()
        self._inhibitor = (await self._bus.call(*LOGIND, "Inhibit", "ssss", arguments))[0]

    def _release(self) -> None:
        if self._inhibitor >= 0:
            os.close(self._inhibitor)
            self._inhibitor = -1

    def _prepare(self, signal: Signal) -> None:
        task = asyncio.ensure_future(self._sleep() if signal.body[0] else self._awake())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _sleep(self) -> None:
        log.info("the machine is going to sleep")
        try:
            await self._suspend()
        finally:
            self._release()

    async def _awake(self) -> None:
        log.info("the machine is awake")
        await self._wake()
        try:
            await self._inhibit()
        except (NoBus, BusError) as error:
            log.info("no inhibitor: %s", error)

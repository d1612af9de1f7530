# SPDX-License-Identifier: MIT
"""How figures are taken and shown."""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

TICK = 0.002


def line(what: str, value: str, aim: str) -> None:
    """One result."""
    print(f"  {what:58} {value:>16}   aim {aim}", flush=True)


async def timed(call: Callable[[], Awaitable[object]]) -> float:
    """Seconds that it takes."""
    started = time.perf_counter()
    await call()
    return time.perf_counter() - started


def ranked(values: Sequence[float]) -> tuple[float, float, float]:
    """(p50, p99, the highest)"""
    return statistics.median(values), sorted(values)[len(values) * 99 // 100], max(values)


@asynccontextmanager
async def pauses() -> AsyncIterator[list[float]]:
    """By how many seconds a task that wants to run each 2 ms came late, in this event loop."""
    late: list[float] = []

    async def tick() -> None:
        while True:
            started = time.perf_counter()
            await asyncio.sleep(TICK)
            late.append(time.perf_counter() - started - TICK)

    ticking = asyncio.create_task(tick())
    await asyncio.sleep(0)
    try:
        yield late
    finally:
        ticking.cancel()

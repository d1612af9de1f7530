# SPDX-License-Identifier: MIT
"""Time and chance, in one place, so that a simulation can supply its own.

Ages are measured with CLOCK_BOOTTIME, which goes on in suspend; asyncio's monotonic clock
stands still there, and the wall clock jumps.
"""

import random
import secrets
import time

CLOCKS_DIFFER = 3600 * 1_000_000
"""Microseconds by which the clock of a service may go wrong."""


class Clock:
    """The machine's own clocks and randomness."""

    tick = 10.0
    """Seconds between two looks at boottime while something waits for it to pass: timers of asyncio miss a suspend."""

    def boottime(self) -> float:
        """Seconds since boot, suspend included: for every age."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    def wall(self) -> int:
        """Microseconds since the Unix epoch, UTC: for what people and the database see."""
        return time.time_ns() // 1000

    def wall_of(self, boottime: float) -> int:
        """The wall time, in microseconds, of a moment given in boottime seconds."""
        return self.wall() - int((self.boottime() - boottime) * 1_000_000)

    def token(self, octets: int) -> str:
        """So many random bytes as hexadecimal digits, fit for identifiers that must not collide."""
        return secrets.token_hex(octets)

    def jitter(self, low: float, high: float) -> float:
        """A number between the two, for delays that must not fall into step."""
        return random.uniform(low, high)  # noqa: S311 (no secret hangs on a delay)

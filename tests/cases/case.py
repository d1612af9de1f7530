# SPDX-License-Identifier: MIT
"""One failure that was seen elsewhere, and where it is replayed."""

from dataclasses import dataclass

CACHE, SYNC, STORAGE, XMPP = "daemon/cache/test_", "daemon/sync/test_", "daemon/storage/test_", "daemon/xmpp/test_"
SYSTEM, BRIDGE, DAEMON = "system/test_", "bridge/test_", "daemon/test_"


@dataclass(frozen=True, slots=True)
class Case:
    """One failure."""

    row: str
    happened: str
    shown: str
    """What we show instead."""
    tests: tuple[str, ...] = ()
    """Node ids below `tests/`, without parameters."""
    waits_for: str = ""
    """What has to be built before it can be shown; such a case has no tests."""

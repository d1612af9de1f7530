# SPDX-License-Identifier: MIT
"""The daemon owns its name before its database is open: what needs the database waits for it here."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pubkeep.errors import NotReady

if TYPE_CHECKING:  # imported after the name is owned
    from pubkeep.accounts import Accounts
    from pubkeep.analysers.registry import Registry
    from pubkeep.cache.cache import Cache
    from pubkeep.maintenance import Maintenance
    from pubkeep.sync.jobs import Jobs

PATIENCE = 5.0
"""Seconds a call waits for the database."""


@dataclass(frozen=True, slots=True)
class Core:
    """The backend, once it is there."""

    accounts: Accounts
    cache: Cache
    analysers: Registry
    jobs: Jobs
    maintenance: Maintenance


class Gate:
    """Lets calls through when the backend is there."""

    def __init__(self) -> None:
        self._open = asyncio.Event()
        self._core: Core | None = None
        self.state = "starting"
        """Manager.State."""
        self.message = ""
        """What people should know of it."""
        self._failed = False
        """Whether it could not come up, or was taken down: who calls does not wait for the next attempt."""

    def now(self) -> Core | None:
        """The backend, if it is there."""
        return self._core

    def migrate(self, message: str) -> None:
        """The database is migrated, and so far."""
        self.state, self.message, self._failed = "migrating", message, False

    def open(self, core: Core) -> None:
        """The backend is there."""
        self._core, self.state, self.message, self._failed = core, "ready", "", False
        self._open.set()

    def read_only(self, message: str) -> None:
        """The database takes no writes, or (empty) takes them again."""
        if self._core is not None:
            self.state, self.message = "read-only" if message else "ready", message

    def shut(self, message: str) -> None:
        """The backend cannot come up now, or is taken down; another attempt follows."""
        self._open.clear()
        self._core, self.state, self.message, self._failed = None, "starting", message, True

    def close(self) -> None:
        """The daemon stops."""
        self._core, self.state, self.message = None, "stopping", ""
        self._open.set()

    async def core(self) -> Core:
        """The backend, waited for.

        Raises:
            NotReady: it did not come up in time, or the daemon stops.
        """
        if self._core is None and not self._open.is_set() and not self._failed:
            try:
                async with asyncio.timeout(PATIENCE):
                    await self._open.wait()
            except TimeoutError:
                words = self.message or "the daemon is still opening its database"
                raise NotReady(f"{words}; try again later") from None
        if self._core is None:
            raise NotReady(self.message or "the daemon is stopping")
        return self._core

# SPDX-License-Identifier: MIT
"""The daemon's database as a whole; for root, and for who owns all accounts."""

from typing import TYPE_CHECKING, Any

from pubkeep_bridge.client import wire
from pubkeep_bridge.client.jobs import Job

if TYPE_CHECKING:
    from pubkeep_bridge.client.client import Pubkeep


class Database:
    """All methods raise AccessDenied for others, and those that make a job Conflict where one is under way."""

    def __init__(self, pubkeep: "Pubkeep") -> None:
        self._pubkeep = pubkeep

    async def statistics(self) -> dict[str, int | str | bool]:
        """How large it is, and what of (the interface documents the keys)."""
        return wire.plain((await self._ask("GetStatistics"))[0])

    async def check(self) -> Job:
        """Look whether it is whole; the result has `problems` (sentences; none: it is) and `items`."""
        return (await self._job("Check"))[0]

    async def vacuum(self) -> Job:
        """Write it anew without what is not used; writers wait. The result has `before` and `after` (bytes)."""
        return (await self._job("Vacuum"))[0]

    async def backup(self) -> tuple[Job, int]:
        """A copy of it as it is now; the result has `bytes`.

        Returns:
            A file descriptor, too: when the job is done, the whole copy can be read from its beginning. Close it.
        """
        job, answer = await self._job("Backup")
        return job, int(answer[1])

    async def move(self, place: str) -> Job:
        """Write all of it into another, empty database: an absolute path, or a URL. The result has `rows`."""
        return (await self._job("Move", place))[0]

    async def _job(self, member: str, *arguments: str) -> tuple[Job, list[Any]]:
        job = Job(self._pubkeep._bus)
        answer = await job.begin(lambda: self._ask(member, *arguments))
        return job, answer

    async def _ask(self, member: str, *arguments: str) -> list[Any]:
        signature = "s" * len(arguments) + "a{sv}"
        return await self._pubkeep.call("/im/pubkeep/Pubkeep1", "Database", member, signature, *arguments, {})

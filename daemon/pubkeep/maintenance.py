# SPDX-License-Identifier: MIT
"""The database as its owner looks after it: one piece of long work at a time, as a job."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Protocol

from pubkeep.config import database_url
from pubkeep.errors import AccessDenied, Cancelled, Conflict, PubkeepError
from pubkeep.model import Account, NodeKey
from pubkeep.sync.jobs import Job, Jobs
from pubkeep.upkeep import Progress, Upkeep

ROOT = 0
NOBODYS = NodeKey("", "", "")
Work = Callable[[Progress], Awaitable[Mapping[str, object]]]


class Owners(Protocol):
    """The accounts, as far as it matters whose they are."""

    def all(self) -> list[Account]:
        """All of them."""


class Maintenance:
    """What may be done to the whole database, and by whom."""

    def __init__(
        self,
        upkeep: Upkeep,
        accounts: Owners,
        jobs: Jobs,
        heal: Callable[[int], Awaitable[None]],
        reindex: Callable[[], Awaitable[None]],
    ) -> None:
        """Args:
        heal: forgets the damaged items of the node with this number, and has them fetched again.
        reindex: has all indexes made anew.
        """
        self._upkeep = upkeep
        self._heal, self._reindex = heal, reindex
        self._accounts = accounts
        self._jobs = jobs
        self._task: asyncio.Task[None] | None = None

    async def close(self) -> None:
        """End what is under way."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def allow(self, uid: int) -> None:
        """The database has everybody's nodes in it: it is for root, our own user, and who owns all accounts.

        Raises:
            AccessDenied: this user is none of them.
        """
        owners = {account.uid for account in self._accounts.all()}
        if uid not in (ROOT, os.getuid()) and owners != {uid}:
            raise AccessDenied("the database: it has other people's accounts in it, and only root may do this")

    async def statistics(self) -> Mapping[str, int | str | bool]:
        """How large it is, and what of."""
        return await self._upkeep.statistics()

    def check(self) -> Job:
        """Whether it is whole. Where the file itself is not, it is built anew when the job has said so; items that are
        damaged are forgotten by then, and fetched again; indexes that have something else than the items are made anew.

        Raises:
            Conflict: something else is under way.
        """
        return self._start("check", self._check)

    def backup(self) -> tuple[Job, int]:
        """A copy of it: an open file, which is whole when the job is done, and the caller's to close.

        Raises:
            Conflict: something else is under way.
        """
        self._check_idle()
        target, descriptor = self._upkeep.begin_copy()

        async def work(progress: Progress) -> Mapping[str, object]:
            return {"bytes": await self._upkeep.copy(target, progress)}

        return self._start("backup", work), descriptor

    def vacuum(self) -> Job:
        """Write it anew without what is not used.

        Raises:
            Conflict: something else is under way.
        """
        return self._start("vacuum", self._vacuum)

    def move(self, uid: int, place: str) -> Job:
        """All of it into another database, which has to be empty; this one stays the one that is used.

        Args:
            place: an absolute path, or the URL of a database of PostgreSQL.

        Raises:
            InvalidArgs: it is neither.
            AccessDenied: this user may not have the daemon write where they say.
            Conflict: something else is under way.
        """
        if uid not in (ROOT, os.getuid()):
            raise AccessDenied("the database: only root, and who runs the daemon, may have it written elsewhere")
        where: Path | str = Path(place) if place.startswith("/") else database_url(place, "argument 'place'")

        async def work(progress: Progress) -> Mapping[str, object]:
            return {"rows": await self._upkeep.move(where, progress)}

        return self._start("move", work)

    async def _check(self, progress: Progress) -> Mapping[str, object]:
        found = await self._upkeep.check(progress)
        if found.damaged:
            asyncio.get_running_loop().call_soon(self._upkeep.condemn)  # when the job has told it
        else:
            for number in sorted(found.harmed):
                await self._heal(number)
            if found.misindexed:
                await self._reindex()
        return {"problems": found.problems, "items": found.items}

    async def _vacuum(self, _progress: Progress) -> Mapping[str, object]:
        before, after = await self._upkeep.compact()
        return {"before": before, "after": after}

    def _check_idle(self) -> None:
        if self._task is not None and not self._task.done():
            raise Conflict("the database: it is being checked, copied or compacted already; wait for that")

    def _start(self, kind: str, work: Work) -> Job:
        self._check_idle()
        job = self._jobs.start(kind, NOBODYS)
        task = self._task = asyncio.create_task(self._run(job, work))

        def cancel() -> None:
            task.cancel()

        def over(_: object) -> None:  # a task that was cancelled before its first step ends nothing by itself
            self._jobs.end(job, "cancelled", Cancelled(f"{kind}: it was cancelled"))

        job.cancel = cancel
        task.add_done_callback(over)
        return job

    async def _run(self, job: Job, work: Work) -> None:
        try:
            self._jobs.progress(job, 0, 0)
            result = await work(partial(self._jobs.progress, job))
        except PubkeepError as error:
            self._jobs.end(job, "failed", error)
        else:
            self._jobs.end(job, "done", None, **result)

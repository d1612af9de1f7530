# SPDX-License-Identifier: MIT
"""Long work that callers can watch and cancel (DBUS-API, Job)."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from pubkeep.clock import Clock
from pubkeep.errors import PubkeepError, UnknownObject
from pubkeep.model import NodeKey

KEPT = 60.0
"""Seconds a finished job can still be looked at."""

JobState = Literal["queued", "running", "done", "failed", "cancelled"]


@dataclass(slots=True, eq=False)
class Job:
    """One piece of work on one node."""

    number: int
    kind: str
    key: NodeKey
    state: JobState = "queued"
    done: int = 0
    total: int = 0
    error: PubkeepError | None = None
    result: Mapping[str, object] = field(default_factory=dict)
    cancel: Callable[[], None] = lambda: None
    """Asks for the end; does nothing once it has ended."""

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.state in ("done", "failed", "cancelled")


class Jobs:
    """The jobs under way, and those that ended lately. Numbers are never used twice, not after a restart either."""

    def __init__(self, clock: Clock) -> None:
        self._next = clock.wall()
        self._jobs: dict[int, Job] = {}
        self.appeared: Callable[[Job], None] = lambda _job: None
        self.changed: Callable[[Job], None] = lambda _job: None
        self.finished: Callable[[Job], None] = lambda _job: None
        self.vanished: Callable[[Job], None] = lambda _job: None

    def start(self, kind: str, key: NodeKey) -> Job:
        """A new job, queued."""
        self._next += 1
        job = self._jobs[self._next] = Job(self._next, kind, key)
        self.appeared(job)
        return job

    def get(self, number: int) -> Job:
        """A job by its number. Raises UnknownObject."""
        if number not in self._jobs:
            raise UnknownObject(f"job {number}: there is no such job; a finished one stays for a minute")
        return self._jobs[number]

    def all(self) -> list[Job]:
        """All that can be looked at."""
        return list(self._jobs.values())

    def progress(self, job: Job, done: int, total: int) -> None:
        """Work went on."""
        if not job.ended:
            job.state, job.done, job.total = "running", done, total
            self.changed(job)

    def end(self, job: Job, state: JobState, error: PubkeepError | None = None, **result: object) -> None:
        """It is over."""
        if job.ended:
            return
        job.state, job.error, job.result = state, error, result
        self.changed(job)
        self.finished(job)
        asyncio.get_running_loop().call_later(KEPT, self._remove, job)

    def _remove(self, job: Job) -> None:
        self._jobs.pop(job.number, None)
        self.vanished(job)

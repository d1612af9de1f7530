# SPDX-License-Identifier: MIT
"""Who may look after the database, and what becomes of the work as a job."""

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from pubkeep.clock import Clock
from pubkeep.errors import AccessDenied, Conflict, InvalidArgs, StorageFull
from pubkeep.maintenance import Maintenance
from pubkeep.model import Account
from pubkeep.sync.jobs import Job, Jobs
from pubkeep.upkeep import Findings, Progress


class Owners:
    """Accounts of these users."""

    def __init__(self, *uids: int) -> None:
        self._uids = uids

    def all(self) -> list[Account]:
        return [Account(number, f"{number}@example.org", "", uid) for number, uid in enumerate(self._uids)]


async def unhealed(number: int) -> None:
    raise AssertionError(f"node {number} is not damaged")


async def as_they_are() -> None:
    raise AssertionError("the indexes are right")


class Scripted:
    """A database that takes its time."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()
        self.condemned = False
        self.moved_to: Path | str = ""
        self.findings = Findings()

    async def statistics(self) -> Mapping[str, int | str | bool]:
        return {"pages": 3}

    async def check(self, progress: Progress) -> Findings:
        progress(1, 2)
        await self.go_on.wait()
        return self.findings

    def condemn(self) -> None:
        self.condemned = True

    def begin_copy(self) -> tuple[Path, int]:
        return Path("copy"), -1

    async def copy(self, target: Path, progress: Progress) -> int:
        raise StorageFull("no room")

    async def move(self, place: Path | str, progress: Progress) -> int:
        progress(1, 2)
        self.moved_to = place
        return 2

    async def compact(self) -> tuple[int, int]:
        return 2, 1


@pytest.mark.parametrize(
    ("uids", "caller", "allowed"),
    [
        ((1000,), 1000, True),
        ((1000, 1000), 1000, True),
        ((1000, 1001), 1000, False),
        ((1000,), 1001, False),
        ((), 1000, False),
        ((), 0, True),
        ((1000, 1001), 0, True),
        ((1000, 1001), os.getuid(), True),
    ],
)
async def test_it_is_for_root_for_ourselves_and_for_who_owns_all_accounts(
    uids: tuple[int, ...], caller: int, allowed: bool
) -> None:
    maintenance = Maintenance(Scripted(), Owners(*uids), Jobs(Clock()), unhealed, as_they_are)

    if allowed:
        maintenance.allow(caller)
    else:
        with pytest.raises(AccessDenied, match="only root"):
            maintenance.allow(caller)


async def ended(job: Job) -> Job:
    while not job.ended:
        await asyncio.sleep(0)
    return job


async def test_work_is_a_job_and_there_is_one_at_a_time() -> None:
    upkeep = Scripted()
    maintenance = Maintenance(upkeep, Owners(), Jobs(Clock()), unhealed, as_they_are)

    job = maintenance.check()
    await asyncio.sleep(0)
    assert (job.state, job.done, job.total) == ("running", 1, 2)
    for begin in (maintenance.check, maintenance.backup, maintenance.vacuum):
        with pytest.raises(Conflict):
            begin()
    upkeep.go_on.set()

    assert (await ended(job)).result == {"problems": [], "items": 0}
    assert (await ended(maintenance.vacuum())).result == {"before": 2, "after": 1}
    failed = await ended(maintenance.backup()[0])
    assert (failed.state, str(failed.error)) == ("failed", "no room")
    assert not upkeep.condemned


async def test_a_damaged_database_is_given_up_when_the_job_has_said_so() -> None:
    upkeep, jobs = Scripted(), Jobs(Clock())
    told: list[bool] = []
    jobs.finished = lambda _job: told.append(upkeep.condemned)
    upkeep.findings = Findings(["page 7"], damaged=True)
    upkeep.go_on.set()

    await ended(Maintenance(upkeep, Owners(), jobs, unhealed, as_they_are).check())
    await asyncio.sleep(0)

    assert (told, upkeep.condemned) == ([False], True)


async def test_damaged_items_and_wrong_indexes_are_seen_to_before_the_job_says_so() -> None:
    upkeep, jobs = Scripted(), Jobs(Clock())
    done: list[int | str] = []
    told: list[list[int | str]] = []
    jobs.finished = lambda _job: told.append(done[:])
    upkeep.findings = Findings(["i3: its payload is damaged"], harmed={8, 7}, misindexed=True)
    upkeep.go_on.set()

    async def heal(number: int) -> None:
        done.append(number)

    async def reindex() -> None:
        done.append("indexes")

    await ended(Maintenance(upkeep, Owners(), jobs, heal, reindex).check())
    await asyncio.sleep(0)

    assert (told, upkeep.condemned) == ([[7, 8, "indexes"]], False)


@pytest.mark.parametrize("begun", [False, True])
async def test_a_cancelled_job_ends_whether_it_had_begun_or_not(begun: bool) -> None:
    maintenance = Maintenance(Scripted(), Owners(), Jobs(Clock()), unhealed, as_they_are)
    job = maintenance.check()
    if begun:
        await asyncio.sleep(0)

    job.cancel()

    assert (await ended(job)).state == "cancelled"
    job.cancel()
    await maintenance.close()


@pytest.mark.parametrize(
    ("place", "meant"),
    [("/x/y.db", Path("/x/y.db")), ("postgresql://host/name", "postgresql+asyncpg://host/name")],
)
async def test_it_is_moved_to_a_file_or_to_a_server(place: str, meant: Path | str) -> None:
    database, jobs = Scripted(), Jobs(Clock())
    job = Maintenance(database, Owners(1000), jobs, unhealed, as_they_are).move(0, place)
    while not job.ended:
        await asyncio.sleep(0)

    assert (job.state, job.result, database.moved_to) == ("done", {"rows": 2}, meant)


@pytest.mark.parametrize(
    ("caller", "place", "error"),
    [
        (1000, "/x/y.db", AccessDenied),
        (0, "relative.db", InvalidArgs),
        (0, "postgresql://u:secret@host/name", InvalidArgs),
    ],
)
async def test_it_is_not_written_where_just_anybody_says(caller: int, place: str, error: type[Exception]) -> None:
    with pytest.raises(error) as raised:
        Maintenance(Scripted(), Owners(1000), Jobs(Clock()), unhealed, as_they_are).move(caller, place)

    assert "secret" not in str(raised.value)

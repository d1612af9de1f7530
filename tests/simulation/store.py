# SPDX-License-Identifier: MIT
"""The real store on a database in memory, run synchronously: threads would make every run another one."""

import asyncio
import random
import sqlite3
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine

from pubkeep.clock import Clock
from pubkeep.errors import StorageFull, Unavailable
from pubkeep.storage.beginning import begin
from pubkeep.storage.migrate import migrate
from pubkeep.storage.progress import Report
from pubkeep.storage.sqlite import SqliteReaders, SqliteWriter, writer_engine
from pubkeep.storage.store import Store
from pubkeep.storage.trouble import our_errors
from tests.simulation.ledger import Ledger

T = TypeVar("T")


class KilledHere(BaseException):
    """The transaction under way is rolled back, since the process is no more."""


@cache
def blank() -> sqlite3.Connection:
    """An empty database, migrated once for all seeds of a process."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        path = Path(folder) / "blank.db"
        engine = writer_engine(path)
        migrate(engine, path, Report())
        engine.dispose()
        return copied(sqlite3.connect(path))


def copied(source: sqlite3.Connection) -> sqlite3.Connection:
    """A copy in memory. (Deserialising into a connection in use crashes SQLite 3.40.)"""
    copy = sqlite3.connect(":memory:")
    source.backup(copy)
    return copy


@cache
def _engine() -> Engine:
    """One for all seeds of a process: making one takes longer than a second of a history."""
    return writer_engine(Path(":memory:"))


class Disk:
    """The database file of one history, with its faults."""

    def __init__(self, chance: random.Random, seen: Counter[str]) -> None:
        self.engine = _engine()
        driver = self.engine.raw_connection().driver_connection
        assert isinstance(driver, sqlite3.Connection)
        self.raw = driver
        blank().backup(self.raw)
        self.seen, self._chance = seen, chance
        self.ledger = Ledger(self.raw)
        self.failing: dict[str, int] = {}
        """Name of a transaction -> so many of the next ones fail."""
        self.busy = False
        """They fail as where another program keeps the database locked; else as on a full disk."""
        self.slow = 0.0
        """Seconds that a commit takes."""
        self.kill_at = ""
        """`before NAME` or `after NAME` of a transaction."""
        self.killed = asyncio.Event()
        self.transaction = ""
        """The name of the one under way."""

    def restore(self, copy: sqlite3.Connection) -> None:
        """Somebody puts an older file in its place."""
        copy.backup(self.raw)
        copy.close()
        self.ledger.restored()

    def turns(self) -> int:
        """How often others come first."""
        return self._chance.choice((0, 0, 0, 1, 2, 3))

    def fail(self, name: str) -> None:
        """Raise where this transaction is to fail."""
        for which in (name, "any"):
            if self.failing.get(which, 0):
                self.failing[which] -= 1
                self.seen[f"commit fails: {name}"] += 1
                if self.busy:
                    raise Unavailable("the database: another program keeps it locked; close that program and try again")
                raise StorageFull("the database: the disk is full; make room, nothing that is held is lost")

    def passes(self, point: str) -> bool:
        """Whether the process dies here."""
        if point != self.kill_at:
            return False
        self.kill_at = ""
        self.seen[f"killed {point}"] += 1
        self.killed.set()
        return True


class _InlineWriter(SqliteWriter):
    """Does its work at once, between a few turns for others."""

    def __init__(self, disk: Disk) -> None:
        self._engine = disk.engine
        self.disk = disk
        self.dead = False

    async def run(self, work: Callable[[Connection], T], *, durable: bool = False) -> T:
        disk = self.disk
        await _turns(disk.turns())
        if disk.slow:
            await asyncio.sleep(disk.slow)
        if self.dead:
            await _forever()
        disk.transaction = ""
        try:
            with our_errors():
                result = self._transaction(work)
        except KilledHere:
            self.dead = True
            await _forever()
        if name := disk.transaction:
            disk.ledger.committed()
        if name and disk.passes(f"after {name}"):
            self.dead = True
            await _forever()
        await _turns(disk.turns())
        return result

    async def close(self) -> None:
        self.dead = True


class _InlineReaders(SqliteReaders):
    """Reads at once; the questions of a snapshot follow each other without a turn for others."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk

    async def fetch(self, sql: str, parameters: Mapping[str, object]) -> Sequence[tuple[Any, ...]]:
        await _turns(self._disk.turns())
        with our_errors():
            rows = self._disk.raw.execute(sql, parameters).fetchall()
        await _turns(self._disk.turns())
        return rows

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Any]:
        await _turns(self._disk.turns())
        yield _Fetch(self._disk.raw)

    async def close(self) -> None:
        pass


class _Fetch:
    """One snapshot."""

    def __init__(self, raw: sqlite3.Connection) -> None:
        self._raw = raw

    async def execute_fetchall(self, sql: str, parameters: Mapping[str, object] = {}) -> Sequence[Any]:
        with our_errors():
            return self._raw.execute(sql, parameters).fetchall()


class SimulatedStore(Store):
    """The store on a disk."""

    inline: _InlineWriter

    async def _write(self, name: str, work: Callable[[Connection], T]) -> T:
        disk = self.inline.disk

        def watched(connection: Connection) -> T:
            disk.transaction = name
            disk.fail(name)
            result = work(connection)
            if disk.passes(f"before {name}"):
                raise KilledHere
            return result

        return await super()._write(name, watched)


def open_store(disk: Disk, clock: Clock) -> SimulatedStore:
    """The store on this disk."""
    writer = _InlineWriter(disk)
    with disk.engine.begin() as connection:
        found = begin(connection, clock.wall())
    store = SimulatedStore(writer, _InlineReaders(disk), found, clock)
    store.inline = writer
    return store


async def _turns(number: int) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


async def _forever() -> None:
    """A process that is no more gets no answer."""
    await asyncio.get_running_loop().create_future()

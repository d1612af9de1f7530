# SPDX-License-Identifier: MIT
"""The real store, run synchronously: threads would make every run another one."""

import asyncio
import random
import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine

from pubkeep.clock import Clock
from pubkeep.errors import StorageFull
from pubkeep.storage.engines import Readers, Writer, our_errors, writer_engine
from pubkeep.storage.migrate import migrate
from pubkeep.storage.store import Store, first_numbers

T = TypeVar("T")


class _InlineWriter(Writer):
    """Does its work at once, between a few turns for others."""

    def __init__(self, engine: Engine, turns: Callable[[], int]) -> None:
        self._engine = engine
        self._turns = turns
        self.failing = 0
        """So many of the next transactions fail, as on a full disk."""

    async def run(self, work: Callable[[Connection], T]) -> T:
        await _turns(self._turns())
        if self.failing:
            self.failing -= 1
            raise StorageFull("the database: the disk is full")
        result = self._transaction(work)
        await _turns(self._turns())
        return result

    async def close(self) -> None:
        self._engine.dispose()


class _Fetch:
    """A connection of its own."""

    def __init__(self, path: Path, turns: Callable[[], int]) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._turns = turns

    async def execute_fetchall(self, sql: str, parameters: Mapping[str, object] = {}) -> Sequence[Any]:
        await _turns(self._turns())
        with our_errors():
            rows = self._connection.execute(sql, parameters).fetchall()
        await _turns(self._turns())
        return rows

    def close(self) -> None:
        self._connection.close()


class _InlineReaders(Readers):
    """Reads at once; a snapshot has a connection of its own."""

    def __init__(self, path: Path, turns: Callable[[], int]) -> None:
        self._path, self._turns = path, turns
        self._one = _Fetch(path, turns)

    async def fetch(self, sql: str, parameters: Mapping[str, object]) -> Sequence[tuple[Any, ...]]:
        return await self._one.execute_fetchall(sql, parameters)

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Any]:
        fetcher = _Fetch(self._path, self._turns)
        try:
            await fetcher.execute_fetchall("BEGIN")
            yield fetcher
        finally:
            fetcher.close()

    async def close(self) -> None:
        self._one.close()


class SimulatedStore(Store):
    """The store, and its writer for faults."""

    inline: _InlineWriter


def template(folder: Path) -> Path:
    """An empty database, migrated once for all seeds."""
    path = folder / "template.db"
    engine = writer_engine(path)
    migrate(engine, path)
    engine.dispose()
    return path


def open_store(path: Path, blank: Path, clock: Clock, chance: random.Random) -> SimulatedStore:
    """The store at `path`, a copy of the blank one where there is none."""
    if not path.exists():
        shutil.copy(blank, path)

    def turns() -> int:
        return chance.choice((0, 0, 0, 1, 2, 3))

    engine = writer_engine(path)
    writer = _InlineWriter(engine, turns)
    with engine.begin() as connection:
        counter, last = first_numbers(connection, clock.wall())
    store = SimulatedStore(writer, _InlineReaders(path, turns), counter, last, clock)
    store.inline = writer
    return store


async def _turns(number: int) -> None:
    for _ in range(number):
        await asyncio.sleep(0)

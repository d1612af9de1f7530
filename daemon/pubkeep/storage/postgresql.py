# SPDX-License-Identifier: MIT
"""PostgreSQL, through asyncpg.

The writer has an event loop of its own in its thread, so that a transaction is one hop here, too, and what it computes
(words, compression) holds up nobody. Its connection keeps a lock as long as it lives: one daemon at a time writes.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, TypeVar

import asyncpg  # noqa: F401 (by its name to SQLAlchemy; it may be missing)
from sqlalchemy import URL, Connection, event, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from pubkeep.storage.dialects import POSTGRESQL
from pubkeep.storage.engines import READERS, PooledReaders, WriterThread, until_done
from pubkeep.storage.migrate import HEAD, refuse_newer, stored_revision, upgrade
from pubkeep.storage.progress import Report
from pubkeep.storage.trouble import our_errors

T = TypeVar("T")

LOOK_AGAIN = 4
"""After 4, 16, 64... transactions its planner looks at the tables: autovacuum comes too late for a first
synchronisation, and a plan for an empty table reads all of it."""
LOOK_AFTER = "SELECT set_config(name, '1000', false) FROM pg_settings WHERE name = 'client_connection_check_interval'"
"""Milliseconds between two looks of the server, within a statement, whether its client is there."""
_READ_ONLY = text("SELECT current_setting('transaction_read_only')::boolean")
LOCK = 0x7075626B65657000
"""Number of the lock: "pubkeep"."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a server is waited for, in seconds."""

    connecting: float = 5.0
    answering: float | None = 15.0
    """One statement; None: as long as it takes."""
    locked: float = 10.0
    """Another daemon, that ends."""


PATIENCE = Patience()


def engine(url: URL, patience: Patience, *, read_only: bool = False, **options: Any) -> AsyncEngine:
    """Connects when it is first used."""
    locked = str(int(patience.locked * 1000))
    settings = {"application_name": "pubkeep", "jit": "off", "lock_timeout": locked}
    if read_only:
        settings["default_transaction_read_only"] = "on"
    else:  # a plan that was made for empty tables reads all of them when they are full
        settings["plan_cache_mode"] = "force_custom_plan"
    arguments = {
        "timeout": patience.connecting,
        "command_timeout": patience.answering,
        "server_settings": settings,
    }
    return create_async_engine(url, connect_args=arguments, **options)


@asynccontextmanager
async def alone(url: URL, patience: Patience = PATIENCE) -> AsyncIterator[AsyncConnection]:
    """A transaction of as long as it takes, while no daemon writes."""
    patient = engine(url, replace(patience, answering=None), poolclass=NullPool)
    _alone(patient)
    async with patient.begin() as connection:
        yield connection


def _alone(engine: AsyncEngine) -> None:
    """Each of its connections takes the lock, or waits for it, and keeps it no longer than its client lives.

    A server looks after its client between statements only, unless it is asked to (since PostgreSQL 14): one that was
    killed in a long statement would keep others out until that is done.
    """

    @event.listens_for(engine.sync_engine, "connect")
    def connected(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        cursor.execute(LOOK_AFTER)
        cursor.execute(f"SELECT pg_advisory_lock({LOCK})")
        cursor.close()
        connection.commit()


class PostgresWriter:
    """See engines.Writer."""

    def __init__(self, url: URL, patience: Patience) -> None:
        self._url, self._patience = url, patience
        self._thread = WriterThread()
        self._loop = asyncio.new_event_loop()
        self._engine = engine(url, patience, pool_size=1, max_overflow=0)
        _alone(self._engine)
        self._transactions, self._look_again = 0, LOOK_AGAIN

    async def run(self, work: Callable[[Connection], T], *, durable: bool = False) -> T:  # noqa: ARG002
        """See engines.Writer. The server's settings say what survives a power cut: by default all of it."""
        return await self._thread.do(lambda: self._loop.run_until_complete(self._transaction(work)))

    async def _transaction(self, work: Callable[[Connection], T]) -> T:
        try:
            async with self._engine.begin() as connection:
                done = await connection.run_sync(work)
                self._transactions += 1
                if self._transactions == self._look_again:
                    self._look_again *= LOOK_AGAIN
                    if not await connection.scalar(_READ_ONLY):  # a standby refuses, and reads would fail with it
                        await connection.execute(text("ANALYZE item, payload, item_fts, item_key, change, node"))
                return done
        except (OSError, DBAPIError) as error:
            if isinstance(error, OSError) or error.connection_invalidated or _read_only(error):
                # what came of it is not known; and a session does not learn that it may write again
                await self._engine.dispose()
            raise

    async def vacuum(self) -> None:
        """Let what is not used be used again, and the planner look at the tables."""

        async def work() -> None:
            apart = engine(self._url, replace(self._patience, answering=None), poolclass=NullPool)
            async with apart.connect() as connection:
                level = await connection.execution_options(isolation_level="AUTOCOMMIT")
                await level.execute(text("VACUUM (ANALYZE)"))

        await self._thread.do(lambda: self._loop.run_until_complete(work()))

    async def migrate(self, report: Report) -> None:
        """Create the database, or bring it to the newest revision, in one transaction; cancelled, it is rolled back."""

        drivers: list[Any] = []

        async def work() -> None:
            async with alone(self._url, self._patience) as connection:
                drivers.append((await connection.get_raw_connection()).driver_connection)
                await connection.run_sync(lambda c: _migrate(c, report))

        task = self._loop.create_task(work())  # its loop runs in the thread only, and only then

        def cut() -> None:
            """The server takes back what was done. (A cancelled `executemany` of asyncpg 0.32 may wait for ever.)"""
            if drivers:
                drivers[0].terminate()
            else:
                task.cancel()

        def stop() -> None:
            report.stop()
            self._loop.call_soon_threadsafe(cut)

        await until_done(self._thread.do(lambda: self._loop.run_until_complete(task)), stop)

    async def close(self) -> None:
        """See engines.Writer."""
        try:
            await self._thread.do(lambda: self._loop.run_until_complete(self._engine.dispose()))
        finally:
            self._loop.close()
            self._thread.end()

    abandon = close


def _read_only(error: DBAPIError) -> bool:
    """read_only_sql_transaction (PostgreSQL 15, appendix A)."""
    return getattr(error.orig, "sqlstate", None) == "25006"


def _migrate(connection: Connection, report: Report) -> None:
    found = stored_revision(connection)
    if found != HEAD:
        refuse_newer(found)
        upgrade(connection, found, report)


@lru_cache(maxsize=512)
def _positional(sql: str) -> tuple[str, tuple[str, ...]]:
    """A question with its parameters by number, and their names."""
    names: list[str] = []

    def numbered(found: re.Match[str]) -> str:
        if found[1] not in names:
            names.append(found[1])
        return f"${names.index(found[1]) + 1}"

    return re.sub(r"(?<![:\w]):(\w+)", numbered, sql), tuple(names)


class _Reader:
    """A connection for reading, made anew where it was lost."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._driver: Any = None

    async def execute_fetchall(self, sql: str, parameters: Mapping[str, object] | None = None) -> Sequence[Any]:
        """See engines.Fetcher."""
        question, names = _positional(sql)
        rows: Sequence[Any] = await self._driver.fetch(question, *[(parameters or {})[name] for name in names])
        return rows

    async def first(self, sql: str, parameters: Mapping[str, object] | None = None) -> Sequence[Any]:
        """The first question after a while: the server may have gone and come back meanwhile."""
        if self._driver is not None:
            try:
                return await self.execute_fetchall(sql, parameters)
            except Exception:
                if not self._driver.is_closed():
                    raise
        await self.connect()
        return await self.execute_fetchall(sql, parameters)

    async def connect(self) -> None:
        """Connect anew."""
        pooled = await self._engine.raw_connection()
        self._driver = pooled.driver_connection
        pooled.detach()  # it is ours from now on

    async def close(self) -> None:
        """End it."""
        if self._driver is not None:
            await self._driver.close(timeout=PATIENCE.connecting)


class PostgresReaders(PooledReaders[_Reader]):
    """See engines.Readers."""

    dialect = POSTGRESQL
    _begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

    def __init__(self, url: URL, patience: Patience) -> None:
        super().__init__(engine(url, patience, read_only=True, pool_size=READERS + 1))
        self._each = [_Reader(self._engine) for _ in range(READERS)]

    async def open(self) -> None:
        """See engines.Readers."""
        for reader in self._each:
            with our_errors():
                await reader.connect()
            self._free.put_nowait(reader)

    async def _first(self, reader: _Reader, sql: str, parameters: Mapping[str, object] | None = None) -> Sequence[Any]:
        return await reader.first(sql, parameters)

    async def close(self) -> None:
        """See engines.Readers."""
        for reader in self._each:
            with suppress(OSError):
                await reader.close()
        await self._engine.dispose()

# SPDX-License-Identifier: MIT
"""Connections: one writer in a thread of its own, pooled readers, and a library's errors made ours.

A write transaction is one thread hop: await by await a single event would cost 5 ms instead of 0.7.
Readers have connections of their own: on a shared one their p99 during a sync is fifty times worse.
"""

import asyncio
import logging
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any, Protocol, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import StaticPool

from pubkeep.errors import Damaged, Failed, PubkeepError, StorageFull, Unavailable, UnknownObject

log = logging.getLogger(__name__)

T = TypeVar("T")

READERS = 3
BUSY_TIMEOUT = 10_000
"""Milliseconds to wait for another process that writes."""


class Fetcher(Protocol):
    """A connection for reading."""

    async def execute_fetchall(
        self, sql: str, parameters: Mapping[str, object] | None = None
    ) -> Sequence[tuple[Any, ...]]:
        """All rows of one question."""


@contextmanager
def our_errors() -> Iterator[None]:
    """Turn the errors of SQLite and SQLAlchemy into ours, without SQL or paths in the message."""
    try:
        yield
    except PubkeepError:
        raise
    except (SQLAlchemyError, sqlite3.Error, OSError) as error:
        original = error.orig if isinstance(error, DBAPIError) else error
        raise _translated(original or error) from error
    except (OverflowError, UnicodeEncodeError) as error:  # a parser may give any number, and half a surrogate pair
        raise Failed("the database: a number is too large, or a text has half a character; it is not stored") from error


def is_damage(error: BaseException) -> bool:
    """Whether SQLite says that the file is damaged, or Python that there stands what nobody can have written."""
    name = getattr(error, "sqlite_errorname", "") or ""
    return name.startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT")) or str(error).startswith("Could not decode to UTF-8")


def _translated(error: BaseException) -> PubkeepError:
    name = getattr(error, "sqlite_errorname", "") or ""
    number = getattr(error, "errno", None)
    if name == "SQLITE_FULL" or number == 28:
        return StorageFull("the database: the disk is full; make room, nothing that is held is lost")
    if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")) or number in (13, 30):
        return Unavailable("the database: it cannot be opened for writing; check the folder's owner and permissions")
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return Unavailable("the database: another program keeps it locked; close that program and try again")
    if is_damage(error):
        return Damaged("the database: its file is damaged; it is set aside and built anew, try again in a moment")
    if name.startswith("SQLITE_IOERR"):
        return Failed("the database: the disk reports an error; the system's log says more")
    if name == "SQLITE_CONSTRAINT_FOREIGNKEY":
        return UnknownObject("the database: the account or the node that this belongs to was removed meanwhile")
    log.error("the database: %s: %s", name or type(error).__name__, error)
    return Failed("the database: a request failed; the log says more")


def make_room(path: Path) -> None:
    """The folder, 0700, and an empty file, 0600, where there is none: SQLite would make it readable to others.

    A folder that is there keeps its mode: it may be `/tmp`, or a home.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return
    os.fchmod(descriptor, 0o600)  # whatever the umask took away
    os.close(descriptor)


def make_private(path: Path) -> None:
    """The files 0600, those that SQLite keeps beside the database too (new ones take its mode)."""
    for suffix in ("", "-wal", "-shm"):
        file = path.with_name(path.name + suffix)
        with suppress(FileNotFoundError):
            if file.stat().st_uid == os.getuid():
                file.chmod(0o600)


def writer_engine(path: Path) -> Engine:
    """A synchronous engine of one connection, whose transactions begin IMMEDIATE.

    With the driver's own transaction control a crash in the middle of a migration leaves a database
    that fails for ever, since it commits before each DDL statement. Connecting changes nothing in the
    file: whose it is is not known yet.
    """
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        poolclass=StaticPool,
        connect_args={"check_same_thread": False, "isolation_level": None, "timeout": BUSY_TIMEOUT / 1000},
    )

    @event.listens_for(engine, "connect")
    def connected(connection: sqlite3.Connection, _record: object) -> None:
        for pragma in (
            f"busy_timeout={BUSY_TIMEOUT}",
            "synchronous=NORMAL",
            "foreign_keys=ON",
            "cache_size=-16384",
            "journal_size_limit=16777216",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def use_wal(connection: sqlite3.Connection) -> None:
    """Switch to write-ahead logging; SQLite does not wait by itself for another process that does the same."""
    for attempt in range(BUSY_TIMEOUT // 20, -1, -1):
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or not attempt:
                raise
            time.sleep(0.02)
        else:
            return


class Writer:
    """The one writer: `run` does a whole transaction in one hop to its thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._thread = ThreadPoolExecutor(1, "pubkeep-writer")

    async def run(self, work: Callable[[Connection], T], *, durable: bool = False) -> T:
        """Run `work` inside a transaction; it is committed when this returns, rolled back where it raises.

        Args:
            durable: it survives a power cut, too; others may be lost then, the last ones first.
        """
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._transaction, work, durable)

    async def call(self, work: Callable[[Engine], T]) -> T:
        """Run `work` in the writer's thread, outside a transaction."""

        def guarded() -> T:
            with our_errors():
                return work(self._engine)

        return await asyncio.get_running_loop().run_in_executor(self._thread, guarded)

    def _transaction(self, work: Callable[[Connection], T], durable: bool = False) -> T:
        with our_errors(), self._durably() if durable else nullcontext(), self._engine.begin() as connection:
            return work(connection)

    @contextmanager
    def _durably(self) -> Iterator[None]:
        """What is committed within is on the disk; the level cannot be changed inside a transaction."""
        with closing(self._engine.raw_connection()) as raw:
            raw.cursor().execute("PRAGMA synchronous=FULL")
            try:
                yield
            finally:
                raw.cursor().execute("PRAGMA synchronous=NORMAL")

    async def close(self) -> None:
        """Let SQLite note what it learnt for its planner, and end the thread."""

        def finish(engine: Engine) -> None:
            try:
                with engine.begin() as connection:
                    connection.exec_driver_sql("PRAGMA analysis_limit=400")
                    connection.exec_driver_sql("PRAGMA optimize")
            except DBAPIError as error:  # a full disk: nothing that is held hangs on it
                log.info("the database: its statistics were not renewed: %s", error.orig)
            finally:
                engine.dispose()

        try:
            await self.call(finish)
        finally:
            self._thread.shutdown()

    async def abandon(self) -> None:
        """End the thread without touching the database."""
        await self.call(lambda engine: engine.dispose())
        self._thread.shutdown()


class Readers:
    """A few read-only connections; a read is one hop (`execute_fetchall` of the pool's driver connections)."""

    def __init__(self, path: Path) -> None:
        self._engine: AsyncEngine = create_async_engine(
            URL.create("sqlite+aiosqlite", database=str(path)),
            pool_size=READERS + 1,
            connect_args={"isolation_level": None, "timeout": BUSY_TIMEOUT / 1000},
        )
        event.listen(self._engine.sync_engine, "connect", self._connected)
        self._checked_out: list[AsyncConnection] = []
        self._free: asyncio.LifoQueue[Fetcher] = asyncio.LifoQueue()

    @staticmethod
    def _connected(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        for pragma in (f"busy_timeout={BUSY_TIMEOUT}", "query_only=1", "cache_size=-8192"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @property
    def engine(self) -> AsyncEngine:
        """For rare questions through the ORM."""
        return self._engine

    async def open(self) -> None:
        """Check the connections out for good."""
        with our_errors():
            for _ in range(READERS):
                connection = await self._engine.connect()
                self._checked_out.append(connection)
                raw = await connection.get_raw_connection()
                self._free.put_nowait(raw.driver_connection)  # type: ignore[arg-type]

    async def fetch(self, sql: str, parameters: Mapping[str, object]) -> Sequence[tuple[Any, ...]]:
        """All rows of one question."""
        driver = await self._free.get()
        try:
            with our_errors():
                return await driver.execute_fetchall(sql, parameters)
        finally:
            self._free.put_nowait(driver)

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Fetcher]:
        """A connection on which several questions see the same moment."""
        driver = await self._free.get()
        try:
            with our_errors():
                try:
                    await driver.execute_fetchall("BEGIN")  # begins even where the waiting for it is cancelled
                    yield driver
                finally:
                    await driver.execute_fetchall("COMMIT")
        finally:
            self._free.put_nowait(driver)

    async def close(self) -> None:
        """End all connections."""
        for connection in self._checked_out:
            await connection.close()
        await self._engine.dispose()

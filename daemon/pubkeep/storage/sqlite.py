# SPDX-License-Identifier: MIT
"""SQLite: the file, and its connections."""

import errno
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from typing import Any, Literal, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import StaticPool

from pubkeep.errors import ReadOnly
from pubkeep.storage.dialects import SQLITE
from pubkeep.storage.engines import READERS, Fetcher, PooledReaders, WriterThread
from pubkeep.storage.trouble import READ_ONLY, our_errors

log = logging.getLogger(__name__)

T = TypeVar("T")

BUSY_TIMEOUT = 10_000
"""Milliseconds to wait for another process that writes."""
STEPS = 10_000
"""Instructions of SQLite between two looks whether to go on."""
PAGE_SIZE = 8192
"""Bytes of a page of a new file. An item is a kilobyte: of a smaller page a sixth stays empty behind the last one."""
FILES = ("", "-wal", "-shm")
"""What SQLite has of one database, the file itself first: where the others stay behind, SQLite throws them away."""
Access = Literal["mode=rwc", "mode=ro", "immutable=1"]
"""How a file is opened (https://www.sqlite.org/uri.html). `immutable=1` needs no file beside the database: it looks for
neither a log nor others who write."""


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
    """The files 0600, those that SQLite keeps beside the database too (new ones take its mode).

    Raises:
        ReadOnly: somebody made one of them immutable (ioctl_iflags(2)).
    """
    for suffix in FILES:
        file = path.with_name(path.name + suffix)
        try:
            if file.stat().st_uid == os.getuid():
                file.chmod(0o600)
        except FileNotFoundError:
            pass
        except PermissionError as error:
            raise ReadOnly(READ_ONLY) from error


def takes_writes(path: Path) -> bool:
    """Whether the files and their folder seem to take writes; nothing is written.

    No file is opened for that: closing it would end the locks that SQLite has on it (fcntl(2)).
    """
    files = [file for suffix in FILES if (file := path.with_name(path.name + suffix)).exists()]
    return all(os.access(each, os.W_OK) for each in (path.parent, *files))


def log_size(path: Path) -> int:
    """Bytes of the log beside a database; without what is in it, the database is an older one."""
    file = path.with_name(f"{path.name}-wal")
    return file.stat().st_size if file.exists() else 0


def connect(path: Path, access: Access = "mode=rwc") -> sqlite3.Connection:
    """A connection of its own, without the driver's transaction control."""
    return sqlite3.connect(_uri(path, access), BUSY_TIMEOUT / 1000, isolation_level=None, uri=True)


def _uri(path: Path, access: Access) -> str:
    return f"{path.absolute().as_uri()}?{access}"


def _url(driver: str, path: Path, access: Access) -> URL:
    if access == "mode=rwc":
        return URL.create(driver, database=str(path))
    return URL.create(driver, database=_uri(path, access), query={"uri": "true"})


def writer_engine(path: Path, access: Access = "mode=rwc") -> Engine:
    """A synchronous engine of one connection, whose transactions begin IMMEDIATE where they may write.

    With the driver's own transaction control a crash in the middle of a migration leaves a database
    that fails for ever, since it commits before each DDL statement. Connecting changes nothing in the
    file: whose it is is not known yet.
    """
    engine = create_engine(
        _url("sqlite", path, access),
        poolclass=StaticPool,
        connect_args={"check_same_thread": False, "isolation_level": None, "timeout": BUSY_TIMEOUT / 1000},
    )

    @event.listens_for(engine, "connect")
    def connected(connection: sqlite3.Connection, _record: object) -> None:
        for pragma in (
            f"busy_timeout={BUSY_TIMEOUT}",
            f"page_size={PAGE_SIZE}",
            "synchronous=NORMAL",
            "foreign_keys=ON",
            "cache_size=-16384",
            "journal_size_limit=16777216",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if access == "mode=rwc" else "BEGIN")

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


@contextmanager
def stoppable(connection: sqlite3.Connection, stopping: threading.Event) -> Iterator[None]:
    """Whatever is asked on this connection ends, as SQLITE_INTERRUPT, as soon as the event is set."""
    connection.set_progress_handler(stopping.is_set, STEPS)
    try:
        yield
    finally:
        connection.set_progress_handler(None, 0)


class SqliteWriter:
    """See engines.Writer."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._thread = WriterThread()

    async def run(self, work: Callable[[Connection], T], *, durable: bool = False) -> T:
        """See engines.Writer."""
        return await self._thread.do(lambda: self._transaction(work, durable))

    async def call(self, work: Callable[[Engine], T]) -> T:
        """Run `work` in the writer's thread, outside a transaction."""
        return await self._thread.do(lambda: work(self._engine))

    def _transaction(self, work: Callable[[Connection], T], durable: bool = False) -> T:
        try:
            with self._durably() if durable else nullcontext(), self._engine.begin() as connection:
                return work(connection)
        except (DBAPIError, sqlite3.Error) as error:
            if self._disk_takes_none():  # which SQLite takes for any error of the disk
                raise ReadOnly(READ_ONLY) from error
            raise

    def _disk_takes_none(self) -> bool:
        """Whether its disk takes no writes at all: Linux does that to one with errors, under open files too."""
        if self._engine.url.query:  # it was opened to be read only: it is no write that failed
            return False
        folder = Path(self._engine.url.database or "").parent
        try:
            os.close(os.open(folder, os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, 0o600))
        except OSError as error:
            return error.errno == errno.EROFS
        return False

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
        """See engines.Writer. SQLite notes what it learnt for its planner."""

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
            self._thread.end()

    async def abandon(self) -> None:
        """See engines.Writer."""
        await self.call(lambda engine: engine.dispose())
        self._thread.end()


class SqliteReaders(PooledReaders[Fetcher]):
    """See engines.Readers. A read is one hop (`execute_fetchall` of the pool's driver connections)."""

    dialect = SQLITE

    def __init__(self, path: Path, access: Access = "mode=rwc") -> None:
        super().__init__(
            create_async_engine(
                _url("sqlite+aiosqlite", path, access),
                pool_size=READERS + 1,
                connect_args={"isolation_level": None, "timeout": BUSY_TIMEOUT / 1000},
            )
        )
        event.listen(self._engine.sync_engine, "connect", self._connected)
        self._checked_out: list[AsyncConnection] = []

    @staticmethod
    def _connected(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        for pragma in (f"busy_timeout={BUSY_TIMEOUT}", "query_only=1", "cache_size=-8192"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    async def open(self) -> None:
        """See engines.Readers. The connections are checked out for good."""
        with our_errors():
            for _ in range(READERS):
                connection = await self._engine.connect()
                self._checked_out.append(connection)
                raw = await connection.get_raw_connection()
                self._free.put_nowait(raw.driver_connection)  # type: ignore[arg-type]

    async def close(self) -> None:
        """End all connections."""
        for connection in self._checked_out:
            await connection.close()
        await self._engine.dispose()

# SPDX-License-Identifier: MIT
"""A damaged file: noticed, told from a file that is not ours, set aside, and read once more for what it still gives.

SQLite has no checksums. It says that a file is damaged when it comes upon a page that makes no sense, at the start or
at any later read or write. Such a file is never gone on with: what it holds is no copy of anything any more, and most
of it can be fetched again. Where the last run did not end in order, it is looked through before anything is believed.
"""

import asyncio
import logging
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TypeVar

from sqlalchemy import Connection, Engine

from pubkeep.config import database_path
from pubkeep.errors import Damaged, Failed
from pubkeep.storage.checking import NAMED, check
from pubkeep.storage.engines import Fetcher
from pubkeep.storage.keepsake import COLUMNS, Kept, beside, stamp, sync_folder
from pubkeep.storage.progress import Report
from pubkeep.storage.sqlite import FILES, Access, SqliteReaders, SqliteWriter, connect, log_size, stoppable

log = logging.getLogger(__name__)

T = TypeVar("T")

SET_ASIDE = 3
"""Damaged databases that are kept to be looked at."""
TOO_OFTEN = 3600
"""So many within these seconds: it is not the file that is broken."""
OURS = (b"alembic_version", b"CREATE TABLE item", b"CREATE TABLE node")
"""What stands in the first pages of every database of ours."""
HEAD_BYTES = 1 << 18
SHOWN = 5
"""Signs of damage in the log."""
_TIME = "%Y%m%dT%H%M%SZ"
MANY = 5000
"""Items that take a second to be looked through: of more of them it is told how far that is."""
CHANGED = "the database was changed by somebody else, and is looked through"
UNHEALED = "the database: its file is damaged here; it is built anew as soon as it can be written, and the rest is read"


class Watch:
    """Whether damage was met."""

    def __init__(self) -> None:
        self.met = asyncio.Event()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Notice what is raised here."""
        try:
            yield
        except Damaged:
            if not self.met.is_set():
                log.error("the database is damaged; it will be set aside, and built anew")
            self.met.set()
            raise


class Unhealed(Watch):
    """Of a file that takes no writes: damage is said, and healed when the file is opened anew."""

    @contextmanager
    def watching(self) -> Iterator[None]:
        """See Watch."""
        try:
            yield
        except Damaged as error:
            raise Failed(UNHEALED) from error


class WatchedWriter(SqliteWriter):
    """The writer, watched."""

    def __init__(self, engine: Engine, watch: Watch) -> None:
        super().__init__(engine)
        self._watch = watch

    async def run(self, work: Callable[[Connection], T], *, durable: bool = False) -> T:
        with self._watch.watching():
            return await super().run(work, durable=durable)

    async def call(self, work: Callable[[Engine], T]) -> T:
        with self._watch.watching():
            return await super().call(work)


class WatchedReaders(SqliteReaders):
    """The readers, watched."""

    def __init__(self, path: Path, watch: Watch, access: Access = "mode=rwc") -> None:
        super().__init__(path, access)
        self._watch = watch

    async def fetch(self, sql: str, parameters: Mapping[str, object]) -> Sequence[tuple[Any, ...]]:
        with self._watch.watching():
            return await super().fetch(sql, parameters)

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Fetcher]:
        with self._watch.watching():
            async with super().snapshot() as fetcher:
                yield fetcher


# -- at the start ---------------------------------------------------------------------------------------------


Left = Literal["closed", "crashed", "changed"]


def left(path: Path, kept: Kept | None) -> Left:
    """How the last run left this file; to be asked before anybody opens it, which makes a log where there is none.

    `crashed`: what the file has not, its log has, and SQLite puts both together. `changed`: the log is gone, or
    somebody put another file here.
    """
    with suppress(FileNotFoundError):
        if kept is not None and kept.closed == stamp(path):
            return "closed"
        if kept is not None and kept.closed is None and log_size(path):
            return "crashed"
    return "changed"


def look_through(
    raw: sqlite3.Connection,
    path: Path,
    as_left: Left,
    report: Report,
    *,
    current: bool,
    access: Access = "mode=rwc",
) -> None:
    """Look for damage, unless the last run closed this very file in order.

    After a crash the pages are looked at. A file that was changed may be a copy of one in use: each page may be of
    another moment, and make sense by itself; so everything is held against everything.

    Args:
        report: is told how far the long way is, for a million items minutes.
        current: its tables are those of this program.

    Raises:
        Damaged: it was found.
        Cancelled, sqlite3.OperationalError: it was told to end (SQLITE_INTERRUPT).
    """
    if as_left == "closed":
        return
    log.info("the database is looked through: it was %s", "changed" if as_left == "changed" else "not closed")
    if current and as_left == "changed":

        def turn(done: int, total: int) -> None:
            if total > MANY:
                report.far(done, total, "items", part=CHANGED)

        with closing(connect(path, access)) as own, stoppable(own, report.stopping):
            problems = check(own, turn).problems
    else:
        with stoppable(raw, report.stopping):
            problems = [row[0] for row in raw.execute(f"PRAGMA quick_check({NAMED})") if row[0] != "ok"]
    if problems:
        raise Damaged(f"the database: {len(problems)} signs of damage were found: {'; '.join(problems[:SHOWN])}")


def is_ours(path: Path) -> bool:
    """Whether a file that cannot be read was a database of ours.

    It was, where it lies at our own place, has our small file beside it, or still names our tables. All else may be
    anything: somebody gave its name to us by mistake.
    """
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    return path == database_path() or beside(path).exists() or all(words in head for words in OURS)


def aside(path: Path) -> list[Path]:
    """Damaged databases that were set aside, the oldest first."""
    return sorted(each for each in path.parent.glob(f"{path.name}.corrupt-*Z") if _when(each) is not None)


def check_luck(path: Path, wall: int) -> None:
    """Do not go round in circles.

    Args:
        wall: the present time in microseconds.

    Raises:
        Failed: so many databases were damaged lately that another one would be, too.
    """
    present = datetime.fromtimestamp(wall // 1_000_000, UTC)
    found = [each for each in map(_when, aside(path)) if each and abs((present - each).total_seconds()) < TOO_OFTEN]
    if len(found) >= SET_ASIDE:
        raise Failed(
            f"the database: {len(found)} files were damaged within an hour; the disk or the memory seems to be broken. "
            "It is tried again later, or at once where the files that were set aside are removed"
        )


def set_aside(path: Path, wall: int) -> Path | None:
    """Give the damaged files another name, and drop older ones. Returns the name; None where there is nothing."""
    name = f"{path.name}.corrupt-{datetime.fromtimestamp(wall // 1_000_000, UTC).strftime(_TIME)}"
    for suffix in FILES:
        with suppress(FileNotFoundError):
            path.with_name(path.name + suffix).replace(path.with_name(name + suffix))
    sync_folder(path)
    for old in aside(path)[:-SET_ASIDE]:
        for suffix in FILES:
            old.with_name(old.name + suffix).unlink(missing_ok=True)
    found = path.with_name(name)
    if not found.exists():
        return None
    log.error("the damaged database is kept as %s", found)
    return found


def _when(file: Path) -> datetime | None:
    try:
        return datetime.strptime(file.name.rpartition(".corrupt-")[2], _TIME).replace(tzinfo=UTC)
    except ValueError:
        return None


def salvage(path: Path) -> Kept:
    """What can still be read of that which cannot be fetched again."""
    rows, number, sequence = {}, 0, 0
    with closing(connect(path, "mode=ro")) as raw:
        raw.row_factory = sqlite3.Row
        for table, columns in COLUMNS.items():
            rows[table] = [
                {key: row[key] for key in columns if key in row.keys()}  # noqa: SIM118 (a Row iterates over its values)
                for row in _readable(raw, f"SELECT * FROM {table}")  # noqa: S608 (our own names)
            ]
        for row in _readable(raw, "SELECT seq FROM sqlite_sequence WHERE name = 'account'"):
            number = max(number, row[0])
        for table in ("item", "change"):
            for row in _readable(raw, f"SELECT max(sequence) FROM {table}"):  # noqa: S608
                sequence = max(sequence, row[0] or 0)
    number = max([number, *(int(row["number"]) for row in rows["account"])])
    log.warning("salvaged from the damaged database: %s", ", ".join(f"{len(found)} {n}" for n, found in rows.items()))
    return Kept(rows, number, sequence)


def _readable(raw: sqlite3.Connection, statement: str) -> Iterator[sqlite3.Row]:
    """Rows up to the first that cannot be read."""
    try:
        yield from raw.execute(statement)
    except sqlite3.Error as error:
        log.warning("the damaged database: %s: %s", statement, error)

# SPDX-License-Identifier: MIT
"""What cannot be fetched again, a second time: in a small file beside the database, for when that is lost or damaged.

The database is the truth as long as it is there. The file is written whole after each change of what is in it, under
another name and renamed when it is on the disk; it begins with a digest of the rest. It has no secrets. Beside the rows
it has what must never go back: the last number of an account, and a bound of all sequence numbers, so that neither is
given twice where the database is lost and the clock was set back.
"""

import asyncio
import hashlib
import json
import logging
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from sqlalchemy import Connection, Table, func, insert, select, text
from sqlalchemy.exc import IntegrityError, StatementError

from pubkeep.errors import PubkeepError
from pubkeep.model import Copy, NodeState
from pubkeep.storage import tables
from pubkeep.storage.counter import Counter
from pubkeep.storage.engines import Writer
from pubkeep.storage.transactions import DURABLE

log = logging.getLogger(__name__)

AHEAD = 10_000_000
"""By so much the bound is above the numbers that were given when it was written: ten seconds of the clock."""
SOON = 1.0
"""Seconds after which changes of nodes are written, all at once."""
LATER = ("save node", "swap", "forget node")
"""Transactions after which it is written soon: which nodes are wanted shows again, though later."""

Row = Mapping[str, object]
Stamp = tuple[int, int]
"""(size, moment of the last change) of a file."""


def _table(mapped: type[tables.Base]) -> Table:
    assert isinstance(mapped.__table__, Table)
    return mapped.__table__


TABLES = {
    row.__tablename__: _table(row)
    for row in (tables.AccountRow, tables.PolicyRow, tables.ServiceRow, tables.LeftoverRow, tables.NodeRow)
}
"""In the order in which they are filled."""
COLUMNS = {name: tuple(column.name for column in table.columns) for name, table in TABLES.items()} | {
    "node": (
        *("account", "service", "name", "analyser", "type", "subtype", "to_sync", "version", "final"),
        *("namespace", "extra", "wanted_by", "subscribed"),
    )
}
"""What is kept of each; of a node, who wants it and why."""
NODE_ANEW: dict[str, object] = {
    "state": NodeState.STALE.value,
    "reason": "the database was built anew, and it is not fetched again yet",
    "copy": Copy.NONE.value,
    **dict.fromkeys(("items", "newest", "turned", "verified_at"), 0),
    **dict.fromkeys(("title", "error"), ""),
}


@dataclass(frozen=True, slots=True)
class Kept:
    """What the file says."""

    rows: Mapping[str, Sequence[Row]] = field(default_factory=dict)
    """By table."""
    number: int = 0
    """The highest number that an account ever had."""
    sequence: int = 0
    """No sequence number above it was ever given."""
    closed: Stamp | None = None
    """The database, as it was when it was closed in order; None: it is open, or nobody closed it."""


def beside(path: Path) -> Path:
    """Where it is, for this database."""
    return path.with_name(f"{path.name}-kept")


def load(file: Path) -> Kept | None:
    """What it says; None where it is not there, or is damaged."""
    try:
        digest, _, body = file.read_bytes().partition(b"\n")
        if digest.decode() != _digest(body):
            raise ValueError("its digest is of something else")
        found = json.loads(body)
        closed = found["closed"]
        return Kept(found["rows"], found["number"], found["sequence"], tuple(closed) if closed else None)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError) as error:
        log.warning("%s is damaged; it is written again from the database: %s", file, error)
        return None


def write(file: Path, kept: Kept) -> None:
    """Put it in the place of what is there: after a power cut it is one of the two, and whole."""
    body = json.dumps(asdict(kept), ensure_ascii=False, separators=(",", ":")).encode()
    made = file.with_name(f"{file.name}.new")
    descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        with open(descriptor, "wb") as stream:  # noqa: PTH123 (it is open already)
            os.fchmod(descriptor, 0o600)
            stream.write(_digest(body).encode() + b"\n" + body)
            stream.flush()
            os.fsync(descriptor)
        made.replace(file)
        sync_folder(file)
    except OSError:
        with suppress(OSError):
            made.unlink(missing_ok=True)
        raise


def sync_folder(file: Path) -> None:
    """The name of a file is on the disk, too (fsync(2))."""
    folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def stamp(path: Path) -> Stamp:
    """How the database looks from outside."""
    found = path.stat()
    return found.st_size, found.st_mtime_ns


def _digest(body: bytes) -> str:
    return hashlib.blake2b(body, digest_size=16).hexdigest()


# -- in the writer's thread -----------------------------------------------------------------------------------

_LAST_NUMBER = text("SELECT max(seq) FROM sqlite_sequence WHERE name = 'account'")
_DROP_NUMBER = text("DELETE FROM sqlite_sequence WHERE name = 'account'")
_SET_NUMBER = text("INSERT INTO sqlite_sequence (name, seq) VALUES ('account', :number)")


def numbers_above(connection: Connection, number: int) -> None:
    """The next account has a higher number than this one."""
    if (connection.execute(_LAST_NUMBER).scalar() or 0) < number:
        connection.execute(_DROP_NUMBER)
        connection.execute(_SET_NUMBER, {"number": number})


def read(connection: Connection, sequence: int) -> Kept:
    """What is to be kept of this database."""
    rows = {
        name: [
            dict(row._mapping) for row in connection.execute(select(*(table.c[each] for each in COLUMNS[name]))).all()
        ]
        for name, table in TABLES.items()
    }
    return Kept(rows, connection.execute(_LAST_NUMBER).scalar() or 0, sequence)


def is_new(connection: Connection) -> bool:
    """Whether this database was never used: its history has not begun."""
    return connection.execute(select(func.count()).where(tables.ChangeRow.node == 0)).scalar() == 0


def restore(connection: Connection, kept: Kept, counter: Counter, *, new: bool) -> None:
    """Give a new database what was kept, and every one the numbers that were used: it may be an old copy."""
    numbers_above(connection, kept.number)
    if not new:
        return
    for name, table in TABLES.items():
        begun = counter.value
        for row in kept.rows.get(name, ()):
            values = {key: value for key, value in row.items() if key in COLUMNS[name]}
            if name == "node":
                values |= NODE_ANEW | {"number": counter.next(), "sequence": begun}
            try:
                with connection.begin_nested():
                    connection.execute(insert(table).values(values))
            except (IntegrityError, StatementError) as error:
                log.warning("a row of %s does not fit any more, and is left: %s", name, error.orig)


# -- while the database is open -------------------------------------------------------------------------------


class Keepsake:
    """Keeps the file as the database is, until damage is met: from then on the file is the truth."""

    def __init__(self, file: Path, writer: Writer, counter: Counter, kept: Kept, damaged: asyncio.Event) -> None:
        self._file = file
        self._damaged = damaged
        self._writer = writer
        self._counter = counter
        self._kept = kept
        self._lock = asyncio.Lock()
        self._wanted = self._written = 0
        self._due = self._failed = False
        self._soon: asyncio.Task[None] | None = None
        self._saving = set[asyncio.Task[None]]()

    async def after(self, transaction: str) -> None:
        """A transaction of this name was committed."""
        if transaction in DURABLE:
            await self.save()
        elif not self._due and (transaction in LATER or self._written < self._wanted or self._far()):
            self._due = True
            self._soon = asyncio.create_task(self._later())

    async def save(self) -> None:
        """Write what there is now; those who come while it is being written share the next time.

        What cannot be written is logged and no error of the caller's: the database has it. Who is cancelled does not
        wait for it any more; it is written to its end, since a thread cannot be cancelled, and the next one waits.
        """
        self._wanted += 1
        saving = asyncio.create_task(self._save(self._wanted))
        self._saving.add(saving)
        saving.add_done_callback(self._saving.discard)
        await asyncio.shield(saving)

    async def _save(self, mine: int) -> None:
        async with self._lock:
            if self._written >= mine or self._damaged.is_set():
                return
            all_before = self._wanted
            try:
                found = await self._writer.run(lambda c: read(c, self._counter.value + AHEAD))
                same = (found.rows, found.number) == (self._kept.rows, self._kept.number)
                if not same or self._kept.closed or self._far():
                    await asyncio.to_thread(write, self._file, found)
                    self._kept = found
                self._written, self._failed = all_before, False
            except (PubkeepError, OSError) as error:
                if not self._failed:  # on a full disk each time would be the same
                    log.warning("what cannot be fetched again is kept in the database alone: %s: %s", self._file, error)
                self._failed = True

    def _far(self) -> bool:
        """Whether the numbers come near the bound."""
        return self._counter.value > self._kept.sequence - AHEAD // 2

    async def _later(self) -> None:
        await asyncio.sleep(SOON)
        self._due = False
        await self.save()

    async def finish(self) -> None:
        """The last time that the database can be read."""
        if self._soon is not None:
            self._soon.cancel()
        await self.save()

    def closed(self, path: Path) -> None:
        """The database was closed in order, and all of it is in its file."""
        try:
            write(self._file, replace(self._kept, sequence=self._counter.value, closed=stamp(path)))
        except OSError as error:
            log.warning("the database will be looked through at the next start: %s: %s", self._file, error)

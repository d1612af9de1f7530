# SPDX-License-Identifier: MIT
"""How a file is opened: looked through where need be, migrated, and built anew where it is damaged or lost.

One that takes no writes, because its disk is mounted read-only or it is somebody else's, is read until it takes them.
"""

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, Engine

from pubkeep.clock import Clock
from pubkeep.errors import Damaged, Failed, ReadOnly
from pubkeep.storage import damage, keepsake
from pubkeep.storage.beginning import Beginning, begin, begin_to_read
from pubkeep.storage.damage import Unhealed, Watch, WatchedReaders, WatchedWriter
from pubkeep.storage.engines import until_done
from pubkeep.storage.keepsake import Keepsake, Kept, Stamp
from pubkeep.storage.migrate import HEAD, driver, migrate, stored_revision
from pubkeep.storage.progress import Report
from pubkeep.storage.sqlite import Access, log_size, make_room, takes_writes, writer_engine
from pubkeep.storage.transactions import TRY_AGAIN, WRITABLE
from pubkeep.storage.trouble import our_errors

log = logging.getLogger(__name__)

SELDOM = 60.0
"""Seconds between two attempts to open a file to be written that seems to take writes, and does not."""
REBUILT = "the database was damaged; it is built anew, and its nodes are fetched again"
CHANGED = "the database was changed by another program; it is opened anew"


@dataclass(frozen=True, slots=True)
class SqliteFile:
    """A file that is open."""

    path: Path
    writer: WatchedWriter
    readers: WatchedReaders
    found: Beginning
    watch: Watch
    access: Access
    """How further connections to it are opened."""


@dataclass(frozen=True, slots=True)
class OpenedFile(SqliteFile):
    """See place.Opened."""

    keepsake: Keepsake

    async def expired(self) -> str:
        """See place.Opened."""
        await self.watch.met.wait()
        return REBUILT

    async def close(self, wall: int) -> None:
        """Close it in order; where it is damaged, set it aside, so that nobody goes on with it.

        Args:
            wall: the present time in microseconds.
        """
        with our_errors():
            await self.keepsake.finish()
            await self.readers.close()
            try:
                await self.writer.close()
            finally:
                if self.watch.met.is_set():
                    await asyncio.to_thread(damage.set_aside, self.path, wall)
            if not self.watch.met.is_set():
                await asyncio.to_thread(self.keepsake.closed, self.path)


@dataclass(frozen=True, slots=True)
class UnwritableFile(SqliteFile):
    """See place.Opened. Nothing is changed in it, nor beside it."""

    stamp: Stamp
    """How it was when it was opened."""
    seemed_writable: bool
    """Whether it looked then as if it took writes."""
    keepsake: None = None

    async def expired(self) -> str:
        """See place.Opened."""
        while True:
            await asyncio.sleep(SELDOM if self.seemed_writable else TRY_AGAIN)
            if await asyncio.to_thread(takes_writes, self.path):
                return WRITABLE
            if await asyncio.to_thread(self._changed):
                return CHANGED

    def _changed(self) -> bool:
        """Whether somebody else took it away, or wrote it where nothing else would show that (sqlite.Access)."""
        with suppress(FileNotFoundError):
            unseen = log_size(self.path) or keepsake.stamp(self.path) != self.stamp
            return self.access == "immutable=1" and bool(unseen)
        return True

    async def close(self, wall: int) -> None:  # noqa: ARG002 (nothing is set aside)
        """End all connections."""
        with our_errors():
            await self.readers.close()
            await self.writer.abandon()


async def open_database(path: Path, clock: Clock, report: Report) -> OpenedFile | UnwritableFile:
    """Open it, creating or migrating it. One of this version that takes no writes is opened to be read.

    Raises:
        StorageFull, ReadOnly, Unavailable, Failed: it cannot be opened; a sentence says why.
    """
    with our_errors():
        damage.check_luck(path, clock.wall())
        kept = await asyncio.to_thread(keepsake.load, keepsake.beside(path))
        try:
            return await _open_or_read(path, clock, kept, report)
        except Damaged as error:
            log.error("%s", error)
            if not damage.is_ours(path):
                raise Failed("the database: this file is none; choose another one with [storage] path") from error
        found = damage.set_aside(path, clock.wall())
        if kept is None and found is not None:
            kept = await asyncio.to_thread(damage.salvage, found)
        return await _open(path, clock, kept, report)


async def _open(path: Path, clock: Clock, kept: Kept | None, report: Report) -> OpenedFile:
    as_left = damage.left(path, kept)
    make_room(path)
    watch = Watch()
    writer = WatchedWriter(writer_engine(path), watch)
    readers = WatchedReaders(path, watch)
    known = kept or Kept()

    def look(engine: Engine) -> None:
        with engine.connect() as connection:
            revision = stored_revision(connection)
        if revision is not None and revision <= HEAD:
            damage.look_through(driver(engine), path, as_left, report, current=revision == HEAD)

    def first(connection: Connection) -> Beginning:
        new = keepsake.is_new(connection)
        found = begin(connection, max(clock.wall(), known.sequence))
        keepsake.restore(connection, known, found.counter, new=new)
        return found

    try:
        await until_done(writer.call(look), report.stop)
        await until_done(writer.call(lambda engine: migrate(engine, path, report)), report.stop)
        found = await writer.run(first, durable=True)
        small = Keepsake(keepsake.beside(path), writer, found.counter, known, watch.met)
        await small.save()
        await readers.open()
    except BaseException:
        await readers.close()
        await writer.abandon()
        raise
    return OpenedFile(path, writer, readers, found, watch, "mode=rwc", small)


async def _open_or_read(path: Path, clock: Clock, kept: Kept | None, report: Report) -> OpenedFile | UnwritableFile:
    """Open it to be written, or to be read where it takes no writes."""
    seemed_writable = takes_writes(path)
    try:
        return await _open(path, clock, kept, report)
    except ReadOnly as error:
        why = error
    if takes_writes(path) and not seemed_writable:  # an attempt gives our own files their mode
        with suppress(ReadOnly):
            return await _open(path, clock, kept, report)
    for access in _accesses(path):
        with suppress(ReadOnly):
            if (found := await _read(path, kept, report, str(why), access)) is not None:
                return found
    raise why


def _accesses(path: Path) -> tuple[Access, ...]:
    """How a file can be read that takes no writes."""
    if not path.exists():
        return ()
    return ("mode=ro",) if log_size(path) else ("mode=ro", "immutable=1")


async def _read(path: Path, kept: Kept | None, report: Report, words: str, access: Access) -> UnwritableFile | None:
    """Open it to be read.

    Args:
        words: why it is not written.

    Returns:
        None where it has another revision, or nothing in it.

    Raises:
        ReadOnly: it cannot be read like this.
        Damaged: signs of that were found.
    """
    as_left, stamp, seemed_writable = damage.left(path, kept), keepsake.stamp(path), takes_writes(path)
    engine, watch = writer_engine(path, access), Unhealed()
    readers = WatchedReaders(path, watch, access)

    def look() -> Beginning | None:
        with our_errors():
            with engine.begin() as connection:
                found = begin_to_read(connection, words) if stored_revision(connection) == HEAD else None
            if found is not None:
                damage.look_through(driver(engine), path, as_left, report, current=True, access=access)
            return found

    try:
        found = await until_done(asyncio.to_thread(look), report.stop)
        if found is None:
            engine.dispose()
            return None
        await readers.open()
    except BaseException:
        await readers.close()
        engine.dispose()
        raise
    return UnwritableFile(path, WatchedWriter(engine, watch), readers, found, watch, access, stamp, seemed_writable)

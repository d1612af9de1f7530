# SPDX-License-Identifier: MIT
"""How a file is opened: looked through where need be, migrated, and built anew where it is damaged or lost."""

import asyncio
import logging
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, Engine

from pubkeep.clock import Clock
from pubkeep.errors import Damaged, Failed
from pubkeep.storage import damage, keepsake
from pubkeep.storage.beginning import Beginning, begin
from pubkeep.storage.damage import Watch, WatchedReaders, WatchedWriter
from pubkeep.storage.engines import until_done
from pubkeep.storage.keepsake import Keepsake, Kept
from pubkeep.storage.migrate import HEAD, driver, migrate, stored_revision
from pubkeep.storage.progress import Report
from pubkeep.storage.sqlite import make_room, writer_engine
from pubkeep.storage.trouble import our_errors

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class OpenedFile:
    """See place.Opened."""

    path: Path
    writer: WatchedWriter
    readers: WatchedReaders
    found: Beginning
    keepsake: Keepsake
    watch: Watch

    async def damaged(self) -> None:
        """See place.Opened."""
        await self.watch.met.wait()

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


async def open_database(path: Path, clock: Clock, report: Report) -> OpenedFile:
    """Open it, creating or migrating it.

    Raises:
        StorageFull, ReadOnly, Unavailable, Failed: it cannot be opened; a sentence says why.
    """
    with our_errors():
        damage.check_luck(path, clock.wall())
        kept = await asyncio.to_thread(keepsake.load, keepsake.beside(path))
        try:
            return await _open(path, clock, kept, report)
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
    return OpenedFile(path, writer, readers, found, small, watch)

# SPDX-License-Identifier: MIT
"""Where a store is kept: a file of SQLite, or a database of PostgreSQL."""

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from sqlalchemy import make_url

from pubkeep.clock import Clock
from pubkeep.errors import Failed, PubkeepError, ReadOnly
from pubkeep.storage.beginning import Beginning, begin, begin_to_read
from pubkeep.storage.engines import Readers, Writer
from pubkeep.storage.opening import open_database
from pubkeep.storage.progress import Report, Tell, nobody
from pubkeep.storage.transactions import TRY_AGAIN, WRITABLE, After, touch

if TYPE_CHECKING:
    from pubkeep.storage.postgresql import Patience, PostgresWriter


log = logging.getLogger(__name__)


class Opened(Protocol):
    """A database that is open."""

    @property
    def writer(self) -> Writer:
        """The one that writes."""

    @property
    def readers(self) -> Readers:
        """Those that read."""

    @property
    def found(self) -> Beginning:
        """What it says of itself."""

    @property
    def keepsake(self) -> After | None:
        """What keeps a copy of that which cannot be fetched again."""

    async def expired(self) -> str:
        """Wait until it has to be closed and opened anew. Returns why, for people.

        It is damaged: closing sets it aside, and opening builds another one. Or it took no writes when it was opened,
        and takes them now.
        """

    async def close(self, wall: int) -> None:
        """Close it in order.

        Args:
            wall: the present time in microseconds.
        """


async def open_place(place: Path | str, clock: Clock, tell: Tell = nobody) -> Opened:
    """Open it, creating or migrating it. Where that is cancelled, no migration is half done.

    One of this version that takes no writes is opened to be read (Beginning.read_only).

    Args:
        place: a file, or the URL of a database (config.py).
        tell: called in the event loop while it is migrated.

    Raises:
        StorageFull, ReadOnly, Unavailable, Failed: it cannot be opened; a sentence says why.
    """
    loop = asyncio.get_running_loop()
    report = Report(lambda words: loop.call_soon_threadsafe(tell, words))
    opened: Opened
    if isinstance(place, Path):
        opened = await open_database(place, clock, report)
    else:
        try:
            from pubkeep.storage.postgresql import PATIENCE  # it needs what few have installed
        except ImportError as error:
            raise Failed("the database: PostgreSQL needs asyncpg here: pip install 'pubkeep[postgresql]'") from error
        opened = await open_server(place, clock, PATIENCE, report)
    if opened.found.read_only:
        log.error("%s", opened.found.read_only)
    return opened


@dataclass(frozen=True, slots=True)
class OpenedServer:
    """A database of a server, which notices damage itself, and is backed up by who runs it."""

    writer: "PostgresWriter"
    readers: Readers
    found: Beginning
    keepsake: None = None

    async def expired(self) -> str:
        """See Opened."""
        if not self.found.read_only:
            await asyncio.get_running_loop().create_future()
        while True:
            await asyncio.sleep(TRY_AGAIN)
            with suppress(PubkeepError):
                await self.writer.run(touch)
                return WRITABLE

    async def close(self, wall: int) -> None:  # noqa: ARG002 (nothing is set aside)
        """See Opened."""
        await self.readers.close()
        await self.writer.close()


async def open_server(url: str, clock: Clock, patience: "Patience", report: Report) -> OpenedServer:
    """Open a database of a server; see open_place."""
    from pubkeep.storage.postgresql import PostgresReaders, PostgresWriter

    where = make_url(url)
    writer, readers = PostgresWriter(where, patience), PostgresReaders(where, patience)
    try:
        await writer.migrate(report)
        found = await _begun(writer, clock)
        await readers.open()
    except BaseException:
        await readers.close()
        await writer.abandon()
        raise
    return OpenedServer(writer, readers, found)


async def _begun(writer: Writer, clock: Clock) -> Beginning:
    """Begin a run in it, or read it where it takes no writes."""
    try:
        return await writer.run(lambda connection: begin(connection, clock.wall()))
    except ReadOnly as error:
        words = str(error)
        found = await writer.run(lambda connection: begin_to_read(connection, words))
        if found is None:
            raise
        return found

# SPDX-License-Identifier: MIT
"""Where a store is kept: a file of SQLite, or a database of PostgreSQL."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from sqlalchemy import make_url

from pubkeep.clock import Clock
from pubkeep.errors import Failed
from pubkeep.storage.beginning import Beginning, begin
from pubkeep.storage.engines import Readers, Writer
from pubkeep.storage.opening import open_database
from pubkeep.storage.progress import Report, Tell, nobody
from pubkeep.storage.transactions import After

if TYPE_CHECKING:
    from pubkeep.storage.postgresql import Patience, PostgresWriter


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

    async def damaged(self) -> None:
        """Wait until damage is met. Closing sets the database aside, and opening builds another one."""

    async def close(self, wall: int) -> None:
        """Close it in order.

        Args:
            wall: the present time in microseconds.
        """


async def open_place(place: Path | str, clock: Clock, tell: Tell = nobody) -> Opened:
    """Open it, creating or migrating it. Where that is cancelled, no migration is half done.

    Args:
        place: a file, or the URL of a database (config.py).
        tell: called in the event loop while it is migrated.

    Raises:
        StorageFull, ReadOnly, Unavailable, Failed: it cannot be opened; a sentence says why.
    """
    loop = asyncio.get_running_loop()
    report = Report(lambda words: loop.call_soon_threadsafe(tell, words))
    if isinstance(place, Path):
        return await open_database(place, clock, report)
    try:
        from pubkeep.storage.postgresql import PATIENCE  # it needs what few have installed
    except ImportError as error:
        raise Failed("the database: PostgreSQL needs asyncpg here: pip install 'pubkeep[postgresql]'") from error
    return await open_server(place, clock, PATIENCE, report)


@dataclass(frozen=True, slots=True)
class OpenedServer:
    """A database of a server, which notices damage itself, and is backed up by who runs it."""

    writer: "PostgresWriter"
    readers: Readers
    found: Beginning
    keepsake: None = None

    async def damaged(self) -> None:
        """See Opened."""
        await asyncio.get_running_loop().create_future()

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
        found = await writer.run(lambda connection: begin(connection, clock.wall()))
        await readers.open()
    except BaseException:
        await readers.close()
        await writer.abandon()
        raise
    return OpenedServer(writer, readers, found)

# SPDX-License-Identifier: MIT
"""Where a store is: a file of SQLite, or a database of PostgreSQL."""

from pathlib import Path

from sqlalchemy import make_url

from pubkeep.storage.engines import Readers, Writer
from pubkeep.storage.migrate import migrate
from pubkeep.storage.sqlite import SqliteReaders, SqliteWriter, make_room, writer_engine
from pubkeep.storage.trouble import our_errors


async def prepare(place: Path | str) -> tuple[Writer, Readers]:
    """The means to write and to read a database that is created or migrated now.

    Args:
        place: a file, or the URL of a database (config.py).

    Raises:
        StorageFull, Unavailable, Failed: it cannot be opened; a sentence says why.
    """
    return await (_file(place) if isinstance(place, Path) else _server(place))


async def _file(path: Path) -> tuple[Writer, Readers]:
    with our_errors():
        make_room(path)
        writer = SqliteWriter(writer_engine(path))
    try:
        await writer.call(lambda engine: migrate(engine, path))
    except BaseException:
        await writer.abandon()
        raise
    return writer, SqliteReaders(path)


async def _server(url: str) -> tuple[Writer, Readers]:
    from pubkeep.storage.postgresql import PostgresReaders, PostgresWriter  # it needs what few have installed

    where = make_url(url)
    writer = PostgresWriter(where)
    try:
        await writer.migrate()
    except BaseException:
        await writer.abandon()
        raise
    return writer, PostgresReaders(where)

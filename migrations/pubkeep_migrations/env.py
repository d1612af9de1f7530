# SPDX-License-Identifier: MIT
"""How Alembic reaches the database: over the daemon's connection, or for people as the daemon finds it."""

import asyncio
from pathlib import Path
from typing import Any

from alembic import context
from sqlalchemy import Connection, make_url

from pubkeep.config import database_place, load
from pubkeep.storage.migrate import unchecked
from pubkeep.storage.sqlite import make_room, writer_engine
from pubkeep.storage.tables import FTS_TABLES, Base


def include_object(_object: Any, name: str | None, kind: str, _reflected: bool, _compare_to: Any) -> bool:
    """The full-text table and its shadows are derived; no mapped class compares with them."""
    return not (kind == "table" and (name or "").startswith(FTS_TABLES))


def run(connection: Connection) -> None:
    """Migrate over this connection, in its transaction."""
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=True,
        include_object=include_object,
        transactional_ddl=True,
        on_version_apply=context.config.attributes.get("applied"),
    )
    context.run_migrations()


def database() -> Path | str:
    """`-x url=...`, else where the daemon's database is."""
    url = context.get_x_argument(as_dictionary=True).get("url", "")
    if url.startswith("sqlite"):
        return Path(make_url(url).database or "")
    return url or database_place(load().storage)


async def on_server(url: str) -> None:
    """Migrate a database of PostgreSQL."""
    from pubkeep.storage.postgresql import alone

    async with alone(make_url(url)) as connection:
        await connection.run_sync(run)


given = context.config.attributes.get("connection")
if given is not None:
    run(given)
elif isinstance(place := database(), Path):
    make_room(place)
    engine = writer_engine(place)
    with unchecked(engine) as own:
        run(own)
    engine.dispose()
else:
    asyncio.run(on_server(place))

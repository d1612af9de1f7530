# SPDX-License-Identifier: MIT
"""The database is created or migrated when the daemon starts; nobody has to run a command.

An ordinary start compares one value and imports no Alembic. A migration runs inside one IMMEDIATE
transaction: killed anywhere, or told to end, it is rolled back and runs again; two daemons starting together wait for
each other and look again inside the transaction.
"""

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine, inspect, text

from pubkeep.errors import Failed
from pubkeep.storage.progress import Report
from pubkeep.storage.sqlite import make_private, make_room, stoppable, use_wal

if TYPE_CHECKING:
    from alembic.config import Config

log = logging.getLogger(__name__)

HEAD = "0008"
"""The newest revision in `migrations/`; a test holds it against Alembic's own view."""
PAGES = 1024
"""Copied at once: four megabytes."""


def stored_revision(connection: Connection) -> str | None:
    """The revision of this database; None for an empty one.

    Raises:
        Failed: there are tables, but not ours.
    """
    tables = set(inspect(connection).get_table_names())
    if not tables:
        return None
    if "alembic_version" not in tables or (len(tables) > 1 and not {"item", "node"} <= tables):
        raise Failed("the database: it belongs to another program; choose another one with [storage]")
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def migrate(engine: Engine, path: Path, report: Report) -> bool:
    """Bring the database to HEAD. Returns whether there was anything to do.

    Raises:
        Failed: of another program, or newer than this one; nothing was touched.
        Cancelled: the report was told to stop; nothing was changed.
    """
    with engine.connect() as connection:
        found = stored_revision(connection)
    copy = path.with_suffix(".before-migration.db")
    if found == HEAD:
        _settle(engine, path)
        copy.unlink(missing_ok=True)
        return False
    refuse_newer(found)
    _settle(engine, path)
    with stoppable(driver(engine), report.stopping), unchecked(engine) as connection:
        found = stored_revision(connection)  # another daemon may have been here meanwhile
        if found != HEAD:
            if found is not None:
                _copy(path, copy, report)
            upgrade(connection, found, report)
    return True


def refuse_newer(found: str | None) -> None:
    """Raises:
    Failed: this revision is none that the program knows.
    """
    from alembic.script import ScriptDirectory  # heavy: an ordinary start needs none of it

    known = {revision.revision for revision in ScriptDirectory.from_config(_config()).walk_revisions()}
    if found is not None and found not in known:
        raise Failed(
            f"the database: a newer version of this program wrote it (revision {found}, this one knows {HEAD}); "
            "upgrade the program, or choose another database with [storage]"
        )


def upgrade(connection: Connection, found: str | None, report: Report) -> None:
    """Bring it to the newest revision, in the transaction of this connection. Creating it takes no time to speak of.

    Raises:
        Cancelled: the report was told to stop.
    """
    from alembic import command

    log.info("the database is %s", "created" if found is None else f"migrated from {found} to {HEAD}")
    config = _config()
    config.attributes["connection"] = connection
    if found is not None:
        config.attributes |= _told(config, found, report)
    command.upgrade(config, "head")


def _told(config: "Config", found: str, report: Report) -> dict[str, Any]:
    """Begin to tell how far it is. Returns what is called after each revision, and what with the rows of one."""
    from alembic.script import ScriptDirectory

    steps = [*ScriptDirectory.from_config(config).iterate_revisions("head", found)][::-1]
    parts = [f"the database is migrated, step {n} of {len(steps)} ({s.revision})" for n, s in enumerate(steps, 1)]
    following = iter([*parts, "the database is migrated; what was changed is checked and written to the disk"])
    report.begin(next(following))
    return {"applied": lambda **_: report.begin(next(following)), "rows": report.far}


def _config() -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "pubkeep_migrations:")
    return config


@contextmanager
def unchecked(engine: Engine) -> Iterator[Connection]:
    """A transaction whose foreign keys are checked at its end, and not before.

    Where a batch recreates a table, the old one is dropped; with foreign keys on that deletes its rows
    first, and with them every row of other tables that hangs on them (all raw XML, for `item`).

    Raises:
        Failed: a row points to nothing; the transaction is rolled back.
    """
    raw = driver(engine)
    raw.execute("PRAGMA foreign_keys=OFF")  # of no effect inside a transaction
    try:
        with engine.begin() as connection:
            yield connection
            if connection.exec_driver_sql("PRAGMA foreign_key_check").first() is not None:
                raise Failed("the database: the migration would tear rows apart; nothing was changed")
    finally:
        raw.execute("PRAGMA foreign_keys=ON")


def _settle(engine: Engine, path: Path) -> None:
    """The file is ours: nobody else may read it, and readers do not wait for the writer."""
    make_private(path)
    use_wal(driver(engine))


def _copy(path: Path, copy: Path, report: Report) -> None:
    """A copy as it was, kept until the next start that has nothing to migrate.

    The caller keeps everybody else from writing it: of two daemons that start together, the second would take it from
    under the first one, or keep what is migrated already.
    """
    copy.unlink(missing_ok=True)
    make_room(copy)
    report.begin("the database is copied before it is migrated")
    try:
        with closing(sqlite3.connect(path)) as reader, closing(sqlite3.connect(copy)) as writer:
            reader.backup(writer, pages=PAGES, progress=lambda _, left, total: report.far(total - left, total, "pages"))
    except BaseException:
        copy.unlink()  # nobody shall take the half for the whole
        raise


def driver(engine: Engine) -> sqlite3.Connection:
    """The one connection of the writer, for what cannot be done inside a transaction."""
    with closing(engine.raw_connection()) as pooled:
        raw = pooled.driver_connection
        assert isinstance(raw, sqlite3.Connection)
        return raw

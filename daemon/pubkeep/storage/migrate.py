# SPDX-License-Identifier: MIT
"""The database is created or migrated when the daemon starts; nobody has to run a command.

An ordinary start compares one value and imports no Alembic. A migration runs inside one IMMEDIATE
transaction: killed anywhere, it is rolled back and runs again; two daemons starting together wait for
each other and look again inside the transaction.
"""

import logging
from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

from pubkeep.errors import Failed

log = logging.getLogger(__name__)

HEAD = "0001"
"""The newest revision in `migrations/`; a test holds it against Alembic's own view."""


def stored_revision(connection: Connection) -> str | None:
    """The revision of this database; None for an empty one.

    Raises:
        Failed: there are tables, but not ours.
    """
    tables = set(inspect(connection).get_table_names())
    if not tables:
        return None
    if "alembic_version" not in tables or ("item" not in tables and "node" not in tables):
        raise Failed("the database: it belongs to another program; choose another file with [storage] path")
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def migrate(engine: Engine, path: Path) -> bool:
    """Bring the database to HEAD. Returns whether there was anything to do.

    Raises:
        Failed: of another program, or newer than this one; nothing was touched.
    """
    with engine.connect() as connection:
        found = stored_revision(connection)
    copy = path.with_suffix(".before-migration.db")
    if found == HEAD:
        copy.unlink(missing_ok=True)
        return False
    from alembic import command  # heavy: an ordinary start needs none of it
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", "pubkeep_migrations:")
    known = {revision.revision for revision in ScriptDirectory.from_config(config).walk_revisions()}
    if found is not None and found not in known:
        raise Failed(
            f"the database: a newer version of this program wrote it (revision {found}, this one knows {HEAD}); "
            "upgrade the program, or choose another file with [storage] path"
        )
    if found is not None:
        _copy(engine, copy)
    log.info("the database is %s", "created" if found is None else f"migrated from {found} to {HEAD}")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    return True


def _copy(engine: Engine, copy: Path) -> None:
    """A copy as it was, kept until the next start that has nothing to migrate."""
    copy.unlink(missing_ok=True)
    with engine.connect() as connection:
        connection.commit()
        raw = connection.connection.driver_connection
        assert raw is not None
        raw.execute("COMMIT") if raw.in_transaction else None
        raw.execute("VACUUM INTO ?", (str(copy),))
    copy.chmod(0o600)

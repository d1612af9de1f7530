# SPDX-License-Identifier: MIT
"""The two databases by their names."""

from sqlalchemy import Connection

from pubkeep.storage.dialect import Dialect
from pubkeep.storage.fts5 import Sqlite
from pubkeep.storage.tsvector import Postgresql

SQLITE: Dialect = Sqlite()
POSTGRESQL: Dialect = Postgresql()
_BY_NAME = {"sqlite": SQLITE, "postgresql": POSTGRESQL}


def dialect_of(connection: Connection) -> Dialect:
    """That of a connection."""
    return _BY_NAME[connection.dialect.name]

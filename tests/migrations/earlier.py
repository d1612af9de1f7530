# SPDX-License-Identifier: MIT
"""Databases of earlier revisions with rows in all their tables, as many as are wanted, on both engines.

Files are those that the programs of their time wrote (keep.py). No program before revision 0008 could use PostgreSQL:
the one that is kept of 0008 is the oldest that a program left there, and an older one comes about only where somebody
takes it down with Alembic. So that is how they are made here.
"""

import lzma
import shutil
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Protocol

from alembic import command
from alembic.config import Config

from pubkeep.storage.migrate import HEAD
from tests.fixtures.places import Database, Databases, File, Place
from tests.migrations.keep import FOLDER, ON_SERVERS, REVISIONS, unpacked

ROOT = Path(__file__).parents[2]
EARLIER = [revision for revision in REVISIONS if revision < HEAD]
OWN = ("", "-kept", "-wal", "-shm")
"""Files of a database."""


def config(where: Path | str) -> Config:
    """Alembic as people run it, on this database."""
    made = Config(str(ROOT / "migrations" / "alembic.ini"))
    url = f"sqlite:///{where}" if isinstance(where, Path) else where
    made.cmd_opts = type("Options", (), {"x": [f"url={url}"]})()
    return made


class Earlier(Protocol):
    """Makes them."""

    def of(self, revision: str) -> Place:
        """One of this revision."""

    def left(self, place: Place) -> set[str]:
        """What lies beside it and does not belong there."""

    def drop(self, place: Place) -> None:
        """It is used no more."""


class EarlierFiles:
    """Files of SQLite, each in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._numbers = folder, count()

    def of(self, revision: str) -> File:
        """See Earlier."""
        return File(unpacked(revision, self._folder / str(next(self._numbers)) / "pubkeep.db"))

    def left(self, place: Place) -> set[str]:
        """See Earlier."""
        path = Path(place.where)
        return {file.name for file in path.parent.iterdir()} - {path.name + suffix for suffix in OWN}

    def drop(self, place: Place) -> None:
        """See Earlier."""
        shutil.rmtree(Path(place.where).parent)


class EarlierOnServer:
    """Databases of a PostgreSQL server, copied from one of each revision."""

    def __init__(self, databases: Databases) -> None:
        self._server = databases.server
        self._made: dict[str, Database] = {}

    def of(self, revision: str) -> Database:
        """See Earlier."""
        return Database(self._server, self._template(revision).name)

    def left(self, place: Place) -> set[str]:
        """See Earlier."""
        return set()

    def drop(self, place: Place) -> None:
        """See Earlier."""
        self._server.sql(f"DROP DATABASE {str(place.where).rpartition('/')[2]} WITH (FORCE)")

    def _template(self, revision: str) -> Database:
        """One of this revision that stays as it is: restored, or the next one taken down."""
        if revision not in self._made:
            if revision in ON_SERVERS:
                made = Database(self._server)
                self._server.restore(lzma.decompress((FOLDER / f"{revision}.sql.xz").read_bytes()), made.name)
            else:
                made = self.of(REVISIONS[REVISIONS.index(revision) + 1])
                with ThreadPoolExecutor(1) as thread:  # env.py has a loop of its own, and there may be one in this
                    thread.submit(command.downgrade, config(made.where), revision).result()
            self._made[revision] = made
        return self._made[revision]

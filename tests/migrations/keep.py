# SPDX-License-Identifier: MIT
"""Keep a database of the newest revision, as a file and as a dump of PostgreSQL: `python -m tests.migrations.keep`.

It is written by the program that is imported. With another commit's `daemon` and `migrations` before this one's in
PYTHONPATH it is one of that commit's revision.
"""

import asyncio
import lzma
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from pubkeep.storage.migrate import HEAD
from pubkeep.storage.store import Store
from tests.migrations.contents import Then, write

FOLDER = Path(__file__).parent / "databases"
REVISIONS = sorted(file.name.partition(".")[0] for file in FOLDER.glob("*.db.xz"))
ON_SERVERS = sorted(file.name.partition(".")[0] for file in FOLDER.glob("*.sql.xz"))
"""Those that a program left on PostgreSQL, which could be used from 0008 on."""


def unpacked(revision: str, path: Path) -> Path:
    """A copy of the database that is kept of a revision, as the program of that time left it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(lzma.decompress((FOLDER / f"{revision}.db.xz").read_bytes()))
    return path


async def _written(where: Path | str) -> None:
    store = await Store.open(where, Then())
    await write(store, HEAD)
    await asyncio.sleep(1)  # what is done in the background
    await store.close()


def _file() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pubkeep.db"
        asyncio.run(_written(path))
        with closing(sqlite3.connect(path, isolation_level=None)) as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            database.execute("VACUUM")
        return path.read_bytes()


def _dump() -> bytes:
    from tests.fixtures.postgresql import postgresql  # programs before 0008 have none

    with postgresql() as server:
        name = server.database()
        asyncio.run(_written(server.url(name)))
        return server.dump(name)


def main() -> None:
    """Write them, and say where."""
    FOLDER.mkdir(exist_ok=True)
    made = {"db": _file} | ({"sql": _dump} if HEAD >= "0008" else {})
    for kind, make in made.items():
        kept = FOLDER / f"{HEAD}.{kind}.xz"
        kept.write_bytes(lzma.compress(make(), preset=9 | lzma.PRESET_EXTREME))
        print(f"{kept}: {kept.stat().st_size} bytes")


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: MIT
"""Keep a database of the newest revision: `python -m tests.migrations.keep`.

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


def unpacked(revision: str, path: Path) -> Path:
    """A copy of the database that is kept of a revision, as the program of that time left it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(lzma.decompress((FOLDER / f"{revision}.db.xz").read_bytes()))
    return path


async def _written(path: Path) -> None:
    store = await Store.open(path, Then())
    await write(store, HEAD)
    await asyncio.sleep(1)  # what is done in the background
    await store.close()


def main() -> None:
    """Write it, and say where."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pubkeep.db"
        asyncio.run(_written(path))
        with closing(sqlite3.connect(path, isolation_level=None)) as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            database.execute("VACUUM")
        FOLDER.mkdir(exist_ok=True)
        kept = FOLDER / f"{HEAD}.db.xz"
        kept.write_bytes(lzma.compress(path.read_bytes(), preset=9 | lzma.PRESET_EXTREME))
        print(f"{kept}: {kept.stat().st_size} bytes")


if __name__ == "__main__":
    main()

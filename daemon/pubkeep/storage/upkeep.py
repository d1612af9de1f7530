# SPDX-License-Identifier: MIT
"""Looking after the database while it is in use: its size, whether it is whole, a copy, less room (pubkeep.upkeep).

Long work is done on a connection and in a thread of its own, and lets others have their turn. Only compacting keeps
writers waiting until it is done: SQLite writes the whole file anew.
"""

import asyncio
import os
import sqlite3
import threading
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Engine

from pubkeep.clock import Clock
from pubkeep.errors import Cancelled, StorageFull
from pubkeep.storage import damage, moving
from pubkeep.storage.checking import Turn, check
from pubkeep.storage.engines import READERS, until_done
from pubkeep.storage.keepsake import beside
from pubkeep.storage.migrate import driver
from pubkeep.storage.opening import SqliteFile
from pubkeep.storage.sqlite import connect, log_size, make_room, stoppable
from pubkeep.storage.trouble import our_errors
from pubkeep.upkeep import Findings, Progress

T = TypeVar("T")

STEP = 256
"""Pages copied at once: a megabyte."""
PAUSE = 0.002
"""Seconds that others have between two steps."""
MARGIN = 32 * 1024 * 1024
"""Bytes that must stay free."""
TABLES = (
    *("account", "node", "item", "payload", "change", "policy", "service", "leftover"),
    *("dictionary", "key", "item_key", "gap"),
)


class FileUpkeep:
    """The SQLite file of an open store."""

    def __init__(self, opened: SqliteFile) -> None:
        self._opened = opened
        self._path = opened.path

    def condemn(self) -> None:
        """What was found in it cannot be believed: have it built anew."""
        self._opened.watch.met.set()

    async def statistics(self) -> Mapping[str, int | str | bool]:
        """See pubkeep.upkeep."""
        ask = self._opened.readers.fetch
        found: dict[str, int | str | bool] = {"engine": "sqlite"}
        for key, question in {
            "engine_version": "SELECT sqlite_version()",
            "revision": "SELECT version_num FROM alembic_version",
            "page_size": "PRAGMA page_size",
            "pages": "PRAGMA page_count",
            "free_pages": "PRAGMA freelist_count",
            "indexing": "SELECT max(behind) FROM (SELECT behind FROM derived UNION ALL SELECT behind FROM key)",
        }.items():
            found[key] = (await ask(question, {}))[0][0] or 0
        for table in TABLES:
            found[f"rows_{table}"] = (await ask(f"SELECT count(*) FROM {table}", {}))[0][0]  # noqa: S608
        sizes = {"bytes": self._path, "bytes_kept": beside(self._path)}
        found |= {key: file.stat().st_size if file.exists() else 0 for key, file in sizes.items()}
        found |= {"bytes_log": log_size(self._path), "indexing": bool(found["indexing"])}
        return found | {"readers": READERS, "set_aside": len(damage.aside(self._path))}

    async def check(self, progress: Progress) -> Findings:
        """See pubkeep.upkeep."""
        return await self._apart(check, progress)

    def begin_copy(self) -> tuple[Path, int]:
        """See pubkeep.upkeep."""
        target = self._path.with_name(f"{self._path.name}-copy")
        with our_errors():
            target.unlink(missing_ok=True)
            make_room(target)
            return target, os.open(target, os.O_RDONLY | os.O_CLOEXEC)

    async def copy(self, target: Path, progress: Progress) -> int:
        """See pubkeep.upkeep."""

        def work(raw: sqlite3.Connection, turn: Turn) -> int:
            raw.execute("BEGIN")  # the same moment until the end, whatever is written meanwhile
            size = _size(raw)
            with closing(sqlite3.connect(target, isolation_level=None)) as copy:
                target.unlink()
                _need(self._path, size)
                for pragma in ("journal_mode=OFF", "synchronous=OFF"):  # nobody sees it before it is whole
                    copy.execute(f"PRAGMA {pragma}")
                raw.backup(copy, pages=STEP, progress=lambda _, left, total: turn(total - left, total))
            return size

        return await self._apart(work, progress)

    async def move(self, place: Path | str, progress: Progress) -> int:
        """See pubkeep.upkeep."""
        return await moving.move(self._opened.readers, place, Clock(), progress)

    async def compact(self) -> tuple[int, int]:
        """See pubkeep.upkeep."""
        stopping = threading.Event()

        def work(engine: Engine) -> tuple[int, int]:
            raw = driver(engine)
            before = _size(raw)
            _need(self._path, 2 * before)
            with stoppable(raw, stopping):
                raw.execute("VACUUM")
            raw.execute("PRAGMA wal_checkpoint(PASSIVE)")
            return before, _size(raw)

        return await until_done(self._opened.writer.call(work), stopping.set)

    async def _apart(self, work: Callable[[sqlite3.Connection, Turn], T], progress: Progress) -> T:
        """Do it on a connection and in a thread of its own."""
        loop, stopping = asyncio.get_running_loop(), threading.Event()

        def turn(done: int, total: int) -> None:
            loop.call_soon_threadsafe(progress, done, total)
            if stopping.wait(PAUSE):
                raise Cancelled("it was cancelled")

        def guarded() -> T:
            with (
                our_errors(),
                closing(connect(self._path, self._opened.access)) as raw,
                stoppable(raw, stopping),
            ):
                return work(raw, turn)

        with self._opened.watch.watching():
            return await until_done(asyncio.to_thread(guarded), stopping.set)


def _size(raw: sqlite3.Connection) -> int:
    pages, size = (raw.execute(f"PRAGMA {each}").fetchone()[0] for each in ("page_count", "page_size"))
    return int(pages * size)


def _need(path: Path, size: int) -> None:
    """Raises:
    StorageFull: the disk of this file has not so many bytes left.
    """
    found = os.statvfs(path.parent)
    free = found.f_bavail * found.f_frsize
    if free < size + MARGIN:
        mib = 1024 * 1024
        raise StorageFull(f"the database: {(size + MARGIN) // mib} MiB have to be free for this, {free // mib} MiB are")

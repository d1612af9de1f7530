# SPDX-License-Identifier: MIT
"""All of a database into another, empty one, of either kind, while the one goes on.

The rows are those of one moment. What happens here after it is not there; that hurts nobody: a database that is opened
proves nothing of what it holds, and gives no number twice. Nodes are called whole there at the very end: if it ends
half-way, nothing that is there is believed. Indexes are filled by the store that is opened there.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, delete, func, insert, select, text, update

from pubkeep.clock import Clock
from pubkeep.errors import Conflict
from pubkeep.model import Copy
from pubkeep.storage import tables
from pubkeep.storage.dialects import SQLITE, dialect_of
from pubkeep.storage.engines import Fetcher, Readers, Writer
from pubkeep.storage.indexing import NAME
from pubkeep.storage.keepsake import numbers_above
from pubkeep.storage.place import open_place
from pubkeep.upkeep import Progress

AT_ONCE = 500
"""Rows in one transaction."""
BEGUN = ("change", "gap", "derived")
"""A new database has rows of its own in them."""
UNPROVED: dict[str, object] = {"copy": Copy.NONE.value, "verified_at": 0}
"""What a node is until all has come."""
_LAST_ACCOUNT = {
    True: "SELECT seq FROM sqlite_sequence WHERE name = 'account'",
    False: "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM account_number_seq",
}
"""The highest number that an account ever had; of SQLite, and of PostgreSQL."""


async def move(source: Readers, place: Path | str, clock: Clock, progress: Progress) -> int:
    """Do it. Returns how many rows there are.

    Raises:
        Conflict: the other database has something in it.
        StorageFull, Unavailable, Failed: it cannot be opened, or written; a sentence says why.
    """
    target = await open_place(place, clock)
    try:
        async with source.snapshot() as fetcher:
            return await _Move(fetcher, source, target.writer, progress).run()
    finally:
        await target.close(clock.wall())


class _Move:
    """One, on its way."""

    def __init__(self, fetcher: Fetcher, source: Readers, writer: Writer, progress: Progress) -> None:
        self._fetcher, self._source, self._writer = fetcher, source, writer
        self._progress = progress
        self._tables = [table for table in tables.Base.metadata.sorted_tables if table.name != "derived"]
        self._done = self._total = 0

    async def run(self) -> int:
        await self._writer.run(_empty)
        for table in self._tables:
            self._total += (await self._fetcher.execute_fetchall(f"SELECT count(*) FROM {table.name}"))[0][0]  # noqa: S608
        for table in self._tables:
            await self._rows(table)
        last = await self._fetcher.execute_fetchall(_LAST_ACCOUNT[self._source.dialect is SQLITE])
        number = last[0][0] if last else 0
        nodes = await self._fetcher.execute_fetchall("SELECT number, copy, verified_at FROM node")
        await self._writer.run(lambda connection: _finish(connection, number, nodes), durable=True)
        return self._done

    async def _rows(self, table: Table) -> None:
        """Those of a table, in the order of its key."""
        key = [column.name for column in table.primary_key.columns]
        names = [column.name for column in table.columns]
        behind: dict[str, object] = {}
        while True:
            bound = f"WHERE ({', '.join(key)}) > ({', '.join(f':{name}' for name in key)})" if behind else ""
            sql = f"SELECT {', '.join(names)} FROM {table.name} {bound} ORDER BY {', '.join(key)} LIMIT {AT_ONCE}"  # noqa: S608
            rows = [dict(zip(names, row, strict=True)) for row in await self._fetcher.execute_fetchall(sql, behind)]
            if not rows:
                return
            behind = {name: rows[-1][name] for name in key}
            if table is tables.NodeRow.__table__:
                rows = [row | UNPROVED for row in rows]
            await self._writer.run(lambda connection, rows=rows: connection.execute(insert(table), rows))  # type: ignore[misc]
            self._done += len(rows)
            self._progress(self._done, self._total)


def _empty(connection: Connection) -> None:
    """Raises:
    Conflict: there is something in it.
    """
    for table in tables.Base.metadata.sorted_tables:
        if table.name in BEGUN:
            connection.execute(delete(table))
        elif connection.execute(select(table).limit(1)).first() is not None:
            raise Conflict("the database to move to: it has something in it; make an empty one, or choose another")


def _finish(connection: Connection, number: int, nodes: Sequence[Sequence[Any]]) -> None:
    """All is there.

    Args:
        number: the highest that an account ever had.
        nodes: (number, copy, verified_at).
    """
    for node, copy, verified_at in nodes:
        values = {"copy": copy, "verified_at": verified_at}
        connection.execute(update(tables.NodeRow).where(tables.NodeRow.number == node).values(values))
    if dialect_of(connection) is SQLITE:
        numbers_above(connection, number)
    elif number:
        connection.execute(text("SELECT setval('account_number_seq', :number)"), {"number": number})
    behind = connection.execute(select(func.max(tables.ItemRow.number))).scalar() or 0
    connection.execute(delete(tables.DerivedRow))
    connection.execute(insert(tables.DerivedRow).values(name=NAME, version="", behind=behind))

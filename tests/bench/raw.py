# SPDX-License-Identifier: MIT
"""The same questions and rows by the driver alone: what the engine itself takes."""

import itertools
import json
import re
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import asyncpg

from pubkeep.analysers import blog
from pubkeep.model import NewItem
from pubkeep.query.document import pointer
from pubkeep.query.values import Missing, at, sort_key
from pubkeep.query.words import words
from pubkeep.storage.marks import marks, tags_of
from pubkeep.storage.payloads import Payloads
from pubkeep.storage.statements import TKEY_BITS

BATCH = {
    "item": "INSERT INTO item (number, node, item_id, pos, tkey, publisher, created, published, updated, stored,"
    " subtype, title, json, analyser, version, error, digest, sequence, received)"
    " VALUES (?, ?, ?, ?, ?, ?, 0, ?, ?, ?, '', ?, ?, 'blog', 1, '', ?, ?, ?)",
    "payload": "INSERT INTO payload (item, data) VALUES (?, ?)",
    "index": "INSERT INTO item_fts (rowid, words, marks) VALUES (?, ?, ?)",
    "key": "INSERT INTO item_key (key, value, tkey) VALUES (?, ?, ?)",
}


class RawReader(Protocol):
    """A connection of a driver."""

    name: str

    async def ask(self, sql: str, *parameters: Any) -> list[Any]:
        """All rows; `?` stands for a parameter."""

    async def close(self) -> None:
        """End it."""


class RawSqlite:
    """sqlite3, which makes the event loop wait."""

    name = "sqlite3"

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path)
        self._database.execute("PRAGMA query_only=1")

    async def ask(self, sql: str, *parameters: Any) -> list[Any]:
        """See RawReader."""
        return self._database.execute(sql, parameters).fetchall()

    async def close(self) -> None:
        """See RawReader."""
        self._database.close()


class RawPostgresql:
    """asyncpg."""

    name = "asyncpg"

    def __init__(self, url: str) -> None:
        self._url = url.replace("+asyncpg", "")
        self._connection: Any = None

    async def ask(self, sql: str, *parameters: Any) -> list[Any]:
        """See RawReader."""
        if self._connection is None:
            self._connection = await asyncpg.connect(self._url)
        numbered = itertools.count(1)
        rows: list[Any] = await self._connection.fetch(re.sub(r"\?", lambda _: f"${next(numbered)}", sql), *parameters)
        return rows

    async def close(self) -> None:
        """See RawReader."""
        await self._connection.close()


def raw_reader(where: Path | str) -> RawReader:
    """Of the database there."""
    return RawSqlite(where) if isinstance(where, Path) else RawPostgresql(where)


@dataclass(frozen=True)
class Rows:
    """All that some items are, made before the time runs."""

    ids: list[str]
    of: dict[str, list[tuple[Any, ...]]]
    sequence: int


class RawWriter:
    """sqlite3 writes items to the end of one node."""

    def __init__(self, path: Path, node: int) -> None:
        self._database = sqlite3.connect(path, isolation_level=None)
        self._database.execute("PRAGMA synchronous=NORMAL")
        self._database.execute("PRAGMA cache_size=-16384")
        self._node = node
        one = self._database.execute
        dictionaries = dict(one("SELECT number, data FROM dictionary").fetchall())
        self._payloads = Payloads(dictionaries)
        self._keys = [(number, pointer(place)) for number, place in one("SELECT number, place FROM key").fetchall()]
        assert {place for _, place in self._keys} == {pointer(place) for place in blog.ANALYSER["keys"]}

    def rows(self, items: Sequence[NewItem]) -> Rows:
        """What is to be written next."""
        one = self._database.execute
        number, sequence = one("SELECT max(number), max(sequence) FROM item").fetchone()
        (pos,) = one("SELECT max(pos) FROM item WHERE node = ?", (self._node,)).fetchone()
        of: dict[str, list[tuple[Any, ...]]] = {table: [] for table in BATCH}
        for at_, each in enumerate(sorted(items, key=lambda item: item.parsed.published), 1):
            parsed, now = each.parsed, sequence + at_
            tkey = (parsed.published // 1_000_000 << TKEY_BITS) + (1 << TKEY_BITS - 1) + number % 1000 + at_
            where = number + at_, self._node, each.id, pos + at_, tkey
            made = each.publisher, parsed.published, parsed.updated, now, parsed.title, parsed.json, each.digest
            of["item"].append((*where, *made, now, now))
            of["payload"].append((number + at_, self._payloads.pack(each.xml, parsed.text)))
            document = json.loads(parsed.json)
            found = marks(self._node, each.publisher, tags_of(document))
            of["index"].append((tkey, " ".join(words(parsed.text)), " ".join(found)))
            for key, place in self._keys:
                if not isinstance(value := at(document, place), Missing):
                    of["key"].append((key, sort_key(value), tkey))
        return Rows([each.id for each in items], of, sequence + len(items))

    def write(self, rows: Rows) -> None:
        """One transaction: looked up, written, counted."""
        one, each = self._database.execute, self._database.executemany
        one("BEGIN IMMEDIATE")
        one("SELECT items, sequence FROM node WHERE number = ?", (self._node,)).fetchone()
        named = ",".join("?" * len(rows.ids))
        one(f"SELECT item_id FROM item WHERE node = ? AND item_id IN ({named})", (self._node, *rows.ids)).fetchall()
        for table, statement in BATCH.items():
            each(statement, rows.of[table])
        counted = (len(rows.ids), rows.sequence, self._node)
        one("UPDATE node SET items = items + ?, sequence = ? WHERE number = ?", counted)
        one("COMMIT")

    def close(self) -> None:
        """End it."""
        self._database.close()

# SPDX-License-Identifier: MIT
"""Looking after a database of a PostgreSQL server (pubkeep.upkeep), which is kept whole, and copied, by who runs it."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pubkeep.clock import Clock
from pubkeep.errors import NotSupported
from pubkeep.query.values import Missing, at, sort_key
from pubkeep.storage import moving
from pubkeep.storage.checking import (
    AT_ONCE,
    COUNTERS,
    FILLED,
    HANGING,
    HARMED,
    NAMED,
    miscounted,
    payload_is_damaged,
    places,
)
from pubkeep.storage.engines import READERS, Fetcher
from pubkeep.storage.indexing import NAME, VERSION, Indexed, document_of
from pubkeep.storage.payloads import Payloads
from pubkeep.storage.place import OpenedServer
from pubkeep.storage.tables import Base
from pubkeep.storage.tsvector import lexemes
from pubkeep.upkeep import Findings, Progress

_ITEMS = """
SELECT item.number, item.tkey, item.node, publisher, analyser, json, digest, item_id, data, tsvector_to_array(words)
FROM item JOIN payload ON payload.item = item.number LEFT JOIN item_fts ON item_fts.tkey = item.tkey
WHERE item.number > :after ORDER BY item.number LIMIT :number
"""
_KEYS = "SELECT key, value, tkey FROM item_key WHERE "


class ServerUpkeep:
    """The database of an open store."""

    def __init__(self, opened: OpenedServer) -> None:
        self._opened = opened

    def condemn(self) -> None:
        """Nothing is built anew here: the server's log says what is wrong with its disk."""

    async def statistics(self) -> Mapping[str, int | str | bool]:
        """See pubkeep.upkeep."""
        ask = self._opened.readers.fetch
        found: dict[str, int | str | bool] = {"engine": "postgresql", "readers": READERS}
        for key, question in {
            "engine_version": "SELECT current_setting('server_version')",
            "revision": "SELECT version_num FROM alembic_version",
            "bytes": "SELECT pg_database_size(current_database())",
            "indexing": "SELECT max(behind) FROM (SELECT behind FROM derived UNION ALL SELECT behind FROM key) AS each",
        }.items():
            found[key] = (await ask(question, {}))[0][0] or 0
        for table in sorted(Base.metadata.tables):
            found[f"rows_{table}"] = (await ask(f"SELECT count(*) FROM {table}", {}))[0][0]  # noqa: S608
        return found | {"indexing": bool(found["indexing"])}

    async def check(self, progress: Progress) -> Findings:
        """See pubkeep.upkeep. Pages are the server's to check (`pg_amcheck`)."""
        found = Findings()
        async with self._opened.readers.snapshot() as fetcher:
            for words, question in HANGING.items():
                if number := (await fetcher.execute_fetchall(question))[0][0]:
                    found.problems.append(f"{number} {words}")
            found.harmed.update(row[0] for row in await fetcher.execute_fetchall(HARMED))
            for row in await fetcher.execute_fetchall(COUNTERS, {"named": NAMED}):
                found.problems.append(miscounted(*row))
            await self._items(fetcher, progress, found)
        return found

    async def _items(self, fetcher: Fetcher, progress: Progress, found: Findings) -> None:
        """Whether the indexes have of each item what they should."""
        total = (await fetcher.execute_fetchall("SELECT count(*) FROM item"))[0][0]
        dictionaries = await fetcher.execute_fetchall("SELECT number, data FROM dictionary")
        stored = Payloads(dict(dictionaries))
        (made_by, behind), *_ = await fetcher.execute_fetchall(
            "SELECT version, behind FROM derived WHERE name = :name", {"name": NAME}
        )
        filled = places([(row[0], row[1], row[2]) for row in await fetcher.execute_fetchall(FILLED)])
        after = 0
        while rows := await fetcher.execute_fetchall(_ITEMS, {"after": after, "number": AT_ONCE}):
            after = rows[-1][0]
            items: list[Indexed] = []
            for number, tkey, node, publisher, analyser, document, digest, item_id, data, indexed in rows:
                if (whole := stored.whole(data, publisher, digest)) is None:
                    found.harmed.add(node)
                    found.problems.append(payload_is_damaged(item_id))
                    continue
                item = Indexed(tkey, node, publisher, analyser, document_of(document), whole[1])
                items.append(item)
                if number > behind and made_by == VERSION and set(indexed or ()) != set(lexemes(item)):
                    found.misindexed = True
                    found.problems.append(f"the full-text index has other words than the item with number {number}")
            if await self._keys(fetcher, filled, items):
                found.misindexed = True
                found.problems.append("the index of a place in the JSON has something else than the items")
            found.items += len(rows)
            progress(found.items, total)
            if len(found.problems) > NAMED:
                return

    async def _keys(
        self, fetcher: Fetcher, filled: Mapping[int, tuple[Any, frozenset[str]]], items: Sequence[Indexed]
    ) -> bool:
        """Whether these items have other rows there than they should."""
        meant = {
            (key, sort_key(value, dated=item.analyser in names), item.tkey)
            for item in items
            for key, (place, names) in filled.items()
            for value in (at(item.document, place),)
            if not isinstance(value, Missing)
        }
        sql = _KEYS + self._opened.readers.dialect.among_numbers("tkey", "tkeys")
        rows = await fetcher.execute_fetchall(sql, {"tkeys": json.dumps([item.tkey for item in items])})
        return meant != {(key, value, tkey) for key, value, tkey in rows if key in filled}

    def begin_copy(self) -> tuple[Path, int]:
        """Raises:
        NotSupported: the server copies it.
        """
        raise NotSupported("the database: it is kept by a PostgreSQL server; copy it there, with pg_dump")

    async def copy(self, target: Path, progress: Progress) -> int:  # noqa: ARG002
        """Never called: see begin_copy."""
        raise NotSupported("the database: it is kept by a PostgreSQL server")

    async def move(self, place: Path | str, progress: Progress) -> int:
        """See pubkeep.upkeep."""
        return await moving.move(self._opened.readers, place, Clock(), progress)

    async def compact(self) -> tuple[int, int]:
        """See pubkeep.upkeep. Nobody waits: room is given back to the tables, not to the disk."""
        size = "SELECT pg_database_size(current_database())"
        before = (await self._opened.readers.fetch(size, {}))[0][0]
        await self._opened.writer.vacuum()
        return before, (await self._opened.readers.fetch(size, {}))[0][0]

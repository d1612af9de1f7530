# SPDX-License-Identifier: MIT
"""SQLite: the full-text index is FTS5, whose rows are walked along their rowid, the time key, without sorting.

It keeps no text of its own, so it has to be told what it held. It is given words and splits at spaces only.
"""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, text

from pubkeep.storage.compiled import many
from pubkeep.storage.dialect import Expression
from pubkeep.storage.indexing import Indexed

_REMOVE = text("INSERT INTO item_fts(item_fts, rowid, words, marks) VALUES ('delete', :tkey, :words, :marks)")
_ADD = text("INSERT INTO item_fts(rowid, words, marks) VALUES (:tkey, :words, :marks)")
_SHOW = text("CREATE VIRTUAL TABLE IF NOT EXISTS temp.item_fts_shown USING fts5vocab(main, item_fts, instance)")
_SHOWN = text(
    "SELECT doc, col, term FROM temp.item_fts_shown WHERE doc IN (SELECT value FROM json_each(:tkeys))"
    " ORDER BY doc, col, offset"
)
_CLEAR = text("INSERT INTO item_fts(item_fts) VALUES ('delete-all')")


class Fts5:
    """See dialect.FullText. Words have nothing but letters and digits in them: none is read as syntax."""

    exact = True
    time = "item_fts.rowid"

    def term(self, words: Sequence[str], *, prefix: bool) -> Expression:
        """See dialect.FullText."""
        return Expression('words : "' + " ".join(words) + '"' + " *" * prefix)

    def mark(self, mark: str) -> Expression:
        """See dialect.FullText."""
        return Expression(f'marks : "{mark}"')

    def every(self, parts: Sequence[Expression]) -> Expression:
        """See dialect.FullText."""
        return Expression("(" + " AND ".join(part.text for part in parts) + ")")

    def either(self, parts: Sequence[Expression]) -> Expression:
        """See dialect.FullText."""
        return Expression("(" + " OR ".join(part.text for part in parts) + ")")

    def without(self, part: Expression, unwanted: Sequence[Expression]) -> Expression:
        """See dialect.FullText."""
        return Expression(f"({part.text} NOT {self.either(unwanted).text})")

    def wanted(self, expression: Expression) -> str:
        """See dialect.FullText."""
        return expression.text

    def matching(self, parameter: str) -> str:
        """See dialect.FullText."""
        return f"item_fts MATCH :{parameter}"

    def add(self, connection: Connection, items: Sequence[Indexed]) -> None:
        """See dialect.FullText."""
        self._many(connection, _ADD, items)

    def remove(self, connection: Connection, items: Sequence[Indexed]) -> None:
        """See dialect.FullText."""
        self._many(connection, _REMOVE, items)

    def drop(self, connection: Connection, tkeys: Sequence[int]) -> None:
        """See dialect.FullText. All of it is looked through for them: a second or so for 100,000 items."""
        connection.execute(_SHOW)
        held: dict[int, dict[str, list[str]]] = {}
        for tkey, column, word in connection.execute(_SHOWN, {"tkeys": json.dumps(list(tkeys))}):
            held.setdefault(tkey, {"words": [], "marks": []})[column].append(word)
        for tkey, columns in held.items():
            row = {column: " ".join(each) for column, each in columns.items()}
            connection.execute(_REMOVE, row | {"tkey": tkey})

    def clear(self, connection: Connection) -> None:
        """See dialect.FullText."""
        connection.execute(_CLEAR)

    def _many(self, connection: Connection, statement: Any, items: Sequence[Indexed]) -> None:
        """In the order of the time key: FTS5 flushes its memory wherever the rowid goes back."""
        each = sorted(items, key=lambda item: item.tkey)
        rows = [{"tkey": i.tkey, "words": " ".join(i.words()), "marks": " ".join(i.marks())} for i in each]
        many(connection, statement, rows)


class Sqlite:
    """See dialect.Dialect."""

    full_text = Fts5()
    first = "CROSS JOIN"

    def numbers(self, parameter: str) -> str:
        """See dialect.Dialect."""
        return f"SELECT value FROM json_each(:{parameter})"  # noqa: S608 (constants only)

    def among_numbers(self, column: str, parameter: str) -> str:
        """See dialect.Dialect."""
        return f"{column} IN ({self.numbers(parameter)})"

    among_texts = among_numbers

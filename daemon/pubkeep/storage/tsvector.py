# SPDX-License-Identifier: MIT
"""PostgreSQL: the full-text index is a `tsvector` of each item, under GIN.

It has words and marks, without places: of a word PostgreSQL counts 256 places at most. So it knows nothing of words
that follow each other, and what it finds is looked at once more. A `tsvector` has room for a megabyte: an item that
needs more has a mark of its own, and is among what is found by everything.
"""

from collections.abc import Sequence

from sqlalchemy import Connection, text

from pubkeep.storage.compiled import many
from pubkeep.storage.dialect import Expression
from pubkeep.storage.indexing import Indexed

ROOM = 1_000_000
"""Bytes of all words of an item."""
_MORE = "\ue003"
"""The mark of an item that has more words than there is room for."""

_ADD = text(
    "INSERT INTO item_fts (tkey, words) VALUES (:tkey, CAST(CAST(:words AS text) AS tsvector))"
    " ON CONFLICT (tkey) DO UPDATE SET words = excluded.words"
)
_REMOVE = text("DELETE FROM item_fts WHERE tkey = :tkey")
_CLEAR = text("DELETE FROM item_fts")


class TsVector:
    """See dialect.FullText. Words have nothing but letters and digits in them: none is read as syntax."""

    exact = False
    time = "item_fts.tkey"

    def term(self, words: Sequence[str], *, prefix: bool) -> Expression:
        """See dialect.FullText."""
        last = len(words) - 1
        parts = [f"'{word}'" + ":*" * (prefix and at == last) for at, word in enumerate(words)]
        return Expression("(" + " & ".join(parts) + ")", sure=len(parts) == 1)

    def mark(self, mark: str) -> Expression:
        """See dialect.FullText."""
        return Expression(f"'{mark}'")

    def every(self, parts: Sequence[Expression]) -> Expression:
        """See dialect.FullText."""
        return self._joined(" & ", parts)

    def either(self, parts: Sequence[Expression]) -> Expression:
        """See dialect.FullText."""
        return self._joined(" | ", parts)

    def _joined(self, word: str, parts: Sequence[Expression]) -> Expression:
        return Expression("(" + word.join(part.text for part in parts) + ")", all(part.sure for part in parts))

    def without(self, part: Expression, unwanted: Sequence[Expression]) -> Expression:
        """See dialect.FullText."""
        return Expression(f"({part.text} & !{self.either(unwanted).text})", part.sure)

    def wanted(self, expression: Expression) -> str:
        """See dialect.FullText. An item that has more words than there is room for may have these, too."""
        return f"{expression.text} | '{_MORE}'"

    def matching(self, parameter: str) -> str:
        """See dialect.FullText."""
        return f"item_fts.words @@ CAST(:{parameter} AS tsquery)"

    def add(self, connection: Connection, items: Sequence[Indexed]) -> None:
        """See dialect.FullText."""
        each = sorted(items, key=lambda item: item.tkey)
        rows = [{"tkey": i.tkey, "words": " ".join(f"'{word}'" for word in lexemes(i))} for i in each]
        many(connection, _ADD, rows)

    def remove(self, connection: Connection, items: Sequence[Indexed]) -> None:
        """See dialect.FullText."""
        self.drop(connection, [item.tkey for item in items])

    def drop(self, connection: Connection, tkeys: Sequence[int]) -> None:
        """See dialect.FullText."""
        many(connection, _REMOVE, [{"tkey": tkey} for tkey in sorted(tkeys)])

    def clear(self, connection: Connection) -> None:
        """See dialect.FullText."""
        connection.execute(_CLEAR)


def lexemes(item: Indexed) -> list[str]:
    """All words and marks of an item, for which there is room."""
    each = dict.fromkeys((*item.marks(), *item.words()))
    kept, size = list[str](), 0
    for word in each:
        size += len(word.encode()) + 4  # with where it begins and how long it is
        if size > ROOM:
            kept.append(_MORE)
            break
        kept.append(word)
    return kept


class Postgresql:
    """See dialect.Dialect."""

    full_text = TsVector()
    first = "JOIN"

    def numbers(self, parameter: str) -> str:
        """See dialect.Dialect."""
        return f"SELECT CAST(value AS bigint) AS value FROM json_array_elements_text(CAST(:{parameter} AS json))"  # noqa: S608

    def among_numbers(self, column: str, parameter: str) -> str:
        """See dialect.Dialect. A comparison with an array is looked up in an index, a subquery need not be."""
        return f"{column} = ANY(ARRAY({self.numbers(parameter)}))"

    def among_texts(self, column: str, parameter: str) -> str:
        """See dialect.Dialect."""
        return f"{column} = ANY(ARRAY(SELECT value FROM json_array_elements_text(CAST(:{parameter} AS json))))"  # noqa: S608

# SPDX-License-Identifier: MIT
"""The full-text index: the words of each item, kept in the transaction that writes the item.

It keeps no text of its own, so it has to be told what it held: that is made again from the payload. Where it was made
by another version of words.py it is emptied, and filled from the newest item to the oldest while everything goes on.
Everything here runs in the writer's thread.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, select, text, update

from pubkeep.query.words import VERSION, words
from pubkeep.storage import tables
from pubkeep.storage.payloads import Payloads

NAME = "words"
FILLED = 200
"""Items in one transaction that fills it."""

_DELETE = text("INSERT INTO item_fts(item_fts, rowid, words) VALUES ('delete', :tkey, :words)")
_INSERT = text("INSERT INTO item_fts(rowid, words) VALUES (:tkey, :words)")
_EMPTY = text("INSERT INTO item_fts(item_fts) VALUES ('delete-all')")
_Derived, _Item, _Payload = tables.DerivedRow, tables.ItemRow, tables.PayloadRow
_BEHIND = select(_Derived.behind).where(_Derived.name == NAME)
_SET_BEHIND = update(_Derived).where(_Derived.name == NAME).values(behind=bindparam("b_behind"))
_NEXT = (
    select(_Item.number, _Item.tkey, _Payload.data)
    .join(_Payload, _Payload.item == _Item.number)
    .where(_Item.number <= bindparam("behind"))
    .order_by(_Item.number.desc())
    .limit(FILLED)
)


def prepare(connection: Connection) -> bool:
    """Empty an index that another version made. Returns whether it is to be filled."""
    row = connection.execute(select(_Derived.version, _Derived.behind).where(_Derived.name == NAME)).first()
    if row is not None and row.version == VERSION:
        return bool(row.behind)
    behind = connection.execute(select(func.max(_Item.number))).scalar() or 0
    connection.execute(_EMPTY)
    if row is None:
        connection.execute(insert(_Derived).values(name=NAME, version=VERSION, behind=behind))
    else:
        connection.execute(update(_Derived).where(_Derived.name == NAME).values(version=VERSION, behind=behind))
    return bool(behind)


def behind(connection: Connection) -> int:
    """The number of the newest item that is not in it; 0: all are."""
    return connection.execute(_BEHIND).scalar() or 0


def fill(connection: Connection, stored: Payloads) -> bool:
    """Take in the next items. Returns whether there are more."""
    rows = connection.execute(_NEXT, {"behind": behind(connection)}).all()
    add(connection, [{"tkey": row.tkey, "text": stored.unpack(row.data)[1]} for row in rows])
    connection.execute(_SET_BEHIND, {"b_behind": rows[-1].number - 1 if rows else 0})
    return len(rows) == FILLED


def add(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Take in items; FTS5 flushes its memory wherever the rowid goes back, so they come in order.

    Args:
        rows: `tkey` and `text` of each.
    """
    _many(connection, _INSERT, rows)


def remove(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Forget items, with the text that they had."""
    _many(connection, _DELETE, rows)


def _many(connection: Connection, statement: Any, rows: Sequence[dict[str, Any]]) -> None:
    if rows:
        made = [{"tkey": row["tkey"], "words": " ".join(words(row["text"]))} for row in rows]
        connection.execute(statement, sorted(made, key=lambda row: int(row["tkey"])))

# SPDX-License-Identifier: MIT
"""The full-text index: the words of each item, and its marks, kept in the transaction that writes the item.

What it held of an item is made again from the item. Where it was made by another version of words.py it is emptied, and
filled from the newest item to the oldest while everything goes on. Everything here runs in the writer's thread.
"""

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, select, update

from pubkeep.query import words
from pubkeep.query.conditions import Json
from pubkeep.query.values import MISSING, Missing
from pubkeep.storage import tables
from pubkeep.storage.dialect import FullText
from pubkeep.storage.marks import marks, tags_of
from pubkeep.storage.payloads import Payloads

NAME = "words"
VERSION = f"2.{words.VERSION}"
FILLED = 200
"""Items in one transaction that fills it."""

_Derived, _Item, _Payload = tables.DerivedRow, tables.ItemRow, tables.PayloadRow
_MADE = select(_Derived.version, _Derived.behind).where(_Derived.name == NAME)
_BEHIND = select(_Derived.behind).where(_Derived.name == NAME)
_SET_BEHIND = update(_Derived).where(_Derived.name == NAME).values(behind=bindparam("b_behind"))

COLUMNS = (_Item.tkey, _Item.node, _Item.publisher, _Item.analyser, _Item.json, _Item.digest, _Payload.data)
"""What Indexed is made of."""
_NEXT = (
    select(*COLUMNS, _Item.number)
    .join(_Payload, _Payload.item == _Item.number)
    .where(_Item.number <= bindparam("behind"))
    .order_by(_Item.number.desc())
    .limit(FILLED)
)


@dataclass(slots=True)
class Indexed:
    """An item with all of it that is indexed."""

    tkey: int
    node: int
    publisher: str
    analyser: str
    document: Json | Missing
    text: str

    def words(self) -> list[str]:
        """Of its text."""
        return words.words(self.text)

    def marks(self) -> list[str]:
        """See marks.py."""
        return marks(self.node, self.publisher, tags_of(self.document))


def of_row(row: Any, stored: Payloads) -> Indexed | None:
    """A row of COLUMNS; None where it is damaged."""
    try:
        whole, document = stored.whole(row.data, row.publisher, row.digest), document_of(row.json)
    except ValueError:
        return None
    return Indexed(row.tkey, row.node, row.publisher, row.analyser, document, whole[1]) if whole else None


def document_of(stored: str) -> Json | Missing:
    """The JSON of an item; MISSING where it has none."""
    document: Json = json.loads(stored) if stored else None
    return document if stored else MISSING


def is_filled(connection: Connection) -> bool:
    """Whether this version made it, of all items."""
    row = connection.execute(_MADE).first()
    return row is not None and row.version == VERSION and not row.behind


def prepare(connection: Connection, index: FullText, *, anew: bool = False) -> bool:
    """Empty an index that another version made, or any (`anew`). Returns whether it is to be filled."""
    row = connection.execute(_MADE).first()
    if row is not None and row.version == VERSION and not anew:
        return bool(row.behind)
    behind = connection.execute(select(func.max(_Item.number))).scalar() or 0
    index.clear(connection)
    if row is None:
        connection.execute(insert(_Derived).values(name=NAME, version=VERSION, behind=behind))
    else:
        connection.execute(update(_Derived).where(_Derived.name == NAME).values(version=VERSION, behind=behind))
    return bool(behind)


def behind(connection: Connection) -> int:
    """The number of the newest item that is not in it; 0: all are."""
    return connection.execute(_BEHIND).scalar() or 0


def fill(connection: Connection, index: FullText, stored: Payloads) -> bool:
    """Take in the next items. Returns whether there are more."""
    rows = connection.execute(_NEXT, {"behind": behind(connection)}).all()
    index.add(connection, [item for row in rows if (item := of_row(row, stored))])
    connection.execute(_SET_BEHIND, {"b_behind": rows[-1].number - 1 if rows else 0})
    return len(rows) == FILLED

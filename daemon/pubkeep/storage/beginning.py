# SPDX-License-Identifier: MIT
"""What a database says of itself when it is opened."""

from dataclasses import dataclass

from sqlalchemy import Connection, func, insert, select

from pubkeep.storage import indexing, tables
from pubkeep.storage.counter import Counter
from pubkeep.storage.keys import Keys, held
from pubkeep.storage.training import Dictionaries, dictionaries

Change = tables.ChangeRow


@dataclass(frozen=True, slots=True)
class Beginning:
    """Where this run goes on."""

    counter: Counter
    last: int
    """The last sequence number that was given in it."""
    filling: bool
    """Whether the full-text index is to be filled."""
    dictionaries: Dictionaries
    keys: Keys


def begin(connection: Connection, wall: int) -> Beginning:
    """Read it, in the first transaction.

    Args:
        wall: the present time in microseconds.
    """
    counter, last = _first_numbers(connection, wall)
    return Beginning(counter, last, indexing.prepare(connection), dictionaries(connection), held(connection))


def _first_numbers(connection: Connection, wall: int) -> tuple[Counter, int]:
    """Go on above everything that was ever given: what is stored, and the present time in microseconds.

    The row of node 0 says where this database's history begins. Returns the last number stored, too: the
    one to start from has not been given, and whoever asked for changes since it would be told it is unknown.
    """
    last = max(
        connection.execute(select(func.max(column))).scalar() or 0
        for column in (Change.sequence, tables.ItemRow.sequence)
    )
    counter = Counter(max(last, wall))
    if connection.execute(select(Change.sequence).where(Change.node == 0)).first() is None:
        values = {"kind": "created", "node": 0, "item_id": "", "account": "", "type": "", "uri": "", "at": wall}
        last = counter.next()
        connection.execute(insert(Change).values(sequence=last, **values))
    return counter, last

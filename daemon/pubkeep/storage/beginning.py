# SPDX-License-Identifier: MIT
"""What a database says of itself when it is opened."""

from dataclasses import dataclass

from sqlalchemy import Connection

from pubkeep.storage import indexing
from pubkeep.storage.counter import Counter
from pubkeep.storage.dialects import dialect_of
from pubkeep.storage.history import first_numbers
from pubkeep.storage.keys import Keys, held, numbers
from pubkeep.storage.training import Dictionaries, dictionaries


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
    key_numbers: Counter
    """Where the next numbers of keys come from."""


def begin(connection: Connection, wall: int) -> Beginning:
    """Read it, in the first transaction.

    Args:
        wall: the present time in microseconds.
    """
    counter, last = first_numbers(connection, wall)
    return Beginning(
        counter,
        last,
        indexing.prepare(connection, dialect_of(connection).full_text),
        dictionaries(connection),
        held(connection),
        numbers(connection),
    )

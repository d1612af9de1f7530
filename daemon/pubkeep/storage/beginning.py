# SPDX-License-Identifier: MIT
"""What a database says of itself when it is opened."""

from dataclasses import dataclass

from sqlalchemy import Connection

from pubkeep.storage import indexing
from pubkeep.storage.counter import Counter
from pubkeep.storage.dialects import dialect_of
from pubkeep.storage.history import first_numbers, last_number
from pubkeep.storage.keepsake import is_new
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
    read_only: str = ""
    """Why it takes no writes, for people; where it takes none, no run began in it."""


def begin(connection: Connection, wall: int) -> Beginning:
    """Read it, in the first transaction.

    Args:
        wall: the present time in microseconds.
    """
    counter, last = first_numbers(connection, wall)
    filling = indexing.prepare(connection, dialect_of(connection).full_text)
    return Beginning(counter, last, filling, dictionaries(connection), held(connection), numbers(connection))


def begin_to_read(connection: Connection, words: str) -> Beginning | None:
    """Read it where nothing can be written.

    Args:
        words: why, for people.

    Returns:
        None where no run ever began in it: it has nothing to be read.
    """
    if is_new(connection):
        return None
    last, filling = last_number(connection), not indexing.is_filled(connection)
    keys, key_numbers = held(connection), numbers(connection)
    return Beginning(Counter(last), last, filling, dictionaries(connection), keys, key_numbers, words)

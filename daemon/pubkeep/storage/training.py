# SPDX-License-Identifier: MIT
"""When a dictionary for payloads is trained, and of what.

The first one as soon as there is enough to learn from; another one whenever ten times as many items have come, since
what people publish changes. Nothing is compressed anew: of what is there then, nine tenths are still to come.
"""

import asyncio
import json
import logging
from dataclasses import dataclass

from sqlalchemy import Connection, insert, select
from zstandard import ZstdError

from pubkeep.storage import tables
from pubkeep.storage.engines import Readers
from pubkeep.storage.payloads import train

log = logging.getLogger(__name__)

FIRST = 1000
"""Items before the first one."""
GROWTH = 10
SAMPLES = 2000
"""Payloads that one is made of."""
SAMPLE_BYTES = 8 * 1024 * 1024
"""Of them, packed, at most."""


@dataclass(slots=True)
class Dictionaries:
    """Those that were trained."""

    each: dict[int, bytes]
    """number -> dictionary; shared with Payloads."""
    items: int
    """So many items there were when the newest was trained."""

    def due(self, items: int) -> bool:
        """Whether another one is to be trained."""
        return items >= max(FIRST, GROWTH * self.items)


def dictionaries(connection: Connection) -> Dictionaries:
    """Those that are stored."""
    rows = connection.execute(select(tables.DictionaryRow.__table__)).all()
    return Dictionaries({row.number: row.data for row in rows}, max((row.items for row in rows), default=0))


async def trained(readers: Readers, known: Dictionaries, items: int) -> bytes:
    """Another dictionary, made of payloads from all over the table; empty where they have nothing in common.

    Args:
        items: the number of the newest item.
    """
    numbers = [max(1, items * at // SAMPLES) for at in range(1, SAMPLES + 1)]
    sql = f"SELECT data FROM payload WHERE {readers.dialect.among_numbers('item', 'numbers')}"  # noqa: S608
    rows = await readers.fetch(sql, {"numbers": json.dumps(numbers)})
    packed, size = list[bytes](), 0
    for (data,) in rows:
        size += len(data)
        if size <= SAMPLE_BYTES:
            packed.append(data)
    try:
        return await asyncio.to_thread(train, max(known.each, default=0) + 1, packed, known.each)
    except ZstdError as error:
        log.info("no dictionary could be made of %d payloads: %s", len(packed), error)
        return b""


def save(connection: Connection, number: int, items: int, data: bytes) -> None:
    """Store one."""
    connection.execute(insert(tables.DictionaryRow).values(number=number, items=items, data=data))

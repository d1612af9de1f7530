# SPDX-License-Identifier: MIT
"""How everything is written: one transaction, with its numbers."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection, update

from pubkeep.crash import crash
from pubkeep.errors import PubkeepError, ReadOnly
from pubkeep.storage import tables
from pubkeep.storage.counter import Counter
from pubkeep.storage.engines import Writer

log = logging.getLogger(__name__)

T = TypeVar("T")

TRY_AGAIN = 3.0
"""Seconds between two attempts to write to a database that takes no writes."""
WRITABLE = "the database takes writes again; it is opened anew"
_SAME = update(tables.DerivedRow).values(behind=tables.DerivedRow.behind)
DURABLE = ("add account", "enable account", "remove account", "save policy", "save traits", "save leftover")
"""What cannot be fetched again: it survives a power cut."""


class After(Protocol):
    """Who is told of each transaction that was committed."""

    async def after(self, transaction: str) -> None:
        """One of this name was."""


def touch(connection: Connection) -> None:
    """Write something that changes nothing."""
    connection.execute(_SAME)


class Transactions:
    """The writer, and the sequence numbers that its transactions give."""

    def __init__(self, writer: Writer, counter: Counter, last: int, read_only: str = "") -> None:
        self._writer = writer
        self._counter = counter
        self._sequence = last
        self._after: After | None = None
        self._begun = not read_only
        """Whether a run began in it: else it gives no numbers, whatever it takes by now."""
        self.read_only = read_only
        """Why it takes no writes, for people; empty where it does."""
        self.told: Callable[[str], None] = lambda _: None
        """Is given `read_only` whenever that changes."""
        self._works = set[asyncio.Task[None]]()

    @property
    def sequence(self) -> int:
        """The last number given in a committed transaction."""
        return self._sequence

    async def _write(self, name: str, work: Callable[[Connection], T]) -> T:
        """One transaction; `name` is one of crash.WORKS."""
        if not self._begun:
            raise ReadOnly(self.read_only)

        def numbered(connection: Connection) -> tuple[T, int]:
            before = self._counter.value
            result = work(connection)
            crash(f"before {name}")
            return result, self._counter.value if self._counter.value > before else 0

        try:
            result, sequence = await self._writer.run(numbered, durable=name in DURABLE)
        except ReadOnly as error:
            self._takes_none(str(error))
            raise
        crash(f"after {name}")
        self._sequence = max(self._sequence, sequence)
        if self._after is not None:
            await self._after.after(name)
        return result

    def _takes_none(self, words: str) -> None:
        """It takes no writes: try again and again until it does."""
        if not self.read_only:
            log.error("%s", words)
            self.read_only = words
            self.told(words)
            self._later(self._until_it_does())

    async def _until_it_does(self) -> None:
        while self.read_only:
            await asyncio.sleep(TRY_AGAIN)
            try:
                await self._writer.run(touch)
            except PubkeepError as error:
                log.debug("the database: still not written: %s", error)
            else:
                self.read_only = ""
        log.warning("the database: it is written again")
        self.told("")

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        """Do it in the background, until the store is closed."""
        task = asyncio.create_task(work)
        self._works.add(task)
        task.add_done_callback(self._works.discard)

# SPDX-License-Identifier: MIT
"""How everything is written: one transaction, with its numbers."""

from collections.abc import Callable
from typing import Protocol, TypeVar

from sqlalchemy import Connection

from pubkeep.crash import crash
from pubkeep.storage.counter import Counter
from pubkeep.storage.engines import Writer

T = TypeVar("T")

DURABLE = ("add account", "enable account", "remove account", "save policy", "save traits", "save leftover")
"""What cannot be fetched again: it survives a power cut."""


class After(Protocol):
    """Who is told of each transaction that was committed."""

    async def after(self, transaction: str) -> None:
        """One of this name was."""


class Transactions:
    """The writer, and the sequence numbers that its transactions give."""

    def __init__(self, writer: Writer, counter: Counter, last: int) -> None:
        self._writer = writer
        self._counter = counter
        self._sequence = last
        self._after: After | None = None

    @property
    def sequence(self) -> int:
        """The last number given in a committed transaction."""
        return self._sequence

    async def _write(self, name: str, work: Callable[[Connection], T]) -> T:
        """One transaction; `name` is one of crash.WORKS."""

        def numbered(connection: Connection) -> tuple[T, int]:
            before = self._counter.value
            result = work(connection)
            crash(f"before {name}")
            return result, self._counter.value if self._counter.value > before else 0

        result, sequence = await self._writer.run(numbered, durable=name in DURABLE)
        crash(f"after {name}")
        self._sequence = max(self._sequence, sequence)
        if self._after is not None:
            await self._after.after(name)
        return result

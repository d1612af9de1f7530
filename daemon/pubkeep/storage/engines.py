# SPDX-License-Identifier: MIT
"""How a database is written and read, whichever it is: one writer in a thread of its own, pooled readers.

A write transaction is one thread hop: await by await a single event would cost 5 ms instead of 0.7.
Readers have connections of their own: on a shared one their p99 during a sync is fifty times worse.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Generic, Protocol, TypeVar

from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine

from pubkeep.storage.dialect import Dialect
from pubkeep.storage.trouble import our_errors

T = TypeVar("T")

READERS = 3
"""Connections for reading."""


class Fetcher(Protocol):
    """A connection for reading."""

    async def execute_fetchall(
        self, sql: str, parameters: Mapping[str, object] | None = None
    ) -> Sequence[tuple[Any, ...]]:
        """All rows of one question."""


class Readers(Protocol):
    """A few read-only connections."""

    @property
    def dialect(self) -> Dialect:
        """Of its questions."""

    @property
    def engine(self) -> AsyncEngine:
        """For rare questions through the ORM."""

    async def open(self) -> None:
        """Connect."""

    async def fetch(self, sql: str, parameters: Mapping[str, object]) -> Sequence[tuple[Any, ...]]:
        """All rows of one question."""

    def snapshot(self) -> AbstractAsyncContextManager[Fetcher]:
        """A connection on which several questions see the same moment."""

    async def close(self) -> None:
        """End all connections."""


F = TypeVar("F", bound=Fetcher)


class PooledReaders(Generic[F]):
    """Each question, or snapshot, has a connection of a few for itself."""

    _begin = "BEGIN"

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._free: asyncio.LifoQueue[F] = asyncio.LifoQueue()

    @property
    def engine(self) -> AsyncEngine:
        """See Readers."""
        return self._engine

    async def _first(self, reader: F, sql: str, parameters: Mapping[str, object] | None = None) -> Sequence[Any]:
        """The first question on a connection that was free until now."""
        return await reader.execute_fetchall(sql, parameters)

    async def fetch(self, sql: str, parameters: Mapping[str, object]) -> Sequence[tuple[Any, ...]]:
        """See Readers."""
        reader = await self._free.get()
        try:
            with our_errors():
                return await self._first(reader, sql, parameters)
        finally:
            self._free.put_nowait(reader)

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Fetcher]:
        """See Readers."""
        reader = await self._free.get()
        try:
            with our_errors():
                try:
                    await self._first(reader, self._begin)  # begins even where the waiting for it is cancelled
                    yield reader
                finally:
                    await reader.execute_fetchall("COMMIT")
        finally:
            self._free.put_nowait(reader)


class Writer(Protocol):
    """The one writer."""

    async def run(self, work: Callable[[Connection], T], *, durable: bool = False) -> T:
        """Run `work` inside a transaction; it is committed when this returns, rolled back where it raises.

        Args:
            durable: it survives a power cut, too; others may be lost then, the last ones first.
        """

    async def close(self) -> None:
        """End the connection, in order."""

    async def abandon(self) -> None:
        """End the connection without touching the database."""


class WriterThread:
    """Where a writer works."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "pubkeep-writer")

    async def do(self, work: Callable[[], T]) -> T:
        """Do it there; a library's errors become ours."""

        def guarded() -> T:
            with our_errors():
                return work()

        return await asyncio.get_running_loop().run_in_executor(self._thread, guarded)

    def end(self) -> None:
        """No more is to be done."""
        self._thread.shutdown()


async def until_done(work: Coroutine[Any, Any, T], stop: Callable[[], None]) -> T:
    """Wait for what a thread does; where that is cancelled, have it stop, and wait until it has."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        stop()
        await asyncio.gather(task, return_exceptions=True)
        raise

# SPDX-License-Identifier: MIT
"""Results that are too large for a message go through a pipe, as JSON Lines.

The last line says that it is the last: without it the stream was cut off, by the daemon's end or an error. A reader
that closes its end cancels it; one that takes nothing for ten minutes is left.
"""

import asyncio
import json
import logging
import os
import sys
from collections.abc import AsyncGenerator
from typing import Any

from pubkeep.errors import LimitExceeded, PubkeepError
from pubkeep.model import ItemRow
from pubkeep.questions import SearchResult
from pubkeep.slices import Slices
from pubkeep_bridge.bus import Descriptor

log = logging.getLogger(__name__)

AT_ONCE = 8
"""Streams that are open."""
PATIENCE = 600.0
"""Seconds without the reader taking anything."""


class Streams:
    """Those that are open."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    async def begin(self, pages: AsyncGenerator[SearchResult, None]) -> Descriptor:
        """Pour all items of these pages into a pipe. Returns its end for reading, which is the caller's to close.

        Raises:
            LimitExceeded: too many are open.
        """
        if len(self._tasks) >= AT_ONCE:
            raise LimitExceeded(f"Export: {AT_ONCE} streams are open already; read or close one of them")
        ours, theirs = os.pipe2(os.O_CLOEXEC)
        writer = await _writer(theirs)
        task = asyncio.create_task(_pour(pages, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return Descriptor(ours)

    async def close(self) -> None:
        """Cut all of them off."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _writer(descriptor: int) -> asyncio.StreamWriter:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, os.fdopen(descriptor, "wb"))
    return asyncio.StreamWriter(transport, protocol, None, loop)


async def _pour(pages: AsyncGenerator[SearchResult, None], writer: asyncio.StreamWriter) -> None:
    count, sequence, slices = 0, sys.maxsize, Slices()
    try:
        async for page in pages:
            sequence = min(sequence, page.sequence)  # who asks for changes since then misses nothing
            for row in page.items:
                writer.write(line(row))
                count += 1
                async with asyncio.timeout(PATIENCE):
                    await writer.drain()
                await slices.pause()
        writer.write(f"{json.dumps({'end': True, 'count': count, 'sequence': sequence})}\n".encode())
        async with asyncio.timeout(PATIENCE):
            await writer.drain()
        writer.close()
    except (ConnectionError, TimeoutError):
        log.info("an export was left by its reader after %d items", count)
    except PubkeepError as error:
        log.warning("an export was cut off after %d items: %s", count, error)
    finally:
        await pages.aclose()
        if not writer.is_closing():
            writer.transport.abort()


def line(row: ItemRow) -> bytes:
    """An item as a line of JSON; what its analyser made of it is part of it, null where there is nothing."""
    values: dict[str, Any] = {
        "uri": row.uri,
        "account": row.account,
        "service": row.service,
        "node": row.node,
        "id": row.id,
        "type": row.type,
        "title": row.title,
        "published": row.published,
        "updated": row.updated,
        "publisher": row.publisher,
        "xml": row.xml,
    }
    return f'{json.dumps(values, ensure_ascii=False)[:-1]}, "json": {row.json or "null"}}}\n'.encode()

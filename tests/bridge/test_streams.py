# SPDX-License-Identifier: MIT
"""Large results through a pipe: whole with an end line, or cut off without one; nobody waits for a slow reader."""

import asyncio
import json
import os
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from pubkeep.errors import LimitExceeded, Unavailable
from pubkeep.model import ItemRow
from pubkeep.questions import SearchResult
from pubkeep_bridge.service.streams import AT_ONCE, Streams

ROW = ItemRow("u", "a", "s", "n", "i", "blog", "Ti\ntle", 1, 2, "p", "<x>\n</x>", '{"k": "春"}')


async def pages(number: int, size: int = 10, *, fails_at: int = -1) -> AsyncGenerator[SearchResult, None]:
    for page in range(number):
        if page == fails_at:
            raise Unavailable("the database: it is not there")
        yield SearchResult(tuple(replace(ROW, id=f"{page}.{each}") for each in range(size)), sequence=7 + page)


def lines(descriptor: int) -> list[dict[str, object]]:
    with os.fdopen(descriptor, "rb") as stream:
        return [json.loads(line) for line in stream]


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.fixture
async def streams() -> AsyncIterator[Streams]:
    made = Streams()
    before = descriptors()
    yield made
    await made.close()
    await asyncio.sleep(0.01)
    assert descriptors() <= before


async def test_all_items_come_and_then_the_end(streams: Streams) -> None:
    found = await asyncio.to_thread(lines, await streams.begin(pages(3)))

    assert [line["id"] for line in found[:-1]] == [f"{page}.{each}" for page in range(3) for each in range(10)]
    assert found[0]["title"] == "Ti\ntle"
    assert found[0]["json"] == {"k": "春"}
    assert found[-1] == {"end": True, "count": 30, "sequence": 7}


async def test_what_has_no_json_has_null(streams: Streams) -> None:
    async def one() -> AsyncGenerator[SearchResult, None]:
        yield SearchResult((replace(ROW, json=""),))

    assert (await asyncio.to_thread(lines, await streams.begin(one())))[0]["json"] is None


async def test_an_error_cuts_it_off_without_an_end(streams: Streams) -> None:
    found = await asyncio.to_thread(lines, await streams.begin(pages(5, fails_at=2)))

    assert len(found) == 20
    assert all("end" not in line for line in found)


async def test_it_waits_for_its_reader_and_keeps_nothing_meanwhile(streams: Streams) -> None:
    made = 0

    async def counted() -> AsyncGenerator[SearchResult, None]:
        nonlocal made
        async for page in pages(10_000, 100):
            made += 1
            yield page

    descriptor = await streams.begin(counted())
    await asyncio.sleep(0.1)

    assert made < 20
    os.close(descriptor)


async def test_a_reader_that_closes_its_end_cancels_it(streams: Streams) -> None:
    ended = asyncio.Event()

    async def endless() -> AsyncGenerator[SearchResult, None]:
        try:
            async for page in pages(1_000_000):
                yield page
        finally:
            ended.set()

    descriptor = await streams.begin(endless())
    await asyncio.sleep(0.05)
    os.close(descriptor)

    async with asyncio.timeout(5):
        await ended.wait()


async def test_only_so_many_are_open(streams: Streams) -> None:
    opened = [await streams.begin(pages(10_000, 100)) for _ in range(AT_ONCE)]
    with pytest.raises(LimitExceeded, match="8 streams are open already; read or close one of them"):
        await streams.begin(pages(1))

    for descriptor in opened:
        os.close(descriptor)
    await asyncio.sleep(0.1)
    assert len(await asyncio.to_thread(lines, await streams.begin(pages(1)))) == 11


async def test_the_daemons_end_cuts_it_off(streams: Streams) -> None:
    descriptor = await streams.begin(pages(1_000_000))
    reading = asyncio.create_task(asyncio.to_thread(os.read, descriptor, 100))
    await reading
    await streams.close()

    with os.fdopen(descriptor, "rb") as stream:
        rest = await asyncio.to_thread(stream.read)
    assert b'"end"' not in rest

# SPDX-License-Identifier: MIT
"""What reading and searching may cost others, and large nodes."""

import asyncio
import time
from dataclasses import replace

import pytest

from pubkeep.model import NodeRecord
from pubkeep.query.document import read
from pubkeep.questions import SearchRequest
from pubkeep.storage.store import Store
from tests.daemon.storage.conftest import KEY, item
from tests.daemon.storage.test_search import ALICE

pytestmark = pytest.mark.slow
LARGE, SMALL = 20_000, 200


async def fill(store: Store, node: NodeRecord, number: int) -> None:
    for start in range(0, number, 5000):
        await store.apply(node, [item(f"i{n}", "onions") for n in range(start, min(start + 5000, number))])


async def quickest(store: Store, node: NodeRecord) -> float:
    """Seconds of the quickest of many reads of the newest twenty: what the machine's moods cannot lengthen."""
    times = []
    for _ in range(50):
        began = time.perf_counter()
        page = await store.page(node, limit=20)
        times.append(time.perf_counter() - began)
        assert len(page.items) == 20
    return min(times)


async def test_reading_twenty_items_costs_the_same_in_a_small_and_in_a_large_node(
    store: Store, node: NodeRecord
) -> None:
    small = await store.save_node(replace(node, number=0, key=KEY._replace(node="small")))
    await fill(store, node, LARGE)
    await fill(store, small, SMALL)

    assert await quickest(store, node) < 3 * await quickest(store, small)


async def test_others_are_answered_while_somebody_searches_everything(store: Store, node: NodeRecord) -> None:
    await fill(store, node, LARGE)
    searching = asyncio.create_task(store.search(SearchRequest(read("onions"), limit=LARGE, format="both"), ALICE))

    reads = 0
    while not searching.done():
        await store.page(node, limit=20)
        reads += 1

    assert reads > 5
    assert len((await searching).items) < LARGE  # cut at the bytes that an answer may have

# SPDX-License-Identifier: MIT
"""What 50 MB of hostility cost: all figures are for `make bench`; here is asserted what no machine's mood explains."""

import asyncio
import json
import sys
from typing import Any

import pytest

from tests.fixtures.flood import FLOODS

pytestmark = pytest.mark.slow
PAUSE, ATTEMPTS = 50, 3
"""Milliseconds of processor time at a stretch; a neighbour who takes the caches away is there once, not thrice."""
ENDS = {
    "text": "more than 8 MiB beside its items",
    "elements": "too many elements for its size",
    "attributes": "a tag is longer than 256 KiB",
    "elements with attributes": "too many elements for its size",
    "names": "more than 65536 different names",
    "depth": "nested more than 100000 deep",
    "one tag": "a tag is longer than 256 KiB",
    "one tag in small packets": "a tag is longer than 256 KiB",
    "one item of text": "see [xmpp] max_item",
    "one item of elements": "more than 16384 elements",
    "items": "too many elements for its size",
    "items full of elements": "too many elements for its size",
    "comments": "more than 8 MiB beside its items",
    "stanzas": "taken",
    "malformed": "the XML is malformed",
    "billion laughs": "a document type",
    "long entities": "a document type",
    "external entity": "a document type",
}


@pytest.mark.parametrize("kind", FLOODS)
async def test_a_flood_costs_little_memory_and_lets_others_run(kind: str) -> None:
    costs = [await cost_of(kind)]
    while costs[-1]["work"] >= PAUSE and len(costs) < ATTEMPTS:
        costs.append(await cost_of(kind))

    assert ENDS[kind] in costs[0]["end"]
    assert costs[0]["growth"] < 32
    assert costs[-1]["work"] < PAUSE  # unbounded parsing of these took 1,500 to 8,800


async def cost_of(kind: str) -> dict[str, Any]:
    """What the fixture measured, in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.fixtures.flood", kind), stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    cost: dict[str, Any] = json.loads(output)
    return cost

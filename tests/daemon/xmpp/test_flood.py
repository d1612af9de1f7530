# SPDX-License-Identifier: MIT
"""What 50 MB of hostility cost. Figures are for `make bench`; here only what no machine's mood explains is asserted."""

import asyncio
import json
import sys

import pytest

from tests.fixtures.flood import FLOODS

pytestmark = pytest.mark.slow
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
}


@pytest.mark.parametrize("kind", FLOODS)
async def test_a_flood_costs_little_memory_and_lets_others_run(kind: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.fixtures.flood", kind), stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    cost = json.loads(output)

    assert ENDS[kind] in cost["end"]
    assert cost["growth"] < 32
    assert cost["pause"] < 500  # ten times what is aimed at: unbounded parsing of these took 1,500 to 8,800

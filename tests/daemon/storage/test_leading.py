# SPDX-License-Identifier: MIT
"""Which index leads a search for words in a range of a declared key."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from pubkeep.query.declared import Declared
from pubkeep.query.document import pointer, read
from pubkeep.storage.dialects import SQLITE
from pubkeep.storage.keys import Key, Keys
from pubkeep.storage.leading import FEW, FEW_BESIDE, lead
from pubkeep.storage.plan import plan

PLACE = pointer("/price")
KEYS = Keys(Declared({PLACE: frozenset()}), {PLACE: Key(1, PLACE, frozenset(), ready=True)})
RANGE = '{"path": "/price", "op": ">", "value": 10}'


class Counting:
    """A database that has so many items in every range."""

    def __init__(self, number: int) -> None:
        self._number = number

    async def execute_fetchall(
        self, _sql: str, parameters: Mapping[str, object] | None = None
    ) -> Sequence[tuple[Any, ...]]:
        """See engines.Fetcher."""
        assert parameters is not None
        return [(min(self._number, int(str(parameters["number"]))),)]


@pytest.mark.parametrize(
    ("query", "there", "leads"),
    [
        (f'{{"parsed": {RANGE}}}', FEW, "range"),
        (f'{{"parsed": {RANGE}}}', FEW + 1, "time"),
        (f'{{"text": "onions", "parsed": {RANGE}}}', FEW_BESIDE, "range"),
        (f'{{"text": "onions", "parsed": {RANGE}}}', FEW_BESIDE + 1, "words"),
    ],
)
async def test_a_large_range_leads_only_where_there_are_no_words(query: str, there: int, leads: str) -> None:
    asked = plan(read(query), SQLITE, marked=True)

    made = await lead(Counting(there), SQLITE, asked, KEYS, None, ranked=False)

    how = (
        "words" if "item_fts" in made.tables else "range" if any("item_key" in part for part in made.where) else "time"
    )
    assert how == leads

# SPDX-License-Identifier: MIT
"""Page after page of a search, as the command line reads them."""

from typing import Any, cast

from pubkeep_bridge.cli.arguments import parser
from pubkeep_bridge.cli.search import pages
from pubkeep_bridge.client import Pubkeep, SearchAnswer

ITEMS, LATEST = 1500, 500


class Holding:
    """A daemon that holds one of the first items back, as long as its refusal cannot be stored."""

    def __init__(self) -> None:
        self.asked: list[int | None] = []

    async def search(self, _query: str, *, limit: int, cursor: str | None, since: int | None, **_: Any) -> SearchAnswer:
        """See Pubkeep.search. Whatever it is asked since, too much has changed."""
        self.asked.append(since)
        start = int(cursor or 0)
        end = min(ITEMS, start + limit)
        meta: dict[str, object] = {"sequence": LATEST if start else 0}
        if end < ITEMS:
            meta["cursor"] = str(end)
        return SearchAnswer([], [], meta)


async def test_it_ends_where_something_is_held_back_for_long() -> None:
    daemon = Holding()
    arguments = parser().parse_args(["search", "--all", "--json"])

    read = [page async for page in pages(cast("Pubkeep", daemon), arguments)]

    assert daemon.asked.count(0) == 1
    assert read[-1].sequence == 0

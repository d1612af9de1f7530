# SPDX-License-Identifier: MIT
"""What the service is asked for a part of a node, and what its pages show."""

from collections.abc import Awaitable, Callable
from typing import Any

from pubkeep.cache import asking
from pubkeep.cache.links import Link
from pubkeep.config import CacheSettings
from pubkeep.model import ItemsQuery, Listing, NodeKey, Rsm
from pubkeep.questions import ItemsRequest
from tests.daemon.cache.service import KEY, wire


class Pages:
    """A service that gives these pages, one after the other."""

    def __init__(self, *pages: tuple[list[str], int]) -> None:
        self._pages = list(pages)

    async def items(self, node: NodeKey, query: ItemsQuery, apply: Callable[[Listing], Awaitable[Any]]) -> Any:
        ids, count = self._pages.pop(0)
        rsm = Rsm(ids[0] if ids else None, ids[-1] if ids else None, None, count)
        return await apply(Listing(query, tuple(wire(each, "x") for each in ids), rsm, 1.0, 2.0))


AFTER = ItemsRequest(after="a")


async def ask(request: ItemsRequest, *pages: tuple[list[str], int]) -> asking.Asked:
    """What comes of this request."""
    link = Link(CacheSettings())
    link.learn(rsm=True)

    async def feed(*_: object) -> None:
        pass

    client: Any = Pages(*pages)
    return await asking.ask(client, link, KEY, request, feed, 1000)


async def test_an_empty_page_after_an_item_that_moved_to_the_end_is_no_end() -> None:
    asked = await ask(AFTER, (["a", "b"], 4), ([], 4))

    assert ([item.id for item in asked.items], asked.pages, asked.count) == (["b"], 2, None)


async def test_pages_that_fit_to_the_count_are_all() -> None:
    asked = await ask(AFTER, (["a", "b"], 3), (["c"], 3))

    assert ([item.id for item in asked.items], asked.pages, asked.count) == (["b", "c"], 2, 3)


async def test_an_item_that_is_listed_twice_among_the_newest_is_given_once() -> None:
    asked = await ask(ItemsRequest(max=2), (["a", "b", "b"], 3), (["a", "b"], 2))

    assert [item.id for item in asked.items] == ["a", "b"]

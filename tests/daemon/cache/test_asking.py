# SPDX-License-Identifier: MIT
"""What the service is asked for a part of a node, and what its pages show."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from pubkeep import payload
from pubkeep.analysers.blog import ANALYSER
from pubkeep.analysers.registry import Registry
from pubkeep.cache import asking
from pubkeep.cache.links import Link
from pubkeep.config import CacheSettings
from pubkeep.errors import NotSupported
from pubkeep.model import Analysis, NodeKey
from pubkeep.protocol import ItemsQuery, Listing, Rsm
from pubkeep.questions import ItemsRequest
from pubkeep.sync.proofs import Way
from tests.daemon.cache.service import KEY, wire


class Pages:
    """A service that gives these pages, one after the other."""

    def __init__(self, *pages: tuple[list[str], int]) -> None:
        self._pages = list(pages)

    async def items(self, node: NodeKey, query: ItemsQuery, apply: Callable[[Listing], Awaitable[Any]]) -> Any:
        ids, count = self._pages.pop(0)
        rsm = Rsm(ids[0] if ids else None, ids[-1] if ids else None, None, count)
        return await apply(Listing(query, tuple(wire(each, "x") for each in ids), rsm, 1.0, 2.0))


class Pageless(Pages):
    """One that answers a request for a page with feature-not-implemented, and lists these at once."""

    def __init__(self, *ids: str, detail: str = "") -> None:
        super().__init__()
        self._ids, self._detail = ids, detail

    async def items(self, node: NodeKey, query: ItemsQuery, apply: Callable[[Listing], Awaitable[Any]]) -> Any:
        if query.rsm_max is not None:
            raise NotSupported(f"news: the service cannot do this{self._detail}")
        return await apply(Listing(query, tuple(wire(each, "x") for each in self._ids), None, 1.0, 2.0))


AFTER = ItemsRequest(after="a")


async def ask(request: ItemsRequest, *pages: tuple[list[str], int]) -> asking.Asked:
    """What comes of this request."""
    return await ask_of(Pages(*pages), paging(), request)


def paging() -> Link:
    """A service that is believed to page."""
    link = Link(CacheSettings())
    link.learn(rsm=True)
    return link


async def ask_of(client: Any, link: Link, request: ItemsRequest) -> asking.Asked:
    """What comes of this request to this service."""

    async def feed(*_: object) -> None:
        pass

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


@pytest.mark.parametrize(
    ("number", "pages", "given", "more"),
    [
        (4, [(["d", "c", "b", "d"], 3)], ["b", "c", "d"], False),  # the newest first
        (3, [(["d", "c", "b", "a"], 4)], ["b", "c", "d"], True),
        (3, [(["c", "b", "a", "c"], 3), (["c", "b", "a"], 3)], ["a", "b", "c"], False),  # it takes the whole list
    ],
)
async def test_an_item_that_is_listed_twice_in_another_order_is_given_once(
    number: int, pages: list[tuple[list[str], int]], given: list[str], more: bool
) -> None:
    link = paging()
    link.learn(shown=frozenset({f"{Way.ORDER_BY}:1"}))

    asked = await ask_of(Pages(*pages), link, ItemsRequest(max=number, order="modification"))

    assert ([item.id for item in asked.items], asked.more) == (given, more)


@pytest.mark.parametrize(
    ("request_", "given"), [(AFTER, ["c"]), (ItemsRequest(before="a"), ["b"])], ids=("after", "before")
)
async def test_where_the_item_moved_after_which_a_page_begins_the_list_is_begun_anew(
    request_: ItemsRequest, given: list[str]
) -> None:
    asked = await ask(
        request_,
        (["b", "c"], 3),
        ([], 3),  # c went to the end, behind a
        (["b", "a"], 3),
        (["c"], 3),
    )

    assert [item.id for item in asked.items] == given


async def test_an_anchor_that_two_lists_do_not_show_is_missing() -> None:
    with pytest.raises(asking.NoAnchor, match="'a'"):
        await ask(AFTER, (["b", "c"], 3), ([], 3), (["b", "c"], 3), ([], 3))


async def test_a_service_that_refuses_a_page_is_asked_for_all_at_once_from_then_on() -> None:
    link = paging()

    asked = await ask_of(Pageless("a", "b", "c"), link, AFTER)

    assert [item.id for item in asked.items] == ["b", "c"]
    assert not link.paged
    assert link.traits.distrusted == {"pages", "count"}


async def test_a_node_of_which_nothing_is_kept_says_nothing_of_pages() -> None:
    link = paging()

    with pytest.raises(NotSupported):
        await ask_of(Pageless("a", detail="; persistent-items"), link, AFTER)

    assert link.paged


async def test_an_item_that_was_not_taken_says_the_same_whoever_gives_it() -> None:
    analysers, item = Registry(), wire("a", "x")
    analysis = Analysis(analysers.register_analyser(ANALYSER).name, "blog")
    payload.refuse(item.element, "it is longer than 3 MiB")

    [row] = await asking.rows(analysers, KEY, analysis, [item], ItemsRequest(extra=True))

    assert (row.id, row.xml, row.extra) == ("a", "", {"error": "it is longer than 3 MiB"})


class Newest:
    """A service that does not page, and answers with the newest of these, oldest or newest first."""

    def __init__(self, *ids: str, turned: bool) -> None:
        self.asked: list[int | None] = []
        self._ids, self._step = ids, -1 if turned else 1

    async def items(self, node: NodeKey, query: ItemsQuery, apply: Callable[[Listing], Awaitable[Any]]) -> Any:
        self.asked.append(query.max_items)
        newest = self._ids[-(query.max_items or 0) :][:: self._step]
        return await apply(Listing(query, tuple(wire(each, "x") for each in newest), None, 1.0, 2.0))


@pytest.mark.parametrize("turned", [False, True])
async def test_which_end_of_a_long_answer_is_the_newer_shows_in_short_ones(turned: bool) -> None:
    ids = [f"i{number}" for number in range(500)]
    service, link = Newest(*ids, turned=turned), Link(CacheSettings())

    asked = await ask_of(service, link, ItemsRequest(max=1000))

    assert [item.id for item in asked.items] == ids
    assert service.asked == [1001, 2, 1, 2, 1]
    assert link.traits.reversed is turned


async def test_an_item_that_goes_and_comes_again_between_answers_shows_no_direction() -> None:
    class Changing(Newest):
        """The newest, b, is away whenever the single newest is asked for, and comes again with another text."""

        async def items(self, node: NodeKey, query: ItemsQuery, apply: Callable[[Listing], Awaitable[Any]]) -> Any:
            self.asked.append(query.max_items)
            there = [wire("a", "x")] if query.max_items == 1 else [wire("a", "x"), wire("b", str(len(self.asked)))]
            return await apply(Listing(query, tuple(there), None, 1.0, 2.0))

    service, link = Changing(turned=False), Link(CacheSettings())

    await ask_of(service, link, ItemsRequest(max=1))

    assert service.asked[:3] == [2, 1, 2]
    assert link.traits.reversed is None

# SPDX-License-Identifier: MIT
"""One meaning for GetItems: the copy and the service give the same rows and the same meta for the same request."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pubkeep.config import CacheSettings
from pubkeep.errors import PubkeepError
from pubkeep.model import ItemRow
from pubkeep.questions import Answer, Freshness, ItemsRequest
from tests.fixtures.author import Author
from tests.fixtures.backend import Backend
from tests.fixtures.component import JID, NODE, serving
from tests.fixtures.every_server import MAKERS, Lender
from tests.fixtures.servers import Server
from tests.system.conftest import SERVICE, entry

pytestmark = [pytest.mark.system, pytest.mark.slow]
NUMBER = 120
"""More than a page of RSM, and more than the newest 50."""
OVERWRITTEN = ("i3", "i111")
"""Where the order is that of the last publish, these are the newest."""
VANISHED = "vanished"
"""An item that was retracted."""
ODD = ("é&<'\"> 🙂", "a b", "i/?#%41", "x" * 500)
SMALL: dict[str, tuple[str, ...]] = {"empty": (), "one": ("i0",), "odd!name é": ODD}
"""Other nodes of the real servers, and their items."""
FAN_OUT = 0.5
SILENT = ("opaque", "truncate")
"""These have seen no overwrite, so nobody knows their order."""


class Place:
    """A node of some service that no one changes, read both ways."""

    def __init__(self, kind: str, runner: asyncio.Runner, backend: Backend, service: str) -> None:
        self.kind = kind
        self._runner, self._backend, self._service = runner, backend, service

    def both(self, request: ItemsRequest, node: str = NODE) -> tuple[Answer | str, Answer | str]:
        """What the copy says, and what the service says; an error in words."""
        cached, asked = self.each([request, replace(request, freshness="service")], node)
        return cached, asked

    def each(self, requests: Sequence[ItemsRequest], node: str = NODE) -> list[Answer | str]:
        """What is said to each of them, one after the other."""
        return self._runner.run(self._each(requests, node))

    async def _each(self, requests: Sequence[ItemsRequest], node: str) -> list[Answer | str]:
        await self._backend.synced(self._service, node)
        return [await self._one(request, node) for request in requests]

    async def _one(self, request: ItemsRequest, node: str) -> Answer | str:
        try:
            return await self._backend.cache.get_items(self._backend.key(self._service, node), request)
        except PubkeepError as error:
            return f"{type(error).__name__}: {error}"


@asynccontextmanager
async def real(server: Server) -> AsyncIterator[tuple[Backend, str]]:
    """A node on a real server, with items that were written a second time."""
    async with Author(server) as bob, Backend(server, settings=CacheSettings(fan_out=FAN_OUT)) as backend:
        await bob.create(SERVICE, NODE, max_items="1000", access_model="open")
        for n in range(NUMBER):
            await bob.publish(SERVICE, NODE, f"i{n}", entry(n))
        await bob.publish(SERVICE, NODE, VANISHED, entry(1001))
        await bob.retract(SERVICE, NODE, VANISHED)
        await backend.settled(SERVICE, NODE)
        key, turn = backend.key(SERVICE, NODE), 1000
        while turn == 1000 or (backend.cache.explain(key)["order"] == "unknown" and turn < 1010):
            for item_id in OVERWRITTEN:
                await bob.publish(SERVICE, NODE, item_id, entry(turn))
                await backend.settled(SERVICE, NODE)
                await asyncio.sleep(2 * FAN_OUT)  # so long nothing else may be told
            turn += 1
        for node, ids in SMALL.items():
            await bob.create(SERVICE, node, max_items="1000", access_model="open")
            for item_id in ids:
                await bob.publish(SERVICE, node, item_id, entry(7))
            await backend.cache.synchronise(backend.key(SERVICE, node))
            await backend.settled(SERVICE, node)
        yield backend, SERVICE


@asynccontextmanager
async def component(server: Server, lie: str, number: int = NUMBER) -> AsyncIterator[tuple[Backend, str]]:
    """A node of a service that pages."""
    async with serving(server, number, lie) as remote, Backend(server) as backend:
        await backend.cache.synchronise(backend.key(JID, NODE))
        await backend.settled(JID, NODE)
        await remote.publish(VANISHED, "1001")
        await remote.retract(VANISHED)
        await backend.settled(JID, NODE)
        yield backend, JID


@pytest.fixture(scope="module", params=[*MAKERS, "opaque", "truncate"])
def place(request: pytest.FixtureRequest, lender: Lender) -> Iterator[Place]:
    """Each kind of service once for all tests; the loop runs while something is asked."""
    kind = request.param
    with lender.lend(kind if kind in MAKERS else "prosody") as server, asyncio.Runner() as runner:
        stack = AsyncExitStack()
        there = real(server) if kind in MAKERS else component(server, kind)
        backend, service = runner.run(stack.enter_async_context(there))
        yield Place(kind, runner, backend, service)
        runner.run(stack.aclose())


def same(place: Place, request: ItemsRequest, node: str = NODE) -> None:
    """Both paths give the same rows, the same meta or the same error; index and count are left out or are the same."""
    cached, asked = place.both(request, node)

    alike(cached, asked)
    if isinstance(cached, Answer) and isinstance(asked, Answer):
        assert (cached.source, cached.stale, asked.source, asked.stale) == ("cache", False, "service", False)


def alike(cached: Answer | str, asked: Answer | str) -> None:
    """They say the same of the node."""
    if isinstance(cached, str) or isinstance(asked, str):
        assert cached == asked
        return
    ours, theirs = cached.page, asked.page
    assert [replace(row, extra={}) for row in ours.items] == [replace(row, extra={}) for row in theirs.items]
    assert [told(row) for row in ours.items] == [told(row) for row in theirs.items]
    for name in ("more", "complete", "first", "last", "unknown"):
        assert getattr(ours, name) == getattr(theirs, name), name
    for name in ("index", "count"):
        assert getattr(theirs, name) in (None, getattr(ours, name)), name


def told(row: ItemRow) -> dict[str, object]:
    """What `extra` says of the item; the rest is of our copy, and the service knows nothing of it."""
    return {name: value for name, value in row.extra.items() if name not in ("stored", "sequence")}


ALL = ItemsRequest()
LISTED: dict[str, ItemsRequest] = {
    "nothing": ALL,
    "none": ItemsRequest(max=0),
    "the newest": ItemsRequest(max=1),
    "the newest few": ItemsRequest(max=7),
    "all and more": ItemsRequest(max=1000),
    "just all": ItemsRequest(max=NUMBER),
    "one less than all": ItemsRequest(max=NUMBER - 1),
    "ids": ItemsRequest(ids=("i7", "nothing", "i3", "i7", "i111")),
    "no ids": ItemsRequest(ids=()),
    "unknown ids": ItemsRequest(ids=("nothing", "é&<'")),
    "before nothing": ItemsRequest(before=""),
    "before nothing, few": ItemsRequest(before="", max=2),
    "before": ItemsRequest(before="i50", max=3),
    "before the first": ItemsRequest(before="i0"),
    "before an unknown one": ItemsRequest(before="nothing"),
    "after": ItemsRequest(after="i50"),
    "after, few": ItemsRequest(after="i99", max=2),
    "after one that was written again": ItemsRequest(after="i3", max=3),
    "after nothing": ItemsRequest(after=""),
    "after an unknown one": ItemsRequest(after="nothing"),
    "before one that vanished": ItemsRequest(before=VANISHED),
    "after one that vanished": ItemsRequest(after=VANISHED, max=3),
    "one that vanished": ItemsRequest(ids=(VANISHED, "i1")),
    "none before": ItemsRequest(before="i50", max=0),
    "none after": ItemsRequest(after="i50", max=0),
    "none from a position": ItemsRequest(index=50, max=0),
    "index": ItemsRequest(index=0),
    "index in the middle": ItemsRequest(index=99, max=3),
    "index of the last": ItemsRequest(index=NUMBER - 1),
    "index beyond": ItemsRequest(index=NUMBER),
    "far beyond": ItemsRequest(index=10**6, max=1),
    "by creation": ItemsRequest(order="creation", max=5),
    "by modification": ItemsRequest(order="modification", max=5),
    "ids and max": ItemsRequest(ids=("i1",), max=1),
    "before and after": ItemsRequest(before="i9", after="i1"),
    "cut, from the newest": ItemsRequest(max_bytes=2000),
    "cut, from the oldest": ItemsRequest(index=0, max_bytes=2000),
    "cut, by ids": ItemsRequest(ids=("i5", "i6", "i7", "i8"), max_bytes=1000),
    "json": ItemsRequest(format="json", max=3, extra=True),
    "no payload": ItemsRequest(format="none", extra=True),
}

SOME: dict[str, ItemsRequest] = {
    **{words: LISTED[words] for words in ("nothing", "none", "the newest", "all and more", "no ids", "before nothing")},
    **{f"position {place}": ItemsRequest(index=place) for place in (0, 1, 4)},
    **{f"before {item_id}": ItemsRequest(before=item_id) for item_id in ("i0", "nothing", *ODD)},
    **{f"after {item_id}": ItemsRequest(after=item_id, max=2) for item_id in ("i0", "nothing", *ODD)},
    "ids": ItemsRequest(ids=("nothing", *reversed(ODD), "i0")),
    "few": ItemsRequest(max=2, extra=True, format="both"),
    "cut": ItemsRequest(max_bytes=1),
}
"""For nodes of a few items."""


@pytest.mark.parametrize("words", LISTED)
def test_both_paths_give_the_same_answer(place: Place, words: str) -> None:
    same(place, LISTED[words])


@pytest.mark.parametrize("place", list(MAKERS), indirect=True)
def test_both_paths_give_the_same_answer_for_small_nodes(place: Place) -> None:
    for node in SMALL:
        for request in SOME.values():
            same(place, request, node)


@pytest.mark.parametrize("kind", ["opaque", "truncate"])
@pytest.mark.parametrize("number", [0, 1])
def test_both_paths_give_the_same_answer_of_a_component_with_hardly_any_items(
    server: Server, kind: str, number: int
) -> None:
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        backend, service = runner.run(stack.enter_async_context(component(server, kind, number)))
        place = Place(kind, runner, backend, service)

        for request in SOME.values():
            same(place, request)
        runner.run(stack.aclose())


FRESH: list[tuple[Freshness, int | None]] = [
    *(("auto", age) for age in (None, 0, 60)),
    ("cache", None),
    ("quick", None),
    *(("service", age) for age in (None, 0, 60)),
]


def test_every_freshness_gives_the_same_answer(place: Place) -> None:
    for words in ("nothing", "none", "ids", "before", "after, few", "index beyond", "after an unknown one", "json"):
        answers = place.each([replace(LISTED[words], freshness=how, max_age=age) for how, age in FRESH])

        for (how, age), answer in zip(FRESH, answers, strict=True):
            alike(answers[0], answer)
            if isinstance(answer, Answer):
                source = "service" if how == "service" else "cache"
                assert (answer.source, answer.stale) == (source, False), (words, how, age)


def test_the_order_that_a_service_keeps_is_learnt_from_what_it_shows(place: Place) -> None:
    newest = [row.id for row in answered(place.both(ItemsRequest(max=2))).page.items]
    by_creation, _ = place.both(ItemsRequest(order="creation", max=2))
    by_modification, _ = place.both(ItemsRequest(order="modification", max=2))

    if place.kind == "prosody":
        assert newest == ["i3", "i111"]
        assert (isinstance(by_creation, str), isinstance(by_modification, str)) == (True, False)
    else:
        assert newest == [f"i{NUMBER - 2}", f"i{NUMBER - 1}"]
        assert (isinstance(by_creation, str), isinstance(by_modification, str)) == (place.kind in SILENT, True)


def answered(both: tuple[Answer | str, Answer | str]) -> Answer:
    """What the copy said."""
    assert isinstance(both[0], Answer)
    return both[0]


anchors = st.one_of(st.integers(0, NUMBER - 1).map(lambda n: f"i{n}"), st.sampled_from(["", "nothing", "i3", "i111"]))
some = st.none() | st.integers(0, 2 * NUMBER)
part: dict[str, st.SearchStrategy[Any]] = {
    "ids": st.lists(anchors, max_size=8).map(tuple),
    "before": anchors,
    "after": anchors,
    "index": st.integers(0, 2 * NUMBER),
    "order": st.sampled_from(["service", "creation", "modification"]),
}
look: dict[str, st.SearchStrategy[Any]] = {
    "format": st.sampled_from(["xml", "json", "both", "none"]),
    "extra": st.booleans(),
    "max_bytes": st.sampled_from([1, 3000, 2**21]),
}
fitting = st.one_of(
    *(
        st.builds(ItemsRequest, **{name: values}, **look, **({} if name == "ids" else {"max": some}))
        for name, values in part.items()
    )
)
whatever = st.builds(
    ItemsRequest,
    max=some,
    **look,
    **{name: values if name == "order" else st.none() | values for name, values in part.items()},
)


@settings(max_examples=60, deadline=None)
@given(request=fitting | whatever)
def test_both_paths_give_the_same_answer_to_anything(place: Place, request: ItemsRequest) -> None:
    same(place, request)

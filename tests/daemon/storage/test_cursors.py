# SPDX-License-Identifier: MIT
"""Walks by cursor while the items change: whatever is still there, and where it was, comes exactly once."""

import asyncio
import os
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any, TypeVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from pubkeep.errors import LimitExceeded
from pubkeep.model import NodeState
from pubkeep.query.document import read
from pubkeep.questions import SearchRequest, SearchResult
from pubkeep.storage.walking import Limits
from tests.daemon.storage import walks
from tests.daemon.storage.kept import CONTENTS, DECLARABLE, DECLARED, IDS, LIMITS, ONE, ORDERS, PARTS, Kept, new
from tests.daemon.storage.listings import Listing
from tests.daemon.storage.walks import (
    ALICE,
    BOB,
    NODES,
    QUERIES,
    SECOND,
    Content,
    Fact,
    Walk,
    second_of,
)
from tests.fixtures.places import Place

T = TypeVar("T")

STEPS = int(os.environ.get("PUBKEEP_STEPS", "600"))
"""Of the machine, all together, on each database."""
AT_ONCE = 60
"""Steps between two empty stores."""
WALKS = 8
"""At the same time."""
ROUNDS = 200
"""Pages that a walk has at most, where little is looked at in one go."""
ASKED = st.builds(
    Walk,
    st.sampled_from([*QUERIES, *["{}"] * 6]),
    st.sampled_from(ORDERS) | st.sampled_from(DECLARABLE),
    st.integers(1, 5),
    st.sampled_from([(ALICE, BOB), (ALICE, BOB), (ALICE,)]),
    st.sampled_from([1, 500, 1 << 20, 1 << 20]),
)
PLACES_OF = {(account, service): at for at, (account, service, *_) in enumerate(NODES)}


class Walks(RuleBasedStateMachine):
    """Reads page by page, and writes between the pages."""

    kept: Kept

    def __init__(self) -> None:
        super().__init__()
        self.nodes = self.kept.emptied()
        self.facts: dict[walks.Name, Fact] = {}
        self.orders: list[list[str]] = [[] for _ in NODES]
        self.hidden: set[int] = set()
        self.declared = walks.Declared()
        self.changes = 0
        self.walks: list[Walk] = []
        self.listings: list[Listing] = []

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.kept.run(work)

    # -- what changes ------------------------------------------------------------------------------

    @initialize(
        items=st.lists(st.dictionaries(IDS, CONTENTS, min_size=4), min_size=len(NODES), max_size=len(NODES)),
        places=st.sampled_from(DECLARED),
    )
    def fill(self, items: list[dict[str, Content]], places: walks.Declared) -> None:
        self.declared = places
        self.run(self.kept.declare(places))
        for node, each in enumerate(items):
            self.run(self._publish(node, each, moves=False))

    @rule(node=ONE, items=st.dictionaries(IDS, CONTENTS, max_size=8), moves=st.booleans())
    def publish(self, node: int, items: dict[str, Content], moves: bool) -> None:
        self.run(self._publish(node, items, moves))

    @precondition(lambda self: self.facts)
    @rule(data=st.data(), part=st.sampled_from(list(PARTS)), moves=st.booleans())
    def edit(self, data: st.DataObject, part: str, moves: bool) -> None:
        node, item_id = data.draw(st.sampled_from(sorted(self.facts)))
        content = replace(self.facts[node, item_id].content, **{part: data.draw(PARTS[part])})
        self.run(self._publish(node, {item_id: content}, moves))

    def _publish(self, node: int, items: dict[str, Content], moves: bool) -> Coroutine[Any, Any, object]:
        """Changes the model; what it returns changes the store."""
        now, order, moved = self.kept.clock.now, self.orders[node], set[str]()
        for item_id, content in items.items():
            before = self.facts.get((node, item_id))
            if before is not None and moves:
                order.remove(item_id)
                moved.add(item_id)
            if before is None or moves:
                order.append(item_id)
            if before is None or before.content != content:
                self.changes += 1
                stored = now if before is None else before.stored
                second = second_of(content, stored, now)
                self.facts[node, item_id] = Fact(node, item_id, content, stored, second, self.changes)
        self._listed(node, moved)
        return self.kept.store.apply(self.nodes[node], [new(*each) for each in items.items()], moves=moves)

    @rule(node=ONE, ids=st.lists(IDS, max_size=3, unique=True))
    def retract(self, node: int, ids: list[str]) -> None:
        self.run(self._retract(node, ids))

    def _retract(self, node: int, ids: list[str]) -> Coroutine[Any, Any, object]:
        self._gone(node, set(ids))
        return self.kept.store.apply(self.nodes[node], removals=ids)

    def _gone(self, node: int, ids: set[str]) -> None:
        for item_id in ids:
            self.facts.pop((node, item_id), None)
        self.orders[node] = [each for each in self.orders[node] if each not in ids]
        self._listed(node, set())

    @rule(data=st.data(), node=ONE, turn=st.sampled_from(["hide", "forget", "reorder", "declare", "wait", "restart"]))
    def turn(self, data: st.DataObject, node: int, turn: str) -> None:
        store = self.kept.store
        match turn:
            case "hide":
                self.hidden ^= {node}
                state = NodeState.DENIED if node in self.hidden else NodeState.STALE
                self.nodes[node] = self.run(store.save_node(replace(self.nodes[node], state=state)))
            case "forget":
                self.run(store.forget_node(self.nodes[node].number, "forgotten"))
                self.hidden.discard(node)
                self.nodes[node] = self.kept.taken_up(node)
                self._gone(node, set(self.orders[node]))
            case "reorder":
                self.orders[node] = list(data.draw(st.permutations(self.orders[node])))
                self.run(store.apply(self.nodes[node], order=self.orders[node]))
                self.listings = [each for each in self.listings if each.node != node]
            case "declare":
                self.declared = data.draw(st.sampled_from(DECLARED))
                self.run(self.kept.declare(self.declared))
            case "wait":
                self.kept.clock.now += data.draw(st.integers(1, 3)) * SECOND
            case "restart":
                self.run(store.close())
                self.kept.open()

    def _listed(self, node: int, moved: set[str]) -> None:
        order = self.orders[node]
        self.listings = [each for each in self.listings if each.node != node or each.changed(list(order), moved)]

    # -- what is read ------------------------------------------------------------------------------

    @rule(walks=st.lists(ASKED, min_size=1, max_size=WALKS))
    def begin(self, walks: list[Walk]) -> None:
        for walk in walks:
            walk.begin(walk.matching(self.facts.values(), self.hidden, self.declared))
        self.walks = [*self.walks, *walks][-WALKS:]

    @precondition(lambda self: self.walks)
    @rule(limits=st.sampled_from(LIMITS), slow=st.booleans())
    def go_on(self, limits: Limits, slow: bool) -> None:
        for walk in self.walks:
            self._limited(limits, slow)
            self._take(walk, self.run(self._page(walk)))

    @precondition(lambda self: self.walks)
    @rule(at=st.integers(0, WALKS - 1), node=ONE, items=st.dictionaries(IDS, CONTENTS, max_size=4), gone=st.booleans())
    def go_on_while_it_changes(self, at: int, node: int, items: dict[str, Content], gone: bool) -> None:
        walk = self.walks[at % len(self.walks)]
        change = self._retract(node, list(items)) if gone else self._publish(node, items, moves=False)
        self._take(walk, self.run(self._both(walk, change)))

    @precondition(lambda self: self.walks)
    @rule(at=st.integers(0, WALKS - 1), limits=st.sampled_from(LIMITS), slow=st.booleans())
    def go_to_the_end(self, at: int, limits: Limits, slow: bool) -> None:
        walk = self.walks[at % len(self.walks)]
        for _ in range(ROUNDS):
            self._limited(limits, slow)
            if self._take(walk, self.run(self._page(walk))):
                return
        raise AssertionError(f"it does not end: {walk}")

    def _limited(self, limits: Limits, slow: bool) -> None:
        self.kept.store.limits, self.kept.clock.slow = limits, slow

    async def _both(self, walk: Walk, change: Coroutine[Any, Any, object]) -> SearchResult:
        page = asyncio.create_task(self._page(walk))
        await change
        return await page

    async def _page(self, walk: Walk) -> SearchResult:
        request = SearchRequest(
            read(walk.query), walk.order_by, limit=walk.limit, cursor=walk.cursor, max_bytes=walk.max_bytes
        )
        try:
            return await self.kept.store.search(request, walk.accounts)
        except LimitExceeded:
            assert self.kept.clock.slow
            self.kept.clock.slow = False
            return await self.kept.store.search(request, walk.accounts)

    def _take(self, walk: Walk, result: SearchResult) -> bool:
        """The page is one of the items as they were when this step began, or as they are now.

        Returns whether it was the last one; then the walk begins again.
        """
        page = [(PLACES_OF[row.account, row.service], row.id) for row in result.items]
        end = not result.cursor
        if walk.fault(page, end=end):
            self.look()
        assert not (fault := walk.fault(page, end=end)), f"{fault}: {page} of {walk}"
        assert page or result.unfinished or not result.cursor
        assert result.count in (None, len(page))
        walk.take(page, result.cursor)
        self.kept.pages += 1
        if end:
            walk.begin(walk.shown)
            self.kept.ended += 1
        return end

    @rule(node=ONE, forward=st.booleans(), limit=st.integers(1, 5), at=st.integers(0, WALKS - 1))
    def go_on_with_a_list(self, node: int, forward: bool, limit: int, at: int) -> None:
        if at >= len(self.listings):
            self.listings.append(Listing(node, forward, limit, list(self.orders[node])))
        listing = self.listings[at % len(self.listings)]
        expected, more = listing.next(), listing.more
        assert self.run(self._listed_by_the_store(listing)) == (expected, more)
        listing.take(expected)
        if not more:
            assert listing.due <= set(listing.seen)
            assert len(listing.seen) == len(set(listing.seen))
            self.listings.remove(listing)

    async def _listed_by_the_store(self, listing: Listing) -> tuple[list[str], bool]:
        store, node = self.kept.store, self.nodes[listing.node]
        if listing.forward:
            page = await store.page(
                node, limit=listing.limit, after=listing.at or None, index=None if listing.at else 0
            )
        else:
            page = await store.page(node, limit=listing.limit, before=listing.at or None)
        return [row.id for row in page.items], page.more

    @invariant()
    def look(self) -> None:
        for walk in self.walks:
            walk.changed(walk.matching(self.facts.values(), self.hidden, self.declared))


def test_what_stays_comes_once_on_the_pages_of_any_walk_whatever_else_happens(place: Place) -> None:
    class Here(Walks):
        kept = Kept(place.where)

    try:
        run_state_machine_as_test(
            Here,
            settings=settings(max_examples=max(1, STEPS // AT_ONCE), stateful_step_count=AT_ONCE, deadline=None),
        )
    finally:
        Here.kept.close()

# SPDX-License-Identifier: MIT
"""The store against a model in plain Python: ids, order, digests, counters, tombstones, whatever is applied."""

import asyncio
import sqlite3
import tempfile
from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from pubkeep.clock import Clock
from pubkeep.model import Analysis, NodeRecord, NodeState
from pubkeep.query.declared import Declared
from pubkeep.query.document import read
from pubkeep.questions import SearchRequest
from pubkeep.storage.store import Store
from tests.daemon.storage.conftest import KEY, item
from tests.fixtures.full_text import index_fault

T = TypeVar("T")

IDS = st.sampled_from([f"i{n}" for n in range(8)])
TEXTS = st.sampled_from(["apple", "pear", "plum apple"])


class StoreMachine(RuleBasedStateMachine):
    """Applies at random and compares."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "s" / "pubkeep.db"
        self.order: list[str] = []
        self.texts: dict[str, str] = {}
        self.changed: dict[str, bool] = {}
        self.run(self.open())

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    async def open(self) -> None:
        self.store = await Store.open(self.path, Clock())
        await self.store.add_account("alice@localhost", "x", uid=0, enabled=True, host="", port=0, tls="required")
        analysis = Analysis("blog", "blog", to_sync=True)
        self.node: NodeRecord = await self.store.save_node(NodeRecord(0, KEY, NodeState.STALE, analysis=analysis))
        self.since = self.seen_at = self.store.sequence
        self.seen: set[str] = set()

    @rule(items=st.lists(st.tuples(IDS, TEXTS), max_size=5), moves=st.booleans())
    def upsert(self, items: list[tuple[str, str]], moves: bool) -> None:
        applied = self.run(self.store.apply(self.node, [item(*each) for each in items], moves=moves))
        latest: dict[str, str] = {}
        for name, text in items:
            if moves:
                latest.pop(name, None)
            latest[name] = text
        expected = [name for name, text in latest.items() if self.texts.get(name) != text]
        for name, text in latest.items():
            if moves and name in self.order:
                self.order.remove(name)
            if name not in self.order:
                self.order.append(name)
            self.texts[name] = text
        for name in expected:
            self.changed[name] = True
        assert list(applied.published) == expected

    @rule(names=st.lists(IDS, max_size=3))
    def remove(self, names: list[str]) -> None:
        applied = self.run(self.store.apply(self.node, removals=names))
        gone = [name for name in dict.fromkeys(names) if name in self.texts]
        for name in gone:
            self.order.remove(name)
            del self.texts[name]
            self.changed[name] = False
        assert sorted(applied.retracted) == sorted(gone)

    @rule()
    def forget_and_take_up_again(self) -> None:
        self.run(self.store.forget_node(self.node.number, "forgotten"))
        self.node = self.run(self.store.save_node(replace(self.node, number=0)))
        self.changed |= dict.fromkeys(self.order, False)
        self.order, self.texts = [], {}

    @rule(dated=st.booleans())
    def declare(self, dated: bool) -> None:
        self.run(self.store.declare(Declared({("title",): frozenset({"blog"} if dated else ())})))

    @rule(hidden=st.booleans())
    def state(self, hidden: bool) -> None:
        self.node = replace(self.node, state=NodeState.DENIED if hidden else NodeState.STALE)
        self.node = self.run(self.store.save_node(self.node))

    @rule(data=st.data())
    def reorder(self, data: st.DataObject) -> None:
        order = data.draw(st.permutations(self.order))
        self.run(self.store.apply(self.node, order=order))
        self.order = list(order)

    @precondition(lambda self: self.order)
    @rule()
    def restart(self) -> None:
        self.run(self.store.close())
        self.store = self.run(Store.open(self.path, Clock()))

    @invariant()
    def same(self) -> None:
        page = self.run(self.store.page(self.node, limit=100))
        assert [row.id for row in page.items] == self.order
        (stored,) = self.run(self.store.nodes("alice@localhost"))
        assert stored.items == len(self.order)
        self.follow()

    def follow(self) -> None:
        """A frontend that asks after each change only for what is new must see what one sees that reads anew."""
        news = self.run(self.store.search(SearchRequest(read("apple"), since=self.seen_at), ["alice@localhost"]))
        if news.reset:
            self.seen = set()
        self.seen = (self.seen - set(news.removed)) | {row.uri for row in news.items}
        self.seen_at = news.sequence
        anew = self.run(self.store.search(SearchRequest(read("apple")), ["alice@localhost"]))
        assert self.seen == {row.uri for row in anew.items}
        if self.node.state is NodeState.DENIED:
            assert not self.seen
            return
        result = self.run(self.store.search(SearchRequest(read("apple"), since=self.since), ["alice@localhost"]))
        if result.reset:
            return
        now = {name for name, there in self.changed.items() if there and "apple" in self.texts[name]}
        assert {row.id for row in result.items} == now
        assert {uri.rpartition("=")[2] for uri in result.removed} == set(self.changed) - now

    def teardown(self) -> None:
        self.run(self.store.close())
        database = sqlite3.connect(self.path)
        assert index_fault(database) == ""
        database.close()
        self.loop.close()
        self.folder.cleanup()


TestStore = StoreMachine.TestCase
TestStore.settings = settings(max_examples=30, stateful_step_count=20, deadline=None)

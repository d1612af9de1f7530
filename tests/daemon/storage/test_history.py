# SPDX-License-Identifier: MIT
"""What changed after a number is told exactly, or not at all: after restarts, copies put back, and lost files."""

import asyncio
import random
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from pubkeep.clock import Clock
from pubkeep.errors import CursorTooOld
from pubkeep.model import Analysis, NodeRecord, NodeState
from pubkeep.questions import ChangesRequest, NodeFilter, SearchRequest
from pubkeep.storage.background import DAY
from pubkeep.storage.store import Store
from tests.daemon.storage.conftest import KEY, item, opened
from tests.daemon.storage.readers import ALICE, OTHER, follow

EVERY = NodeFilter()


async def told(store: Store, since: int, where: NodeFilter = EVERY) -> list[tuple[str, str]]:
    """(kind, id) of the changes; a node's own have its name."""
    found = await store.changes(ChangesRequest(since, where), ALICE)
    return [(each.kind, each.item_id or each.node.node) for each in found.changes]


async def test_of_each_item_and_node_its_last_change_is_told(store: Store, node: NodeRecord) -> None:
    start = store.sequence
    await store.apply(node, [item("a"), item("b"), item("c")])
    await store.apply(node, [item("a", "again")], removals=["b"])
    middle = store.sequence
    await store.save_node(replace(node, state=NodeState.ERROR))

    assert await told(store, start) == [
        ("published", "c"),
        ("published", "a"),
        ("retracted", "b"),
        ("node-state", KEY.node),
    ]
    assert await told(store, middle) == [("node-state", KEY.node)]
    assert await told(store, store.sequence) == []


async def test_what_was_only_parsed_anew_is_told_so_to_who_knew_it(store: Store, node: NodeRecord) -> None:
    start = store.sequence
    await store.apply(node, [item("a")])
    known = store.sequence
    await store.apply(replace(node, analysis=Analysis("blog", "blog", version=2)), [item("a")])

    assert await told(store, known) == [("parsed", "a")]
    assert await told(store, start) == [("published", "a")]


async def test_pages_of_changes_follow_each_other(store: Store, node: NodeRecord) -> None:
    since, found = store.sequence, list[str]()
    await store.apply(node, [item(f"i{number}") for number in range(25)], removals=[])
    await store.apply(node, removals=[f"i{number}" for number in range(0, 25, 3)])
    while True:
        page = await store.changes(ChangesRequest(since, limit=4), ALICE)
        found += [each.item_id for each in page.changes]
        since = page.next
        assert len(page.changes) == 4 or not page.more
        if not page.more:
            break

    assert found[:16] == [f"i{n}" for n in range(25) if n % 3]
    assert sorted(found[16:]) == sorted(f"i{n}" for n in range(0, 25, 3))
    assert since == store.sequence


async def test_changes_are_restricted_by_what_a_node_is(store: Store, node: NodeRecord) -> None:
    start = store.sequence
    other = await store.save_node(NodeRecord(0, OTHER, NodeState.STALE, analysis=Analysis("event", "event")))
    await store.apply(node, [item("a")])
    await store.apply(other, [item("e")])
    await store.forget_node(other.number, "forgotten")

    gone = [("forgotten", "e"), ("forgotten", OTHER.node)]
    assert await told(store, start, NodeFilter(type="event")) == gone
    assert await told(store, start, NodeFilter(node_prefix="urn:x:")) == gone
    assert await told(store, start, NodeFilter(node=KEY.node)) == [("published", "a")]
    assert await told(store, start, NodeFilter(service="elsewhere")) == []
    assert (await store.changes(ChangesRequest(start, among=frozenset({KEY})), ["bob@localhost"])).changes == ()


async def test_of_hidden_nodes_it_is_told_that_they_are_and_nothing_of_their_items(
    store: Store, node: NodeRecord
) -> None:
    await store.apply(node, [item("a")])
    start = store.sequence
    node = await store.save_node(replace(node, state=NodeState.DENIED))
    await store.apply(node, [item("b")])

    assert await told(store, start) == [("hidden", KEY.node)]
    await store.save_node(replace(node, state=NodeState.STALE))
    assert ("shown", KEY.node) in await told(store, start)


# -- lost files ----------------------------------------------------------------------------------------------


async def refused(store: Store, since: int) -> bool:
    """Whether neither face tells what changed since then as if it knew."""
    try:
        await store.changes(ChangesRequest(since), ALICE)
    except CursorTooOld:
        changes = True
    else:
        changes = False
    try:
        search = (await store.search(SearchRequest(since=since, limit=500), ALICE)).reset
    except CursorTooOld:
        search = True
    assert changes == search
    return changes


@pytest.mark.parametrize("lost", ["put back", "log cut off", "deleted"])
async def test_numbers_of_a_lost_history_are_refused_for_ever(tmp_path: Path, lost: str) -> None:
    path, copy = tmp_path / "pubkeep.db", tmp_path / "copy.db"
    store, node = await opened(path)
    await store.apply(node, [item("a")])
    kept = store.sequence
    await store.close()
    shutil.copy(path, copy)
    store, node = await opened(path)
    await store.apply(node, [item("b")])
    gone = store.sequence
    if lost == "log cut off":  # as after a power cut: what was committed last is not on the disk
        shutil.copy(path, copy)  # the log is beside it
    await store.close()

    for each in path.parent.glob("pubkeep.db*"):
        each.unlink()
    if lost != "deleted":
        shutil.copy(copy, path)
    for _ in range(3):
        store, node = await opened(path)
        assert await refused(store, gone)
        assert await refused(store, gone - 1) or gone - 1 <= kept
        assert await refused(store, kept) == (lost == "deleted")
        await store.apply(node, [item("c", f"{random.random()}")])
        assert store.sequence > gone
        assert await refused(store, gone)
        assert not await refused(store, store.sequence)
        await store.close()


async def test_a_restart_loses_no_number(tmp_path: Path) -> None:
    path = tmp_path / "pubkeep.db"
    store, node = await opened(path)
    noted = [store.sequence]
    for number in range(4):
        await store.apply(node, [item(f"i{number}")])
        noted.append(store.sequence)
        for _ in range(2):
            await store.close()
            store, node = await opened(path)
            assert not any([await refused(store, each) for each in noted])
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT count(*) FROM gap").fetchone()[0] <= len(noted)
    await store.close()


class Later(Clock):
    """So many days later."""

    def __init__(self, days: int) -> None:
        self._days = days

    def wall(self) -> int:
        return super().wall() + self._days * DAY


async def test_what_went_long_ago_is_forgotten_and_who_asks_from_before_that_is_told(tmp_path: Path) -> None:
    path = tmp_path / "pubkeep.db"
    store, node = await opened(path)
    await store.apply(node, [item("a"), item("b")])
    before = store.sequence
    await store.apply(node, removals=["a"])
    after = store.sequence
    await store.close()

    for days, rows, told_at in ((29, 2, [before, after]), (31, 0, [after])):
        store = await Store.open(path, Later(days), changes_days=30)
        await asyncio.sleep(0.1)
        async with asyncio.timeout(10):
            while count(path) != rows:
                await asyncio.sleep(0.01)
        assert [since for since in (before, after) if not await refused(store, since)] == told_at
        await store.close()


def count(path: Path) -> int:
    """So many rows the log has."""
    with closing(sqlite3.connect(path)) as database:
        found: int = database.execute("SELECT count(*) FROM change WHERE node != 0").fetchone()[0]
        return found


async def test_fifty_readers_that_crash_and_replay_hold_what_a_full_query_finds(tmp_path: Path) -> None:
    assert await follow(tmp_path / "pubkeep.db", readers=50, changes=300, seed=5, tell=print) == ""

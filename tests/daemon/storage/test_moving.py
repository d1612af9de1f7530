# SPDX-License-Identifier: MIT
"""All of a database into another one, there and back."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pubkeep.clock import Clock
from pubkeep.errors import Conflict
from pubkeep.model import Copy, NodeRecord, NodeState, Policy, Traits
from pubkeep.query.declared import Declared
from pubkeep.query.document import read
from pubkeep.questions import ChangesRequest, SearchRequest
from pubkeep.storage import moving
from pubkeep.storage.store import Store
from pubkeep.storage.tables import Base
from pubkeep.storage.upkeep_of import upkeep_of
from tests.daemon.storage.conftest import KEY, item, opened
from tests.fixtures.places import Databases, File, Place

TABLES = [table for table in Base.metadata.sorted_tables if table.name not in ("derived", "gap", "change")]
WORDS = ("spring", "onions", "東京駅", "Straße", "😀 smile")


async def filled(store: Store, node: NodeRecord) -> None:
    """Something in every table."""
    await store.add_account("bob@localhost", "y", uid=7, enabled=False, host="h", port=5, tls="direct")
    bob = await store.add_account("carol@localhost", "z", uid=7, enabled=False, host="", port=0, tls="direct")
    await store.remove_account(bob.number)
    await store.declare(Declared({("title",): frozenset()}))
    await store.save_policy(KEY, Policy("always", 5, 60))
    await store.save_traits(KEY.account, KEY.service, Traits("publish", fan_out=1.5, shown=frozenset({"pages"})))
    await store.save_leftover(KEY._replace(node="old"), left=True)
    for start in range(0, 1200, 100):
        await store.apply(node, [item(f"i{n}", f"{WORDS[n % 5]} {n}") for n in range(start, start + 100)])
    await store.apply(node, removals=["i5", "i6"], record=replace(node, copy=Copy.WHOLE, verified_at=12))
    other = await store.save_node(NodeRecord(0, KEY._replace(node="hidden"), NodeState.DENIED))
    await store.apply(other, [item("secret")])
    async with asyncio.timeout(20):
        while not store._dictionaries.each:
            await asyncio.sleep(0.01)


def contents(place: Place) -> dict[str, list[tuple[Any, ...]]]:
    """All rows but what says how far the indexes are."""
    found = {}
    for table in TABLES:
        names = ", ".join(column.name for column in table.columns)
        found[table.name] = sorted(place.rows(f"SELECT {names} FROM {table.name}"), key=repr)
    found["change"] = sorted(place.rows("SELECT * FROM change WHERE node != 0"), key=repr)
    return found


@pytest.fixture
async def source(place: Place) -> AsyncIterator[Store]:
    """A store with something in every table."""
    store, node = await opened(place.where)
    await filled(store, node)
    yield store
    await store.close()


def elsewhere(place: Place, folder: Path, server: Databases) -> Place:
    """A place of the other kind."""
    return server.empty() if isinstance(place, File) else File(folder / "there" / "pubkeep.db")


async def test_all_of_it_is_there_and_found(source: Store, place: Place, tmp_path: Path, postgresql: Databases) -> None:
    there, steps = elsewhere(place, tmp_path, postgresql), list[tuple[int, int]]()
    number, sequence = (await source.accounts())[-1].number, source.sequence

    rows = await moving.move(source._readers, there.where, Clock(), lambda *done: steps.append(done))

    assert steps[-1] == (rows, rows)
    assert contents(there) == contents(place)
    store = await Store.open(there.where, Clock())
    async with asyncio.timeout(30):
        while store.indexing:
            await asyncio.sleep(0.01)
    found = await store.search(SearchRequest(read("東京")), [KEY.account])
    assert found.items == (await source.search(SearchRequest(read("東京")), [KEY.account])).items
    new = await store.add_account("dave@localhost", "w", uid=0, enabled=True, host="", port=0, tls="required")
    assert new.number == number + 2  # carol had one between them
    since = ChangesRequest(since=sequence - 300)
    changes = await store.changes(since, [KEY.account])
    assert changes.changes == (await source.changes(since, [KEY.account])).changes != ()
    assert store.sequence >= sequence
    assert store.opened is not None
    assert (await upkeep_of(store.opened).check(lambda _done, _total: None)).problems == []
    await store.close()


async def test_one_with_something_in_it_is_left_alone(
    source: Store, place: Place, tmp_path: Path, postgresql: Databases
) -> None:
    there = elsewhere(place, tmp_path, postgresql)
    store, _ = await opened(there.where)
    await store.close()
    before = contents(there)

    with pytest.raises(Conflict, match="has something in it"):
        await moving.move(source._readers, there.where, Clock(), lambda _done, _total: None)

    assert contents(there) == before


async def test_where_it_ended_half_way_nothing_is_called_whole(
    source: Store, place: Place, tmp_path: Path, postgresql: Databases
) -> None:
    there = elsewhere(place, tmp_path, postgresql)

    def stop(done: int, _total: int) -> None:
        if done > 1800:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await moving.move(source._readers, there.where, Clock(), stop)

    nodes = there.rows("SELECT copy, verified_at FROM node")
    assert set(nodes) == {("none", 0)}
    assert 0 < there.rows("SELECT count(*) FROM item")[0][0] < 1198

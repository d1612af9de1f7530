# SPDX-License-Identifier: MIT
"""Looking after a database of a PostgreSQL server."""

from collections.abc import AsyncIterator

import pytest

from pubkeep.errors import NotSupported
from pubkeep.model import NodeRecord
from pubkeep.query.declared import Declared
from pubkeep.storage.store import Store
from pubkeep.storage.upkeep_of import upkeep_of
from pubkeep.upkeep import Upkeep
from tests.daemon.storage.conftest import item, opened
from tests.fixtures.places import Database, Databases


@pytest.fixture
def database(postgresql: Databases) -> Database:
    return postgresql.made()


@pytest.fixture
async def kept(database: Database) -> AsyncIterator[tuple[Store, NodeRecord]]:
    """A store with a few items."""
    store, node = await opened(database.where)
    await store.declare(Declared({("title",): frozenset()}))
    await store.apply(node, [item(f"i{n}", f"word{n}") for n in range(10)])
    yield store, node
    await store.close()


def looked_after(store: Store) -> Upkeep:
    assert store.opened is not None
    return upkeep_of(store.opened)


async def problems(store: Store) -> list[str]:
    seen: list[tuple[int, int]] = []
    found = await looked_after(store).check(lambda *done: seen.append(done))
    assert seen[-1][1] == 10
    assert not found.damaged
    assert bool(found.harmed) == any("payload" in words for words in found.problems)
    return found.problems


async def test_a_whole_database_has_no_problems(kept: tuple[Store, NodeRecord]) -> None:
    assert await problems(kept[0]) == []


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        ("UPDATE node SET items = 11", "11 items are counted, and 10 are there"),
        ("DELETE FROM item_fts WHERE tkey IN (SELECT min(tkey) FROM item_fts)", "the full-text index has other words"),
        ("UPDATE item_fts SET words = 'other'", "the full-text index has other words"),
        ("UPDATE payload SET data = 'x'", ": its payload is damaged"),
        ("DELETE FROM payload WHERE item = (SELECT min(item) FROM payload)", "1 items have no payload"),
        ("DELETE FROM item_key", "the index of a place in the JSON"),
        ("UPDATE item SET pos = 1", "1 places in a node are taken twice"),
    ],
)
async def test_what_does_not_fit_is_named(
    kept: tuple[Store, NodeRecord], database: Database, harm: str, words: str
) -> None:
    database.execute(harm)

    assert any(words in problem for problem in await problems(kept[0]))


async def test_it_says_how_large_it_is_and_can_be_given_less_room(kept: tuple[Store, NodeRecord]) -> None:
    upkeep = looked_after(kept[0])

    found = await upkeep.statistics()
    before, after = await upkeep.compact()

    assert (found["engine"], found["rows_item"], found["indexing"]) == ("postgresql", 10, False)
    assert int(found["bytes"]) > 0
    assert before > 0
    assert after > 0


async def test_a_copy_is_made_by_who_runs_the_server(kept: tuple[Store, NodeRecord]) -> None:
    with pytest.raises(NotSupported, match="pg_dump"):
        looked_after(kept[0]).begin_copy()

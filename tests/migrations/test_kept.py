# SPDX-License-Identifier: MIT
"""Databases that the programs of all revisions wrote, opened by today's: by one, by two, by one that is killed."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest
from alembic import command

from pubkeep.clock import Clock
from pubkeep.query.document import read
from pubkeep.questions import SearchRequest
from pubkeep.storage.keepsake import beside
from pubkeep.storage.migrate import HEAD
from pubkeep.storage.store import Store
from tests.daemon.storage.conftest import KEY, item, opened
from tests.fixtures.places import Place
from tests.migrations.checking import check
from tests.migrations.earlier import EARLIER, ROOT, Earlier, EarlierFiles, config
from tests.migrations.keep import ON_SERVERS, REVISIONS


def revision_of(place: Place) -> str:
    found: str = place.rows("SELECT version_num FROM alembic_version")[0][0]
    return found


def test_a_database_of_each_revision_is_kept() -> None:
    assert [f"{number:04}" for number in range(1, int(HEAD) + 1)] == REVISIONS
    assert [revision for revision in REVISIONS if revision >= "0008"] == ON_SERVERS


@pytest.mark.parametrize("revision", REVISIONS)
async def test_what_was_in_a_database_of_that_revision_is_all_there_and_found(earlier: Earlier, revision: str) -> None:
    place = earlier.of(revision)
    assert revision_of(place) == revision

    await check(place, revision)
    await check(place, revision)


@pytest.mark.parametrize("revision", REVISIONS)
async def test_where_nobody_says_that_it_was_closed_in_order_it_is_looked_through(
    tmp_path: Path, revision: str
) -> None:
    place = EarlierFiles(tmp_path).of(revision)

    await check(place, revision)
    beside(place.where).unlink()
    await check(place, revision)


@pytest.mark.parametrize("revision", EARLIER)
async def test_it_goes_down_and_up_again_with_all_that_it_has(tmp_path: Path, revision: str) -> None:
    """On PostgreSQL each earlier one comes about so (earlier.py)."""
    place = EarlierFiles(tmp_path).of(HEAD)

    await asyncio.to_thread(command.downgrade, config(place.where), revision)
    assert revision_of(place) == revision

    await check(place, revision)


async def test_what_died_between_the_migration_and_its_first_transaction_comes_up(earlier: Earlier) -> None:
    place = earlier.of(EARLIER[0])

    await asyncio.to_thread(command.upgrade, config(place.where), "head")

    await check(place, EARLIER[0])


MANY = 1500
DEEP = {"path": "/title", "op": ">=", "value": "i"}


async def test_payloads_that_need_a_dictionary_go_down_and_come_up_with_one(place: Place) -> None:
    store, node = await opened(place.where)
    for first in range(0, MANY, 500):
        await store.apply(node, [item(f"i{number}", f"word{number}") for number in range(first, first + 500)])
    async with asyncio.timeout(20):
        while not place.rows("SELECT * FROM dictionary"):
            await asyncio.sleep(0.05)
    await store.apply(node, [item("last", "packed with it")])
    before = await store.page(node, limit=2 * MANY, format="both")
    await store.close()

    await asyncio.to_thread(command.downgrade, config(place.where), "0006")
    plain = place.rows("SELECT text FROM item_text JOIN item USING (tkey) WHERE item_id = 'last'")
    await asyncio.to_thread(command.upgrade, config(place.where), "head")

    assert plain == [("packed with it",)]
    assert len(place.rows("SELECT * FROM dictionary")) == 1
    store = await Store.open(place.where, Clock())
    assert (await store.page(node, limit=2 * MANY, format="both")).items == before.items
    await store.close()


async def test_reads_go_on_while_the_words_of_an_old_database_are_indexed(tmp_path: Path) -> None:
    path = tmp_path / "pubkeep.db"
    store, node = await opened(path)
    await store.apply(node, [item(f"i{number}", f"word{number}") for number in range(MANY)])
    await store.close()
    await asyncio.to_thread(command.downgrade, config(path), "0005")

    store = await Store.open(path, Clock())
    meanwhile = 0
    while store.indexing:
        page = await store.page(node, limit=5)
        by_json = await store.search(SearchRequest(read(json.dumps({"parsed": DEEP})), limit=5), [KEY.account])
        by_word = await store.search(SearchRequest(read("word7")), [KEY.account])
        assert [row.id for row in page.items] == [f"i{number}" for number in range(MANY - 5, MANY)]
        assert [row.id for row in by_json.items] == [f"i{MANY - 1 - number}" for number in range(5)]
        assert by_word.indexing or [row.id for row in by_word.items] == ["i7"]
        meanwhile += by_word.indexing
    found = await store.search(SearchRequest(read("word7")), [KEY.account])
    await store.close()

    assert meanwhile > 1
    assert [row.id for row in found.items] == ["i7"]


@pytest.mark.parametrize("what", ["--kills=10", "--pairs=7", "--server-kills=10", "--server-pairs=7"])
def test_starts_that_are_killed_or_come_together_leave_all_as_it_was(what: str) -> None:
    """Ten are killed: at each revision, and at any moment. Two come together on a database of each revision."""
    nothing = ["--kills=0", "--pairs=0", "--server-kills=0", "--server-pairs=0", "--readers=0"]
    run = subprocess.run([sys.executable, "-m", "tests.soak", *nothing, what], cwd=ROOT, capture_output=True, text=True)

    assert run.returncode == 0, run.stdout + run.stderr

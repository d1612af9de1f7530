# SPDX-License-Identifier: MIT
"""Databases that the programs of all revisions wrote, opened by today's: by one, by two, by one that is killed."""

import asyncio
import json
import sqlite3
import subprocess
import sys
from contextlib import closing
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
from tests.migrations.checking import check
from tests.migrations.keep import REVISIONS, unpacked
from tests.migrations.test_migrations import ROOT, config

EARLIER = [revision for revision in REVISIONS if revision < HEAD]


def revision_of(path: Path) -> str:
    with closing(sqlite3.connect(path)) as database:
        found: str = database.execute("SELECT version_num FROM alembic_version").fetchone()[0]
        return found


def test_a_database_of_each_revision_is_kept() -> None:
    assert [f"{number:04}" for number in range(1, int(HEAD) + 1)] == REVISIONS


@pytest.mark.parametrize("revision", REVISIONS)
async def test_what_the_program_of_that_time_wrote_is_all_there_and_found(tmp_path: Path, revision: str) -> None:
    path = unpacked(revision, tmp_path / "pubkeep.db")
    assert revision_of(path) == revision

    await check(path, revision)
    await check(path, revision)
    beside(path).unlink()  # nobody says that it was closed in order: it is looked through
    await check(path, revision)


@pytest.mark.parametrize("revision", EARLIER)
async def test_it_goes_down_and_up_again_with_all_that_it_has(tmp_path: Path, revision: str) -> None:
    path = unpacked(HEAD, tmp_path / "pubkeep.db")

    await asyncio.to_thread(command.downgrade, config(path), revision)
    assert revision_of(path) == revision

    await check(path, revision)


async def test_what_died_between_the_migration_and_its_first_transaction_comes_up(tmp_path: Path) -> None:
    path = unpacked(EARLIER[0], tmp_path / "pubkeep.db")

    await asyncio.to_thread(command.upgrade, config(path), "head")

    await check(path, EARLIER[0])


MANY = 1500
DEEP = {"path": "/title", "op": ">=", "value": "i"}


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


@pytest.mark.parametrize("what", ["--kills=10", "--pairs=7"])
def test_starts_that_are_killed_or_come_together_leave_all_as_it_was(what: str) -> None:
    """Ten are killed: at each revision, and at any moment. Two come together on a database of each revision."""
    nothing = ["--kills=0", "--pairs=0", "--readers=0"]
    run = subprocess.run([sys.executable, "-m", "tests.soak", *nothing, what], cwd=ROOT, capture_output=True, text=True)

    assert run.returncode == 0, run.stdout + run.stderr

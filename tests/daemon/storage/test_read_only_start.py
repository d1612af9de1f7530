# SPDX-License-Identifier: MIT
"""A database that takes no writes when it is opened: all of it is read, nothing is changed, and it is noticed later."""

import asyncio
import json
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from pubkeep.clock import Clock
from pubkeep.errors import Failed, ReadOnly
from pubkeep.model import NodeRecord, Policy
from pubkeep.query.declared import Declared
from pubkeep.query.document import read
from pubkeep.questions import ChangesRequest, SearchRequest
from pubkeep.storage.damage import aside
from pubkeep.storage.keepsake import beside
from pubkeep.storage.sqlite import PAGE_SIZE
from pubkeep.storage.store import Store
from pubkeep.storage.transactions import TRY_AGAIN, WRITABLE
from pubkeep.storage.upkeep_of import upkeep_of
from tests.daemon.storage.conftest import KEY, item, opened
from tests.daemon.storage.test_keys import BOTH, START, event
from tests.daemon.storage.test_keys import found as found_in_json
from tests.fixtures.places import File, Place, taking_no_writes
from tests.migrations.keep import REVISIONS, unpacked


async def filled(place: Place) -> tuple[int, int]:
    """A store with a policy and two items was there. Returns its number before them, and its last."""
    store, node = await opened(place.where, "event")
    await store.declare(BOTH)
    await store.save_policy(KEY, Policy("always"))
    before = store.sequence
    await store.apply(node, [item("a", "apple"), item("b", "banana")])
    await store.apply(node, removals=["b"])
    await store.close()
    return before, store.sequence


async def words(store: Store, query: str) -> list[str]:
    """Which items are found."""
    return [row.id for row in (await store.search(SearchRequest(read(query)), [KEY.account])).items]


async def reopened(store: Store, place: Place) -> tuple[Store, NodeRecord]:
    """The store that follows it when it takes writes again."""
    async with asyncio.timeout(20):
        assert await store.expired() == WRITABLE
    await store.close()
    return await opened(place.where)


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


@pytest.fixture
def file(tmp_path: Path) -> File:
    """A place of SQLite."""
    return File(tmp_path / "data" / "pubkeep.db")


async def test_all_is_read_nothing_is_written_and_it_is_opened_anew_when_it_takes_writes(place: Place) -> None:
    since, last = await filled(place)
    gaps = place.rows("SELECT * FROM gap")

    async with taking_no_writes(place):
        store, node = await opened(place.where)
        await store.declare(BOTH)

        assert "All goes on by itself" in store.read_only
        assert (await store.policies(KEY.account), store.sequence) == ({KEY: Policy("always")}, last)
        assert [row.id for row in (await store.page(node, limit=5)).items] == ["a"]
        assert (await words(store, "apple"), store.indexing) == (["a"], False)
        logged = await store.changes(ChangesRequest(since), [KEY.account])
        assert [(each.kind, each.item_id) for each in logged.changes] == [("published", "a"), ("retracted", "b")]
        for write in (
            store.apply(node, [item("c")]),
            store.save_node(node),
            store.save_policy(KEY, Policy()),
            store.add_account("other@localhost", "x", uid=0, enabled=True, host="", port=0, tls="required"),
        ):
            with pytest.raises(ReadOnly) as caught:
                await write
            assert str(caught.value) == store.read_only
        assert place.rows("SELECT * FROM gap") == gaps

    with pytest.raises(ReadOnly):  # no number may be given yet
        await store.apply(node, [item("c")])
    store, node = await reopened(store, place)
    assert store.read_only == ""
    assert (await store.apply(node, [item("c")])).items == 2
    assert [change.item_id for change in (await store.changes(ChangesRequest(last), [KEY.account])).changes] == ["c"]
    await store.close()
    assert place.fault() == ""


async def test_an_index_of_another_version_is_said_and_filled_later(place: Place) -> None:
    await filled(place)
    place.execute("UPDATE derived SET version = 'another'")

    async with taking_no_writes(place):
        store = await Store.open(place.where, Clock())
        assert (store.indexing, await words(store, "apple")) == (True, ["a"])
        await asyncio.sleep(0.2)  # nothing goes on in the background
        assert place.rows("SELECT version FROM derived") == [("another",)]

    store, _ = await reopened(store, place)
    async with asyncio.timeout(20):
        while store.indexing:
            await asyncio.sleep(0.01)
    assert await words(store, "apple") == ["a"]
    await store.close()
    assert place.fault() == ""


@pytest.mark.parametrize("dated", [frozenset[str](), frozenset({"event"})])
@pytest.mark.parametrize("other_version", [False, True])
async def test_places_in_the_json_mean_what_is_declared_now(
    place: Place, dated: frozenset[str], other_version: bool
) -> None:
    store, node = await opened(place.where, "event")
    await store.declare(BOTH)
    await store.apply(node, [event(number) for number in range(8)])
    await store.close()
    if other_version:
        made_by = json.dumps([0, "event"])
        place.execute("DELETE FROM item_key WHERE key = (SELECT number FROM key WHERE place = '/start')")
        place.execute(f"UPDATE key SET made_by = '{made_by}' WHERE place = '/start'")

    async with taking_no_writes(place):
        store = await Store.open(place.where, Clock())
        await store.declare(Declared({START: dated}))
        met = await found_in_json(store, path="/start", value="2026-07-01T00:00:00Z")
        await store.close()

    assert met == ({"e0", "e1", "e4", "e5"} if dated else {"e0", "e4"})


async def test_where_no_run_began_there_is_nothing_to_read(place: Place) -> None:
    await (await Store.open(place.where, Clock())).close()
    place.execute("DELETE FROM change")

    async with taking_no_writes(place):
        with pytest.raises(ReadOnly):
            await Store.open(place.where, Clock())


# -- files ----------------------------------------------------------------------------------------------------


async def test_nothing_beside_the_file_is_changed_either(file: File) -> None:
    await filled(file)
    before = contents(file.where.parent)

    async with taking_no_writes(file):
        store = await Store.open(file.where, Clock())
        await words(store, "apple")
        await store.close()

        assert contents(file.where.parent) == before


async def crashed(file: File, folder: Path, *suffixes: str) -> File:
    """A copy as a crash leaves it, with these of the files beside it."""
    await filled(file)
    store, node = await opened(file.where)
    await store.apply(node, [item("c", "cherry")])
    folder.mkdir()
    for suffix in ("", *suffixes):
        shutil.copy(f"{file.where}{suffix}", folder)
    await store.close()
    return File(folder / file.where.name)


async def test_what_a_crash_left_in_the_log_is_read(file: File, tmp_path: Path) -> None:
    copy = await crashed(file, tmp_path / "crashed", "-wal", "-shm", "-kept")

    async with taking_no_writes(copy):
        store, node = await opened(copy.where)
        assert [row.id for row in (await store.page(node, limit=5)).items] == ["a", "c"]
        assert await words(store, "cherry") == ["c"]

    store, node = await reopened(store, copy)
    assert (await store.apply(node, [item("d")])).items == 3
    await store.close()
    assert copy.fault() == ""


async def test_where_the_log_cannot_be_read_nothing_older_is_shown(file: File, tmp_path: Path) -> None:
    copy = await crashed(file, tmp_path / "crashed", "-wal")

    async with taking_no_writes(copy):
        with pytest.raises(ReadOnly):
            await Store.open(copy.where, Clock())


async def test_what_would_have_to_be_migrated_is_not_read_and_not_touched(file: File) -> None:
    unpacked(REVISIONS[-2], file.where)
    before = contents(file.where.parent)

    async with taking_no_writes(file):
        with pytest.raises(ReadOnly):
            await Store.open(file.where, Clock())

        assert contents(file.where.parent) == before


async def test_damage_is_said_the_rest_is_read_and_it_is_built_anew_later(file: File) -> None:
    await filled(file)
    with closing(sqlite3.connect(file.where)) as database:
        (page,) = database.execute("SELECT rootpage FROM sqlite_master WHERE name = 'payload'").fetchone()
    stamp = file.where.stat()
    with file.where.open("r+b") as raw:
        raw.seek((page - 1) * PAGE_SIZE)
        raw.write(os.urandom(PAGE_SIZE))
    os.utime(file.where, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))  # nobody notices before it is read

    async with taking_no_writes(file):
        store, node = await opened(file.where)
        for _ in range(2):
            with pytest.raises(Failed, match="damaged here; it is built anew as soon as"):
                await store.page(node, limit=5)
        assert await store.policies(KEY.account) == {KEY: Policy("always")}
        assert aside(file.where) == []

    store, node = await reopened(store, file)
    with pytest.raises(Exception, match="damaged"):
        await store.page(node, limit=5)
    assert "built anew" in await store.expired()
    await store.close()
    store = await Store.open(file.where, Clock())
    assert (await store.policies(KEY.account), len(aside(file.where))) == ({KEY: Policy("always")}, 1)
    await store.close()


async def test_damage_that_is_found_at_the_start_is_not_read(file: File) -> None:
    await filled(file)
    os.truncate(file.where, file.where.stat().st_size // 2)

    async with taking_no_writes(file):
        with pytest.raises(ReadOnly):
            await Store.open(file.where, Clock())

        assert beside(file.where).exists()
        assert aside(file.where) == []


async def test_it_is_opened_anew_when_somebody_else_writes_it(file: File) -> None:
    await filled(file)
    descriptor = os.open(file.where, os.O_RDWR)  # as through another mount

    async with taking_no_writes(file):
        store = await Store.open(file.where, Clock())
        os.utime(descriptor)
        async with asyncio.timeout(20):
            assert "changed by another program" in await store.expired()
        await store.close()
    os.close(descriptor)


async def test_a_file_that_only_seems_to_take_writes_is_left_in_peace(file: File) -> None:
    await filled(file)
    with file.where.open("r+b") as raw:  # a format that SQLite reads and does not write (fileformat2.html 1.3.3)
        raw.seek(18)
        raw.write(b"\x03")

    store = await Store.open(file.where, Clock())

    assert (store.read_only != "", await words(store, "apple")) == (True, ["a"])
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(TRY_AGAIN + 1):
            await store.expired()
    await store.close()


async def test_it_is_looked_after_as_far_as_that_writes_nothing(file: File) -> None:
    await filled(file)

    async with taking_no_writes(file):
        store = await Store.open(file.where, Clock())
        assert store.opened is not None
        upkeep = upkeep_of(store.opened)
        assert (await upkeep.statistics())["rows_item"] == 1
        assert (await upkeep.check(lambda done, total: None)).problems == []
        with pytest.raises(ReadOnly):
            await upkeep.compact()
        with pytest.raises(ReadOnly):
            upkeep.begin_copy()
        other = file.where.parents[1] / "other.db"
        assert await upkeep.move(other, lambda done, total: None) > 0
        await store.close()

    store, node = await opened(other)
    assert [row.id for row in (await store.page(node, limit=5)).items] == ["a"]
    await store.close()

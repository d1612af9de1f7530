# SPDX-License-Identifier: MIT
"""Looking after the database: what is found is true, what is copied is whole, and nobody waits for it."""

import asyncio
import hashlib
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pubkeep.clock import Clock
from pubkeep.model import NodeRecord, NodeState
from pubkeep.query.declared import Declared
from pubkeep.storage.sqlite import PAGE_SIZE
from pubkeep.storage.store import Store
from pubkeep.storage.upkeep_of import upkeep_of
from pubkeep.upkeep import Upkeep
from tests.daemon.storage.conftest import KEY, item


@dataclass
class Place:
    """An open store with items."""

    path: Path
    store: Store
    node: NodeRecord
    steps: list[tuple[int, int]] = field(default_factory=list)

    @property
    def upkeep(self) -> Upkeep:
        assert self.store.opened is not None
        return upkeep_of(self.store.opened)

    def progress(self, done: int, total: int) -> None:
        self.steps.append((done, total))

    async def problems(self) -> list[str]:
        return (await self.upkeep.check(self.progress)).problems

    @contextmanager
    def raw(self) -> Iterator[sqlite3.Connection]:
        """The database as anybody may change it."""
        with closing(sqlite3.connect(self.path, isolation_level=None)) as raw:
            yield raw

    async def copy(self) -> bytes:
        target, descriptor = self.upkeep.begin_copy()
        size = await self.upkeep.copy(target, self.progress)
        data = os.pread(descriptor, size + 1, 0)
        os.close(descriptor)
        assert len(data) == size
        return data


def words(number: int) -> str:
    """A text that nothing makes smaller."""
    return " ".join(hashlib.sha256(f"{number} {n}".encode()).hexdigest() for n in range(30))


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    path = tmp_path / "pubkeep.db"
    store = await Store.open(path, Clock())
    await store.add_account(KEY.account, "x", uid=0, enabled=True, host="", port=0, tls="required")
    await store.declare(Declared({("title",): frozenset()}))
    node = await store.save_node(NodeRecord(0, KEY, NodeState.STALE))
    for start in range(0, 3000, 200):
        await store.apply(node, [item(f"i{n}", words(n)) for n in range(start, start + 200)])
    yield Place(path, store, node)
    await store.close()


async def test_what_is_whole_has_no_problems(place: Place) -> None:
    found = await place.upkeep.check(place.progress)

    assert (found.problems, found.damaged, found.items) == ([], False, 3000)
    assert place.steps[-1] == (3000, 3000)
    assert (500, 3000) in place.steps


HARMS = {
    "UPDATE payload SET data = 0.5 WHERE item = 1": "the file is damaged: 1 items have values of another kind",
    "UPDATE item SET json = x'07' WHERE number < 3": "the file is damaged: 2 items have values of another kind",
    "DELETE FROM payload WHERE item = 7": "1 items have no payload",
    "UPDATE node SET items = 8": "urn:xmpp:microblog:0 at pubsub.localhost: 8 items are counted, and 3000 are there",
    "UPDATE item SET pos = (SELECT min(pos) FROM item) WHERE number = 9": "1 places in a node are taken twice",
    "UPDATE item SET sequence = (SELECT max(sequence) FROM change) WHERE number = 9": (
        "1 numbers of changes were given twice"
    ),
    "UPDATE item SET json = 'x' WHERE number = 9": "1 items have no readable JSON",
    'UPDATE item SET json = \'{"title": "other"}\' WHERE number = 9': (
        "the index of a place in the JSON has something else than the items"
    ),
    "DELETE FROM item_key WHERE tkey = (SELECT max(tkey) FROM item)": (
        "the index of a place in the JSON has something else than the items"
    ),
    "INSERT INTO item_fts (rowid, words, marks) VALUES (1, 'surplus', '')": (
        "the full-text index has other words than the items"
    ),
    "UPDATE item SET tkey = tkey + 1 WHERE tkey = (SELECT max(tkey) FROM item)": (
        "the full-text index has other words than the items"
    ),
    "UPDATE payload SET data = x'0102030405' WHERE item = 9": "i8: its payload is damaged",
    "UPDATE payload SET data = (SELECT data FROM payload WHERE item = 8) WHERE item = 9": "i8: its payload is damaged",
}


@pytest.mark.parametrize(("harm", "words"), HARMS.items(), ids=lambda value: value[:40])
async def test_what_is_not_whole_is_named(place: Place, harm: str, words: str) -> None:
    with place.raw() as raw:
        raw.execute(harm)

    found = await place.upkeep.check(place.progress)

    assert words in found.problems
    assert found.damaged == words.startswith("the file is damaged")
    single = ("have no payload", "have no readable JSON", "its payload is damaged")
    assert found.harmed == ({place.node.number} if words.endswith(single) else set())


async def test_a_file_with_a_thousand_damaged_items_is_not_believed(place: Place) -> None:
    with place.raw() as raw:
        raw.execute("UPDATE payload SET data = x'00' WHERE item <= 1001")

    found = await place.upkeep.check(place.progress)

    assert found.damaged
    assert len(found.problems) == 21
    assert found.problems[-1] == "the file is damaged: 1001 items are"


async def test_while_something_is_indexed_that_is_no_problem(place: Place) -> None:
    with place.raw() as raw:
        raw.execute("UPDATE derived SET version = 'another'")

    assert await place.problems() == []


async def test_a_damaged_page_is_found(place: Place) -> None:
    with place.raw() as raw:
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (page,) = raw.execute("SELECT rootpage FROM sqlite_master WHERE name = 'payload'").fetchone()
    with place.path.open("r+b") as file:
        file.seek((page - 1) * PAGE_SIZE)
        file.write(os.urandom(PAGE_SIZE))

    found = await place.upkeep.check(place.progress)

    assert found.damaged
    assert found.problems[0].startswith("the file is damaged: ")


async def test_a_copy_is_the_database_at_one_moment_though_all_the_time_something_is_written(
    place: Place, tmp_path: Path
) -> None:
    async with written_to(place) as written:
        data = await place.copy()
        during = written()
    copy = tmp_path / "other" / "pubkeep.db"
    copy.parent.mkdir()
    copy.write_bytes(data)

    store = await Store.open(copy, Clock())

    assert store.opened is not None
    found = await upkeep_of(store.opened).check(place.progress)
    assert found.problems == []
    assert 3000 <= found.items < 3000 + during
    await store.close()
    assert place.steps[0][0] < place.steps[-1][0]
    assert sorted(each.name for each in tmp_path.iterdir()) == [
        *("other", "pubkeep.db", "pubkeep.db-kept", "pubkeep.db-shm", "pubkeep.db-wal")
    ]


async def test_compacting_makes_it_smaller_and_loses_nothing(place: Place) -> None:
    await place.store.apply(place.node, removals=[f"i{n}" for n in range(2500)])

    before, after = await place.upkeep.compact()

    assert after < before
    assert await place.problems() == []
    assert len((await place.store.page(place.node, limit=1000)).items) == 500
    assert (await place.store.apply(place.node, [item("new")])).items == 501


@asynccontextmanager
async def written_to(place: Place) -> AsyncIterator[Callable[[], int]]:
    """Events come all the time."""
    numbers: list[int] = []

    async def write() -> None:
        while True:
            numbers.append(len(numbers))
            await place.store.apply(place.node, [item(f"w{len(numbers)}")])

    task = asyncio.create_task(write())
    try:
        yield lambda: len(numbers)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize("work", ["check", "copy", "compact"])
async def test_the_event_loop_goes_on_and_events_are_written_meanwhile(place: Place, work: str) -> None:
    gaps: list[float] = []

    async def watch() -> None:
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.001)
            gaps.append(time.monotonic() - before)

    watching = asyncio.create_task(watch())
    async with written_to(place) as written:
        await {"check": place.problems, "copy": place.copy, "compact": place.upkeep.compact}[work]()
        during = written()
    watching.cancel()

    assert sorted(gaps)[len(gaps) * 9 // 10] < 0.02
    assert during > 1


@pytest.mark.parametrize("work", ["check", "copy", "compact"])
async def test_what_is_cancelled_ends_and_changes_nothing(place: Place, work: str) -> None:
    target, descriptor = place.upkeep.begin_copy()
    task = asyncio.create_task(
        {
            "check": lambda: place.upkeep.check(place.progress),
            "copy": lambda: place.upkeep.copy(target, place.progress),
            "compact": place.upkeep.compact,
        }[work]()
    )
    await asyncio.sleep(0.005)

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    os.close(descriptor)
    assert (await place.store.apply(place.node, [item("new")])).items == 3001
    assert await place.problems() == []


_SHORT = """
import asyncio, os, sys
from pathlib import Path
from pubkeep.clock import Clock
from pubkeep.errors import StorageFull
from pubkeep.storage.store import Store
from pubkeep.storage.upkeep_of import upkeep_of
async def main():
    store = await Store.open(Path(sys.argv[1], "pubkeep.db"), Clock())
    upkeep = upkeep_of(store.opened)
    target, descriptor = upkeep.begin_copy()
    for work in (upkeep.compact(), upkeep.copy(target, print)):
        try:
            await work
        except StorageFull as error:
            print(error)
    print(os.fstat(descriptor).st_size, sorted(os.listdir(sys.argv[1])))
    await store.close()
asyncio.run(main())
"""


def test_where_there_is_no_room_nothing_is_begun(tmp_path: Path) -> None:
    mount = f'mount -t tmpfs -o size=20m tmpfs {tmp_path} && exec {sys.executable} -c "$1" {tmp_path}'
    root = [] if os.getuid() == 0 else ["sudo", "-n"]

    run = subprocess.run([*root, "unshare", "-m", "sh", "-c", mount, "sh", _SHORT], capture_output=True, text=True)

    assert run.returncode == 0, run.stderr
    words = "the database: 32 MiB have to be free for this, 19 MiB are\n"
    assert run.stdout == 2 * words + "0 ['pubkeep.db', 'pubkeep.db-kept', 'pubkeep.db-shm', 'pubkeep.db-wal']\n"


async def test_the_statistics_say_how_large_it_is(place: Place) -> None:
    found = await place.upkeep.statistics()

    assert (found["engine"], found["engine_version"], found["readers"]) == ("sqlite", sqlite3.sqlite_version, 3)
    assert (found["rows_item"], found["rows_payload"], found["rows_account"], found["rows_node"]) == (3000, 3000, 1, 1)
    assert (found["indexing"], found["set_aside"]) == (False, 0)
    assert found["bytes"] == place.path.stat().st_size
    assert int(found["pages"]) * int(found["page_size"]) >= int(found["bytes"])
    assert len(str(found["revision"])) == 4

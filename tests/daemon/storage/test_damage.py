# SPDX-License-Identifier: MIT
"""Files that are damaged, lost or exchanged: never gone on with, never lost for ever, never a circle."""

import os
import random
import re
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import TypeVar

import pytest
from sqlalchemy import Connection

from pubkeep.clock import Clock
from pubkeep.errors import CursorTooOld, Damaged, Failed
from pubkeep.model import Account, Copy, NodeKey, NodeRecord, NodeState, Policy, Traits
from pubkeep.questions import ChangesRequest, SearchRequest
from pubkeep.storage.background import DAY
from pubkeep.storage.damage import CHANGED, aside
from pubkeep.storage.keepsake import beside
from pubkeep.storage.sqlite import PAGE_SIZE as PAGE
from pubkeep.storage.store import Store
from pubkeep.storage.upkeep_of import upkeep_of
from tests.daemon.storage.conftest import KEY, item

T = TypeVar("T")

POLICY, TRAITS = Policy("always", 7, 60), Traits(order="publish", reversed=True, fan_out=1.5, shown=frozenset({"ids"}))
LEFT = NodeKey(KEY.account, KEY.service, "left")


class Back(Clock):
    """Whose clock was set back by ten years."""

    def wall(self) -> int:
        return super().wall() - 3650 * DAY


async def filled(path: Path, items: int = 1000) -> Store:
    """A database with all that cannot be fetched again, and much that can."""
    store = await Store.open(path, Clock())
    for number in range(3):
        jid = KEY.account if number == 1 else f"{number}@localhost"
        await store.add_account(jid, f"r{number}", uid=7, enabled=number != 2, host="h", port=1, tls="direct")
    for number in (1, 3):
        await store.remove_account(number)
    await store.save_policy(KEY, POLICY)
    await store.save_traits(KEY.account, KEY.service, TRAITS)
    await store.save_leftover(LEFT, left=True)
    node = await store.save_node(NodeRecord(0, KEY, NodeState.STALE, wanted_by="policy", copy=Copy.WHOLE))
    await store.save_node(NodeRecord(0, LEFT, NodeState.DENIED, wanted_by="request", subscribed=True))
    for start in range(0, items, 200):
        await store.apply(node, [item(f"i{n}", f"word{n} " * 20) for n in range(start, start + 200)])
    return store


async def salvaged(store: Store) -> None:
    """All of it that cannot be fetched again is there, and nothing of the rest is believed."""
    assert await store.accounts() == [Account(2, KEY.account, "r1", 7, True, "h", 1, "direct")]
    assert await store.policies(KEY.account) == {KEY: POLICY}
    assert await store.traits(KEY.account) == {KEY.service: TRAITS}
    assert await store.leftovers(KEY.account) == [LEFT]
    nodes = {node.key: node for node in await store.nodes(KEY.account)}
    assert {(key, node.wanted_by, node.subscribed) for key, node in nodes.items()} == {
        (KEY, "policy", False),
        (LEFT, "request", True),
    }
    assert {(node.state, node.copy, node.items, node.verified_at) for node in nodes.values()} == {
        (NodeState.STALE, Copy.NONE, 0, 0)
    }
    assert (await store.search(SearchRequest(), [KEY.account])).items == ()
    again = await store.add_account("x@localhost", "x", uid=7, enabled=True, host="", port=0, tls="required")
    assert again.number == 4  # 1 and 3 were others
    for node in nodes.values():
        assert (await store.apply(node, [item("new")])).items == 1


# -- what may happen to files ---------------------------------------------------------------------------------

Harm = Callable[[Path], None]


def garbage_in_the_header(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(os.urandom(100))


def garbage_in_the_first_page(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(os.urandom(PAGE))


def garbage_in_a_page_of_items(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        (page,) = database.execute("SELECT rootpage FROM sqlite_master WHERE name = 'item'").fetchone()
    with path.open("r+b") as file:
        file.seek((page - 1) * PAGE)
        file.write(os.urandom(PAGE))


def cut_off_at_a_page(path: Path) -> None:
    os.truncate(path, path.stat().st_size // PAGE // 2 * PAGE)


def cut_off_within_a_page(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2 + 77)


def emptied(path: Path) -> None:
    os.truncate(path, 0)


def removed(path: Path) -> None:
    path.unlink()


def zeros_for_a_third(path: Path) -> None:
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size // 3)
        file.write(bytes(size // 3))


HARMS = (
    *(garbage_in_the_header, garbage_in_the_first_page, garbage_in_a_page_of_items, cut_off_at_a_page),
    *(cut_off_within_a_page, emptied, removed, zeros_for_a_third),
)


@pytest.mark.parametrize("harm", HARMS, ids=lambda harm: str(harm.__name__))
async def test_a_file_harmed_while_nobody_looked_is_built_anew(tmp_path: Path, harm: Harm) -> None:
    path = tmp_path / "pubkeep.db"
    await (await filled(path)).close()
    harm(path)
    harmed = path.read_bytes() if path.exists() else b""

    store = await Store.open(path, Clock())

    await salvaged(store)
    await store.close()
    assert [each.read_bytes() for each in aside(path)] == ([harmed] if harmed else [])
    store = await Store.open(path, Clock())
    assert len(await store.accounts()) == 2
    await store.close()


@pytest.mark.parametrize("harm", HARMS, ids=lambda harm: str(harm.__name__))
async def test_a_file_harmed_where_the_daemon_was_killed_is_built_anew(tmp_path: Path, harm: Harm) -> None:
    path = tmp_path / "pubkeep.db"
    await (await filled(tmp_path / "closed" / "pubkeep.db")).close()
    shutil.copytree(tmp_path / "closed", tmp_path, dirs_exist_ok=True)
    killed(path)
    harm(path)

    store = await Store.open(path, Clock())

    await salvaged(store)
    await store.close()


_OPENS = """
import asyncio, os, signal, sys
from pathlib import Path
from pubkeep.clock import Clock
from pubkeep.storage.store import Store
async def main():
    store = await Store.open(Path(sys.argv[1]), Clock())
    for node in await store.nodes("alice@localhost"):
        await store.save_node(node)
    os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(main())
"""


def killed(path: Path) -> None:
    """A run that wrote something and was killed."""
    run = subprocess.run([sys.executable, "-c", _OPENS, str(path)], capture_output=True)
    assert run.returncode == -signal.SIGKILL, run.stderr


async def test_what_is_left_of_the_log_of_a_lost_database_is_not_taken_for_the_new_ones(tmp_path: Path) -> None:
    path = tmp_path / "pubkeep.db"
    await (await filled(path)).close()
    killed(path)
    path.unlink()

    store = await Store.open(path, Clock())

    await salvaged(store)
    await store.close()


async def test_the_index_of_the_log_is_made_again_where_it_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "pubkeep.db"
    await (await filled(path)).close()
    killed(path)
    path.with_name("pubkeep.db-shm").unlink()

    store = await Store.open(path, Clock())

    assert {node.items for node in await store.nodes(KEY.account)} == {0, 1000}
    await store.close()
    assert aside(path) == []


async def test_a_log_that_is_gone_takes_the_last_changes_with_it_and_no_more(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "pubkeep.db"
    store = await filled(path)
    given = store.sequence
    await store.close()
    killed(path)  # it wrote two nodes' rows
    path.with_name("pubkeep.db-wal").unlink()
    caplog.set_level("INFO")

    store = await Store.open(path, Clock())

    assert {node.items for node in await store.nodes(KEY.account)} == {0, 1000}
    with pytest.raises(CursorTooOld):
        await store.changes(ChangesRequest(given + 2), [KEY.account])
    await store.close()
    assert aside(path) == []
    assert "is looked through: it was changed" in caplog.text


async def test_pages_of_two_moments_are_not_taken_for_one(tmp_path: Path) -> None:
    path, chance = tmp_path / "pubkeep.db", random.Random(5)
    await (await filled(path)).close()
    before = path.read_bytes()
    store = await Store.open(path, Clock())
    node = next(node for node in await store.nodes(KEY.account) if node.key == KEY)
    for start in range(0, 600, 100):
        await store.apply(node, [item(f"i{n}", f"other{n} " * 20) for n in range(start, start + 100)])
    await store.close()
    after, kept = path.read_bytes(), beside(path).read_bytes()
    pages = [start for start in range(0, len(before), PAGE) if before[start : start + PAGE] != after[start:][:PAGE]]

    for number in range(8):  # as a copy is that was made of a file in use
        mixed = bytearray(after)
        for start in chance.sample(pages, 1 + number * len(pages) // 16):
            mixed[start : start + PAGE] = before[start : start + PAGE]
        copy = tmp_path / str(number) / "pubkeep.db"
        copy.parent.mkdir()
        copy.write_bytes(mixed)
        beside(copy).write_bytes(kept)

        store = await Store.open(copy, Clock())

        assert store.opened is not None
        assert (await upkeep_of(store.opened).check(lambda _done, _total: None)).problems == []
        await store.close()


async def test_a_file_that_was_closed_in_order_is_not_looked_through(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "pubkeep.db"
    await (await filled(path, 0)).close()
    caplog.set_level("INFO")

    await (await Store.open(path, Clock())).close()
    assert "looked through" not in caplog.text
    killed(path)
    await (await Store.open(path, Clock())).close()
    assert "is looked through: it was not closed" in caplog.text


# -- while it is open -----------------------------------------------------------------------------------------


def garbage_everywhere(path: Path) -> None:
    """All pages but the first, which is read for every question."""
    with path.open("r+b") as file:
        file.seek(PAGE)
        file.write(os.urandom(path.stat().st_size - PAGE))


async def read(store: Store, node: NodeRecord) -> None:
    await store.page(node, limit=50, index=400)


async def read_in_a_snapshot(store: Store, node: NodeRecord) -> None:
    await store.changes(ChangesRequest(store.sequence), [KEY.account])


async def write(store: Store, node: NodeRecord) -> None:
    await store.apply(node, [item("i500", "other")])


async def test_how_far_it_is_looked_through_is_said_where_that_takes_long(tmp_path: Path) -> None:
    path, said = tmp_path / "pubkeep.db", list[str]()
    await (await filled(path, 6000)).close()
    path.touch()

    store = await Store.open(path, Clock(), tell=said.append)

    assert re.fullmatch(f"{CHANGED}: [0-9]+ of 6000 items, [0-9]+ %", said[0])
    assert said[-1] == f"{CHANGED}: 6000 of 6000 items, 100 %"
    await store.close()


@pytest.mark.parametrize("ask", [read, read_in_a_snapshot, write], ids=lambda ask: str(ask.__name__))
async def test_damage_that_is_met_is_said_and_the_next_one_to_open_it_builds_it_anew(
    tmp_path: Path, ask: Callable[[Store, NodeRecord], Awaitable[None]]
) -> None:
    path = tmp_path / "pubkeep.db"
    await (await filled(path)).close()
    store = await Store.open(path, Clock())
    node = next(node for node in await store.nodes(KEY.account) if node.key == KEY)
    kept = beside(path).read_bytes()
    garbage_everywhere(path)

    with pytest.raises(Damaged, match="built anew, try again"):
        await ask(store, node)
    assert "built anew" in await store.expired()
    await store.close()

    assert beside(path).read_bytes() == kept
    assert not path.exists()
    assert len(aside(path)) == 1
    store = await Store.open(path, Clock())
    await salvaged(store)
    await store.close()


# -- the small file -------------------------------------------------------------------------------------------


def mangled(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize("lose", [mangled, emptied, removed], ids=lambda harm: str(harm.__name__))
async def test_without_the_small_file_what_can_be_read_is_salvaged(
    tmp_path: Path, lose: Harm, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "pubkeep.db"
    await (await filled(path)).close()
    garbage_in_a_page_of_items(path)
    lose(beside(path))

    store = await Store.open(path, Clock())

    await salvaged(store)
    await store.close()
    assert "salvaged from the damaged database: 1 account" in caplog.text
    assert ("is damaged; it is written again from the database" in caplog.text) == (lose is not removed)


async def test_the_small_file_alone_that_is_lost_is_written_again(tmp_path: Path) -> None:
    path = tmp_path / "pubkeep.db"
    await (await filled(path, 0)).close()
    before = beside(path).read_bytes()
    mangled(beside(path))

    await (await Store.open(path, Clock())).close()
    path.unlink()
    store = await Store.open(path, Clock())

    await salvaged(store)
    await store.close()
    assert b"passw" not in before


async def test_the_small_file_is_private_and_written_when_a_method_returns(tmp_path: Path) -> None:
    path = tmp_path / "pubkeep.db"
    before = os.umask(0)
    try:
        store = await filled(path, 0)
    finally:
        os.umask(before)

    held = [beside(path).read_bytes()]
    for change in (
        store.add_account("y@localhost", "y", uid=0, enabled=True, host="", port=0, tls="required"),
        store.enable_account(2, False),
        store.save_policy(KEY, Policy("never")),
        store.save_traits(KEY.account, "elsewhere", TRAITS),
        store.save_leftover(LEFT, left=False),
        store.remove_account(2),
    ):
        await change
        held.append(beside(path).read_bytes())
    assert len(set(held)) == len(held)

    await store.close()
    assert stat.S_IMODE(beside(path).stat().st_mode) == 0o600
    assert sorted(each.name for each in tmp_path.iterdir()) == ["pubkeep.db", "pubkeep.db-kept"]


async def test_what_cannot_be_written_into_the_small_file_is_written_later(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "pubkeep.db"
    store = await filled(path, 0)
    blocked = path.with_name("pubkeep.db-kept.new")
    blocked.mkdir()  # as good as a full disk

    await store.save_policy(LEFT, POLICY)
    blocked.rmdir()
    await store.close()
    path.unlink()
    store = await Store.open(path, Clock())

    assert await store.policies(KEY.account) == {KEY: POLICY, LEFT: POLICY}
    assert "kept in the database alone" in caplog.text
    await store.close()


# -- numbers --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("clock", [Clock(), Back()], ids=["clock goes on", "clock set back"])
@pytest.mark.parametrize("end", ["closed", "killed"])
@pytest.mark.parametrize("harm", [removed, garbage_in_the_header])
async def test_numbers_of_a_database_that_was_built_anew_are_never_used_again(
    tmp_path: Path, harm: Harm, end: str, clock: Clock
) -> None:
    path = tmp_path / "pubkeep.db"
    store = await filled(path)
    start = store.sequence - 1000
    await store.close()
    if end == "killed":
        killed(path)
    with closing(sqlite3.connect(path)) as database:
        (given,) = database.execute("SELECT max(sequence) FROM (SELECT * FROM item JOIN change)").fetchone()
    harm(path)

    store = await Store.open(path, clock)
    node = (await store.nodes(KEY.account))[0]
    applied = await store.apply(node, [item("again")])

    assert applied.sequence > given
    for since in (start, given):
        with pytest.raises(CursorTooOld):
            await store.changes(ChangesRequest(since), [KEY.account])
        assert (await store.search(SearchRequest(since=since), [KEY.account])).reset
    await store.close()
    store = await Store.open(path, clock)
    assert store.sequence >= applied.sequence
    await store.close()


async def test_yesterdays_copy_put_back_keeps_its_accounts_and_uses_no_number_twice(tmp_path: Path) -> None:
    path, copy = tmp_path / "pubkeep.db", tmp_path / "copy.db"
    await (await filled(path, 200)).close()
    shutil.copy(path, copy)
    store = await Store.open(path, Clock())
    later = await store.add_account("z@localhost", "z", uid=7, enabled=True, host="", port=0, tls="required")
    given = (await store.save_node((await store.nodes(KEY.account))[0])).sequence
    await store.close()
    shutil.copy(copy, path)

    store = await Store.open(path, Back())

    assert [account.number for account in await store.accounts()] == [2]
    again = await store.add_account("z@localhost", "z", uid=7, enabled=True, host="", port=0, tls="required")
    assert again.number > later.number
    assert (await store.save_node((await store.nodes(KEY.account))[0])).sequence > given
    with pytest.raises(CursorTooOld):
        await store.changes(ChangesRequest(given), [KEY.account])
    await store.close()
    assert aside(path) == []


# -- what is not ours -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"Dear diary, " * 1000, b"SQLite format 3\0" + b"\xff" * 9000, b"short"])
async def test_a_file_that_was_never_ours_is_refused_untouched(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "diary.txt"
    path.write_bytes(content)

    with pytest.raises(Failed, match="this file is none; choose another one"):
        await Store.open(path, Clock())

    assert path.read_bytes() == content
    assert [each.name for each in tmp_path.iterdir()] == ["diary.txt"]


async def test_a_damaged_file_of_another_program_is_refused_untouched(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE recipes (name TEXT)")
        database.executemany("INSERT INTO recipes VALUES (?)", [("x" * 500,)] * 500)
        database.commit()
    cut_off_at_a_page(path)
    before = path.read_bytes()

    with pytest.raises(Failed, match="this file is none"):
        await Store.open(path, Clock())

    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["other.db"]


# -- no circles -----------------------------------------------------------------------------------------------


class Ticking(Clock):
    """So many seconds later."""

    seconds = 0

    def wall(self) -> int:
        return super().wall() + self.seconds * 1_000_000


async def test_where_file_after_file_is_damaged_it_is_left_for_an_hour(tmp_path: Path) -> None:
    path, clock = tmp_path / "pubkeep.db", Ticking()
    await (await filled(path, 0)).close()
    for _ in range(3):
        garbage_in_the_header(path)
        await (await Store.open(path, clock)).close()
        clock.seconds += 60

    with pytest.raises(Failed, match="the disk or the memory seems to be broken"):
        await Store.open(path, clock)
    clock.seconds += 3600
    garbage_in_the_header(path)
    oldest = aside(path)[0]
    store = await Store.open(path, clock)

    await salvaged(store)
    await store.close()
    assert len(aside(path)) == 3
    assert not oldest.exists()


@pytest.mark.slow
async def test_garbage_anywhere_is_never_a_crash_and_what_is_read_next_is_whole(tmp_path: Path) -> None:
    path, whole, chance = tmp_path / "pubkeep.db", tmp_path / "whole.db", random.Random(5)
    await (await filled(path)).close()
    shutil.copy(path, whole)
    clock = Ticking()
    for _ in range(60):
        clock.seconds += 3600
        shutil.copy(whole, path)
        with path.open("r+b") as file:
            file.seek(chance.randrange(path.stat().st_size - 64))
            file.write(os.urandom(64))

        store = await Store.open(path, clock)
        try:
            for node in await store.nodes(KEY.account):
                await store.page(node, limit=1000)
                await store.apply(node, [item("more", f"{clock.seconds}")])
            await store.search(SearchRequest(), [KEY.account])
        except (Damaged, Failed):
            pass  # the payload of an item: the rest is whole
        await store.close()
        store = await Store.open(path, clock)
        assert len(await store.accounts()) == 1
        await store.close()


# -- power cuts -----------------------------------------------------------------------------------------------


class Watched(Store):
    """A store that remembers how durable each transaction is (PRAGMA synchronous), by its name."""

    levels: dict[str, int]

    async def _write(self, name: str, work: Callable[[Connection], T]) -> T:
        def looked_at(connection: Connection) -> T:
            self.levels[name] = connection.exec_driver_sql("PRAGMA synchronous").scalar() or 0
            return work(connection)

        return await super()._write(name, looked_at)


async def test_what_cannot_be_fetched_again_is_on_the_disk_when_it_is_committed_and_the_rest_later(
    tmp_path: Path,
) -> None:
    store = await Watched.open(tmp_path / "pubkeep.db", Clock())
    assert isinstance(store, Watched)
    store.levels = {}
    account = await store.add_account(KEY.account, "r", uid=7, enabled=True, host="", port=0, tls="required")
    node = await store.save_node(NodeRecord(0, KEY, NodeState.STALE))
    await store.apply(node, [item("a")])
    await store.save_policy(KEY, POLICY)
    await store.apply(node, [item("b")], record=node)
    await store.save_traits(KEY.account, KEY.service, TRAITS)
    await store.save_leftover(LEFT, left=True)
    await store.forget_node(node.number, "forgotten")
    await store.enable_account(account.number, False)
    await store.remove_account(account.number)
    await store.close()

    full, normal = 2, 1
    assert {name: level for name, level in store.levels.items() if name != "drop old"} == {
        **dict.fromkeys(("add account", "enable account", "remove account"), full),
        **dict.fromkeys(("save policy", "save traits", "save leftover"), full),
        **dict.fromkeys(("save node", "event", "swap", "forget node"), normal),
    }

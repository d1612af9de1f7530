# SPDX-License-Identifier: MIT
"""Looking after the database of a running daemon, over D-Bus and by the command."""

import json
import os
import re
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from pubkeep_bridge import contract
from tests.fixtures.author import Author
from tests.system.conftest import BLOG, SERVICE, World, entry, until
from tests.system.test_command_line import Shell
from tests.system.test_main_job import equal_to_service

pytestmark = [pytest.mark.system, pytest.mark.dbus]


@pytest.fixture
async def pubkeep(world: World, blog: Author) -> Shell:
    """The command, on a daemon that has a blog of 20 posts."""
    await world.synced(await world.add())
    return Shell(world)


async def test_statistics_are_shown_and_documented(pubkeep: Shell, world: World) -> None:
    status, out, errors = await pubkeep("database", "stats")
    found = json.loads((await pubkeep("database", "stats", "--json"))[1])

    assert status == 0, errors
    assert re.search(r"^rows_item +20$", out, re.MULTILINE)
    assert re.search(r"^bytes +[\d.]+ [KM]iB$", out, re.MULTILINE)
    assert (found["engine"], found["rows_account"], found["set_aside"]) == ("sqlite", 1, 0)
    text = contract.load("im.pubkeep.Pubkeep1.Database").xml
    for key, value in found.items():
        kind = {bool: "b", int: "t", str: "s"}[type(value)]
        assert f"{key} {kind}" in text or key.startswith("rows_"), key


async def test_a_check_says_that_all_is_well(pubkeep: Shell) -> None:
    assert await pubkeep("database", "check") == (0, "20 items are here, and all is well\n", "")
    assert json.loads((await pubkeep("database", "check", "--json"))[1]) == {"problems": [], "items": 20}


HARM = "WHERE item = (SELECT number FROM item WHERE item_id = 'i3')"


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (f"UPDATE payload SET data = x'00' {HARM}", "i3: its payload is damaged"),
        (f"DELETE FROM payload {HARM}", "1 items have no payload"),
    ],
)
async def test_a_check_that_finds_a_damaged_item_says_so_and_it_is_fetched_again(
    pubkeep: Shell, world: World, blog: Author, harm: str, words: str
) -> None:
    with closing(sqlite3.connect(world.daemon.database)) as raw:
        raw.execute(harm)
        raw.commit()

    assert await pubkeep("database", "check") == (1, f"{words}\n", "")

    await until(lambda: synced(world))
    await equal_to_service(world, blog)
    assert await pubkeep("database", "check") == (0, "20 items are here, and all is well\n", "")
    assert json.loads((await pubkeep("database", "stats", "--json"))[1])["set_aside"] == 0


async def test_a_check_that_finds_a_wrong_index_says_so_and_it_is_made_anew(
    pubkeep: Shell, world: World, blog: Author
) -> None:
    with closing(sqlite3.connect(world.daemon.database)) as raw:
        raw.execute("INSERT INTO item_fts(item_fts) VALUES ('delete-all')")
        raw.commit()

    found = await pubkeep("database", "check")

    assert found == (1, "the full-text index has other words than the items\n", "")

    async def indexed() -> bool:
        return not json.loads((await pubkeep("database", "stats", "--json"))[1])["indexing"]

    await until(indexed)
    assert len((await world.pubkeep.search("title", limit=50)).items) == 20
    assert await pubkeep("database", "check") == (0, "20 items are here, and all is well\n", "")


async def test_a_check_that_finds_a_damaged_file_says_so_and_all_is_fetched_again(
    pubkeep: Shell, world: World, blog: Author
) -> None:
    with closing(sqlite3.connect(world.daemon.database)) as raw:
        raw.execute(f"UPDATE payload SET data = 0.5 {HARM}")
        raw.commit()

    assert await pubkeep("database", "check") == (1, "the file is damaged: 1 items have values of another kind\n", "")

    async def aside() -> bool:
        return any("corrupt" in file.name for file in world.daemon.database.parent.iterdir())

    await until(aside)
    await until(lambda: synced(world))
    await equal_to_service(world, blog)
    assert await pubkeep("database", "check") == (0, "20 items are here, and all is well\n", "")
    assert json.loads((await pubkeep("database", "stats", "--json"))[1])["set_aside"] == 1


async def synced(world: World) -> bool:
    """Whether the blog is."""
    try:
        return [node["state"] for node in await world.pubkeep.nodes(node=BLOG)] == ["synced"]
    except Exception:  # noqa: BLE001 (the daemon takes everything up again)
        return False


async def test_a_backup_is_private_whole_and_can_be_gone_back_to(
    pubkeep: Shell, world: World, blog: Author, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.db"

    status, out, errors = await pubkeep("database", "backup", str(copy))
    again = await pubkeep("database", "backup", str(copy))

    assert (status, out.startswith(f"{copy}: "), errors) == (0, True, "")
    assert again == (1, "", f"pubkeep: {copy}: File exists\n")
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    with closing(sqlite3.connect(copy)) as raw:
        assert raw.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert raw.execute("SELECT count(*) FROM item").fetchone() == (20,)
    assert not any("copy" in file.name for file in world.daemon.database.parent.iterdir())

    await blog.publish(SERVICE, BLOG, "later", entry(21))
    world.daemon.stop()
    copy.replace(world.daemon.database)
    await world.start()
    assert [account.jid for account in await world.pubkeep.accounts()] == ["alice@localhost"]
    assert [node["items"] for node in await world.pubkeep.nodes(node=BLOG)] == [20]


async def test_a_backup_that_cannot_be_written_is_not_begun(pubkeep: Shell) -> None:
    status, _, errors = await pubkeep("database", "backup", "/nowhere/copy.db")

    assert (status, errors) == (1, "pubkeep: /nowhere/copy.db: No such file or directory\n")


async def test_it_is_compacted(pubkeep: Shell) -> None:
    status, out, errors = await pubkeep("database", "vacuum")

    assert status == 0, errors
    assert re.fullmatch(r"[\d.]+ [KM]iB before, [\d.]+ [KM]iB now\n", out)
    assert (await pubkeep("database", "check"))[0] == 0


async def test_a_copy_is_an_open_file_that_nobody_can_change(pubkeep: Shell, world: World) -> None:
    job, copy = await world.pubkeep.database.backup()
    result = await job.result()

    assert os.fstat(copy).st_size == result["bytes"] > 0
    assert os.fstat(copy).st_nlink == 0
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.write(copy, b"x")
    os.close(copy)
    assert "Traceback" not in world.log()

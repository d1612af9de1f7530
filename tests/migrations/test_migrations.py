# SPDX-License-Identifier: MIT
"""Created, migrated, refused: what happens to a database when the daemon starts."""

import asyncio
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from alembic import command
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory

from pubkeep.clock import Clock
from pubkeep.errors import Failed
from pubkeep.model import NodeRecord, NodeState
from pubkeep.query.document import read
from pubkeep.questions import SearchRequest
from pubkeep.storage.migrate import HEAD, unchecked
from pubkeep.storage.sqlite import writer_engine
from pubkeep.storage.store import Store
from tests.daemon.storage.conftest import KEY, item
from tests.migrations.earlier import ROOT, config


def schema(path: Path) -> list[tuple[str, ...]]:
    database = sqlite3.connect(path)
    rows = database.execute("SELECT type, name, sql FROM sqlite_master ORDER BY name").fetchall()
    database.close()
    return rows


def test_the_programs_head_is_alembics() -> None:
    assert ScriptDirectory.from_config(config(Path("x"))).get_current_head() == HEAD


def test_autogenerate_finds_no_difference(tmp_path: Path) -> None:
    path = tmp_path / "pubkeep.db"
    command.upgrade(config(path), "head")

    command.check(config(path))


def test_the_command_line_finds_the_database_of_the_daemon(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "alembic", "upgrade", "head"],
        cwd=ROOT / "migrations",
        env={"XDG_DATA_HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path), "PATH": ""},
        capture_output=True,
        text=True,
    )

    assert run.returncode == 0, run.stderr
    assert (tmp_path / "pubkeep" / "pubkeep.db").exists()


async def test_up_down_and_up_again_with_rows_in(tmp_path: Path) -> None:
    path = tmp_path / "pubkeep.db"
    store = await Store.open(path, Clock())
    await store.add_account(KEY.account, "x", uid=0, enabled=True, host="", port=0, tls="required")
    node = await store.save_node(NodeRecord(0, KEY, NodeState.STALE))
    await store.apply(node, [item("a")])
    await store.close()
    before = schema(path)

    await asyncio.to_thread(command.downgrade, config(path), "base")
    empty = [name for kind, name, _ in schema(path) if kind == "table" and not name.startswith(("sqlite_", "alembic"))]
    await asyncio.to_thread(command.upgrade, config(path), "head")

    assert empty == []
    assert schema(path) == before


async def test_a_newer_database_is_refused_and_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "pubkeep.db"
    await (await Store.open(path, Clock())).close()
    database = sqlite3.connect(path)
    database.execute("UPDATE alembic_version SET version_num = 'zz9'")
    database.commit()
    database.close()
    before = schema(path)

    with pytest.raises(Failed, match=f"newer version of this program wrote it .revision zz9, this one knows {HEAD}"):
        await Store.open(path, Clock())

    assert schema(path) == before


async def test_an_ordinary_start_imports_no_alembic(tmp_path: Path) -> None:
    path = tmp_path / "pubkeep.db"
    await (await Store.open(path, Clock())).close()
    code = (
        "import asyncio, sys; from pathlib import Path; from pubkeep.clock import Clock;"
        "from pubkeep.storage.store import Store;"
        f"asyncio.run(Store.open(Path({str(path)!r}), Clock())) and None;"
        "sys.stdout.write(str('alembic' in sys.modules)); sys.stdout.flush(); import os; os._exit(0)"
    )

    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    assert run.stdout == "False", run.stderr


async def test_two_daemons_starting_together_both_come_up(tmp_path: Path) -> None:
    for round_number in range(4):
        path = tmp_path / str(round_number) / "pubkeep.db"
        code = (
            "import asyncio, sys; from pathlib import Path; from pubkeep.clock import Clock;"
            "from pubkeep.storage.store import Store\n"
            "async def main():\n"
            f"    store = await Store.open(Path({str(path)!r}), Clock())\n"
            "    await store.close()\n"
            "asyncio.run(main())"
        )
        both = [subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE) for _ in range(2)]
        for process in both:
            _, errors = process.communicate(timeout=60)
            assert process.returncode == 0, errors.decode()


KILLED = """
import os, sys
from pathlib import Path
from sqlalchemy import event
from pubkeep.storage.sqlite import make_room, writer_engine
from pubkeep.storage.migrate import migrate
from pubkeep.storage.progress import Report
path, words, left = Path(sys.argv[1]), tuple(sys.argv[2].split()), int(sys.argv[3])
make_room(path)
engine = writer_engine(path)
@event.listens_for(engine, "after_cursor_execute")
def count(connection, cursor, statement, *rest):
    global left
    left -= statement.lstrip().startswith(words)
    if not left:
        os._exit(9)
migrate(engine, path, Report())
"""
"""Dies after so many statements that begin with one of these words."""


async def test_killed_in_the_middle_of_a_migration_it_starts_again(tmp_path: Path) -> None:
    path = tmp_path / "pubkeep.db"

    for kill_at in ("1", "3", "6"):
        run = subprocess.run([sys.executable, "-c", KILLED, str(path), "CREATE", kill_at], capture_output=True)
        assert run.returncode == 9, run.stderr

    store = await Store.open(path, Clock())
    assert await store.accounts() == []
    await store.close()


async def filled(path: Path, revision: str) -> None:
    """A database with rows in, as the program of that revision left it."""
    store = await Store.open(path, Clock())
    await store.add_account(KEY.account, "x", uid=0, enabled=True, host="", port=0, tls="required")
    node = await store.save_node(NodeRecord(0, KEY, NodeState.STALE))
    await store.apply(node, [item(f"i{n}", f"word{n}") for n in range(50)])
    await store.close()
    await asyncio.to_thread(command.downgrade, config(path), revision)


async def held(path: Path) -> list[tuple[str, str]]:
    """What the program finds in it: ids and raw XML."""
    store = await Store.open(path, Clock())
    (node,) = await store.nodes(KEY.account)
    page = await store.page(node, limit=100)
    async with asyncio.timeout(10):
        while (found := await store.search(SearchRequest(read("word7")), [KEY.account])).indexing:
            await asyncio.sleep(0.01)
    await store.close()
    assert [row.id for row in found.items] == ["i7"]
    return [(row.id, row.xml) for row in page.items]


EARLIER = [revision.revision for revision in ScriptDirectory.from_config(config(Path("x"))).walk_revisions()][1:]
ITEMS = [(f"i{n}", f"<entry xmlns='urn:x'>word{n}</entry>") for n in range(50)]


@pytest.mark.parametrize("revision", EARLIER)
async def test_a_database_of_an_earlier_revision_comes_over_whole(tmp_path: Path, revision: str) -> None:
    path = tmp_path / "pubkeep.db"
    await filled(path, revision)

    assert await held(path) == ITEMS


async def test_a_private_copy_is_kept_from_the_migration_to_the_next_start(tmp_path: Path) -> None:
    path, copy = tmp_path / "pubkeep.db", tmp_path / "pubkeep.before-migration.db"
    await filled(path, EARLIER[0])
    before = schema(path)

    await (await Store.open(path, Clock())).close()
    copied, mode = schema(copy), stat.S_IMODE(copy.stat().st_mode)
    await (await Store.open(path, Clock())).close()

    assert (copied, mode) == (before, 0o600)
    assert not copy.exists()


@pytest.mark.parametrize("kill_at", [1, 2])
async def test_killed_while_it_changes_a_full_database_it_starts_again(tmp_path: Path, kill_at: int) -> None:
    path = tmp_path / "pubkeep.db"
    await filled(path, EARLIER[0])
    before = schema(path)

    run = subprocess.run(
        [sys.executable, "-c", KILLED, str(path), "CREATE ALTER UPDATE", str(kill_at)], capture_output=True
    )

    assert run.returncode == 9, run.stderr
    assert schema(path) == before
    assert await held(path) == ITEMS


async def test_a_table_made_anew_loses_no_row_that_hangs_on_it(tmp_path: Path) -> None:
    path = tmp_path / "pubkeep.db"
    await filled(path, HEAD)
    engine = writer_engine(path)

    with unchecked(engine) as connection:
        operations = Operations(MigrationContext.configure(connection))
        with operations.batch_alter_table("item", recreate="always") as batch:
            batch.alter_column("title", nullable=True)
    engine.dispose()

    assert await held(path) == ITEMS


async def test_a_migration_that_would_tear_rows_apart_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "pubkeep.db"
    await filled(path, HEAD)
    engine = writer_engine(path)

    with pytest.raises(Failed, match="tear rows apart"), unchecked(engine) as connection:
        connection.exec_driver_sql("DELETE FROM item")
    engine.dispose()

    assert await held(path) == ITEMS


async def test_a_database_that_was_taken_down_to_nothing_is_made_again(tmp_path: Path) -> None:
    path = tmp_path / "pubkeep.db"
    await filled(path, "base")

    store = await Store.open(path, Clock())

    assert [account.jid for account in await store.accounts()] == [KEY.account]
    assert [node.items for node in await store.nodes(KEY.account)] == [0]
    await store.close()

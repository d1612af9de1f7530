# SPDX-License-Identifier: MIT
"""Crashes, full disks, other people's files."""

import os
import signal
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from pubkeep.clock import Clock
from pubkeep.errors import Failed, UnknownObject
from pubkeep.model import NodeRecord, NodeState
from pubkeep.storage.store import Store
from tests.daemon.storage.conftest import KEY
from tests.fixtures.full_text import index_fault

_WRITES = """
import asyncio, sys
from pathlib import Path
from pubkeep.clock import Clock
from pubkeep.model import NodeRecord, NodeState
from pubkeep.storage.store import Store
from tests.daemon.storage.conftest import KEY, item
async def main():
    store = await Store.open(Path(sys.argv[1]), Clock())
    if not await store.accounts():
        await store.add_account(KEY.account, "x", uid=0, enabled=True, host="", port=0, tls="required")
    nodes = await store.nodes(KEY.account)
    node = nodes[0] if nodes else await store.save_node(NodeRecord(0, KEY, NodeState.STALE))
    for n in range(100_000):
        await store.apply(node, [item(f"i{n}-{k}", f"t{n}") for k in range(20)], removals=[f"i{n - 2}-3"])
        print(n, flush=True)
asyncio.run(main())
"""


def test_killed_in_a_write_nothing_is_half_done(tmp_path: Path) -> None:
    path = tmp_path / "s" / "pubkeep.db"
    for _ in range(3):
        process = subprocess.Popen([sys.executable, "-c", _WRITES, str(path)], stdout=subprocess.PIPE)
        assert process.stdout is not None
        for _ in range(7):
            process.stdout.readline()
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()

    database = sqlite3.connect(path)
    counts = database.execute(
        "SELECT (SELECT count(*) FROM item), (SELECT count(*) FROM payload), (SELECT items FROM node)"
    ).fetchone()
    assert index_fault(database) == ""
    assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    database.close()
    assert len(set(counts)) == 1


_FILLS = """
import asyncio, sys
from pathlib import Path
from pubkeep.clock import Clock
from pubkeep.errors import StorageFull
from pubkeep.model import NodeRecord, NodeState
from pubkeep.storage.store import Store
from tests.daemon.storage.conftest import KEY, item
async def main():
    folder = Path(sys.argv[1])
    (folder / "ballast").write_bytes(bytes(1 << 20))
    store = await Store.open(folder / "s" / "pubkeep.db", Clock())
    await store.add_account(KEY.account, "x", uid=0, enabled=True, host="", port=0, tls="required")
    node = await store.save_node(NodeRecord(0, KEY, NodeState.STALE))
    stored = 0
    try:
        while True:
            await store.apply(node, [item(f"i{stored + k}", "word " * 50) for k in range(50)])
            stored += 50
    except StorageFull as error:
        print(error)
    assert len(await store.digests(node.number)) == stored
    (folder / "ballast").unlink()
    assert (await store.apply(node, [item("later")])).items == stored + 1
    await store.close()
asyncio.run(main())
"""


def test_a_full_disk_is_said_reads_go_on_and_writes_when_there_is_room(tmp_path: Path) -> None:
    mount = f'mount -t tmpfs -o size=4m tmpfs {tmp_path} && exec {sys.executable} -c "$1" {tmp_path}'
    root = [] if os.getuid() == 0 else ["sudo", "-n"]

    run = subprocess.run([*root, "unshare", "-m", "sh", "-c", mount, "sh", _FILLS], capture_output=True, text=True)

    assert run.returncode == 0, run.stderr
    assert run.stdout == "the database: the disk is full; make room, nothing that is held is lost\n"


def test_a_disk_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    code = (
        "import asyncio, sys; from pathlib import Path; from pubkeep.clock import Clock;"
        "from pubkeep.errors import Unavailable; from pubkeep.storage.store import Store\n"
        "try: asyncio.run(Store.open(Path(sys.argv[1], 's', 'pubkeep.db'), Clock()))\n"
        "except Unavailable as error: print(error)"
    )
    mount = f'mount -t tmpfs -o ro tmpfs {tmp_path} && exec {sys.executable} -c "$1" {tmp_path}'
    root = [] if os.getuid() == 0 else ["sudo", "-n"]

    run = subprocess.run([*root, "unshare", "-m", "sh", "-c", mount, "sh", code], capture_output=True, text=True)

    words = "the database: it cannot be opened for writing; check the folder's owner and permissions\n"
    assert run.stdout == words, run.stderr


async def test_a_file_of_another_program_is_refused_untouched(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE recipes (name TEXT)")
    database.commit()
    database.close()
    path.chmod(0o644)
    before = path.read_bytes()

    with pytest.raises(Failed, match="another program"):
        await Store.open(path, Clock())

    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (before, 0o644)
    assert [file.name for file in tmp_path.iterdir()] == ["other.db"]


async def test_what_belongs_to_an_account_that_was_removed_meanwhile_is_refused_and_no_fault(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    (account,) = await store.accounts()
    await store.remove_account(account.number)

    with pytest.raises(UnknownObject, match="removed meanwhile"):
        await store.save_node(NodeRecord(0, KEY, NodeState.STALE))

    assert caplog.records == []

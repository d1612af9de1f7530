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


_TROUBLE = """
import asyncio, itertools, os, resource, subprocess, sys
from pathlib import Path
from pubkeep.clock import Clock
from pubkeep.errors import PubkeepError
from pubkeep.model import NodeRecord, NodeState, Policy, Traits
from pubkeep.query.declared import Declared
from pubkeep.storage.store import Store
from tests.daemon.storage.conftest import KEY, item
folder, trouble = Path(sys.argv[1]), sys.argv[2]
ballast = folder / "ballast"
def begin():
    if trouble == "full":
        try:
            with ballast.open("wb", buffering=0) as file:
                while True:
                    file.write(bytes(4096))
        except OSError:
            pass
    else:
        if trouble == "read-only":  # under open files only a disk with errors is, which SQLite says of none
            subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", folder], check=True)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
def end():
    if trouble == "read-only":
        subprocess.run(["umount", folder], check=True)
    ballast.unlink(missing_ok=True)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
def items(name):
    return [item(f"{name}-{k}", os.urandom(2000).hex()) for k in range(20)]
async def main():
    store = await Store.open(folder / "pubkeep.db", Clock())
    async def add(jid):
        return await store.add_account(jid, "x", uid=0, enabled=True, host="", port=0, tls="required")
    await add(KEY.account)
    node = await store.save_node(NodeRecord(0, KEY, NodeState.STALE))
    for n in range(30):
        await store.apply(node, items(f"i{n}"))
    numbers = itertools.count()
    gone = [await add(f"gone{n}@localhost") for n in range(32)]
    works = {
        "event": lambda n: store.apply(node, items(f"e{n}")),
        "swap": lambda n: store.apply(node, items(f"s{n}"), record=node),
        "save node": lambda n: store.save_node(node),
        "forget node": lambda n: store.forget_node(node.number, "forgotten", created_before=1),
        "add account": lambda n: add(f"{next(numbers)}@localhost"),
        "enable account": lambda n: store.enable_account(1, n == 1),
        "remove account": lambda n: store.remove_account(gone.pop().number),
        "save policy": lambda n: store.save_policy(KEY, Policy("always", n)),
        "save traits": lambda n: store.save_traits(KEY.account, "s", Traits(fan_out=n)),
        "save leftover": lambda n: store.save_leftover(KEY, left=True),
        "declare keys": lambda n: store.declare(Declared({(str(n),): frozenset()})),
    }
    failed = {}
    begin()
    for turn in range(30):
        for name, work in works.items():
            held = await store.digests(node.number)
            try:
                if name not in failed:
                    await work(2)
            except PubkeepError as error:
                failed[name] = f"{type(error).__name__}: {error}"
                assert await store.digests(node.number) == held
                assert len((await store.page(node, limit=10)).items) == 10
    print(sorted(set(failed.values())), failed.keys() >= {"event", "swap", "save policy", "add account"})
    end()
    for name, work in works.items():
        await work(1)
    await store.close()
    store = await Store.open(folder / "pubkeep.db", Clock())
    print((await store.policies(KEY.account))[KEY], len(list(folder.glob("*corrupt*"))))
    await store.close()
    (folder / "pubkeep.db").unlink()
    store = await Store.open(folder / "pubkeep.db", Clock())
    print((await store.policies(KEY.account))[KEY])
    await store.close()
asyncio.run(main())
"""
_FULL = "StorageFull: the database: the disk is full; make room, nothing that is held is lost"
_ERROR = "Failed: the database: the disk reports an error; the system's log says more"
_READ_ONLY = (
    "ReadOnly: the database: it cannot be written; have its disk mounted for writing, and its folder and files owned "
    "by who runs the daemon. All goes on by itself as soon as it can be written"
)


@pytest.mark.parametrize(("trouble", "words"), [("full", _FULL), ("error", _ERROR), ("read-only", _READ_ONLY)])
def test_where_nothing_can_be_written_each_writer_is_told_reads_go_on_and_later_all_is_well(
    tmp_path: Path, trouble: str, words: str
) -> None:
    mount = f'mount -t tmpfs -o size=12m tmpfs {tmp_path} && exec {sys.executable} -c "$1" {tmp_path} {trouble}'
    root = [] if os.getuid() == 0 else ["sudo", "-n"]

    run = subprocess.run([*root, "unshare", "-m", "sh", "-c", mount, "sh", _TROUBLE], capture_output=True, text=True)

    assert run.returncode == 0, run.stderr
    policy = "Policy(sync='always', max_items=1, max_age=0)"
    assert run.stdout == f"{[words]} True\n{policy} 0\n{policy}\n"


def test_a_disk_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    code = (
        "import asyncio, sys; from pathlib import Path; from pubkeep.clock import Clock;"
        "from pubkeep.errors import ReadOnly; from pubkeep.storage.store import Store\n"
        "async def there():\n"
        "    store = await Store.open(Path(sys.argv[1], sys.argv[2], 'pubkeep.db'), Clock())\n"
        "    print(bool(store.read_only))\n"
        "    await store.close()\n"
        "try: asyncio.run(there())\n"
        "except ReadOnly as error: print(f'ReadOnly: {error}')"
    )
    run_in = f'{sys.executable} -c "$1" {tmp_path}'
    mount = f"mount -t tmpfs tmpfs {tmp_path} && {run_in} there && mount -o remount,ro {tmp_path}"
    mount += f" && {run_in} new && {run_in} there && mount -o remount,rw {tmp_path} && {run_in} there"
    root = [] if os.getuid() == 0 else ["sudo", "-n"]

    run = subprocess.run([*root, "unshare", "-m", "sh", "-c", mount, "sh", code], capture_output=True, text=True)

    assert run.returncode == 0, run.stderr
    assert run.stdout == f"False\n{_READ_ONLY}\nTrue\nFalse\n", run.stderr


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

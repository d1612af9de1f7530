# SPDX-License-Identifier: MIT
"""kill -9, at each transaction and at any moment: what comes back is whole, true, and goes on."""

import asyncio
import contextlib
import os
import random
import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from pubkeep.crash import POINTS
from pubkeep_bridge.client import Account, connect
from pubkeep_bridge.client.errors import PubkeepError
from tests.fixtures.author import Author
from tests.fixtures.daemon import DaemonProcess
from tests.fixtures.full_text import index_fault
from tests.fixtures.servers import PASSWORD, Server
from tests.system.conftest import BLOG, SERVICE, World, entry, until
from tests.system.test_main_job import equal_to_service

pytestmark = [pytest.mark.system, pytest.mark.slow]
IN_THE_STORE = ("save dictionary", "declare keys", "fill keys")
"""Transactions of the store alone: tests/daemon/storage dies at them, which takes a tenth of the time."""
MOMENTS = int(os.environ.get("PUBKEEP_KILLS", "50"))


def check_database(path: Path) -> None:
    """What must hold in any database that a crash leaves."""
    with contextlib.closing(sqlite3.connect(path)) as database:
        ask: Callable[[str], list[tuple[object, ...]]] = lambda sql: database.execute(sql).fetchall()  # noqa: E731
        assert ask("PRAGMA integrity_check") == [("ok",)]
        assert ask("PRAGMA foreign_key_check") == []
        assert (
            ask("SELECT name FROM node WHERE items != (SELECT count(*) FROM item WHERE item.node = node.number)") == []
        )
        assert ask("SELECT node, pos FROM item GROUP BY node, pos HAVING count(*) > 1") == []
        assert ask("SELECT number FROM item EXCEPT SELECT item FROM payload") == []
        assert index_fault(database) == ""
        twice = "SELECT sequence FROM (SELECT sequence FROM item UNION ALL SELECT sequence FROM change)"
        assert ask(f"{twice} GROUP BY sequence HAVING count(*) > 1") == []


async def login(world: World) -> Account:
    """The account, there or not, online."""
    accounts = await world.pubkeep.accounts()
    account = next((each for each in accounts if each.jid == "alice@localhost"), None)
    if account is None:
        return await world.add()
    if not account.properties["Enabled"]:
        await account.enable(True)
    with contextlib.suppress(PubkeepError):
        await account.set_password(PASSWORD)
    await account.online()
    return account


async def all_works(world: World, bob: Author) -> None:
    """A start, and something that needs each transaction once."""
    await world.start()
    alice = await login(world)
    await world.synced(alice)
    await alice.publish(SERVICE, BLOG, [entry(100)], ids=["mine"])
    await alice.set_policy(SERVICE, BLOG, sync="always")
    await alice.enable(False)
    await world.pubkeep.forget({"node": BLOG})
    await alice.enable(True)
    await login(world)
    await (await login(world)).remove()


@pytest.fixture
async def crashing(server: Server, private_bus: str) -> AsyncIterator[World]:
    """A daemon that is not started yet."""
    daemon = DaemonProcess(private_bus, server)
    async with connect(private_bus) as pubkeep:
        yield World(server, daemon, pubkeep)
    daemon.remove()


async def index_of_another_version(world: World) -> None:
    """A database with items, whose full-text index another version of the program made."""
    await world.start()
    await world.synced(await login(world))
    world.daemon.stop()
    with contextlib.closing(sqlite3.connect(world.daemon.database)) as database:
        database.execute("UPDATE derived SET version = 'another'")
        database.commit()


@pytest.mark.parametrize("point", [point for point in POINTS if point.partition(" ")[2] not in IN_THE_STORE])
async def test_killed_at_a_transaction_it_comes_back_whole(crashing: World, blog: Author, point: str) -> None:
    world = crashing
    if point.endswith("fill index"):
        await index_of_another_version(world)
    world.daemon.environ["PUBKEEP_CRASH"] = point
    working = asyncio.create_task(all_works(world, blog))
    await asyncio.sleep(0)  # now there is a process
    assert world.daemon.process is not None
    async with asyncio.timeout(30):
        while world.daemon.process.poll() is None:
            assert not working.done() or working.exception(), f"{point}: never reached"
            await asyncio.sleep(0.02)
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)

    assert world.daemon.process.returncode == -9
    del world.daemon.environ["PUBKEEP_CRASH"]
    await world.start()
    alice = await login(world)
    await alice.set_policy(SERVICE, BLOG)
    await equal_to_service(world, blog)

    world.daemon.stop()
    check_database(world.daemon.database)


async def test_killed_at_any_moment_it_comes_back_whole(crashing: World, blog: Author) -> None:
    world, chance, started = crashing, random.Random(7), asyncio.Event()
    await world.start()
    await world.synced(await login(world))

    async def write() -> None:
        number = 20
        while True:
            number += 1
            await blog.publish(SERVICE, BLOG, f"i{chance.randrange(40)}", entry(number))
            if chance.random() < 0.2:
                found = await blog.items(SERVICE, BLOG)
                await blog.retract(SERVICE, BLOG, chance.choice(found)[0])
            if not started.is_set():
                await asyncio.sleep(0.1)  # the processor is for the start

    async def read() -> None:
        while True:
            with contextlib.suppress(PubkeepError):
                for account in await world.pubkeep.accounts():
                    await account.get_items(SERVICE, BLOG)
            await asyncio.sleep(0.01)

    busy = [asyncio.create_task(write()), asyncio.create_task(read())]
    for _ in range(MOMENTS):
        started.set()
        await asyncio.sleep(chance.random() * 0.4)
        world.daemon.kill()
        started.clear()
        check_database(world.daemon.database)
        await world.start()
        account = (await until(world.pubkeep.accounts))[0]
        await account.set_password(PASSWORD)
        assert not any(task.done() for task in busy)
    for task in busy:
        task.cancel()
    await asyncio.gather(*busy, return_exceptions=True)

    await login(world)
    await equal_to_service(world, blog)

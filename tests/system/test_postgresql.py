# SPDX-License-Identifier: MIT
"""The whole daemon on a PostgreSQL server; moved there from a file, and back."""

import asyncio
import json
import re
from collections.abc import Iterator

import pytest

from pubkeep_bridge.client.errors import PubkeepError, ReadOnly, Unavailable
from tests.fixtures.author import Author
from tests.fixtures.places import Databases, databases
from tests.fixtures.servers import PASSWORD
from tests.system.conftest import BLOG, SERVICE, World, entry, until
from tests.system.test_command_line import Shell
from tests.system.test_main_job import equal_to_service

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def servers() -> Iterator[Databases]:
    yield from databases()


async def ids(pubkeep: Shell, word: str) -> set[str]:
    status, out, errors = await pubkeep("search", word, "--json")
    assert status in (0, 3), errors
    return {item["id"] for item in json.loads(out)["items"]}


async def test_it_is_moved_to_a_server_used_there_while_that_stops_and_moved_back(
    world: World, blog: Author, servers: Databases
) -> None:
    await world.synced(await world.add())
    pubkeep, there, back = Shell(world), servers.empty(), world.daemon.folder / "back.db"
    found = await ids(pubkeep, "text")
    environ = world.daemon.environ

    status, out, errors = await pubkeep("database", "move", "--to", there.where)
    assert status == 0, errors
    assert re.fullmatch(r"\d+ rows are there; to use it, set \[storage\] url and start pubkeepd again\n", out)
    world.daemon.stop()
    environ["PUBKEEP_STORAGE_URL"] = there.where
    await started(world)

    await equal_to_service(world, blog)
    await until(lambda: same(pubkeep, found))
    assert json.loads((await pubkeep("database", "stats", "--json"))[1])["engine"] == "postgresql"
    assert await pubkeep("database", "check") == (0, "20 items are here, and all is well\n", "")
    status, _, errors = await pubkeep("database", "backup", str(world.daemon.folder / "copy.db"))
    assert (status, "pg_dump" in errors) == (1, True)

    await asyncio.to_thread(servers.server.stop)
    status, _, errors = await pubkeep("search", "text")
    assert (status, "its server cannot be reached" in errors) == (1, True)
    await asyncio.to_thread(servers.server.start)
    assert await ids(pubkeep, "text") == found
    await equal_to_service(world, blog)

    assert (await pubkeep("database", "move", "--to", str(back)))[0] == 0
    world.daemon.stop()
    del environ["PUBKEEP_STORAGE_URL"]
    environ["PUBKEEP_STORAGE_PATH"] = str(back)
    await started(world)
    await equal_to_service(world, blog)
    await until(lambda: same(pubkeep, found))


async def started(world: World) -> None:
    """The daemon, and its account online."""
    await world.start()
    alice = await world.pubkeep.account("alice@localhost")
    await alice.set_password(PASSWORD)
    await alice.online()


async def same(pubkeep: Shell, found: set[str]) -> bool:
    """Whether a search finds these; the words are indexed anew after a move."""
    return await ids(pubkeep, "text") == found


async def test_a_server_that_is_not_there_is_said_and_used_when_it_is(world: World, servers: Databases) -> None:
    there = servers.empty()
    world.daemon.stop()
    world.daemon.environ["PUBKEEP_STORAGE_URL"] = there.where
    await asyncio.to_thread(servers.server.stop)

    world.daemon.start()

    async def said() -> bool:
        try:
            return "its server cannot be reached" in str((await world.pubkeep.status())["StateMessage"])
        except Exception:  # noqa: BLE001 (it is not there yet)
            return False

    await until(said)
    await asyncio.to_thread(servers.server.start)

    async def ready() -> bool:
        return bool((await world.pubkeep.status())["State"] == "ready")

    await until(ready, seconds=30)


async def test_a_server_that_takes_no_writes_is_said_and_all_goes_on_when_it_does(
    world: World, blog: Author, servers: Databases
) -> None:
    there = servers.empty()
    world.daemon.stop()
    world.daemon.environ["PUBKEEP_STORAGE_URL"] = there.where
    await world.start()
    alice = await world.add()
    await world.synced(alice)
    pubkeep = Shell(world)

    await there.take_writes(None, no=True)
    await blog.publish(SERVICE, BLOG, "i20", entry(20))

    async def refused() -> bool:
        try:
            await alice.set_policy(SERVICE, BLOG, max_age=600)
        except ReadOnly as error:
            return "its server takes no writes" in str(error)
        except Unavailable:  # its sessions were ended
            return False
        raise AssertionError("it was written")

    await until(refused)
    status = await world.pubkeep.status()
    assert (status["State"], "all goes on by itself" in status["StateMessage"].lower()) == ("read-only", True)
    assert "read-only" in (await pubkeep("status"))[1]
    answer = await alice.get_items(SERVICE, BLOG, ids=["i20"])
    assert [(row.id, answer.meta["source"]) for row in answer.items] == [("i20", "service")]
    assert (await alice.get_items(SERVICE, BLOG, max=50, freshness="cache")).meta["stale"]
    assert len((await world.pubkeep.search("title", limit=50)).items) == 20
    code, _, errors = await pubkeep("policy", SERVICE, BLOG, "--max-age", "600")
    assert (code, "its server takes no writes" in errors) == (1, True)

    await there.take_writes(None)

    async def ready() -> bool:
        return bool((await world.pubkeep.status())["State"] == "ready")

    await until(ready)
    assert (await world.pubkeep.status())["StateMessage"] == ""
    await equal_to_service(world, blog)
    await alice.set_policy(SERVICE, BLOG, max_age=600)
    assert "Traceback" not in world.log()


async def test_an_empty_database_that_takes_no_writes_at_the_start_is_waited_for(
    world: World, servers: Databases
) -> None:
    there = servers.empty()
    await there.take_writes(None, no=True)
    world.daemon.stop()
    world.daemon.environ["PUBKEEP_STORAGE_URL"] = there.where

    world.daemon.start()

    async def said() -> bool:
        try:
            status = await world.pubkeep.status()
        except PubkeepError:
            return False
        return status["State"] == "starting" and "its server takes no writes" in status["StateMessage"]

    await until(said)
    await there.take_writes(None)

    async def ready() -> bool:
        return bool((await world.pubkeep.status())["State"] == "ready")

    await until(ready, seconds=30)

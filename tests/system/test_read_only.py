# SPDX-License-Identifier: MIT
"""A database that takes no writes when the daemon starts: people read all the same, and nobody has to do anything."""

import contextlib
import json
import os

import pytest

from pubkeep_bridge.client.errors import PubkeepError, ReadOnly
from tests.fixtures.author import Author
from tests.fixtures.places import File, taking_no_writes
from tests.fixtures.servers import PASSWORD
from tests.system.conftest import BLOG, SERVICE, World, entry, until
from tests.system.test_command_line import Shell
from tests.system.test_main_job import equal_to_service

pytestmark = pytest.mark.system


async def has_state(world: World, state: str) -> bool:
    """Whether the daemon is there, and says so."""
    with contextlib.suppress(PubkeepError):
        return bool((await world.pubkeep.status())["State"] == state)
    return False


async def exported(world: World) -> list[str]:
    """The ids of all that is exported."""
    with os.fdopen(await world.pubkeep.export("title")) as lines:
        return [item["id"] for line in lines if "id" in (item := json.loads(line))]


async def test_it_is_read_from_the_start_on_and_written_as_soon_as_it_can_be(world: World, blog: Author) -> None:
    alice = await world.add()
    await world.synced(alice)
    since = (await world.pubkeep.status())["Sequence"]
    world.daemon.stop()
    await blog.publish(SERVICE, BLOG, "i20", entry(20))

    async with taking_no_writes(File(world.daemon.database)):
        world.daemon.start()
        await until(lambda: has_state(world, "read-only"))
        assert "have its disk mounted for writing" in (await world.pubkeep.status())["StateMessage"]
        assert (await Shell(world)("status"))[1].count("read-only") == 1

        assert len((await world.pubkeep.search("title", limit=50)).items) == len(await exported(world)) == 20
        assert [node["items"] for node in await world.pubkeep.nodes(node=BLOG)] == [20]
        assert (await world.pubkeep.changes(since))[:2] == ([], since)
        held = await alice.get_items(SERVICE, BLOG, max=50)
        assert (len(held.items), held.meta["source"], held.meta["stale"]) == (20, "cache", True)

        await alice.set_password(PASSWORD)
        await alice.online()
        answer = await alice.get_items(SERVICE, BLOG, max=50)
        assert (len(answer.items), answer.meta["source"]) == (21, "service")
        for refused in (
            alice.set_policy(SERVICE, BLOG, max_age=600),
            world.pubkeep.add_account("bob@localhost", password=PASSWORD),
        ):
            with pytest.raises(ReadOnly, match="have its disk mounted for writing"):
                await refused

    await until(lambda: has_state(world, "ready"))
    assert (await world.pubkeep.status())["StateMessage"] == ""
    await alice.online()  # nobody had to give the password again
    await alice.set_policy(SERVICE, BLOG, max_age=600)
    await alice.publish(SERVICE, BLOG, [entry(21)], ids=["i21"])
    await equal_to_service(world, blog)
    assert [change.id for change in (await world.pubkeep.changes(since))[0] if change.id] == ["i20", "i21"]
    assert "Traceback" not in world.log()
    assert world.log().count("pubkeepd 0") == 2  # starts

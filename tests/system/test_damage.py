# SPDX-License-Identifier: MIT
"""A damaged database heals by itself: whose accounts they are is kept, what they read is fetched again."""

import contextlib
import os
import shutil
import sqlite3

import pytest

from pubkeep.storage.sqlite import PAGE_SIZE as PAGE
from pubkeep_bridge.client import Account
from pubkeep_bridge.client.errors import CursorTooOld, PubkeepError
from tests.fixtures.author import Author
from tests.fixtures.servers import PASSWORD
from tests.system.conftest import BLOG, SERVICE, World, entry, until
from tests.system.test_main_job import equal_to_service

pytestmark = pytest.mark.system


async def synced_by_itself(world: World) -> bool:
    """Whether the blog is whole again, though nobody has read it."""
    with contextlib.suppress(PubkeepError):
        return [(node["state"], node["items"]) for node in await world.pubkeep.nodes(node=BLOG)] == [("synced", 20)]
    return False


async def healed(world: World, alice: Account, resource: str, since: int) -> None:
    """What holds when the database was built anew."""
    (account,) = await world.pubkeep.accounts()
    assert (account.path, account.jid) == (alice.path, alice.jid)
    assert world.daemon_resource() == resource
    assert (await account.get_policy(SERVICE, BLOG))["max_age"] == 600
    with pytest.raises(CursorTooOld):
        await world.pubkeep.changes(since)
    answer = await world.pubkeep.search("title", since=since)
    assert (answer.meta["reset"], len(answer.items)) == (True, 20)


async def test_damage_that_is_met_while_it_runs_is_healed_and_nobody_has_to_do_anything(
    world: World, blog: Author
) -> None:
    alice = await world.add()
    await alice.set_policy(SERVICE, BLOG, max_age=600)
    await world.synced(alice)
    resource, since = world.daemon_resource(), (await world.pubkeep.status())["Sequence"]
    world.daemon.stop()  # all of it is in the file itself
    await world.start()
    await alice.set_password(PASSWORD)
    await alice.online()

    with world.daemon.database.open("r+b") as file:
        file.seek(PAGE)
        file.write(os.urandom(world.daemon.database.stat().st_size - PAGE))
    await blog.publish(SERVICE, BLOG, "i5", entry(5, "Another title"))

    async def met() -> bool:
        with contextlib.suppress(PubkeepError):
            await world.pubkeep.search("title word7")
            await alice.get_items(SERVICE, BLOG, max_age=0)
        return "is set aside" in world.log() or "is kept as" in world.log()

    await until(met)
    await until(lambda: synced_by_itself(world))

    await healed(world, alice, resource, since)
    await equal_to_service(world, blog)
    assert "Traceback" not in world.log()
    assert world.daemon.process is not None
    assert world.daemon.process.poll() is None
    assert world.log().count("pubkeepd 0") == 2  # starts


@pytest.mark.parametrize("harm", ["first page", "gone", "empty"])
async def test_damage_that_is_found_at_a_start_is_healed(world: World, blog: Author, harm: str) -> None:
    alice = await world.add()
    await alice.set_policy(SERVICE, BLOG, max_age=600)
    await world.synced(alice)
    resource, since = world.daemon_resource(), (await world.pubkeep.status())["Sequence"]
    world.daemon.stop()

    if harm == "first page":
        with world.daemon.database.open("r+b") as file:
            file.write(os.urandom(PAGE))
    elif harm == "gone":
        world.daemon.database.unlink()
    else:
        os.truncate(world.daemon.database, 0)
    await world.start()
    await alice.set_password(PASSWORD)
    await until(lambda: synced_by_itself(world))

    await healed(world, alice, resource, since)
    await equal_to_service(world, blog)
    assert "Traceback" not in world.log()


async def test_yesterdays_copy_put_back_is_brought_up_to_date(world: World, blog: Author) -> None:
    alice = await world.add()
    await world.synced(alice)
    world.daemon.stop()
    copy = world.daemon.folder / "copy"
    shutil.copy(world.daemon.database, copy)
    await world.start()
    await alice.set_password(PASSWORD)
    await alice.online()
    await blog.publish(SERVICE, BLOG, "i5", entry(5, "Another title"))
    await blog.retract(SERVICE, BLOG, "i6")
    await equal_to_service(world, blog)
    since = (await world.pubkeep.status())["Sequence"]
    world.daemon.kill()

    for suffix in ("-wal", "-shm"):
        world.daemon.database.with_name(f"{world.daemon.database.name}{suffix}").unlink(missing_ok=True)
    shutil.copy(copy, world.daemon.database)
    await world.start()
    await alice.set_password(PASSWORD)
    await alice.online()

    await equal_to_service(world, blog)
    with pytest.raises(CursorTooOld):
        await world.pubkeep.changes(since)


async def test_a_database_at_our_own_place_that_nothing_can_be_made_of_is_ours(world: World) -> None:
    world.daemon.stop()
    for file in world.daemon.database.parent.iterdir():
        file.unlink()
    world.daemon.database.write_bytes(os.urandom(3 * PAGE))

    await world.start()

    assert await world.pubkeep.accounts() == []
    assert len(list(world.daemon.database.parent.glob("pubkeep.db.corrupt-*"))) == 1


@pytest.mark.parametrize("data", ["x'00'", "(SELECT data FROM payload ORDER BY item LIMIT 1)"])
async def test_a_payload_that_is_damaged_is_never_shown_and_fetched_again_by_itself(
    world: World, blog: Author, data: str
) -> None:
    alice = await world.add()
    await world.synced(alice)
    since = (await world.pubkeep.status())["Sequence"]
    with contextlib.closing(sqlite3.connect(world.daemon.database)) as raw, raw:
        raw.execute(f"UPDATE payload SET data = {data} WHERE item = (SELECT number FROM item WHERE item_id = 'i3')")

    answer = await world.pubkeep.search("word3", format="both")
    read = await alice.get_items(SERVICE, BLOG, ids=["i3", "i4"])

    assert [row.id for row in answer.items] == []
    assert (answer.meta["incomplete"], answer.meta["stale"]) == (1, 1)
    assert read.meta["source"] == "service" or not read.meta["stale"]
    assert ["word3" in row.xml for row in read.items] == [True, False]
    await until(lambda: synced_by_itself(world))
    await equal_to_service(world, blog)
    assert [row.id for row in (await world.pubkeep.search("word3")).items] == ["i3"]
    assert (await alice.explain(SERVICE, BLOG))["damaged"] == 1
    changes, _, _ = await world.pubkeep.changes(since)
    assert [(change.kind, change.id) for change in changes if change.id] == [("published", "i3")]
    assert not list(world.daemon.database.parent.glob("*corrupt*"))
    assert "Traceback" not in world.log()


async def test_offline_an_answer_lacks_what_is_damaged_and_says_so(world: World, blog: Author) -> None:
    alice = await world.add()
    await world.synced(alice)
    await alice.enable(False)
    with contextlib.closing(sqlite3.connect(world.daemon.database)) as raw, raw:
        raw.execute("UPDATE payload SET data = x'00' WHERE item = (SELECT number FROM item WHERE item_id = 'i3')")

    read = await alice.get_items(SERVICE, BLOG, ids=["i3", "i4"])
    whole = await alice.get_items(SERVICE, BLOG, max=100)

    assert ([row.id for row in read.items], read.meta["unknown"], read.meta["stale"]) == (["i4"], ["i3"], True)
    assert (len(whole.items), whole.meta["stale"], whole.meta["complete"]) == (19, True, False)
    await alice.enable(True)
    await until(lambda: synced_by_itself(world))
    await equal_to_service(world, blog)

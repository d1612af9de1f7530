# SPDX-License-Identifier: MIT
"""Who follows what changes has in the end what is held: also where items were held back meanwhile.

A refusal hides a node's items at once. Where it cannot be stored nothing in the database says that they were hidden.
"""

from pubkeep.errors import NotAllowed
from pubkeep.questions import ChangesRequest, SearchRequest, SearchResult
from tests.daemon.cache.conftest import ENTRY
from tests.daemon.cache.service import KEY
from tests.daemon.cache.stage import Stage, play


async def searched(stage: Stage, since: int | None = None, limit: int = 50) -> SearchResult:
    """Search for everything."""
    return await stage.cache.search(SearchRequest(since=since, limit=limit), [KEY.account])


async def changed(stage: Stage, since: int) -> tuple[list[str], int]:
    """What Changes tells, an item by its id and a node by what it was, and from where it goes on."""
    result = await stage.cache.changes(ChangesRequest(since), [KEY.account])
    return [change.item_id or change.kind for change in result.changes], result.next


async def refuse(stage: Stage) -> None:
    """The service refuses the node, and that cannot be stored."""
    stage.disk.failing["any"] = 1000
    stage.service.error = NotAllowed("access is not allowed")
    await stage.synchronise()
    assert stage.explained()["state"] == "denied"


async def allow(stage: Stage) -> None:
    """All is well again."""
    stage.disk.failing.clear()
    stage.service.error = None
    await stage.synchronise()


def test_what_a_search_held_back_is_told_when_access_is_back_though_nothing_of_it_was_stored() -> None:
    async def scene() -> None:
        stage = Stage(KEY)
        await stage.enter("synced")
        before = (await searched(stage)).sequence
        await stage.cache.writer.publish(KEY, [ENTRY.format("4")], ids=["d"])
        await refuse(stage)

        first, later = await searched(stage), await searched(stage, since=before)

        assert ([row.id for row in first.items], first.sequence) == ([], 0)
        assert ([row.id for row in later.items], later.sequence) == ([], before)
        assert await changed(stage, before) == ([], before)

        await allow(stage)
        shown = await searched(stage, since=before)

        assert "d" in [row.id for row in shown.items]
        assert shown.sequence > before
        assert "d" in (await changed(stage, before))[0]
        await stage.close()

    play(scene)


def test_what_a_lookup_did_not_find_is_told_to_be_shown() -> None:
    async def scene() -> None:
        stage = Stage(KEY)
        await stage.enter("synced")
        before = (await searched(stage)).sequence
        await stage.cache.writer.publish(KEY, [ENTRY.format("4")], ids=["d"])
        told, behind = await changed(stage, before)
        uris = [row.uri for row in (await stage.read("cache")).page.items if row.id == "d"]

        await refuse(stage)
        rows, missing = await stage.cache.lookup(uris, [KEY.account], "json", extra=False)
        await allow(stage)

        assert (told, rows, missing) == (["d"], [], uris)
        assert "shown" in (await changed(stage, behind))[0]
        await stage.close()

    play(scene)


def test_that_items_are_shown_again_is_not_told_while_they_are_refused_once_more() -> None:
    async def scene() -> None:
        stage = Stage(KEY)
        await stage.enter("synced")
        stage.service.error = NotAllowed("access is not allowed")
        await stage.synchronise()
        before = (await searched(stage)).sequence
        await allow(stage)

        await refuse(stage)
        told = await changed(stage, before)
        await allow(stage)

        assert told == ([], before)
        assert "shown" in (await changed(stage, before))[0]
        await stage.close()

    play(scene)


def test_after_a_reset_that_held_something_back_all_is_read_anew() -> None:
    async def scene() -> None:
        stage = Stage(KEY)
        await stage.enter("synced")
        before = (await searched(stage)).sequence
        for name in "de":
            await stage.cache.writer.publish(KEY, [ENTRY.format(name)], ids=[name])

        await refuse(stage)
        found = await searched(stage, before, limit=1)

        assert (found.reset, found.items, found.sequence) == (True, (), 0)
        assert (await searched(stage, found.sequence)).reset
        await stage.close()

    play(scene)

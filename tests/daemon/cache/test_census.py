# SPDX-License-Identifier: MIT
"""How many nodes a search says are not synced: remembered as long as that is so, and not a moment longer."""

import asyncio

from pubkeep.config import CacheSettings
from pubkeep.questions import SearchRequest, SearchResult
from tests.daemon.cache.service import KEY
from tests.daemon.cache.stage import Stage, play
from tests.daemon.cache.triggers import event_unsettled


async def searched(stage: Stage) -> SearchResult:
    """Search for everything."""
    return await stage.cache.search(SearchRequest(), [KEY.account])


def test_nothing_is_counted_anew_while_nothing_changes() -> None:
    async def scene() -> None:
        stage = Stage(KEY)
        await stage.enter("synced")

        first = await searched(stage)
        second = await searched(stage)

        assert (first.incomplete, first.stale) == (0, 0)
        assert second.nodes is first.nodes
        assert stage.cache.census.remembered(first.nodes) == (0, 0)
        await stage.close()

    play(scene)


def test_what_is_held_of_services_that_nobody_has_heard_of_is_not_counted_anew_either() -> None:
    async def scene() -> None:
        stage = Stage(KEY)
        await stage.enter("synced")
        await stage.close()
        await stage.open()

        found = await searched(stage)

        assert stage.cache.census.remembered(found.nodes) == (found.incomplete, found.stale) == (1, 1)
        await stage.close()

    play(scene)


def test_a_session_that_is_lost_is_seen_at_once() -> None:
    async def scene() -> None:
        stage = Stage(KEY)
        await stage.enter("synced")
        nodes = (await searched(stage)).nodes

        stage.cut()

        assert stage.cache.census.remembered(nodes) is None
        assert (await searched(stage)).stale == 1
        await stage.close()

    play(scene)


def test_a_doubt_about_one_item_is_seen_at_once() -> None:
    async def scene() -> None:
        stage = Stage(KEY)
        await stage.enter("synced")
        await searched(stage)

        await event_unsettled(stage)
        while stage.explained()["state"] == "synced":
            await asyncio.sleep(0)

        assert (await searched(stage)).incomplete == 1
        await stage.close()

    play(scene)


def test_a_lease_that_ends_is_seen_though_nothing_happens() -> None:
    async def scene() -> None:
        stage = Stage(KEY)
        await stage.enter("synced")
        nodes = (await searched(stage)).nodes
        stage.service.mute = True

        stage.clock.slept += CacheSettings().lease + 1

        assert stage.cache.census.remembered(nodes) is None
        assert (await searched(stage)).incomplete == 1
        await stage.close()

    play(scene)

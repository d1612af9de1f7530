# SPDX-License-Identifier: MIT
"""What nobody wants any more goes whole: its rows, its subscription; or it stays, and stays true."""

import asyncio
import gc
import warnings

import pytest

from pubkeep.errors import Cancelled, StorageFull
from pubkeep.model import NodeKey
from pubkeep.questions import NodeFilter
from tests.daemon.cache.scripted import LATE
from tests.daemon.cache.service import KEY
from tests.daemon.cache.stage import OTHER, QUIET, Stage, play


def test_what_cannot_be_dropped_is_synchronised_again() -> None:
    async def scene() -> None:
        stage = Stage(KEY)
        await stage.enter("synced")
        for _ in range(2):
            stage.disk.failing["any"] = 1

            with pytest.raises(StorageFull):
                await stage.cache.writer.drop(KEY)
            at_once = await stage.answer("cache"), stage.explained()["subscription"]
            await asyncio.sleep(QUIET)

            assert at_once == ("stale", "ended, since it was to be forgotten")
            assert (stage.explained()["state"], await stage.held()) == ("synced", "abc")
            assert stage.service.subscribed
        await stage.close()

    play(scene)


def test_what_cannot_be_dropped_nor_put_off_is_synchronised_as_it_was_to_be() -> None:
    async def scene() -> None:
        stage = Stage(KEY)
        await stage.enter("syncing")
        stage.service.silent, stage.disk.failing["any"] = "lost", 1

        with pytest.raises(StorageFull):
            await stage.cache.writer.drop(KEY)
        stage.service.silent = ""
        await asyncio.sleep(QUIET)

        assert (stage.explained()["state"], await stage.held()) == ("synced", "abc")
        await stage.close()

    play(scene)


@pytest.mark.parametrize("key", [OTHER, KEY], ids=["of no analyser", "of an analyser that has seen nothing of it"])
@pytest.mark.parametrize("after", [0.0, 3.5 * LATE], ids=["before it began", "while it is listed"])
def test_a_synchronisation_that_is_cancelled_before_anything_came_leaves_no_node(after: float, key: NodeKey) -> None:
    async def scene() -> None:
        stage = Stage(key)
        await stage.enter("unknown")
        job = await stage.cache.synchronise(key)
        await asyncio.sleep(after)
        assert stage.service.subscribed is bool(after)

        job.cancel()
        await asyncio.sleep(QUIET)

        assert (job.state, type(job.error)) == ("cancelled", Cancelled)
        assert stage.cache.get_nodes(NodeFilter(), [KEY.account]) == []
        assert not stage.service.subscribed
        await stage.close()

    play(scene)


def test_what_is_put_off_until_a_session_and_never_begins_leaves_no_trace() -> None:
    async def scene() -> None:
        stage = Stage(KEY)
        await stage.enter("synced")
        stage.cut()

        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            stage.connect()
            await stage.close()
            gc.collect()

        assert [str(each.message) for each in warned] == []

    play(scene)

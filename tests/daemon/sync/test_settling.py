# SPDX-License-Identifier: MIT
"""What an answer by id shows of an item in doubt, and of what else may have been kept from us."""

import asyncio
from xml.etree.ElementTree import Element

from pubkeep.model import WireItem
from tests.daemon.cache.service import KEY, PUBSUB
from tests.daemon.cache.stage import AT_ONCE, QUIET, Stage, play


def bare(item_id: str) -> WireItem:
    """An item as it is told where a notification has no payload."""
    return WireItem(item_id, "", Element(f"{PUBSUB}item", {"id": item_id}))


async def shown_in_doubt(stage: Stage) -> None:
    """A listing showed the item d, of which a notification without payload came just before: it decided nothing."""
    await stage.enter("synced")
    stage.service.items_held["d"] = "new"
    stage.service.notify(items=(bare("d"),))
    await stage.synchronise()
    assert (await stage.held(), stage.explained()["doubt"]) == ("abc", "changes are still being settled")
    stage.service.sent.clear()


def test_an_item_that_a_listing_showed_and_that_went_without_a_word_leaves_a_hole() -> None:
    async def scene() -> None:
        stage = Stage(KEY)
        await shown_in_doubt(stage)

        del stage.service.items_held["d"]
        while stage.explained()["doubt"] == "changes are still being settled":
            await asyncio.sleep(AT_ONCE)
        doubt = stage.explained()["doubt"]
        await asyncio.sleep(QUIET)

        assert doubt == "an item was gone without a word"
        assert stage.sent() == "ids d, subscriptions, items"
        assert (stage.explained()["state"], await stage.held()) == ("synced", "abc")
        await stage.close()

    play(scene)


def test_an_item_whose_retraction_was_told_leaves_no_hole() -> None:
    async def scene() -> None:
        stage = Stage(KEY)
        await shown_in_doubt(stage)

        del stage.service.items_held["d"]
        stage.service.notify(retracted=("d",))
        await asyncio.sleep(QUIET)

        assert stage.sent() == "ids d"
        assert (stage.explained()["state"], await stage.held()) == ("synced", "abc")
        await stage.close()

    play(scene)


def test_old_news_of_an_item_that_is_not_there_leave_no_hole() -> None:
    async def scene() -> None:
        stage = Stage(KEY)
        await stage.enter("synced")
        stage.service.sent.clear()

        stage.service.notify(items=(stage.service.item("d", "old"),), delayed=True)
        await asyncio.sleep(QUIET)

        assert stage.sent() == "ids d"
        assert (stage.explained()["state"], await stage.held()) == ("synced", "abc")
        await stage.close()

    play(scene)

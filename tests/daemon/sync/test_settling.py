# SPDX-License-Identifier: MIT
"""What an answer by id shows of an item in doubt, and of what else may have been kept from us."""

import asyncio
from xml.etree.ElementTree import Element

import pytest

from pubkeep.clock import CLOCKS_DIFFER
from pubkeep.config import CacheSettings
from pubkeep.protocol import WireItem
from tests.daemon.cache.scripted import LATE
from tests.daemon.cache.service import KEY, PUBSUB
from tests.daemon.cache.stage import AT_ONCE, QUIET, Stage, play

FAN_OUT = CacheSettings().fan_out


def bare(item_id: str) -> WireItem:
    """An item as it is told where a notification has no payload."""
    return WireItem(item_id, "", Element(f"{PUBSUB}item", {"id": item_id}))


async def shown_in_doubt(stage: Stage) -> None:
    """A listing showed the item d, of which old news came just before: it decided nothing."""
    await stage.enter("synced")
    stage.service.items_held["d"] = "new"
    old = stage.clock.wall() - 2 * CLOCKS_DIFFER
    stage.service.notify(items=(stage.service.item("d", "old"),), delayed=True, said_at=old)
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


@pytest.mark.parametrize(
    ("age", "sent"),
    [
        pytest.param(2 * CLOCKS_DIFFER, "ids d", id="older than the proof"),
        pytest.param(CLOCKS_DIFFER // 2, "ids d, subscriptions, items", id="perhaps newer, as clocks differ"),
        pytest.param(None, "ids d, subscriptions, items", id="of nobody knows when"),
    ],
)
def test_late_news_of_an_item_that_is_not_there_leave_a_hole_unless_they_are_surely_old(
    age: int | None, sent: str
) -> None:
    async def scene() -> None:
        stage = Stage(KEY)
        await stage.enter("synced")
        stage.service.sent.clear()

        said_at = 0 if age is None else stage.clock.wall() - age
        stage.service.notify(items=(stage.service.item("d", "old"),), delayed=True, said_at=said_at)
        await asyncio.sleep(QUIET)

        assert stage.sent() == sent
        assert (stage.explained()["state"], await stage.held()) == ("synced", "abc")
        await stage.close()

    play(scene)


def test_an_item_that_was_told_without_its_payload_and_is_not_there_leaves_a_hole() -> None:
    async def scene() -> None:
        stage = Stage(KEY)
        await stage.enter("synced")
        stage.service.sent.clear()

        stage.service.notify(items=(bare("d"),))
        await asyncio.sleep(QUIET)

        assert stage.sent() == "ids d, subscriptions, items"
        assert (stage.explained()["state"], await stage.held()) == ("synced", "abc")
        await stage.close()

    play(scene)


@pytest.mark.parametrize(
    ("told", "sent"),
    [
        pytest.param("cde", "newest 2, newest 2", id="after its last event"),
        pytest.param("dce", "newest 2", id="before it, and others stand behind it that it has not passed"),
    ],
)
def test_what_came_after_an_item_and_is_not_behind_it_any_more_is_asked_for(told: str, sent: str) -> None:
    async def scene() -> None:
        stage = Stage(KEY)
        await stage.enter("synced")
        stage.service.sent.clear()

        for each in told:  # far enough apart to stand in no doubt, and in the way of the listing that was due
            await asyncio.sleep(FAN_OUT + LATE / 2)
            stage.cache.answered(KEY.account, KEY.service, stage.clock.boottime())  # nothing is held up on the way
            text = stage.service.items_held.setdefault(each, "new")
            stage.service.notify(items=(stage.service.item(each, text),))  # c again: nobody knows whether it moved
        await asyncio.sleep(2 * LATE)
        assert (await stage.held(), stage.sent()) == ("abcde", sent)
        stage.service.sent.clear()

        del stage.service.items_held["d"]  # without a word
        await asyncio.sleep(QUIET)

        assert stage.sent() == "newest 2, ids d, newest 2, subscriptions, items"
        assert (stage.explained()["state"], await stage.held()) == ("synced", "abce")
        await stage.close()

    play(scene)

# SPDX-License-Identifier: MIT
"""Which order a service keeps, learnt from an overwrite that was the last change of all."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from pubkeep.cache.order import Lesson
from pubkeep.protocol import EventKind
from pubkeep.sync.syncing import RESUBSCRIBE
from tests.daemon.cache.scripted import LATE
from tests.daemon.cache.service import KEY
from tests.daemon.cache.stage import AT_ONCE, QUIET, Stage, play


def lesson(behind: set[str]) -> Lesson:
    made = Lesson()
    made.overwritten("x", behind)
    return made


def test_an_overwritten_item_behind_those_that_followed_it_has_moved() -> None:
    made = lesson({"y", "z"})

    made.listed(["a", "y", "z", "x"], 10.0)

    assert made.learnt(10.0, 0.0) == "publish"
    assert made.learnt(10.0, 0.0) is None


def test_one_before_them_has_stayed() -> None:
    made = lesson({"y", "z"})

    made.listed(["a", "x", "y", "z"], 10.0)

    assert made.learnt(10.0, 0.0) == "creation"


def test_one_between_them_shows_that_others_moved() -> None:
    made = lesson({"y", "z"})

    made.listed(["a", "y", "x", "z"], 10.0)

    assert made.learnt(10.0, 0.0) is None


def test_with_nothing_behind_it_nothing_is_learnt() -> None:
    made = lesson(set())

    made.listed(["a", "x", "new"], 10.0)

    assert made.learnt(10.0, 0.0) is None


def test_what_a_late_service_shows_holds_when_nothing_was_told_for_so_long() -> None:
    made = lesson({"y"})
    made.listed(["y", "x"], 10.0)

    assert made.learnt(11.9, 2.0) is None
    assert made.due(2.0) == 12.0
    assert made.learnt(12.0, 2.0) == "publish"


def test_a_change_that_is_told_late_takes_it_back() -> None:
    made = lesson({"y"})
    made.listed(["x", "y"], 10.0)  # y was published again, and nobody had told it yet

    made.forget(11.0, 2.0)

    assert made.learnt(13.0, 2.0) is None


def test_a_change_after_that_time_does_not() -> None:
    made = lesson({"y"})
    made.listed(["x", "y"], 10.0)

    made.forget(12.5, 2.0)

    assert made.learnt(13.0, 2.0) == "creation"


def test_what_may_not_have_been_there_takes_back_all_that_was_seen() -> None:
    made = lesson({"y"})
    made.listed(["y", "x"], 10.0)

    made.drop()

    assert made.overwrote == ""
    assert made.learnt(20.0, 0.0) is None


# -- what happens to a node ----------------------------------------------------------------------


async def overwritten(stage: Stage) -> None:
    """The service tells that the second one is another, and keeps it at the end; here, it may have been made anew."""
    name = list(stage.service.items_held)[1]
    del stage.service.items_held[name]
    stage.service.items_held[name] = "other"
    stage.service.notify(items=(stage.service.item(name, "other"),))
    await asyncio.sleep(AT_ONCE)


async def hole(stage: Stage) -> None:
    stage.service.notify(EventKind.UNKNOWN)
    await asyncio.sleep(AT_ONCE)


async def unsubscribed(stage: Stage) -> None:
    """The subscription is gone, which a round trip shows."""
    stage.service.subscribed = False
    await stage.read(max_age=0)


async def another_session(stage: Stage) -> None:
    stage.cut()
    stage.connect()


async def session_under_way(stage: Stage) -> None:
    """We are subscribed again; what the node has now is being listed."""
    await another_session(stage)
    await asyncio.sleep(2.5 * LATE)


Happen = Callable[[Stage], Awaitable[None]]
KEPT_FROM_US = hole, unsubscribed, another_session
"""What may have hidden a change from us."""


async def order_after(*happen: Happen) -> object:
    """What is believed of the order when this has happened twice, and all is quiet."""
    stage = Stage(KEY)
    await stage.enter("synced")
    for held in ("acb", "abc"):
        assert stage.explained()["order"] == "unknown"  # one alone shows nothing
        stage.clock.slept += RESUBSCRIBE
        await stage.synchronise()
        for each in happen:
            await each(stage)
        await asyncio.sleep(QUIET)
        await stage.synchronise()
        assert (stage.explained()["state"], await stage.held()) == ("synced", held)
    order = stage.explained()["order"]
    await stage.close()
    return order


def test_two_overwrites_of_what_surely_was_there_show_the_order() -> None:
    async def scene() -> None:
        assert await order_after(overwritten) == "publish"

    play(scene)


def test_an_overwrite_that_is_told_twice_shows_it_too() -> None:
    async def told_again(stage: Stage) -> None:
        name, text = list(stage.service.items_held.items())[-1]
        stage.service.notify(items=(stage.service.item(name, text),))
        await asyncio.sleep(AT_ONCE)

    async def scene() -> None:
        assert await order_after(overwritten, told_again) == "publish"

    play(scene)


def test_an_overwritten_item_that_is_not_among_the_newest_shows_the_order_in_a_list_of_all() -> None:
    async def scene() -> None:
        stage = Stage(KEY)
        await stage.enter("synced")
        stage.service.sent.clear()

        stage.service.items_held["a"] = "other"  # in its place
        stage.service.notify(items=(stage.service.item("a", "other"),))
        await asyncio.sleep(QUIET)

        assert stage.sent() == "newest 2, subscriptions, items, subscriptions"
        stage.service.items_held["a"] = "another"
        stage.service.notify(items=(stage.service.item("a", "another"),))
        await asyncio.sleep(QUIET)
        assert (stage.explained()["order"], await stage.held()) == ("creation", "abc")
        await stage.close()

    play(scene)


def test_an_overwrite_beside_which_something_stands_of_which_nobody_told_shows_nothing() -> None:
    async def scene() -> None:
        stage = Stage(KEY)
        await stage.enter("synced")

        stage.service.items_held["x"] = "untold"
        await overwritten(stage)
        await asyncio.sleep(QUIET)

        assert (stage.explained()["order"], await stage.held()) == ("unknown", "acxb")
        await stage.close()

    play(scene)


@pytest.mark.parametrize("happen", [*KEPT_FROM_US, session_under_way])
def test_an_overwrite_while_something_may_be_kept_from_us_shows_nothing(happen: Happen) -> None:
    async def scene() -> None:
        assert await order_after(happen, overwritten) == "unknown"

    play(scene)


@pytest.mark.parametrize("happen", KEPT_FROM_US)
def test_an_overwrite_after_which_something_may_have_been_kept_from_us_shows_nothing(happen: Happen) -> None:
    async def scene() -> None:
        assert await order_after(overwritten, happen) == "unknown"

    play(scene)


def test_nothing_is_certain_and_nothing_is_learnt_where_a_subscription_ended() -> None:
    async def scene() -> None:
        stage = Stage(KEY)
        await stage.enter("synced")
        known = stage.cache._known
        node = known.node(KEY)
        assert node is not None
        assert known.certain(node)
        node.settle.overwritten("a", ["b", "c"], stage.clock.boottime())

        node.unsubscribe()

        assert not known.certain(node)
        assert node.settle.lesson.overwrote == ""
        await stage.close()

    play(scene)

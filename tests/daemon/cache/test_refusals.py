# SPDX-License-Identifier: MIT
"""What the service refuses is hidden at once, however it says so, and shown again by nothing but a newer answer."""

import asyncio
from collections.abc import Callable

import pytest

from pubkeep.cache.access import Access
from pubkeep.errors import NotAllowed, NotFound, Unavailable
from tests.daemon.cache.conftest import ENTRY, Bench
from tests.daemon.cache.service import KEY
from tests.daemon.cache.stage import Stage, play


async def hidden(bench: Bench) -> None:
    """Whoever may not ask the service is told that it may not be read."""
    for freshness in ("cache", "quick"):
        with pytest.raises(NotAllowed):
            await bench.read(freshness=freshness)


async def until(there: Callable[[], object]) -> None:
    """Wait for it."""
    async with asyncio.timeout(10):
        while not there():
            await asyncio.sleep(0.01)


async def denied(bench: Bench) -> None:
    """The service refuses, and we know it."""
    bench.service.closed = True
    with pytest.raises(NotAllowed):
        await bench.read(freshness="service")
    await bench.ended(await bench.cache.synchronise(KEY))


def looking(bench: Bench) -> list[str]:
    """What the next synchronisation finds that readers see, before the service has refused it anything."""
    seen: list[str] = []

    async def look() -> None:
        try:
            seen.append((await bench.read(freshness="cache")).reason)
        except NotAllowed:
            seen.append("hidden")

    bench.service.after_look = look
    return seen


async def test_who_may_publish_need_not_be_allowed_to_read(bench: Bench) -> None:
    await denied(bench)
    seen = looking(bench)

    await bench.cache.writer.publish(KEY, [ENTRY.format("4")], ids=["d"])

    await until(lambda: seen)
    assert seen == ["hidden"]


async def test_a_node_that_can_be_read_again_is_asked_for_when_we_published_there(bench: Bench) -> None:
    await denied(bench)
    bench.service.closed = False

    await bench.cache.writer.publish(KEY, [ENTRY.format("4")], ids=["d"])

    await bench.undoubted()
    assert await bench.state() == ("cache", [("a", "1"), ("b", "2"), ("c", "3"), ("d", "4")])


async def test_what_is_told_while_a_denied_node_is_listed_voids_the_listing(bench: Bench) -> None:
    await denied(bench)
    bench.service.closed = False

    async def overtaken() -> None:
        bench.service.publish_elsewhere("a", "newer")
        await bench.service.drained(KEY)

    bench.service.between = overtaken
    await bench.ended(await bench.cache.synchronise(KEY))

    assert ("a", "newer") in (await bench.state())[1]


async def test_a_refusal_where_a_node_seems_to_be_gone_hides_it(bench: Bench) -> None:
    bench.service.trouble = NotFound("there is no such item")
    bench.service.closed = True

    await bench.ended(await bench.cache.synchronise(KEY))

    await hidden(bench)


async def test_an_answer_that_may_be_older_than_a_refusal_shows_nothing_again(bench: Bench) -> None:
    seen: list[list[str]] = []

    async def overtaken() -> None:
        await denied(bench)
        seen.append(looking(bench))

    bench.service.between = overtaken
    await bench.read(freshness="service")

    await until(lambda: seen[0])
    assert seen == [["hidden"]]


async def test_after_an_answer_that_may_be_older_than_a_refusal_the_next_read_asks(bench: Bench) -> None:
    async def overtaken() -> None:
        await denied(bench)
        bench.service.closed = False

    bench.service.between = overtaken
    await bench.read(freshness="service")

    answer = await bench.read()

    assert [row.id for row in answer.page.items] == ["a", "b", "c"]


async def test_a_denied_node_is_asked_for_again_each_hour_though_nobody_reads_it(bench: Bench) -> None:
    await denied(bench)
    bench.service.closed = False

    bench.clock.forward += 3601
    bench.cache.session_resumed(KEY.account)

    await bench.undoubted()
    assert await bench.state() == ("cache", [("a", "1"), ("b", "2"), ("c", "3")])


async def test_a_gone_node_is_asked_for_again_each_hour_though_nobody_reads_it(bench: Bench) -> None:
    bench.service.deleted = True
    await bench.ended(await bench.cache.synchronise(KEY))
    bench.service.deleted, bench.service.items_held = False, {"new": "1"}

    asked = len(bench.service.asked)

    bench.clock.forward += 3000
    bench.cache.session_resumed(KEY.account)
    await asyncio.sleep(0.2)
    assert len(bench.service.asked) == asked
    bench.clock.forward += 601
    bench.cache.session_resumed(KEY.account)

    await bench.undoubted()
    assert await bench.state() == ("cache", [("new", "1")])


async def test_a_denied_node_that_we_make_anew_shows_nothing_of_the_one_before(bench: Bench) -> None:
    await denied(bench)
    bench.service.closed, bench.service.items_held = False, {}

    await bench.cache.nodes.create(KEY, {})

    with pytest.raises(Unavailable, match="nothing is held"):
        await bench.read(freshness="cache")
    await bench.undoubted()
    assert await bench.state() == ("cache", [])


async def test_a_refusal_is_as_old_as_the_question_that_was_refused_not_as_the_first_of_many(bench: Bench) -> None:
    async def refused_at_last() -> None:
        bench.clock.forward += 60
        await bench.read(freshness="service")  # it is shown since the first question
        bench.clock.forward += 60
        error = NotAllowed("access is not allowed")
        error.sent_at = bench.clock.boottime()
        raise error

    bench.service.between = refused_at_last
    with pytest.raises(NotAllowed):
        await bench.read(freshness="service")

    with pytest.raises(NotAllowed):
        await bench.read(freshness="cache")


def test_a_refusal_that_is_surely_older_than_an_answer_hides_nothing() -> None:
    access = Access()

    access.shown(sent_at=13.0)

    assert not access.refused(asked_at=10.0, now=14.0, fan_out=2.0)
    assert access.refused(asked_at=12.0, now=14.0, fan_out=2.0)


def test_an_answer_is_newer_than_a_refusal_if_it_was_asked_for_after_it_came_or_much_later() -> None:
    access = Access()

    access.refused(asked_at=10.0, now=10.5, fan_out=2.0)

    assert not access.shown(sent_at=10.4)
    assert access.shown(sent_at=10.6)


def test_a_service_that_answers_in_order_refused_last_what_it_refuses() -> None:
    access = Access()

    access.shown(sent_at=10.0)

    assert access.refused(asked_at=9.0, now=11.0, fan_out=0.0)
    assert access.shown(sent_at=9.5)


def test_what_was_refused_is_not_looked_up_though_that_cannot_be_stored() -> None:
    async def scene() -> None:
        stage = Stage(KEY)
        await stage.enter("synced")
        uris = [row.uri for row in (await stage.read("cache")).page.items]
        stage.disk.failing["any"] = 1000

        stage.service.error = NotAllowed("access is not allowed")
        await stage.synchronise()

        rows, missing = await stage.cache.lookup(uris, [KEY.account], "json", extra=False)
        assert (rows, missing, await stage.held()) == ([], uris, "abc")
        stage.disk.failing.clear()
        await stage.close()

    play(scene)

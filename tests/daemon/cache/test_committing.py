# SPDX-License-Identifier: MIT
"""What is stored of a node beside its inbox: nothing is undone by what began before it."""

import asyncio
from collections.abc import Awaitable, Callable
from xml.etree.ElementTree import Element

import pytest

from pubkeep.errors import NotAllowed, NotFound
from pubkeep.protocol import EventKind, WireItem
from pubkeep.questions import Answer, NodeFilter
from tests.daemon.cache.conftest import ENTRY, Bench
from tests.daemon.cache.service import KEY, PUBSUB
from tests.daemon.cache.stage import AT_ONCE, QUIET, Stage, play

Begun = Callable[[Bench], Awaitable[object]]


async def an_event(bench: Bench) -> None:
    """Another client publishes."""
    bench.service.publish_elsewhere("new", "4")


async def an_answer(bench: Bench) -> None:
    """A caller asks the service, which has an item of which nobody told."""
    bench.service.publish_elsewhere("new", "4", told=False)
    await bench.read(freshness="service")


async def a_confirmation(bench: Bench) -> None:
    """We publish."""
    await bench.cache.writer.publish(KEY, [ENTRY.format("ours")], ids=["new"])


async def a_question_by_id(bench: Bench) -> None:
    """An item is told of without its payload, and asked for."""
    bench.service.items_held["new"] = "4"
    bench.service.tell(WireItem("new", "", Element(f"{PUBSUB}item", {"id": "new"})))


@pytest.mark.parametrize("begin", [an_event, an_answer, a_confirmation, a_question_by_id])
async def test_what_began_before_the_node_went_writes_nothing_after_it(bench: Bench, begin: Begun) -> None:
    number = (await bench.store.nodes(KEY.account))[0].number
    went = asyncio.Event()

    async def go() -> None:
        bench.service.deleted = True
        await bench.synchronise()
        went.set()

    if begin is a_question_by_id:
        await begin(bench)
        await bench.service.drained(KEY)
        bench.store.after_digests = go
    else:
        bench.store.after_digests = go
        await begin(bench)
    await went.wait()
    await bench.service.drained(KEY)

    assert await bench.store.digests(number) == {}


async def test_a_listing_that_is_being_stored_when_access_is_refused_shows_nothing_of_the_node(bench: Bench) -> None:
    told: list[object] = []

    async def refuse() -> None:
        bench.service.closed = True
        with pytest.raises(NotAllowed):
            await bench.read(freshness="service")
        bench.cache.listeners.append(lambda change: told.append(bench.cache.explain(change.key)["state"]))

    bench.store.after_digests = refuse
    await bench.synchronise()

    assert set(told) == {"denied"}
    assert [record.state for record in await bench.store.nodes(KEY.account)] == ["denied"]


async def test_a_purge_of_ours_that_a_first_listing_met_is_seen(bench: Bench) -> None:
    await bench.cache.forget(NodeFilter(node=KEY.node), [KEY.account])

    async def purge() -> None:
        await bench.cache.nodes.purge(KEY)

    bench.service.between = purge
    await bench.synchronise()
    await bench.undoubted()

    assert await bench.state() == ("cache", [])


def test_the_end_of_a_node_is_not_undone_by_what_is_stored_of_its_subscription() -> None:
    async def scene() -> None:
        stage = Stage(KEY)
        await stage.enter("synced")
        stage.disk.slow = 2.0

        stage.service.notify(EventKind.DELETE)
        await stage.cache.writer.unsubscribe(KEY)

        stored = await stage.store.nodes(KEY.account)
        assert (stage.explained()["state"], [(each.state, each.copy) for each in stored]) == (
            "gone",
            [("gone", "none")],
        )
        await stage.close()

    play(scene)


def test_a_node_that_is_taken_up_while_it_is_forgotten_a_second_time_stays() -> None:
    async def scene() -> None:
        stage = Stage(KEY)
        await stage.enter("synced")
        where = NodeFilter(node=KEY.node)

        first = asyncio.create_task(stage.cache.forget(where, [KEY.account]))
        await asyncio.sleep(0.1)
        second = asyncio.create_task(stage.cache.forget(where, [KEY.account]))
        await first
        job = await stage.cache.synchronise(KEY)
        await second
        await stage.ended(job)

        assert job.state == "done"
        assert await stage.answer() == "copy"
        await stage.close()

    play(scene)


@pytest.mark.parametrize(
    ("freshness", "reason"),
    [("auto", ""), ("cache", "not verified since the connection was made")],  # in the middle of a listing
)
async def test_a_page_that_is_read_before_its_transaction_is_taken_over_is_read_again(
    bench: Bench, freshness: str, reason: str
) -> None:
    begun, committed, read = asyncio.Event(), asyncio.Event(), asyncio.Event()
    answers: list[asyncio.Task[Answer]] = []

    async def ask() -> None:
        answers.append(asyncio.create_task(bench.read(max=2, freshness=freshness)))
        await begun.wait()

    async def begin() -> None:
        begun.set()
        await committed.wait()

    async def hold() -> None:
        committed.set()
        await read.wait()

    bench.service.items_held["d"] = "untold"
    bench.service.between = ask  # the listing that has d comes after it
    bench.store.before_reading, bench.store.after_applying, bench.store.after_reading = begin, hold, read.set
    await bench.synchronise()
    answer = await answers[0]

    assert (answer.source, answer.reason) == ("cache", reason)
    assert [row.id for row in answer.page.items] == ["c", "d"]
    assert (answer.page.index, answer.page.count) == ((None, None) if reason else (2, 4))


def test_what_comes_while_the_rows_of_a_deleted_node_go_is_not_written_behind_that() -> None:
    async def scene() -> None:
        stage = Stage(KEY)
        await stage.enter("synced")

        stage.disk.slow = 3.0
        stage.service.error = NotFound("there is no such node")
        listed = asyncio.create_task(stage.synchronise())
        while not stage.cache._known.nodes()[0].committing.locked():
            await asyncio.sleep(0.01)
        stage.service.notify(items=(stage.service.item("d", "new"),))
        await listed
        await asyncio.sleep(QUIET)

        assert (stage.explained()["state"], await stage.held()) == ("gone", "")
        await stage.close()

    play(scene)


@pytest.mark.parametrize("there", [False, True])
def test_what_may_be_of_an_earlier_node_of_this_name_is_asked_for(there: bool) -> None:
    async def scene() -> None:
        stage = Stage(KEY)
        await stage.enter("synced")
        stage.service.error = NotFound("there is no such node")
        await stage.synchronise()
        stage.service.error = None
        stage.service.items_held.clear()  # it was made again
        await stage.synchronise()
        assert (stage.explained()["state"], await stage.held()) == ("synced", "")

        if there:
            stage.service.items_held["a"] = "of the new one"
        stage.service.notify(items=(stage.service.item("a", "of the old one"),))
        await asyncio.sleep(AT_ONCE)
        assert (await stage.held(), await stage.answer("cache")) == ("", "stale")
        await asyncio.sleep(QUIET)

        assert (stage.explained()["state"], await stage.held()) == ("synced", "a" if there else "")
        await stage.close()

    play(scene)

# SPDX-License-Identifier: MIT
"""What a read costs, and what it says of nodes that are not there, not to be read, or not told of."""

import asyncio

import pytest

from pubkeep.cache.passed import NEGATIVE
from pubkeep.errors import NotFound, Refused, Unavailable
from pubkeep.questions import ItemsRequest, NodeFilter
from tests.daemon.cache.conftest import ENTRY, FAN_OUT, Bench
from tests.daemon.cache.scripted import LATE
from tests.daemon.cache.service import KEY
from tests.daemon.cache.stage import OTHER, Stage, play

PLAIN = KEY._replace(node="plain")


async def test_a_node_that_nobody_wants_costs_one_request_a_read(bench: Bench) -> None:
    bench.service.items_held = {"x": "?a thing"}
    await bench.cache.get_items(PLAIN, ItemsRequest())
    asked = len(bench.service.asked)

    for _ in range(5):
        await bench.cache.get_items(PLAIN, ItemsRequest())

    assert len(bench.service.asked) - asked == 5
    assert bench.cache.get_nodes(NodeFilter(node=PLAIN.node), [KEY.account]) == []


async def test_a_refusal_is_remembered_for_some_seconds_and_makes_no_row(bench: Bench) -> None:
    bench.service.deleted, bench.service.items_held = True, dict.fromkeys("xyz", "?a thing")
    asked = len(bench.service.asked)

    for _ in range(5):
        with pytest.raises(NotFound):
            await bench.cache.get_items(PLAIN, ItemsRequest())
    once = len(bench.service.asked) - asked
    bench.service.deleted = False
    with pytest.raises(NotFound):
        await bench.cache.get_items(PLAIN, ItemsRequest())
    answer = await bench.cache.get_items(PLAIN, ItemsRequest(freshness="service"))

    assert once == 1
    assert len(answer.page.items) == 3
    assert bench.cache.get_nodes(NodeFilter(node=PLAIN.node), [KEY.account]) == []
    bench.clock.forward += NEGATIVE
    assert len((await bench.cache.get_items(PLAIN, ItemsRequest())).page.items) == 3


@pytest.mark.parametrize("trouble", [Unavailable("no answer"), Refused("internal-server-error: something")])
async def test_a_listing_that_fails_leaves_all_that_is_held(bench: Bench, trouble: Exception) -> None:
    assert isinstance(trouble, Unavailable | Refused)
    before = (await bench.state())[1]
    bench.service.trouble = trouble

    job = await bench.ended(await bench.cache.synchronise(KEY))
    held = await bench.read(freshness="cache", format="json")

    assert (job.state, str(job.error)) == ("failed", str(trouble))
    assert [(row.id, row.title) for row in held.page.items] == before
    await bench.synchronise()
    await bench.settled()


async def test_a_retraction_that_arrives_during_a_listing_is_not_undone_by_it(bench: Bench) -> None:
    async def overtaken() -> None:
        del bench.service.items_held["b"]
        bench.service.tell(retracted=("b",))

    bench.service.between = overtaken  # the listing that has b comes after it
    await bench.synchronise()

    assert [row.id for row in (await bench.read(freshness="cache")).page.items] == ["a", "c"]
    await bench.settled()


async def test_what_cannot_be_subscribed_is_never_called_synced(bench: Bench) -> None:
    bench.service.subscribed = bench.service.subscribes = False
    await bench.reconnect()

    async with asyncio.timeout(10):
        while "cannot do this" not in str(bench.cache.explain(KEY)["subscription"]):
            await asyncio.sleep(0.01)
    await bench.synchronise()
    bench.service.publish_elsewhere("d", "4", told=False)
    answer, held = await bench.read(), await bench.read(freshness="cache")

    assert (answer.source, [row.id for row in answer.page.items]) == ("service", ["a", "b", "c", "d"])
    assert (held.stale, held.reason) == (True, "not subscribed (the service cannot do this)")
    assert bench.cache.explain(KEY)["state"] != "synced"


async def test_what_was_forgotten_here_is_asked_for_and_kept_again(bench: Bench) -> None:
    forgotten = await bench.cache.forget(NodeFilter(service=KEY.service), [KEY.account])

    assert forgotten == 3
    assert await bench.state() == ("service", [("a", "1"), ("b", "2"), ("c", "3")])
    await bench.settled()


async def test_where_some_items_were_forgotten_the_copy_does_not_pass_for_all(bench: Bench) -> None:
    dated = ENTRY.format("old</title><published>1999-12-31T23:59:59Z</published><title>")
    await bench.cache.writer.publish(KEY, [dated], ids=["old"])

    forgotten = await bench.cache.forget(NodeFilter(), [KEY.account], created_before=1_000_000_000_000_000)
    held = await bench.read(freshness="cache")

    assert (forgotten, held.stale, held.reason) == (1, True, "items were forgotten here")
    assert [row.id for row in (await bench.read()).page.items] == ["a", "b", "c", "old"]
    await bench.settled()


async def test_what_the_service_shows_of_another_node_goes_when_it_shows_it_no_more(bench: Bench) -> None:
    bench.service.items_held |= {"foreign": "of another node"}
    await bench.synchronise()
    shown = [row.id for row in (await bench.read()).page.items]

    del bench.service.items_held["foreign"]
    await bench.synchronise()

    assert shown == ["a", "b", "c", "foreign"]
    assert await bench.state() == ("cache", [("a", "1"), ("b", "2"), ("c", "3")])


async def test_who_asks_while_offline_for_what_is_not_held_gets_an_error_and_no_empty_list(bench: Bench) -> None:
    bench.cache.session_lost(KEY.account)
    bench.service.online = False

    for freshness in ("auto", "quick", "cache", "service"):
        with pytest.raises(Unavailable):
            await bench.cache.get_items(PLAIN, ItemsRequest(freshness=freshness))


async def test_a_copy_that_may_be_old_does_not_say_that_there_is_no_such_item(bench: Bench) -> None:
    bench.cache.session_lost(KEY.account)
    bench.service.online = False

    for options in ({}, {"max_age": 3600}, {"freshness": "quick"}):
        with pytest.raises(Unavailable):
            await bench.read(after="new", **options)
    with pytest.raises(NotFound, match="'new'"):
        await bench.read(after="new", freshness="cache")


def test_a_refusal_is_as_old_as_its_question() -> None:
    async def scene() -> None:
        stage = Stage(OTHER)
        await stage.enter("unknown")
        stage.service.error = NotFound("there is no such node")

        question = asyncio.create_task(stage.answer())
        await asyncio.sleep(LATE / 2)
        stage.clock.slept += NEGATIVE  # the machine is suspended while the answer is on its way
        refused = await question
        stage.service.error = None

        assert (refused, await stage.answer()) == ("NotFound", "asked")
        await stage.close()

    play(scene)


async def test_where_the_item_to_count_from_went_after_its_pages_were_listed_they_may_be_of_several_moments(
    bench: Bench,
) -> None:
    bench.service.page = 2

    async def late() -> None:
        await asyncio.sleep(2 * FAN_OUT)
        del bench.service.items_held["a"]
        bench.service.tell(retracted=("a",))

    async def second_page() -> None:
        bench.service.inbox.put(KEY, late)  # the last page waits behind it, and the retraction behind the page

    async def first_page() -> None:
        bench.service.between = second_page

    bench.service.between = first_page
    answer = await bench.read(after="a", freshness="service")

    assert (answer.stale, answer.reason) == (True, "it may have changed while its pages were listed")
    assert [row.id for row in answer.page.items] == ["b", "c"]


async def test_pages_that_end_early_since_an_item_moved_are_not_taken_for_all(bench: Bench) -> None:
    async def moved() -> None:
        bench.service.publish_elsewhere("c", "3", told=False)  # its event is late

    for item_id in ("d", "e"):
        bench.service.publish_elsewhere(item_id, item_id)
    await bench.settled()
    bench.cache._known.link(KEY.account, KEY.service).learn(rsm=True)
    bench.service.page, bench.service.between = 3, moved  # the second page begins after c

    answer = await bench.read(index=0, max=3, freshness="service")

    assert answer.page.more or answer.stale

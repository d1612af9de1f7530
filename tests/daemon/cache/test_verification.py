# SPDX-License-Identifier: MIT
"""Comparing the copy with the service: asked for, and in passing; and what is not believed at once."""

import asyncio

import pytest

from pubkeep.errors import NotAllowed, NotFound
from pubkeep.model import NodeChange, NodeKey, Traits
from pubkeep.protocol import EventKind
from pubkeep.query.document import read
from pubkeep.questions import NodeFilter, SearchRequest
from pubkeep.sync.jobs import Job
from tests.daemon.cache.conftest import Bench
from tests.daemon.cache.service import KEY, wire


async def verified(bench: Bench, *, repair: bool) -> tuple[object, object, object]:
    job = await bench.ended(await bench.cache.verify(KEY, repair=repair))
    assert (job.kind, job.state, job.error) == ("verify", "done", None)
    return job.result["missing"], job.result["extra"], job.result["different"]


def differ(bench: Bench) -> None:
    """Changes of which nobody is told."""
    del bench.service.items_held["a"]
    bench.service.items_held |= {"b": "other", "d": "4"}


async def test_where_nothing_differs_the_proof_is_renewed(bench: Bench) -> None:
    before = (await bench.read()).verified_at

    assert await verified(bench, repair=False) == ([], [], [])

    assert (await bench.read()).verified_at > before


async def test_differences_are_named_and_leave_a_doubt(bench: Bench) -> None:
    differ(bench)
    job = await bench.cache.verify(KEY, repair=False)
    await bench.ended(job)

    assert (job.result["missing"], job.result["extra"], job.result["different"]) == (["d"], ["a"], ["b"])
    assert (await bench.read()).source == "service"


async def test_repair_takes_over_what_the_service_has(bench: Bench) -> None:
    differ(bench)

    assert await verified(bench, repair=True) == (["d"], ["a"], ["b"])

    answer = await bench.read(format="json")
    assert (answer.source, [(row.id, row.title) for row in answer.page.items]) == (
        "cache",
        list(bench.service.items_held.items()),
    )


async def test_a_node_of_which_nothing_is_held_cannot_be_compared(bench: Bench) -> None:
    with pytest.raises(NotFound, match="nothing is held"):
        await bench.cache.verify(NodeKey(KEY.account, KEY.service, "other"), repair=False)


async def test_a_service_that_kept_something_to_itself_loses_its_credit(bench: Bench) -> None:
    bench.cache._known.link(KEY.account, KEY.service).learn(fan_out=0.0)
    differ(bench)

    await bench.synchronise()

    shown = (await bench.store.traits(KEY.account))[KEY.service]
    assert shown.fan_out is None
    assert "transit" in shown.revoked
    assert shown != Traits()


async def test_a_node_that_is_suddenly_empty_is_listed_a_second_time(bench: Bench) -> None:
    bench.service.items_held = {f"i{n}": str(n) for n in range(12)}
    await bench.synchronise()
    full = dict(bench.service.items_held)
    asked = len(bench.service.asked)

    async def back() -> None:
        bench.service.items_held = full

    bench.service.items_held = {}
    bench.service.between = back
    await bench.synchronise()

    assert len(bench.service.asked) - asked == 2
    assert [row.id for row in (await bench.read()).page.items] == list(full)


async def test_a_node_that_is_empty_twice_is_empty(bench: Bench) -> None:
    bench.service.items_held = {f"i{n}": str(n) for n in range(12)}
    await bench.synchronise()

    bench.service.items_held = {}
    await bench.synchronise()

    answer = await bench.read()
    assert (answer.source, answer.page.items, answer.page.complete) == ("cache", (), True)


async def test_a_subscription_that_somebody_ends_twice_is_not_fought_for(bench: Bench) -> None:
    for _ in range(2):
        bench.service.subscribed = False
        bench.service.tell(kind=EventKind.SUBSCRIPTION)
        async with asyncio.timeout(10):
            while (await bench.read()).source == "cache":
                await asyncio.sleep(0.01)
        await bench.synchronise()

    assert not bench.service.subscribed
    assert "ended again by somebody else" in str(bench.cache.explain(KEY)["words"])


async def test_a_job_asked_for_as_another_ends_is_done_too(bench: Bench) -> None:
    asked: list[asyncio.Task[Job]] = []

    def again(_: Job) -> None:
        if not asked:
            asked.append(asyncio.create_task(bench.cache.synchronise(KEY)))

    bench.jobs.finished = again
    await bench.synchronise()

    assert (await bench.ended(await asked[0])).state == "done"


async def test_a_subscription_that_went_with_its_node_is_noticed_by_the_next_proof(bench: Bench) -> None:
    bench.service.subscribed = False  # deleted and made anew, and nobody was told

    await bench.synchronise()

    assert bench.service.subscribed
    assert (await bench.state())[0] == "cache"


async def test_a_changed_configuration_is_shown_and_the_node_listed_anew(bench: Bench) -> None:
    changes: list[NodeChange] = []
    bench.cache.listeners.append(changes.append)
    asked = len(bench.service.asked)

    bench.service.tell(kind=EventKind.CONFIGURATION)
    await bench.service.drained(KEY)
    held = await bench.read(freshness="cache")
    await bench.settled()

    assert "configured" in [change.what for change in changes]
    assert (held.stale, held.reason) == (True, "the node's configuration changed")
    assert len(bench.service.asked) > asked


async def test_who_may_not_read_after_a_change_of_configuration_sees_nothing_more(bench: Bench) -> None:
    bench.service.trouble = NotAllowed("access is not allowed")

    bench.service.tell(kind=EventKind.CONFIGURATION)
    async with asyncio.timeout(10):
        while bench.cache.explain(KEY)["state"] != "denied":
            await asyncio.sleep(0.01)

    with pytest.raises(NotAllowed):
        await bench.read(freshness="cache")
    assert (await bench.cache.search(SearchRequest(read("1")), [KEY.account])).items == ()


async def test_a_subscription_that_goes_while_it_is_looked_for_is_made_again(bench: Bench) -> None:
    async def deleted_and_made_anew() -> None:
        bench.service.subscribed = False
        bench.service.items_held = {"other": "1"}
        bench.service.tell(kind=EventKind.DELETE)
        await bench.service.drained(KEY)

    bench.service.after_look = deleted_and_made_anew
    await bench.synchronise()
    await bench.settled()

    assert bench.service.subscribed


async def test_a_listing_during_which_there_was_no_subscription_proves_nothing(bench: Bench) -> None:
    async def interrupted() -> None:
        await bench.cache.writer.unsubscribe(KEY)
        bench.service.publish_elsewhere("d", "4", told=False)
        await bench.cache.writer.subscribe(KEY)

    bench.service.between = interrupted  # the service has read its table, and the answer comes later
    await bench.reconnect()
    async with asyncio.timeout(10):
        while (answer := await bench.read(freshness="cache")).stale:
            await asyncio.sleep(0.01)

    assert [row.id for row in answer.page.items] == ["a", "b", "c", "d"]


async def test_a_copy_proved_without_a_subscription_is_proved_anew_with_one(bench: Bench) -> None:
    seen: list[tuple[str, bool, list[str]]] = []

    async def read() -> None:
        held = await bench.read(freshness="cache")
        seen.append((held.source, held.stale, [row.id for row in held.page.items]))

    bench.service.subscribed = False
    bench.service.publish_elsewhere("d", "4", told=False)
    bench.service.between = read  # subscribed again, and the listing is not there yet

    await bench.synchronise()

    assert seen == [("cache", True, ["a", "b", "c"])]
    assert await bench.state() == ("cache", [("a", "1"), ("b", "2"), ("c", "3"), ("d", "4")])


async def test_what_one_caller_was_refused_is_not_shown_to_the_next(bench: Bench) -> None:
    bench.service.closed = True

    with pytest.raises(NotAllowed):
        await bench.read(freshness="service")

    for freshness in ("cache", "quick", "auto"):
        with pytest.raises(NotAllowed):
            await bench.read(freshness=freshness)


@pytest.mark.parametrize("options", [{"max": 2}, {"ids": ("b",)}], ids=("the newest", "by id"))
async def test_pages_do_not_end_with_something_older_than_a_caller_was_shown_meanwhile(
    bench: Bench, options: dict[str, object]
) -> None:
    await bench.cache.forget(NodeFilter(node=KEY.node), [KEY.account])
    bench.service.page = 2
    shown: list[str] = []

    async def second_page() -> None:
        bench.service.items_held["b"] = "newer"  # the first page had the older one; its event is late
        answer = await bench.read(freshness="service", format="json", **options)
        shown.extend(row.title for row in answer.page.items if row.id == "b")

    async def first_page() -> None:
        bench.service.between = second_page

    bench.service.between = first_page
    await bench.synchronise()
    after = await bench.state()

    assert shown == ["newer"]
    assert after == ("cache", [("a", "1"), ("b", "newer"), ("c", "3")])
    bench.service.tell(wire("b", "newer"))
    await bench.settled()


async def test_a_denied_node_that_is_compared_and_readable_again_is_synchronised(bench: Bench) -> None:
    bench.service.closed = True
    with pytest.raises(NotAllowed):
        await bench.read(freshness="service")
    bench.service.closed = False
    bench.service.publish_elsewhere("d", "4", told=False)

    await bench.ended(await bench.cache.verify(KEY, repair=False))
    await bench.undoubted()

    assert await bench.state() == ("cache", [("a", "1"), ("b", "2"), ("c", "3"), ("d", "4")])


async def test_a_node_whose_first_synchronisation_was_cancelled_is_synchronised_later(bench: Bench) -> None:
    async def cancelled() -> None:
        job.cancel()

    await bench.cache.forget(NodeFilter(node=KEY.node), [KEY.account])
    await bench.read()  # an analyser wants it
    job = await bench.cache.synchronise(KEY)
    bench.service.between = cancelled
    await bench.ended(job)
    await bench.undoubted()

    assert job.state == "cancelled"
    assert await bench.state() == ("cache", [("a", "1"), ("b", "2"), ("c", "3")])

# SPDX-License-Identifier: MIT
"""What a person decides about a node: always, never, so many of the newest, so old at most."""

import asyncio
from collections.abc import Callable

import pytest

from pubkeep.errors import Conflict, StorageFull
from pubkeep.model import Policy
from pubkeep.questions import NodeFilter
from tests.daemon.cache.conftest import ENTRY, FAN_OUT, Bench
from tests.daemon.cache.service import KEY, wire

OTHER = KEY._replace(node="nobody:knows:this")


async def kept_as(bench: Bench, state: str) -> None:
    """Wait until the node is in this state."""
    async with asyncio.timeout(10):
        while not bench.cache.get_nodes(NodeFilter(state=state), [KEY.account]):
            await asyncio.sleep(0.01)


async def test_never_drops_the_copy_and_passes_requests_on(bench: Bench) -> None:
    await bench.cache.set_policy(KEY, Policy("never"))

    assert await bench.state() == ("service", [("a", "1"), ("b", "2"), ("c", "3")])
    assert bench.cache.get_nodes(NodeFilter(), [KEY.account]) == []
    assert not bench.service.subscribed
    with pytest.raises(Conflict, match="its policy is never"):
        await bench.cache.synchronise(KEY)


async def test_that_a_node_is_never_kept_is_said_and_how_to_have_it_kept(bench: Bench) -> None:
    await bench.cache.set_policy(KEY, Policy("never"))
    explained = bench.cache.explain(KEY)

    assert (explained["policy"], explained["words"]) == (
        "never",
        "urn:xmpp:microblog:0 at pubsub.localhost is not kept: its policy is never. Since that was decided nothing of "
        "it is held, and requests are passed to the service. The policy auto lets the analysers decide again; always "
        "has it kept, whatever they say.",
    )


async def test_a_node_that_could_not_be_dropped_is_not_said_to_be_wanted(bench: Bench) -> None:
    bench.store.forgets = False

    with pytest.raises(StorageFull):
        await bench.cache.set_policy(KEY, Policy("never"))

    assert "is kept although its policy is never: it could not be dropped yet" in str(bench.cache.explain(KEY)["words"])


async def test_always_keeps_what_no_analyser_knows_and_auto_lets_it_go(bench: Bench) -> None:
    bench.service.items_held.clear()  # what an analyser knows by its payload would stay
    await bench.cache.set_policy(OTHER, Policy("always"))
    (record,) = [record for record, _ in bench.cache.get_nodes(NodeFilter(node=OTHER.node), [KEY.account])]

    await bench.cache.set_policy(OTHER, Policy())

    assert record.wanted_by == "policy"
    assert bench.cache.get_nodes(NodeFilter(node=OTHER.node), [KEY.account]) == []


async def test_a_policy_outlives_the_daemon(bench: Bench) -> None:
    await bench.cache.set_policy(KEY, Policy("always", 2, 60))

    assert await bench.store.policies(KEY.account) == {KEY: Policy("always", 2, 60)}

    await bench.cache.set_policy(KEY, Policy())
    assert await bench.store.policies(KEY.account) == {}


async def test_of_the_newest_two_what_lies_inside_is_answered_from_the_copy(bench: Bench) -> None:
    await bench.cache.set_policy(KEY, Policy(max_items=2))
    await kept_as(bench, "partial")

    inside = await bench.read(max=2)
    by_id = await bench.read(ids=("c",))
    after = await bench.read(after="b")
    outside = await bench.read(max=3)
    absent = await bench.read(ids=("a",))

    assert (inside.source, inside.stale, inside.page.more) == ("cache", False, True)
    assert [row.id for row in inside.page.items] == ["b", "c"]
    assert inside.page.count is None
    assert (by_id.source, after.source) == ("cache", "cache")
    assert [row.id for row in after.page.items] == ["c"]
    assert (outside.source, [row.id for row in outside.page.items]) == ("service", ["a", "b", "c"])
    assert (absent.source, [row.id for row in absent.page.items]) == ("service", ["a"])


async def test_offline_the_newest_two_do_not_pass_for_all(bench: Bench) -> None:
    await bench.cache.set_policy(KEY, Policy(max_items=2))
    await kept_as(bench, "partial")
    bench.service.online = False
    bench.cache.session_lost(KEY.account)

    answer = await bench.read()

    assert (answer.source, answer.stale, answer.page.complete) == ("cache", True, False)


async def test_events_go_on_extending_the_newest(bench: Bench) -> None:
    await bench.cache.set_policy(KEY, Policy(max_items=2))
    await kept_as(bench, "partial")

    bench.service.publish_elsewhere("d", "4")
    async with asyncio.timeout(10):
        while (answer := await bench.read(max=2, format="json")).source != "cache":
            await asyncio.sleep(0.01)

    assert [row.title for row in answer.page.items] == ["3", "4"]


async def test_more_items_wanted_again_are_fetched(bench: Bench) -> None:
    await bench.cache.set_policy(KEY, Policy(max_items=2))
    await kept_as(bench, "partial")

    await bench.cache.set_policy(KEY, Policy())
    await bench.settled()

    assert (await bench.read()).page.count == 3


async def test_an_older_item_that_we_publish_again_is_not_taken_for_one_of_the_newest(bench: Bench) -> None:
    bench.service.moves = False
    await bench.cache.set_policy(KEY, Policy(max_items=2))
    await kept_as(bench, "partial")

    await bench.cache.writer.publish(KEY, [ENTRY.format("again")], ids=["a"])
    await kept_as(bench, "partial")

    assert [row.id for row in (await bench.read(max=2)).page.items] == ["b", "c"]


async def test_where_the_last_of_the_older_items_went_there_are_no_more(bench: Bench) -> None:
    await bench.cache.set_policy(KEY, Policy(max_items=2))
    await kept_as(bench, "partial")
    before = await bench.read(max=2)
    await asyncio.sleep(2 * FAN_OUT)  # no listing covers what comes

    del bench.service.items_held["a"]
    bench.service.tell(retracted=("a",))
    after = await bench.read(max=2)

    assert (before.source, before.page.more) == ("cache", True)
    assert ([row.id for row in after.page.items], after.page.more) == (["b", "c"], False)


async def test_all_wanted_again_while_the_newest_are_listed_are_fetched(bench: Bench) -> None:
    await bench.cache.set_policy(KEY, Policy(max_items=2))
    await kept_as(bench, "partial")

    async def decided() -> None:
        await bench.cache.set_policy(KEY, Policy())

    bench.service.between = decided
    await bench.synchronise()
    await bench.undoubted()

    assert (await bench.read(freshness="cache")).page.count == 3


async def test_max_age_decides_how_old_a_proof_may_be(bench: Bench) -> None:
    await bench.cache.set_policy(KEY, Policy(max_age=86400))
    assert (await bench.read()).source == "cache"

    bench.service.items_held["c"] = "changed without a word"
    answer = await bench.read(format="json")

    assert answer.page.items[-1].title == "3"
    assert "transit" in answer.untold


async def test_an_item_that_may_be_old_is_not_taken_for_one_of_the_newest(bench: Bench) -> None:
    await bench.cache.set_policy(KEY, Policy(max_items=2))
    await kept_as(bench, "partial")

    bench.service.items_held["a"] = "edited in its place"
    bench.service.tell(wire("a", "edited in its place"))
    await bench.read()
    await kept_as(bench, "partial")

    assert [row.id for row in (await bench.read(max=2)).page.items] == ["b", "c"]


Changed = Callable[[dict[str, str]], object]

UNTOLD: dict[str, tuple[Changed, dict[str, object]]] = {
    "another value": (lambda held: held.update(c="other"), {"max": 2}),
    "another value, by id": (lambda held: held.update(c="other"), {"ids": ("c",)}),
    "another order": (lambda held: held.update(b=held.pop("b")), {"max": 2}),
    "a new one": (lambda held: held.update(d="4"), {"max": 2}),
    "a new one, as all are asked for": (lambda held: held.update(d="4"), {"after": "a"}),
    "one lacking": (lambda held: held.pop("c"), {"max": 2}),
    "one lacking, by id": (lambda held: held.pop("c"), {"ids": ("c",)}),
}


@pytest.mark.parametrize("case", UNTOLD)
async def test_an_answer_with_others_than_the_newest_that_are_kept_leaves_a_hole_and_they_are_listed_anew(
    bench: Bench, case: str
) -> None:
    change, options = UNTOLD[case]
    await bench.cache.set_policy(KEY, Policy(max_items=2))
    await kept_as(bench, "partial")
    holes, looked = bench.cache.statistics([KEY.account]).get("holes", 0), asyncio.Event()

    async def then() -> None:
        bench.service.between = wait  # for what is listed anew

    async def wait() -> None:
        await looked.wait()

    bench.service.between = then
    change(bench.service.items_held)
    await bench.read(freshness="service", **options)
    held = await bench.read(freshness="cache")
    looked.set()

    assert bench.cache.statistics([KEY.account])["holes"] == holes + 1
    assert (held.stale, held.reason) == (True, "the service had changes that it did not tell")
    await bench.undoubted()
    newest = await bench.read(max=2, format="json")
    assert newest.source == "cache"
    assert [(row.id, row.title) for row in newest.page.items] == list(bench.service.items_held.items())[-2:]


@pytest.mark.parametrize(
    "options", [{"max": 1}, {"max": 2}, {"max": 3}, {"ids": ("c",)}, {"ids": ("a", "x")}, {"after": "a"}]
)
async def test_an_answer_with_the_newest_as_they_are_kept_leaves_them_so(
    bench: Bench, options: dict[str, object]
) -> None:
    await bench.cache.set_policy(KEY, Policy(max_items=2))
    await kept_as(bench, "partial")
    holes, asked = bench.cache.statistics([KEY.account]).get("holes", 0), len(bench.service.asked)

    await bench.read(freshness="service", **options)
    newest = await bench.read(max=2)

    assert (newest.source, newest.stale) == ("cache", False)
    assert bench.cache.statistics([KEY.account]).get("holes", 0) == holes
    assert len(bench.service.asked) == asked + 1


@pytest.mark.parametrize(("options", "given"), [({"after": "a"}, ["b", "c"]), ({"before": "a"}, [])])
async def test_what_is_counted_from_an_item_that_is_not_among_the_newest_is_asked_for(
    bench: Bench, options: dict[str, object], given: list[str]
) -> None:
    await bench.cache.set_policy(KEY, Policy(max_items=2))
    await kept_as(bench, "partial")

    answer = await bench.read(**options)

    assert (answer.source, answer.stale, [row.id for row in answer.page.items]) == ("service", False, given)

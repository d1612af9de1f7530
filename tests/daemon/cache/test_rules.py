# SPDX-License-Identifier: MIT
"""What the table of states says beside its cells."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from pubkeep.cache.passed import IGNORED, NEGATIVE
from pubkeep.cache.reading import ASK_HIDDEN
from pubkeep.errors import Cancelled, NotAllowed, NotFound, NotSupported, TimedOut, Unavailable, UnknownObject
from pubkeep.model import NodeKey, Policy
from pubkeep.protocol import EventKind
from pubkeep.questions import ItemsRequest, NodeFilter
from tests.daemon.cache.conftest import ENTRY
from tests.daemon.cache.scripted import LATE
from tests.daemon.cache.service import KEY
from tests.daemon.cache.stage import OTHER, QUIET, Stage, play

FRIEND = NodeKey(KEY.account, "friend@localhost", KEY.node)
Scene = Callable[[Stage], Awaitable[None]]
Playing = Callable[..., None]


@pytest.fixture
def on_stage() -> Playing:
    """Plays a scene with a node in a state."""

    def playing(state: str, scene: Scene, key: NodeKey = KEY, *, items: int = 3) -> None:
        async def whole() -> None:
            stage = Stage(key, items=items)
            await stage.enter(state)
            stage.service.sent.clear()
            await scene(stage)
            await stage.close()

        play(whole)

    return playing


def rows(stage: Stage, query: str) -> list[tuple[object, ...]]:
    """What stands in the database."""
    return stage.disk.raw.execute(query).fetchall()


def last_kind(stage: Stage) -> object:
    """What the log says of the node itself, last."""
    return rows(stage, "SELECT kind FROM change WHERE item_id = '' AND node > 0 ORDER BY sequence DESC")[0][0]


# -- denied and gone ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("state", "error"), [("denied", "NotAllowed"), ("gone", "NotFound")])
def test_what_is_not_served_is_asked_for_once_a_minute(on_stage: Playing, state: str, error: str) -> None:
    async def scene(stage: Stage) -> None:
        await stage.answer()
        stage.service.sent.clear()
        for _ in range(20):
            assert await stage.answer() == error
        within = list(stage.service.sent)
        await asyncio.sleep(ASK_HIDDEN)
        assert await stage.answer() == error

        assert within == []
        assert stage.service.sent == ["newest 51"]

    on_stage(state, scene)


def test_the_log_says_how_a_node_came_and_went(on_stage: Playing) -> None:
    async def scene(stage: Stage) -> None:
        said = []
        for error in (NotAllowed("access is not allowed"), NotFound("there is no such node")):
            stage.service.error = error
            await stage.synchronise()
            said.append(last_kind(stage))
            stage.service.error = None
            await stage.answer("service")
            said.append(last_kind(stage))
            await asyncio.sleep(QUIET)

        assert said == ["hidden", "shown", "node-deleted", "node-recreated"]

    on_stage("synced", scene)


def test_a_cursor_that_is_not_found_is_no_node_that_is_gone(on_stage: Playing) -> None:
    async def scene(stage: Stage) -> None:
        stage.service.fault = lambda query: None if query.max_items == 1 else NotFound("no such item")

        job = await stage.synchronise()

        assert job.state == "failed"
        assert await stage.held() == "abc"
        assert await stage.answer("cache") == "stale"

    on_stage("synced", scene)


def test_a_notification_of_a_contacts_node_that_was_gone_has_it_fetched(on_stage: Playing) -> None:
    async def scene(stage: Stage) -> None:
        stage.cache.contacts(KEY.account, frozenset((FRIEND.service,)))
        stage.service.error = None
        stage.service.notify(items=(stage.service.item("c", "2"),))
        await asyncio.sleep(QUIET)

        assert stage.explained()["state"] == "synced"

    on_stage("gone", scene, FRIEND)


def test_a_contact_who_leaves_the_roster_is_forgotten(on_stage: Playing) -> None:
    async def scene(stage: Stage) -> None:
        stage.cache.contacts(KEY.account, frozenset((FRIEND.service,)))
        stage.service.notify(items=(stage.service.item("c", "2"),))
        await asyncio.sleep(QUIET)
        kept = stage.explained()["state"]

        stage.cache.contacts(KEY.account, frozenset())
        await asyncio.sleep(QUIET)

        assert (kept, stage.explained()["state"], await stage.held()) == ("synced", "unknown", "")
        assert not stage.service.subscribed

    on_stage("unknown", scene, FRIEND)


# -- unknown and ignored -----------------------------------------------------------------------------


def test_what_nobody_wanted_is_analysed_again_after_an_hour(on_stage: Playing) -> None:
    async def scene(stage: Stage) -> None:
        stage.clock.slept += IGNORED

        assert stage.explained()["state"] == "unknown"
        await stage.answer()
        assert stage.explained()["state"] == "ignored"

    on_stage("ignored", scene, OTHER)


def test_an_empty_node_is_analysed_at_its_first_item(on_stage: Playing) -> None:
    async def scene(stage: Stage) -> None:
        stage.service.foreign = False
        assert await stage.answer() == "asked"
        empty = stage.explained()["state"]

        stage.service.items_held["a"] = "the first"
        await stage.answer()
        await asyncio.sleep(QUIET)

        assert (empty, stage.explained()["state"]) == ("unknown", "synced")

    on_stage("unknown", scene, OTHER, items=0)


async def _event(stage: Stage) -> None:
    stage.service.notify(items=(stage.service.item("z", "new"),))
    await asyncio.sleep(0.1)


async def _write(stage: Stage) -> None:
    await stage.cache.writer.publish(stage.key, [ENTRY.format("ours")], ids=["z"])


async def _session(stage: Stage) -> None:
    stage.cut()
    stage.connect()


async def _time(stage: Stage) -> None:
    stage.clock.slept += NEGATIVE


@pytest.mark.parametrize("ends", [_event, _write, _session, _time])
def test_a_refusal_is_forgotten_when_it_may_not_hold(on_stage: Playing, ends: Scene) -> None:
    async def scene(stage: Stage) -> None:
        stage.service.error = NotAllowed("access is not allowed")
        first = await stage.answer()
        stage.service.error = None
        second = await stage.answer()
        await ends(stage)

        assert (first, second, await stage.answer()) == ("NotAllowed", "NotAllowed", "asked")

    on_stage("unknown", scene)


def test_that_nobody_answered_is_not_remembered(on_stage: Playing) -> None:
    async def scene(stage: Stage) -> None:
        stage.service.error = Unavailable("nobody answers")
        first = await stage.answer()
        stage.service.error = None

        assert (first, await stage.answer()) == ("Unavailable", "asked")

    on_stage("unknown", scene)


def test_of_a_node_that_does_not_store_nothing_is_stored(on_stage: Playing) -> None:
    async def scene(stage: Stage) -> None:
        stage.service.error = NotSupported("persistent-items")
        await stage.synchronise()
        await _event(stage)
        told = (stage.explained()["state"], await stage.held(), await stage.answer("cache"))

        stage.service.error = None
        stage.service.notify(EventKind.CONFIGURATION)
        await asyncio.sleep(QUIET)

        assert told == ("ignored", "", "Unavailable")
        assert (stage.explained()["state"], await stage.held()) == ("synced", "abc")

    on_stage("synced", scene)


def test_what_is_told_of_a_node_that_stored_nothing_is_not_stored_before_a_list_shows_that_it_does(
    on_stage: Playing,
) -> None:
    async def scene(stage: Stage) -> None:
        stage.service.error = NotSupported("persistent-items")
        await stage.synchronise()

        stage.service.error = TimedOut("no answer within 20 s")
        stage.service.notify(EventKind.CONFIGURATION)
        await asyncio.sleep(QUIET)
        await _event(stage)

        assert (stage.explained()["state"], await stage.held()) == ("ignored", "")

    on_stage("synced", scene)


def test_who_is_told_that_a_node_stores_nothing_or_stores_again_tells_the_copy(on_stage: Playing) -> None:
    async def scene(stage: Stage) -> None:
        stage.service.error = NotSupported("persistent-items")
        refused = await stage.answer("service")
        await asyncio.sleep(QUIET)
        off = (refused, stage.explained()["state"], await stage.held())

        stage.service.error = None
        listed = await stage.answer()
        await asyncio.sleep(QUIET)

        assert off == ("NotSupported", "ignored", "")
        assert (listed, stage.explained()["state"], await stage.held()) == ("asked", "synced", "abc")

    on_stage("synced", scene)


def test_what_is_published_to_a_node_that_stores_nothing_is_not_stored(on_stage: Playing) -> None:
    async def scene(stage: Stage) -> None:
        stage.service.error = NotSupported("persistent-items")
        await stage.synchronise()

        stage.service.error = None
        await stage.cache.writer.publish(KEY, [ENTRY.format("z")], ids=["z"])

        assert (stage.explained()["state"], await stage.held()) == ("ignored", "")

    on_stage("synced", scene)


@pytest.mark.parametrize(
    "field", ["consistent-items", "pubsub#consistent-items", "{urn:xmpp:pubsub-cache:0}consistent-items"]
)
def test_a_node_whose_items_differ_from_reader_to_reader_is_passed_through(on_stage: Playing, field: str) -> None:
    async def scene(stage: Stage) -> None:
        stage.service.metadata = {field: "false"}
        stage.service.notify(EventKind.CONFIGURATION)
        await asyncio.sleep(QUIET)

        assert (stage.explained()["state"], await stage.held()) == ("ignored", "")
        assert await stage.answer() == "asked"

    on_stage("synced", scene)


@pytest.mark.parametrize("field", ["alway-notify", "always-notify", "pubsub#always-notify"])
@pytest.mark.parametrize("value", ["1", "true"])
def test_a_promise_to_notify_always_counts_in_each_spelling(on_stage: Playing, field: str, value: str) -> None:
    async def scene(stage: Stage) -> None:
        before = (await stage.read()).untold
        stage.service.metadata = {field: value}
        stage.service.notify(EventKind.CONFIGURATION)
        await asyncio.sleep(QUIET)
        after = (await stage.read()).untold

        assert set(before) - set(after) == {"retract", "purge", "trim"}

    on_stage("synced", scene)


# -- what is kept ------------------------------------------------------------------------------------


def test_an_approved_subscription_makes_it_synced(on_stage: Playing) -> None:
    async def scene(stage: Stage) -> None:
        stage.service.subscription = "pending"
        stage.service.notify(EventKind.SUBSCRIPTION, subscription="pending")
        await asyncio.sleep(QUIET)
        waiting = (stage.explained()["doubt"], "subscribe" in stage.service.sent)

        stage.service.subscription = "subscribed"
        stage.service.notify(EventKind.SUBSCRIPTION, subscription="subscribed")
        await asyncio.sleep(QUIET)

        assert waiting == ("not subscribed (pending)", False)
        assert stage.explained()["state"] == "synced"

    on_stage("synced", scene)


def test_a_subscription_that_is_listed_no_more_is_made_again_once_and_then_the_node_is_polled(
    on_stage: Playing,
) -> None:
    async def scene(stage: Stage) -> None:
        states = []
        for _ in range(2):
            stage.service.subscribed = False  # and nobody is told
            await stage.read(max_age=0)
            await asyncio.sleep(QUIET)
            states.append((stage.explained()["state"], await stage.answer()))

        assert states == [("synced", "copy"), ("stale", "asked")]
        assert stage.service.sent.count("subscribe") == 1
        assert "ended again by somebody else" in str(stage.explained()["words"])

    on_stage("synced", scene)


def test_a_proof_that_is_too_old_is_renewed_when_somebody_reads(on_stage: Playing) -> None:
    async def scene(stage: Stage) -> None:
        await asyncio.sleep(QUIET)
        nobody = list(stage.service.sent)
        await stage.answer()
        await asyncio.sleep(QUIET)

        assert "items" not in nobody
        assert stage.explained()["state"] == "synced"

    on_stage("stale", scene)


@pytest.mark.parametrize(
    ("what", "state", "error"),
    [
        ("delete", "failed", NotFound),
        ("refusal", "failed", NotAllowed),
        ("policy", "cancelled", Cancelled),
        ("forget", "cancelled", Cancelled),
    ],
)
def test_how_a_job_ends_that_something_comes_in_between(
    on_stage: Playing, what: str, state: str, error: type[Exception]
) -> None:
    async def scene(stage: Stage) -> None:
        job = await stage.cache.synchronise(stage.key)
        await asyncio.sleep(1.5 * LATE)
        match what:
            case "delete":
                stage.service.error = NotFound("there is no such node")
                stage.service.notify(EventKind.DELETE)
            case "refusal":
                stage.service.error = NotAllowed("access is not allowed")
            case "policy":
                await stage.cache.set_policy(stage.key, Policy("never"))
            case "forget":
                await stage.cache.writer.drop(stage.key)

        await stage.ended(job)

        assert (job.state, type(job.error)) == (state, error)

    on_stage("synced", scene)


def test_a_node_that_seems_emptied_is_in_doubt_until_it_was_listed_twice(on_stage: Playing) -> None:
    async def scene(stage: Stage) -> None:
        stage.service.items_held.clear()
        job = await stage.cache.synchronise(stage.key)
        await asyncio.sleep(3 * LATE)  # listed once
        between = (stage.explained()["doubt"], await stage.answer("cache"), await stage.held())
        first = stage.clock.boottime()
        await stage.ended(job)

        assert between == ("all items were gone without a word", "stale", "abcdefghijkl")
        assert stage.clock.boottime() - first > 1  # D later
        assert await stage.held() == ""

    on_stage("synced", scene, items=12)


def test_of_ids_of_which_nobody_can_be_asked_the_answer_says_so(on_stage: Playing) -> None:
    async def scene(stage: Stage) -> None:
        known = await stage.cache.get_items(KEY, ItemsRequest(ids=("a", "q")))
        stage.cut()
        alone = await stage.cache.get_items(KEY, ItemsRequest(ids=("a", "q")))

        assert ([row.id for row in known.page.items], known.page.unknown, known.page.complete) == (["a"], (), True)
        assert ([row.id for row in alone.page.items], alone.page.unknown, alone.page.complete) == (["a"], ("q",), False)

    on_stage("synced", scene)


def test_a_removed_account_leaves_nothing_and_takes_nothing(on_stage: Playing) -> None:
    async def scene(stage: Stage) -> None:
        under_way = asyncio.create_task(stage.answer("service"))
        await asyncio.sleep(LATE / 2)
        await stage.cache.close_account(KEY.account)
        await stage.store.remove_account(1)
        await _event(stage)
        await under_way

        assert rows(stage, "SELECT number FROM item UNION SELECT number FROM node") == []

    on_stage("synced", scene)


def test_what_is_being_forgotten_while_its_account_is_removed_leaves_nothing(on_stage: Playing) -> None:
    async def scene(stage: Stage) -> None:
        stage.service.mute = True
        where = NodeFilter(KEY.account, KEY.service, KEY.node)
        under_way = asyncio.create_task(stage.cache.forget(where, [KEY.account]))
        await asyncio.sleep(LATE / 2)
        await stage.cache.close_account(KEY.account)
        stage.cut()
        await stage.store.remove_account(1)

        assert await under_way == 0
        assert rows(stage, "SELECT number FROM node") == []

    on_stage("synced", scene)


def test_who_reads_a_node_for_the_first_time_while_its_account_is_removed_keeps_nothing(on_stage: Playing) -> None:
    async def scene(stage: Stage) -> None:
        under_way = asyncio.create_task(stage.answer("service"))
        await asyncio.sleep(LATE / 2)
        await stage.cache.close_account(KEY.account)
        answer = await under_way
        await stage.store.remove_account(1)
        with pytest.raises(UnknownObject, match="the account was removed"):
            await stage.cache.set_policy(KEY, Policy("always"))

        assert answer == "UnknownObject"
        assert stage.cache.get_nodes(NodeFilter(), [KEY.account]) == []

    on_stage("unknown", scene)

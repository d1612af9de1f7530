# SPDX-License-Identifier: MIT
"""A confirmed write is seen by the next read, a refused one changes nothing, an unanswered one is asked for."""

import asyncio
import gc

import pytest

from pubkeep.cache.sampling import PAYLOADS
from pubkeep.cache.writing import PUBLISH_OPTIONS
from pubkeep.errors import Conflict, InvalidArgs, NotAllowed, NotFound, NotSupported, TimedOut
from pubkeep.model import NodeChange
from pubkeep.protocol import EventKind, FieldValue
from pubkeep.questions import ItemsRequest
from tests.daemon.cache.conftest import ENTRY, FAN_OUT, Bench
from tests.daemon.cache.service import KEY, wire

PRIVATE: dict[str, FieldValue] = {"pubsub#access_model": "whitelist", "pubsub#persist_items": True}


def posts(*titles: str) -> list[str]:
    return [ENTRY.format(title) for title in titles]


# ---- items -------------------------------------------------------------------------------------


async def test_a_failed_publish_says_what_is_stored_and_sends_no_more(bench: Bench) -> None:
    bench.service.refused = ("y",)

    with pytest.raises(NotAllowed, match=r"not allowed \(stored: x; y is not stored\)$"):
        await bench.cache.writer.publish(KEY, posts("1", "2", "3"), ids=["x", "y", "z"])

    assert list(bench.service.items_held) == ["a", "b", "c", "x"]
    assert await bench.state() == ("cache", [("a", "1"), ("b", "2"), ("c", "3"), ("x", "1")])


async def test_a_refused_publish_changes_nothing(bench: Bench) -> None:
    bench.service.refused = ("a",)
    before = await bench.state()

    with pytest.raises(NotAllowed, match=r"\(nothing is stored\)$"):
        await bench.cache.writer.publish(KEY, posts("other"), ids=["a"])

    assert await bench.state() == before


async def test_a_failed_retraction_says_what_is_retracted_and_sends_no_more(bench: Bench) -> None:
    bench.service.refused = ("b",)

    with pytest.raises(NotAllowed, match=r"\(retracted: a; b is not retracted\)$"):
        await bench.cache.writer.retract(KEY, ["a", "b", "c"])

    assert await bench.state() == ("cache", [("b", "2"), ("c", "3")])


@pytest.mark.parametrize("silent", ["lost", "done"])
async def test_a_publish_without_an_answer_leaves_its_id_to_be_asked_for(bench: Bench, silent: str) -> None:
    bench.service.silent = "done" if silent == "done" else "lost"

    with pytest.raises(TimedOut, match=r"\(x may be stored\)$"):
        await bench.cache.writer.publish(KEY, posts("1"), ids=["x"])
    source, rows = await bench.state()

    assert source == "service"
    assert rows == list(bench.service.items_held.items())
    await bench.settled()


@pytest.mark.parametrize("silent", ["lost", "done"])
async def test_a_retraction_without_an_answer_leaves_its_id_to_be_asked_for(bench: Bench, silent: str) -> None:
    bench.service.silent = "done" if silent == "done" else "lost"

    with pytest.raises(TimedOut, match=r"\(a may be retracted\)$"):
        await bench.cache.writer.retract(KEY, ["a"])

    assert (await bench.read(ids=("a",))).source == "service"
    assert (await bench.read(ids=("b",))).source == "cache"
    await bench.settled()


async def test_a_retraction_that_finds_nothing_shows_that_we_held_what_is_gone(bench: Bench) -> None:
    del bench.service.items_held["b"]

    with pytest.raises(NotFound, match=r"\(nothing is retracted\)$"):
        await bench.cache.writer.retract(KEY, ["b"])

    assert (await bench.read(ids=("b",))).source == "service"
    await bench.settled()


async def test_what_others_were_refused_during_a_publish_is_not_remembered_after_it(bench: Bench) -> None:
    other = KEY._replace(node="other")
    bench.service.deleted = True

    async def asked() -> None:
        with pytest.raises(NotFound):
            await bench.cache.get_items(other, ItemsRequest())
        bench.service.deleted = False

    bench.service.between = asked
    await bench.cache.writer.publish(other, posts("1"), ids=["x"])
    answer = await bench.cache.get_items(other, ItemsRequest(ids=("x",)))

    assert [row.id for row in answer.page.items] == ["x"]


async def test_our_own_publish_told_under_our_name_is_no_other_write(bench: Bench) -> None:
    async def told() -> None:
        bench.service.tell(wire("x", "ours", publisher=KEY.account))

    bench.cache._known.link(KEY.account, KEY.service).show((PAYLOADS,))  # else the first that is told is asked for
    await asyncio.sleep(4 * FAN_OUT)  # the window of the first listing is over
    bench.service.between = told
    await bench.cache.writer.publish(KEY, posts("ours"), ids=["x"])
    answer = await bench.read(ids=("x",), format="json")

    assert (answer.source, answer.page.items[0].title) == ("cache", "ours")
    assert answer.page.items[0].publisher == KEY.account


async def test_what_another_program_has_changed_since_is_not_overwritten(bench: Bench) -> None:
    sequence = bench.cache.sequence
    bench.service.publish_elsewhere("a", "theirs")
    await bench.service.drained(KEY)

    with pytest.raises(Conflict, match="'a': it changed here after"):
        await bench.cache.writer.publish(KEY, posts("ours"), ids=["a"], if_sequence=sequence)
    assert bench.service.writes == 0
    await bench.cache.writer.publish(KEY, posts("ours"), ids=["a"], if_sequence=bench.cache.sequence)

    assert bench.service.items_held["a"] == "ours"


# ---- publish-options ---------------------------------------------------------------------------


async def test_options_that_the_service_does_not_offer_are_refused_before_anything_is_sent(bench: Bench) -> None:
    with pytest.raises(NotSupported, match=r"does not offer publish-options.*\(nothing is stored\)$"):
        await bench.cache.writer.publish(KEY, posts("secret"), publish_options=PRIVATE)

    assert bench.service.writes == 0


async def test_options_that_were_not_honoured_are_a_conflict_that_says_what_is_stored(bench: Bench) -> None:
    bench.service.features = frozenset({PUBLISH_OPTIONS})
    bench.service.form = {"pubsub#access_model": "open", "pubsub#persist_items": True}

    with pytest.raises(Conflict, match=r"pubsub#access_model of the node is open, not whitelist \(stored: x\)$"):
        await bench.cache.writer.publish(KEY, posts("1", "2"), ids=["x", "y"], publish_options=PRIVATE)

    assert "y" not in bench.service.items_held
    assert (await bench.read(ids=("x",))).source == "cache"


async def test_options_that_the_configuration_does_not_show_are_a_conflict(bench: Bench) -> None:
    bench.service.features = frozenset({PUBLISH_OPTIONS})
    bench.service.form = {"pubsub#access_model": "open"}

    with pytest.raises(Conflict, match=r"pubsub#secret of the node is not to be seen"):
        await bench.cache.writer.publish(KEY, posts("1"), publish_options={"pubsub#secret": True})


async def test_honoured_options_go_with_each_item_whatever_type_the_form_has(bench: Bench) -> None:
    bench.service.features = frozenset({PUBLISH_OPTIONS})
    bench.service.form = {"pubsub#access_model": "whitelist", "pubsub#persist_items": True, "pubsub#max_items": "256"}
    options: dict[str, FieldValue] = {
        "pubsub#access_model": "whitelist",
        "pubsub#persist_items": "true",
        "pubsub#max_items": "max",
    }

    await bench.cache.writer.publish(KEY, posts("1", "2"), publish_options=options)

    assert bench.service.options == [options, options]


async def test_options_for_a_node_of_others_are_the_services_word(bench: Bench) -> None:
    bench.service.features = frozenset({PUBLISH_OPTIONS})

    assert await bench.cache.writer.publish(KEY, posts("1"), ids=["x"], publish_options=PRIVATE) == ("x",)


# ---- nodes -------------------------------------------------------------------------------------


async def test_a_purge_is_seen_by_the_next_read_and_verified(bench: Bench) -> None:
    changes: list[NodeChange] = []
    bench.cache.listeners.append(changes.append)

    await bench.cache.nodes.purge(KEY)

    assert (await bench.read(freshness="cache")).page.items == ()
    assert (await bench.state())[1] == []
    assert [(c.what, c.retracted) for c in changes if c.what == "purged"] == [("purged", ("a", "b", "c"))]
    await bench.settled()


async def test_a_purge_that_is_told_before_its_answer_is_one_change(bench: Bench) -> None:
    changes: list[NodeChange] = []
    bench.cache.listeners.append(changes.append)

    async def told() -> None:
        bench.service.tell(kind=EventKind.PURGE)

    bench.service.between = told
    await bench.cache.nodes.purge(KEY)

    assert [c.what for c in changes].count("purged") == 1
    await bench.settled()


async def test_what_others_publish_during_a_purge_is_asked_for(bench: Bench) -> None:
    async def overtaken() -> None:
        bench.service.publish_elsewhere("new", "4")

    bench.service.between = overtaken
    await bench.cache.nodes.purge(KEY)

    assert await bench.state() == ("service", [("new", "4")])
    await bench.settled()


@pytest.mark.parametrize("silent", ["lost", "done"])
async def test_a_purge_without_an_answer_leaves_the_node_to_be_verified(bench: Bench, silent: str) -> None:
    bench.service.silent = "done" if silent == "done" else "lost"

    with pytest.raises(TimedOut):
        await bench.cache.nodes.purge(KEY)
    held = await bench.read(freshness="cache")

    assert (held.stale, held.reason) == (True, "a purge was not answered")
    await bench.settled()


async def test_a_deletion_without_an_answer_leaves_the_node_to_be_verified(bench: Bench) -> None:
    bench.service.silent = "lost"

    with pytest.raises(TimedOut):
        await bench.cache.nodes.delete(KEY)

    assert (await bench.read(freshness="cache")).reason == "a deletion was not answered"
    await bench.settled()


async def test_a_changed_configuration_is_told_and_the_node_verified(bench: Bench) -> None:
    bench.service.form = {"pubsub#title": "Old", "pubsub#persist_items": True}
    changes: list[NodeChange] = []
    bench.cache.listeners.append(changes.append)

    await bench.cache.nodes.configure(KEY, {"pubsub#title": "New"})

    assert await bench.cache.nodes.configuration(KEY) == {"pubsub#title": "New", "pubsub#persist_items": True}
    assert (await bench.read(freshness="cache")).reason == "its configuration was changed by you"
    assert "configured" in [change.what for change in changes]
    await bench.settled()


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "nothing to change"),
        (
            {"pubsub#nonsense": "x"},
            "'pubsub#nonsense': there is no such field; there are pubsub#title, .*pubsub#persist_items",
        ),
        ({"pubsub#title": True}, "'pubsub#title': it is of type s here"),
        ({"pubsub#persist_items": "1"}, "'pubsub#persist_items': it is of type b here"),
    ],
)
async def test_fields_that_the_form_does_not_have_are_not_sent(
    bench: Bench, fields: dict[str, FieldValue], words: str
) -> None:
    bench.service.form = {"pubsub#title": "Old", "pubsub#persist_items": True}

    with pytest.raises(InvalidArgs, match=words):
        await bench.cache.nodes.configure(KEY, fields)

    assert bench.service.writes == 0
    assert (await bench.state())[0] == "cache"


async def test_a_field_that_the_form_leaves_out_while_it_has_no_value_can_be_set(bench: Bench) -> None:
    bench.service.form = {"pubsub#persist_items": True}

    await bench.cache.nodes.configure(KEY, {"pubsub#title": "New"})

    assert await bench.cache.nodes.configuration(KEY) == {"pubsub#title": "New", "pubsub#persist_items": True}
    with pytest.raises(InvalidArgs, match="'pubsub#contact': it is of type as here"):
        await bench.cache.nodes.configure(KEY, {"pubsub#contact": "romeo@localhost"})


async def test_a_field_that_is_ignored_without_a_word_is_not_taken_for_set(bench: Bench) -> None:
    bench.service.form, bench.service.deaf = {"pubsub#persist_items": True}, ("pubsub#language",)

    with pytest.raises(NotSupported, match=r"'pubsub#language': .* did not take it; all else is changed"):
        await bench.cache.nodes.configure(KEY, {"pubsub#language": "de", "pubsub#persist_items": False})

    assert bench.service.form == {"pubsub#persist_items": False}
    assert (await bench.read(freshness="cache")).reason == "its configuration was changed by you"


async def test_affiliations_are_checked_and_our_own_makes_the_node_be_verified(bench: Bench) -> None:
    with pytest.raises(InvalidArgs, match="'king' is not one of owner, publisher"):
        await bench.cache.nodes.set_affiliations(KEY, {"bob@localhost": "king"})
    with pytest.raises(InvalidArgs, match="nothing to change"):
        await bench.cache.nodes.set_affiliations(KEY, {})
    await bench.cache.nodes.set_affiliations(KEY, {"bob@localhost": "publisher"})
    others = await bench.state()
    await bench.cache.nodes.set_affiliations(KEY, {KEY.account: "none"})

    assert others[0] == "cache"
    assert (await bench.read(freshness="cache")).reason == "your affiliation was changed by you"
    await bench.settled()


async def test_a_node_that_lists_nothing_to_us_may_still_say_what_it_is(bench: Bench) -> None:
    denied = await bench.cache.nodes.discover(KEY)
    bench.service.form = {"pubsub#title": "Mine"}
    listed = await bench.cache.nodes.discover(KEY)
    bench.service.deleted = True

    assert (denied.entries, denied.refused) == ((), "only the owner may list it")
    assert [entry.name for entry in listed.entries] == ["a", "b", "c"]
    with pytest.raises(NotFound):
        await bench.cache.nodes.discover(KEY)


# ---- subscriptions -----------------------------------------------------------------------------


async def test_an_account_goes_also_where_its_subscriptions_cannot_be_ended(bench: Bench) -> None:
    bench.service.stuck = True

    await bench.cache.close_account(KEY.account)

    assert bench.cache.explain(KEY)["state"] == "unknown"


async def test_what_happened_without_a_subscription_is_looked_for_when_there_is_one_again(bench: Bench) -> None:
    await bench.cache.writer.unsubscribe(KEY)
    bench.service.publish_elsewhere("d", "4", told=False)

    await bench.cache.writer.subscribe(KEY)
    answer = await bench.read(format="json", freshness="cache")

    assert (answer.stale, answer.reason) == (True, "not subscribed until now")
    await bench.settled()


async def test_a_subscription_that_may_be_over_is_not_relied_upon(bench: Bench) -> None:
    bench.service.silent = "lost"

    with pytest.raises(TimedOut):
        await bench.cache.writer.unsubscribe(KEY)

    assert (await bench.read(freshness="cache")).stale
    await bench.settled()


async def test_a_subscription_that_could_not_be_ended_is_ended_in_the_next_session(bench: Bench) -> None:
    bench.cache.session_lost(KEY.account)
    bench.service.online = False
    await bench.cache.writer.drop(KEY)
    left = await bench.store.leftovers(KEY.account), bench.service.subscribed

    bench.service.online = True
    bench.cache.session_started(KEY.account)
    async with asyncio.timeout(10):
        while await bench.store.leftovers(KEY.account):
            await asyncio.sleep(0.01)

    assert left == ([KEY], True)
    assert not bench.service.subscribed


async def test_a_subscription_left_behind_stays_where_the_node_is_wanted_again(bench: Bench) -> None:
    bench.cache.session_lost(KEY.account)
    bench.service.online = False
    await bench.cache.writer.drop(KEY)
    bench.service.online = True
    await bench.read(freshness="service")

    bench.cache.session_started(KEY.account)
    await bench.settled()

    assert bench.service.subscribed
    assert await bench.store.leftovers(KEY.account) == []


async def test_a_full_disk_at_a_new_session_puts_off_what_is_left_over(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    await bench.store.save_leftover(KEY, left=True)

    bench.store.fail = True
    await bench.reconnect()
    await bench.settled()
    first = await bench.store.leftovers(KEY.account)
    await bench.reconnect()
    async with asyncio.timeout(10):
        while await bench.store.leftovers(KEY.account):
            await asyncio.sleep(0.01)

    gc.collect()
    assert first == [KEY]
    assert [record.name for record in caplog.records] == ["pubkeep.cache.cache"]


async def test_a_publish_that_is_confirmed_while_the_rows_of_a_node_go_leaves_no_row_of_a_node_that_is_gone(
    bench: Bench,
) -> None:
    dropped = asyncio.Event()

    async def drop_slowly() -> None:
        dropped.set()
        await asyncio.sleep(FAN_OUT)

    bench.store.after_forgetting = drop_slowly
    bench.service.deleted = True
    reading = asyncio.create_task(bench.read(freshness="service"))
    await dropped.wait()
    bench.service.deleted, bench.service.items_held = False, {}
    await bench.cache.writer.publish(KEY, posts("new"), ids=["new"])
    with pytest.raises(NotFound):
        await reading
    gone = bench.cache.explain(KEY)["state"] == "gone"
    await bench.settled()

    assert not gone

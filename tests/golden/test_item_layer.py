# SPDX-License-Identifier: MIT
"""What the real servers sent, through our reader to values, and through GetItems to what it means everywhere."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from pubkeep import payload
from pubkeep.analysers.registry import Registry
from pubkeep.cache.cache import Cache
from pubkeep.clock import Clock
from pubkeep.config import CacheSettings
from pubkeep.errors import NotAllowed, NotFound, NotSupported, PubkeepError, Refused, Unavailable
from pubkeep.model import NodeKey
from pubkeep.protocol import EventKind, ItemsQuery, Listing, NodeEvent
from pubkeep.questions import Answer, ItemsRequest
from pubkeep.storage.store import Store
from pubkeep.sync.jobs import Jobs
from pubkeep.xmpp import events
from tests.golden.comparing import element
from tests.golden.essence import essence
from tests.golden.recording import GOT, Recording, load
from tests.golden.replay import ACCOUNT, Reader, Replay
from tests.golden.requests import RSM, SERVICE
from tests.golden.script import STEPS
from tests.golden.steps import BOB, LOUD, MANY, NEWS
from tests.simulation.oracle import part

SERVERS = ("prosody", "ejabberd", "ejabberd-sql")
PUBSUB, SET = "{http://jabber.org/protocol/pubsub}", f"{{{RSM}}}set"
KEY = NodeKey(ACCOUNT, SERVICE, NEWS)


class Nobody:
    """Wants to know nothing of the way to a service."""

    def answered(self, account: str, service: str, sent_at: float) -> None: ...

    def path_lost(self, account: str, service: str) -> None: ...


@pytest.fixture(params=SERVERS)
def recording(request: pytest.FixtureRequest) -> Recording:
    """Of each server."""
    return load(request.param)


# -- events --------------------------------------------------------------------------------------


def told(recording: Recording, words: str) -> list[NodeEvent]:
    """The events that carol got in this step, read by us."""
    reader = Reader(recording.head)
    messages = [each for each in recording.got(words, "carol") if each.startswith("<message")]
    return [event for each in messages for event in events.read(reader.read(each), ACCOUNT, 0.0)]


def in_words(event: NodeEvent) -> str:
    """As essence.py says it, which reads the same with other means."""
    late = " late" if event.delayed else ""
    if event.kind is not EventKind.ITEMS:
        return f"{event.kind.value}{late}"
    items = " ".join(f"{item.id}={''.join(item.element.itertext())}" for item in event.items)
    return (f"retracted {' '.join(event.retracted)}" if event.retracted else f"published {items}") + late


def test_every_event_is_read_as_what_it_is(recording: Recording) -> None:
    number = 0
    for words in recording.steps:
        messages = [each for each in recording.got(words, "carol") if each.startswith("<message")]

        assert [in_words(event) for event in told(recording, words)] == [
            essence(element(recording.head, each)) for each in messages
        ]
        number += len(messages)
    assert number > 40


@pytest.mark.parametrize("name", SERVERS)
def test_events_say_what_each_server_tells(name: str) -> None:
    recording = load(name)

    def kinds(words: str) -> list[tuple[EventKind, str]]:
        return [(event.kind, event.node.node) for event in told(recording, words)]

    prosody = name == "prosody"
    assert kinds("bob purges") == [(EventKind.PURGE, MANY)]
    assert kinds("bob deletes") == ([(EventKind.DELETE, MANY)] if prosody else [])
    assert kinds("bob changes the configuration") == ([] if prosody else [(EventKind.CONFIGURATION, MANY)])
    assert [event.subscription for event in told(recording, "bob ends her subscription")] == (
        [] if prosody else ["none"]
    )
    assert [payload.first_child(e.items[0].element) for e in told(recording, "bob publishes a mere notice")] == [None]
    [retraction] = told(recording, "bob retracts with notice")
    assert (retraction.node, retraction.retracted) == (KEY, ("a",))
    trimmed = [event.retracted for event in told(recording, "bob publishes after lowering") if event.retracted]
    assert trimmed == {"prosody": [], "ejabberd": [("m4m3m2",)], "ejabberd-sql": [("m3m4m2",)]}[name]
    [ordinary] = told(recording, "bob publishes an ordinary message")
    assert (ordinary.node.node, ordinary.items[0].id, ordinary.delayed) == (LOUD, "l6", False)
    assert [event.node.service for event in told(recording, "bob retracts at home")] == [BOB]
    last = told(recording, "carol subscribes and sees the last item")
    assert [event.delayed for event in last] == ([] if prosody else [True])


def test_a_payload_is_what_was_sent_wherever_it_comes_from(recording: Recording) -> None:
    [published] = told(recording, "bob publishes namespaces")
    sent = element(recording.head, recording.sent("bob publishes namespaces")).find(f".//{PUBSUB}item")
    answer = Reader(recording.head).read(recording.got("carol gets the rich one", "carol")[0])
    got = answer.find(f".//{PUBSUB}item")
    assert sent is not None
    assert got is not None

    texts = [payload.to_xml(payload.first_child(each)) for each in (published.items[0].element, got)]

    assert [ET.canonicalize(text, rewrite_prefixes=True) for text in texts] == [
        ET.canonicalize(ET.tostring(sent[0], encoding="unicode"), rewrite_prefixes=True)
    ] * 2
    kept = ["xmlns:x=" in each for each in recording.got("bob publishes namespaces", "carol")]
    assert ["xmlns:x=" in text for text in texts] == kept * 2  # the value of an attribute names it; Prosody loses it


# -- answers -------------------------------------------------------------------------------------


def asked(recording: Recording) -> Iterator[tuple[str, NodeKey, ItemsQuery]]:
    """Each `<items/>` request of carol that our client could have sent."""
    for step in STEPS:
        iq = element(recording.head, recording.sent(step.words)) if step.stanza.startswith("<iq") else None
        items = iq.find(f"{PUBSUB}pubsub/{PUBSUB}items") if iq is not None else None
        if iq is None or items is None or step.who != "carol" or iq.get("type") != "get" or not items.get("node"):
            continue
        rsm = iq.find(f"{PUBSUB}pubsub/{SET}")
        if len(iq[0]) > 1 + (rsm is not None):
            continue  # with an order
        page = {each.tag.partition("}")[2]: each.text or "" for each in rsm} if rsm is not None else {}
        numbers = [page.get("max", "0"), items.get("max_items", "0")]
        if (
            page.keys() - {"max", "after"}
            or (rsm is not None and "max" not in page)
            or not all(number.isdecimal() for number in numbers)
        ):
            continue
        limit = int(items.get("max_items", "0")) if "max_items" in items.attrib else None
        ids = tuple(each.get("id", "") for each in items)
        query = ItemsQuery(ids, limit, int(page["max"]) if page else None, page.get("after"))
        yield step.words, NodeKey(ACCOUNT, iq.get("to", ""), items.get("node", "")), query


async def test_every_answer_is_read_as_what_it_is(recording: Recording) -> None:
    read = 0
    for words, key, query in asked(recording):
        replay = Replay(recording, [words], Nobody())

        async def keep(listing: Listing) -> Listing:
            return listing

        try:
            listing = await replay.client(ACCOUNT).items(key, query, keep)
        except PubkeepError:
            said = ""
        else:
            rsm = listing.rsm
            edges = f" from {rsm.index}" if rsm and rsm.first is not None else ""
            said = "items " + " ".join(f"{item.id}={''.join(item.element.itertext())}" for item in listing.items)
            said += f" |{edges} of {rsm.count}" if rsm else ""
        [answer] = (line for line in recording.steps[words] if line.way == GOT and line.stanza.startswith("<iq"))
        real = essence(element(recording.head, answer.stanza))

        assert said == ("" if real.startswith("error") else real), words
        read += 1
        await replay.inbox.close()
    assert read > 50


REFUSED: dict[str, tuple[type[PubkeepError], ...]] = {
    "carol gets a missing node": (NotFound,) * 3,
    "carol gets an item of a missing node": (NotFound,) * 3,
    "carol pages a missing node": (NotFound,) * 3,
    "carol gets as outcast": (NotAllowed,) * 3,
    "carol gets the newest as outcast": (NotAllowed,) * 3,
    "carol gets as stranger": (NotAllowed,) * 3,
    "carol gets without approval": (NotAllowed,) * 3,
    "carol gets what is not stored": (NotSupported, *[PubkeepError] * 2),
    "carol gets from a stranger": (NotAllowed,) * 3,
    "carol gets from nobody": (NotAllowed, NotFound, NotFound),
    "carol asks for a missing node of a contact": (NotFound,) * 3,
    "carol gets a deleted node of a contact": (NotFound,) * 3,
    "carol asks a component that is down": (Unavailable,) * 3,
    "carol asks a host that is not there": (Unavailable,) * 3,
    "carol asks a client that is not there": (Unavailable,) * 3,
}
"""What carol's refusals mean; PubkeepError: it is answered there."""


@pytest.mark.parametrize(("number", "name"), list(enumerate(SERVERS)))
async def test_every_refusal_means_what_the_daemon_takes_it_for(number: int, name: str) -> None:
    recording = load(name)
    found: dict[str, type[PubkeepError]] = {}
    for words, key, query in asked(recording):
        replay = Replay(recording, [words], Nobody())

        async def take(_: Listing) -> None: ...

        try:
            await replay.client(ACCOUNT).items(key, query, take)
        except PubkeepError as error:
            found[words] = type(error)
        await replay.inbox.close()

    expected = {words: kinds[number] for words, kinds in REFUSED.items() if kinds[number] is not PubkeepError}
    later = {"carol gets from outside", "carol gets after the deletion", "carol pages after nothing"}
    assert {words: kind for words, kind in found.items() if words not in later} == expected
    assert all(found[words] in (NotAllowed, NotFound, Refused) for words in later & found.keys())


# -- GetItems ------------------------------------------------------------------------------------

QUIET = [step.words for step in STEPS]
QUIET = QUIET[QUIET.index("carol gets all") : QUIET.index("carol retracts without a right")]
"""Steps in which nothing changes: their answers are of one list."""
REQUESTS = {
    "nothing": ItemsRequest(),
    "none": ItemsRequest(max=0),
    **{f"the newest {number}": ItemsRequest(max=number) for number in (1, 2, 7, 8, 10, 11, 50)},
    "by ids": ItemsRequest(ids=("c", "nothing", "b")),
    "by an id twice": ItemsRequest(ids=("b", "c", "b")),
    "in another order": ItemsRequest(ids=("f", "b", "d")),
    "by unknown ids": ItemsRequest(ids=("nothing", "nowhere")),
    "before nothing": ItemsRequest(before="", max=2),
    "after nothing": ItemsRequest(after="", max=2),
    **{f"before {each}": ItemsRequest(before=each, max=2) for each in ("a", "b", "c", "g", "nothing")},
    **{f"after {each}": ItemsRequest(after=each, max=3) for each in ("a", "b", "c", "g", "nothing")},
    **{f"from position {each}": ItemsRequest(index=each, max=3) for each in (0, 2, 7, 8, 10, 11, 99)},
    "none after": ItemsRequest(after="c", max=0),
    "by creation": ItemsRequest(order="creation", max=2),
}


@pytest.fixture
async def cache(recording: Recording, tmp_path: Path) -> AsyncIterator[Cache]:
    """A cache over a recorded service, of which nobody wants anything kept."""
    clock = Clock()
    store = await Store.open(tmp_path / "pubkeep.db", clock)
    replay = Replay(recording, QUIET, Nobody())
    cache = Cache(store, replay, Registry(), Jobs(clock), clock, CacheSettings())
    link = cache._known.link(ACCOUNT, SERVICE)
    info = recording.got("carol asks what the service is", "carol")[0]
    link.learn(rsm=f"'{RSM}'" in info)
    yield cache
    await replay.inbox.close()
    await cache.close()
    await store.close()


async def test_get_items_gives_the_part_that_is_named_whatever_the_service_makes_of_it(
    recording: Recording, cache: Cache
) -> None:
    listed = element(recording.head, recording.got("carol gets all", "carol")[0])
    everything = [(item.get("id", ""), "".join(item.itertext())) for item in listed.iter(f"{PUBSUB}item")]
    for words, request in REQUESTS.items():
        expected = part(everything, request)

        answer = await _answered(cache, request)

        if isinstance(answer, PubkeepError):
            refused = NotFound if expected is None else NotSupported
            assert isinstance(answer, refused), words
            assert refused is NotFound or request.order != "service", words
            continue
        page, ids = answer.page, [row.id for row in answer.page.items]
        assert [(row.id, "".join(ET.fromstring(row.xml).itertext())) for row in page.items] == expected, words
        assert (page.first, page.last) == ((ids[0], ids[-1]) if ids else ("", "")), words
        assert page.more == _more(everything, request, ids), words
        assert page.index in (None, [item_id for item_id, _ in everything].index(ids[0]) if ids else None), words
        assert page.count in (None, len(everything)), words
        assert (page.complete, page.unknown, answer.source, answer.stale) == (True, (), "service", False), words


async def _answered(cache: Cache, request: ItemsRequest) -> Answer | PubkeepError:
    try:
        return await cache.get_items(KEY, replace(request, freshness="service"))
    except PubkeepError as error:
        return error


def _more(everything: list[tuple[str, str]], request: ItemsRequest, ids: list[str]) -> bool:
    """Whether there is anything beyond the answer, in the direction asked."""
    held, number = [item_id for item_id, _ in everything], 50 if request.max is None else request.max
    if request.ids is not None:
        return False
    if request.after or request.index is not None:
        start = held.index(request.after) + 1 if request.after else request.index or 0
        return start + number < len(held)
    end = held.index(request.before) if request.before else len(held)
    return end - number > 0

# SPDX-License-Identifier: MIT
"""Forged, old and wrapped events, from the bytes of a stream to the rows of a database: none of them counts."""

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path
from xml.etree.ElementTree import Element

import pytest

from pubkeep.analysers.registry import Registry, load_entry_points
from pubkeep.cache.cache import Cache
from pubkeep.clock import Clock
from pubkeep.config import CacheSettings, XmppSection
from pubkeep.model import Account, NodeChange, NodeKey, NodeState
from pubkeep.questions import ItemsRequest
from pubkeep.storage.store import Store
from pubkeep.sync.jobs import Jobs
from pubkeep.xmpp.sessions import Sessions
from tests.fixtures.server import FakeServer

KEY = NodeKey("alice@localhost", "pubsub.localhost", "urn:xmpp:microblog:0")
PUBSUB = "http://jabber.org/protocol/pubsub"
SENDERS = (
    "mallory@localhost",
    "mallory@localhost/phone",
    "room@conference.localhost/nick",
    "room@conference.localhost",
    "localhost",
    "other.localhost",
    "pubsub.localhost.example.org",
    "pubsub.localhost/x",
    "pubsub@localhost",
    "bob@localhost",
    "alice@localhost/pubkeep-1",
)
"""Everybody but the node's service, and the account itself, which has a node of that name too."""
WRAPPERS = (
    "<received xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'>{}</forwarded></received>",
    "<sent xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'>{}</forwarded></sent>",
    "<result xmlns='urn:xmpp:mam:2' id='1'><forwarded xmlns='urn:xmpp:forward:0'>{}</forwarded></result>",
    "<forwarded xmlns='urn:xmpp:forward:0'>{}</forwarded>",
    "<body>{}</body>",
)
OLD = "<delay xmlns='urn:xmpp:delay' stamp='2020-01-01T00:00:00Z'/>"
NUMBER = 1000
CONTACTS = ("dave@localhost", "erin@localhost")


def entry(title: str) -> str:
    return f"<entry xmlns='http://www.w3.org/2005/Atom'><title>{title}</title></entry>"


def message(inner: str, sender: str = KEY.service, kind: str = "headline", beside: str = "") -> str:
    """An event as a stanza."""
    origin = f" from='{sender}'" if sender else ""
    return (
        f"<message xmlns='jabber:client'{origin} to='alice@localhost/pubkeep-1' type='{kind}'>"
        f"<event xmlns='{PUBSUB}#event'>{inner}</event>{beside}</message>"
    )


def forged(random: random.Random, inner: str) -> str:
    """The same event from somebody who may not say it, or inside something else."""
    way = random.randrange(4)
    if way == 0:
        return message(inner, kind="error")
    if way == 1:
        wrapper = random.choice(WRAPPERS).format(message(inner))
        return f"<message from='{random.choice((KEY.service, *SENDERS))}'>{wrapper}</message>"
    return message(inner, random.choice(SENDERS), random.choice(("headline", "normal", "chat", "groupchat")))


class Bench:
    """A synced node with two items; the service holds what `held` says."""

    def __init__(self, server: FakeServer, sessions: Sessions, store: Store, cache: Cache) -> None:
        self.server, self.sessions, self.store, self.cache = server, sessions, store, cache
        self.held = {"a": entry("1"), "b": entry("2")}
        self.held_by: dict[str, dict[str, str]] = {KEY.service: self.held}
        self.changes: list[NodeChange] = []

    def answer(self, iq: Element) -> str:
        """What the service answers."""
        asked = next(iter(iq[0]), iq[0])
        name, inner = asked.tag.partition("}")[2], ""
        held = self.held_by.get(iq.get("to", ""), {})
        if name == "items":
            wanted = [each.get("id", "") for each in asked] or list(held)
            inner = "".join(f"<item id='{each}'>{held[each]}</item>" for each in wanted if each in held)
            inner = f"<items node='{KEY.node}'>{inner}</items>"
        elif name in ("subscribe", "subscriptions"):
            inner = f"<subscription jid='alice@localhost/pubkeep-1' node='{KEY.node}' subscription='subscribed'/>"
            inner = f"<subscriptions>{inner}</subscriptions>" if name == "subscriptions" else inner
        return f"<pubsub xmlns='{PUBSUB}'>{inner}</pubsub>"

    async def send(self, stanzas: list[str]) -> None:
        """Send them, and return when each is worked off."""
        for start in range(0, len(stanzas), 50):
            self.server.send("".join(stanzas[start : start + 50]))
            await self.server.fence()
        await self.sessions.drained(KEY)

    async def rows(self, key: NodeKey = KEY) -> dict[str, str]:
        """What the database holds."""
        (record,) = [each for each in await self.store.nodes(key.account) if each.key == key]
        page = await self.store.page(record, limit=NUMBER * 3)
        return {row.id: row.title for row in page.items}

    async def synced(self, key: NodeKey = KEY) -> None:
        async with asyncio.timeout(30):
            while (await self.cache.get_items(key, ItemsRequest())).state is not NodeState.SYNCED:
                await asyncio.sleep(0.01)


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    clock, analysers = Clock(), Registry()
    load_entry_points(analysers)
    async with FakeServer() as server:
        server.roster = CONTACTS
        store = await Store.open(tmp_path / "s" / "pubkeep.db", clock)
        address = {"host": "127.0.0.1", "port": server.port, "tls": "allow-plaintext"}
        account = await store.add_account(KEY.account, "pubkeep-1", uid=0, enabled=True, **address)  # type: ignore[arg-type]
        assert isinstance(account, Account)
        sessions = Sessions(XmppSection(), clock)
        cache = Cache(store, sessions, analysers, Jobs(clock), clock, CacheSettings(fan_out=0.05))
        bench = Bench(server, sessions, store, cache)
        server.answer = bench.answer
        sessions.listener, sessions.tell = cache, lambda _account, _status: None
        await cache.open([KEY.account])
        await sessions.start(account, "secret")
        await server.up.wait()
        await server.fence()
        await bench.synced()
        cache.listeners.append(bench.changes.append)
        yield bench
        await cache.close()
        await sessions.close()
        await store.close()


def events() -> list[tuple[str, str, str]]:
    """(inner XML, the id it changes, its new title or nothing) of events that would each change something."""
    result: list[tuple[str, str, str]] = []
    for number in range(NUMBER):
        item_id = f"i{number if number % 3 == 0 else number - number % 3}"
        if number % 3 == 2:
            inner, title = f"<retract id='{item_id}'/>", ""
        else:
            title = f"title {number}"
            inner = f"<item id='{item_id}'>{entry(title)}</item>"
        result.append((f"<items node='{KEY.node}'>{inner}</items>", item_id, title))
    return result


async def test_of_a_thousand_forged_events_none_counts_and_of_the_same_from_the_service_each_does(bench: Bench) -> None:
    dice = random.Random(1)
    others = [f"<{kind} node='{KEY.node}'/>" for kind in ("purge", "delete", "configuration", "surprise")]
    others.append(f"<subscription node='{KEY.node}' jid='alice@localhost/pubkeep-1' subscription='none'/>")
    before, sequence = await bench.rows(), bench.store.sequence

    await bench.send([forged(dice, inner) for inner, _, _ in events()])
    await bench.send([forged(dice, dice.choice(others)) for _ in range(100)])

    assert (await bench.rows(), bench.store.sequence, bench.changes) == (before, sequence, [])
    assert [record.key for record in await bench.store.nodes(KEY.account)] == [KEY]
    assert (await bench.cache.get_items(KEY, ItemsRequest())).source == "cache"
    counted = [each.split() for each in bench.cache.explain(KEY)["account_dropped"]]  # type: ignore[attr-defined]
    assert sum(int(number) for number, _ in counted) == 1100
    assert {why for _, why in counted} == {"error", "sender", "unwanted", "wrapped"}
    statistics = bench.cache.statistics([KEY.account])
    assert {f"{number} {what}" for what, number in statistics.items() if what.startswith("events_dropped_")} == {
        f"{number} events_dropped_{why}" for number, why in counted
    }

    for inner, item_id, title in events():
        bench.changes.clear()
        await bench.send([message(inner)])
        (change,) = [each for each in bench.changes if each.what == "items"]
        assert (change.published, change.retracted) == (((item_id,), ()) if title else ((), (item_id,)))
    expected = {item_id: title for _, item_id, title in events() if title}
    gone = {item_id for _, item_id, title in events() if not title}
    assert await bench.rows() == before | {each: title for each, title in expected.items() if each not in gone}


@pytest.mark.parametrize("sender", ["", KEY.account])
async def test_what_is_said_of_the_accounts_own_node_is_not_said_of_one_elsewhere(bench: Bench, sender: str) -> None:
    before = await bench.rows()

    await bench.send([message(inner, sender) for inner, _, _ in events()[:30]])

    assert await bench.rows() == before
    assert [change for change in bench.changes if change.key == KEY] == []


async def test_a_contact_says_nothing_of_the_node_of_another_contact(bench: Bench) -> None:
    keys = [KEY._replace(service=contact) for contact in CONTACTS]
    for number, key in enumerate(keys):
        bench.held_by[key.service] = {"a": entry(f"{number} of {key.service}")}
        await bench.send([message(f"<items node='{KEY.node}'><item id='a'>{entry('x')}</item></items>", key.service)])
        await bench.synced(key)
    hers, his = keys
    before = await bench.rows(hers)
    bench.changes.clear()

    await bench.send([message(inner, his.service) for inner, _, _ in events()[:300]])

    assert await bench.rows(hers) == before == {"a": f"0 of {hers.service}"}
    assert {change.key for change in bench.changes} <= {his}
    assert (await bench.cache.get_items(hers, ItemsRequest())).source == "cache"


async def test_of_a_thousand_old_events_none_is_taken_for_a_value(bench: Bench) -> None:
    before, sequence = await bench.rows(), bench.store.sequence

    await bench.send([message(inner, beside=OLD) for inner, _, _ in events()])
    await bench.synced()

    assert (await bench.rows(), bench.store.sequence) == (before, sequence)
    assert [each for each in bench.changes if each.what == "items"] == []


@pytest.mark.parametrize("inner", ["<purge node='{}'/>", "<delete node='{}'/>"])
async def test_an_old_purge_or_deletion_loses_nothing(bench: Bench, inner: str) -> None:
    before = await bench.rows()

    await bench.send([message(inner.format(KEY.node), beside=OLD)])
    await bench.synced()

    assert await bench.rows() == before


async def test_a_node_that_nobody_keeps_gets_no_row(bench: Bench) -> None:
    sequence = bench.store.sequence

    await bench.send([message(f"<items node='other'><item id='x'>{entry('1')}</item></items>")])

    assert bench.store.sequence == sequence
    assert bench.cache.explain(KEY)["account_dropped"] == ["1 unwanted"]


async def test_several_ids_joined_to_one_retraction_are_found_out(bench: Bench) -> None:
    bench.held.clear()

    await bench.send([message(f"<items node='{KEY.node}'><retract id='ba'/></items>")])
    await bench.synced()

    assert await bench.rows() == {}


async def test_an_item_that_is_too_much_is_kept_with_its_error_and_the_others_stand(bench: Bench) -> None:
    big = entry("<b xmlns='urn:b'>" * 210 + "</b>" * 210)
    bench.held |= {"big": big, "c": entry("3")}

    await bench.send([message(f"<items node='{KEY.node}'><item id='big'>{big}</item></items>")])
    await bench.send([message(f"<items node='{KEY.node}'><item id='c'>{bench.held['c']}</item></items>")])
    await bench.synced()

    answer = await bench.cache.get_items(KEY, ItemsRequest(extra=True))
    assert [(row.id, row.title) for row in answer.page.items] == [("a", "1"), ("b", "2"), ("big", ""), ("c", "3")]
    assert answer.page.items[2].xml == ""
    assert "nested more than 200 deep" in str(answer.page.items[2].extra)

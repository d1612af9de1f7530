# SPDX-License-Identifier: MIT
"""A frontend reads PubSub through the daemon, on a real server."""

import asyncio
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from pubkeep_bridge.client.errors import InvalidArgs, NotFound, PubkeepError, Unavailable
from tests.fixtures.author import Author
from tests.fixtures.proxy import Proxy
from tests.fixtures.servers import PASSWORD, Server
from tests.system.conftest import BLOG, SERVICE, World, entry, until

pytestmark = pytest.mark.system


async def equal_to_service(world: World, author: Author, account_jid: str = "alice@localhost") -> None:
    """The cache has the ids, the order and the payloads of the service."""
    account = await world.pubkeep.account(account_jid)
    answer = await world.synced(account)
    theirs = await author.items(SERVICE, BLOG)
    assert [item.id for item in answer.items] == [item_id for item_id, _ in theirs]
    for ours, (_, payload) in zip(answer.items, theirs, strict=True):
        theirs_text = ET.canonicalize(ET.tostring(payload, encoding="unicode"), rewrite_prefixes=True)
        assert ET.canonicalize(ours.xml, rewrite_prefixes=True) == theirs_text


@pytest.mark.dbus
async def test_the_first_read_comes_from_the_service_and_the_next_from_the_cache(world: World, blog: Author) -> None:
    alice = await world.add()

    first = await alice.get_items(SERVICE, BLOG, max=3)
    again = await world.synced(alice)

    assert first.meta["source"] == "service"
    assert [item.id for item in first.items] == ["i17", "i18", "i19"]
    assert first.meta["more"] is True
    assert again.meta["state"] == "synced"
    assert again.meta["complete"] is True
    assert again.meta["count"] == 20
    await equal_to_service(world, blog)


@pytest.mark.dbus
async def test_both_paths_give_the_same_rows_for_the_same_request(world: World, blog: Author) -> None:
    alice = await world.add()
    await world.synced(alice)
    requests: list[dict[str, Any]] = [
        {},
        {"max": 5},
        {"max": 0},
        {"before": "", "max": 2},
        {"before": "i5", "max": 3},
        {"before": "i1"},
        {"after": "i17"},
        {"after": "i3", "max": 2},
        {"index": 4, "max": 3},
        {"index": 19},
        {"index": 100},
        {"ids": ["i7", "i3", "nothing", "i3"]},
        {"order": "modification", "max": 2},
    ]

    for request in requests:
        cached = await alice.get_items(SERVICE, BLOG, **request)
        asked = await alice.get_items(SERVICE, BLOG, freshness="service", **request)
        assert cached.meta["source"] == "cache", request
        assert asked.meta["source"] == "service", request
        assert [(i.id, i.xml) for i in cached.items] == [(i.id, i.xml) for i in asked.items], request
        for key in ("first", "last", "more"):
            assert cached.meta[key] == asked.meta[key], (request, key)


async def test_an_unknown_anchor_is_not_found_on_both_paths(world: World, blog: Author) -> None:
    alice = await world.add()
    await world.synced(alice)

    for freshness in ("auto", "service"):
        with pytest.raises(NotFound, match="'nothing'"):
            await alice.get_items(SERVICE, BLOG, before="nothing", freshness=freshness)
    assert (await alice.get_items(SERVICE, BLOG)).meta["state"] == "synced"


async def test_what_others_publish_change_and_retract_arrives_by_itself(world: World, blog: Author) -> None:
    alice = await world.add()
    await world.synced(alice)

    await blog.publish(SERVICE, BLOG, "new", entry(100))
    await blog.publish(SERVICE, BLOG, "i3", entry(3, "Changed"))
    await blog.retract(SERVICE, BLOG, "i5")

    async def arrived() -> bool:
        ids = [item.id for item in (await alice.get_items(SERVICE, BLOG, freshness="cache")).items]
        return "new" in ids and "i5" not in ids and ids[-1] == "i3"

    await until(arrived)
    await equal_to_service(world, blog)


async def test_a_purged_node_is_empty_and_asked_again(world: World, blog: Author) -> None:
    alice = await world.add()
    await world.synced(alice)

    await blog.owner(SERVICE, BLOG, "purge")
    await blog.publish(SERVICE, BLOG, "after", entry(1))

    async def one() -> bool:
        return [item.id for item in (await world.synced(alice)).items] == ["after"]

    await until(one)


async def test_a_deleted_node_is_gone_and_comes_back_when_it_is_made_anew(world: World, blog: Author) -> None:
    alice = await world.add()
    await world.synced(alice)

    await blog.owner(SERVICE, BLOG, "delete")

    async def gone() -> bool:
        return bool((await world.pubkeep.nodes())[0]["state"] == "gone")

    await until(gone)
    with pytest.raises(NotFound):
        await alice.get_items(SERVICE, BLOG)
    assert not (await world.pubkeep.search("Title")).items

    await blog.create(SERVICE, BLOG, max_items="100", access_model="open")
    await blog.publish(SERVICE, BLOG, "fresh", entry(1))
    answer = await alice.get_items(SERVICE, BLOG, freshness="service")
    assert [item.id for item in answer.items] == ["fresh"]
    await until(lambda: _from_cache(world, ["fresh"]))


async def _from_cache(world: World, ids: list[str]) -> bool:
    alice = await world.pubkeep.account("alice@localhost")
    answer = await alice.get_items(SERVICE, BLOG, freshness="service")
    cached = await alice.get_items(SERVICE, BLOG)
    return cached.meta["source"] == "cache" and [item.id for item in cached.items] == ids == [
        i.id for i in answer.items
    ]


async def test_our_own_writes_are_seen_by_the_very_next_read(world: World, blog: Author) -> None:
    alice = await world.add()
    await alice.create_node(SERVICE, f"{BLOG}/own", {"pubsub#max_items": "100"})
    (first,) = await alice.publish(SERVICE, f"{BLOG}/own", [entry(1)])
    await world.synced(alice, f"{BLOG}/own")

    for number in range(20):
        ids = await alice.publish(SERVICE, f"{BLOG}/own", [entry(number), entry(number + 1)])
        newest = await alice.get_items(SERVICE, f"{BLOG}/own", max=2)
        assert [item.id for item in newest.items] == ids
    await alice.retract(SERVICE, f"{BLOG}/own", [first])
    assert not (await alice.get_items(SERVICE, f"{BLOG}/own", ids=[first])).items


async def test_a_node_that_we_make_anew_is_there_for_the_next_read(world: World) -> None:
    alice = await world.add()
    node = f"{BLOG}/own"
    await alice.create_node(SERVICE, node, {"pubsub#max_items": "100"})
    await alice.publish(SERVICE, node, [entry(1)], ids=["old"])
    await world.synced(alice, node)

    await alice.delete_node(SERVICE, node)
    with pytest.raises(NotFound):
        await alice.get_items(SERVICE, node)
    await alice.create_node(SERVICE, node, {"pubsub#max_items": "100"})
    await alice.publish(SERVICE, node, [entry(2)], ids=["new"])

    assert [item.id for item in (await alice.get_items(SERVICE, node)).items] == ["new"]
    assert [item.id for item in (await world.synced(alice, node)).items] == ["new"]


@pytest.mark.dbus
async def test_a_payload_keeps_what_foreign_namespaces_say(world: World, blog: Author) -> None:
    alice = await world.add()
    xml = (
        "<entry xmlns='http://www.w3.org/2005/Atom' xmlns:thr='http://purl.org/syndication/thread/1.0'"
        " xmlns:o='urn:other' o:mark='1'><title>T</title><link rel='replies' href='x' thr:count='3'/>"
        "<o:extra o:deep='&lt;&amp;'>émoji 😀 ]]&gt; end</o:extra></entry>"
    )

    await alice.create_node(SERVICE, f"{BLOG}/foreign", {"pubsub#max_items": "10"})
    await alice.publish(SERVICE, f"{BLOG}/foreign", [xml], ids=["x"])
    answer = await alice.get_items(SERVICE, f"{BLOG}/foreign", freshness="service")

    canonical = ET.canonicalize(answer.items[0].xml, rewrite_prefixes=True)
    assert canonical == ET.canonicalize(xml, rewrite_prefixes=True)


async def test_the_accounts_own_pep_works_with_an_empty_service(world: World) -> None:
    alice = await world.add()

    await alice.publish("", BLOG, [entry(1)], ids=["mine"], publish_options={"pubsub#max_items": "10"})
    answer = await world.synced(alice, service="")
    await alice.publish("", BLOG, [entry(2)], ids=["mine too"])

    assert [item.id for item in answer.items] == ["mine"]
    assert answer.items[0].service == "alice@localhost"
    assert "transit" not in answer.meta["untold"]
    assert [i.id for i in (await alice.get_items("", BLOG)).items] == ["mine", "mine too"]


@pytest.mark.dbus
async def test_two_accounts_read_one_node_at_the_same_time(world: World, blog: Author) -> None:
    alice, bobs = await world.add("alice"), await world.add("bob")

    answers = await asyncio.gather(*(account.get_items(SERVICE, BLOG) for account in (alice, bobs) for _ in range(5)))
    await asyncio.gather(world.synced(alice), world.synced(bobs))

    assert all([item.id for item in answer.items] == [f"i{n}" for n in range(20)] for answer in answers)
    assert {item.account for item in (await alice.get_items(SERVICE, BLOG)).items} == {"alice@localhost"}
    assert len(await world.pubkeep.nodes()) == 2


async def test_a_node_nobody_wants_is_always_asked_for_and_leaves_no_row(world: World, bob: Author) -> None:
    alice = await world.add()
    await bob.create(SERVICE, "plain", access_model="open")
    await bob.publish(SERVICE, "plain", "x", "<thing xmlns='urn:thing'>text</thing>")

    answers = [await alice.get_items(SERVICE, "plain") for _ in range(3)]

    assert [answer.meta["source"] for answer in answers] == ["service"] * 3
    assert await world.pubkeep.nodes() == []
    assert "no analyser" in (await alice.explain(SERVICE, "plain"))["words"]


async def test_an_analyser_finds_a_node_by_the_namespace_of_its_first_item(world: World, bob: Author) -> None:
    alice = await world.add()
    await bob.create(SERVICE, "diary", access_model="open", max_items="50")
    empty = await alice.get_items(SERVICE, "diary")

    await bob.publish(SERVICE, "diary", "x", entry(1))
    await alice.get_items(SERVICE, "diary")
    answer = await world.synced(alice, "diary")

    assert list(empty.items) == []
    assert [item.type for item in answer.items] == ["blog"]


@pytest.mark.dbus
async def test_synchronise_keeps_a_node_that_no_analyser_wants(world: World, bob: Author) -> None:
    alice = await world.add()
    await bob.create(SERVICE, "plain", access_model="open", max_items="50")
    await bob.publish_all(SERVICE, "plain", [(f"x{n}", f"<thing xmlns='urn:thing'>n{n}</thing>") for n in range(5)])

    job = await alice.synchronise(SERVICE, "plain")
    result = await job.result()

    assert result == {"items": 5}
    assert (await alice.get_items(SERVICE, "plain")).meta["source"] == "cache"
    assert [item.id for item in (await world.pubkeep.search("n3")).items] == ["x3"]


@pytest.mark.dbus
async def test_a_job_for_a_missing_node_fails_with_a_named_error(world: World) -> None:
    alice = await world.add()

    job = await alice.synchronise(SERVICE, "missing")

    with pytest.raises(PubkeepError, match=r"missing at .*: there is no such node") as error:
        await job.result()
    assert error.value.leaf == "NotFound"


@pytest.mark.dbus
async def test_changes_are_told_by_a_signal_after_which_a_read_shows_them(world: World, blog: Author) -> None:
    alice = await world.add()
    await world.synced(alice)
    changes = world.pubkeep.watch("blog")
    coming = asyncio.ensure_future(anext(changes))
    await world.pubkeep.status()  # the match is set before this is answered

    await blog.publish(SERVICE, BLOG, "new", entry(100))
    while (change := await asyncio.wait_for(coming, 10)).what != "items":
        coming = asyncio.ensure_future(anext(changes))
    answer = await alice.get_items(SERVICE, BLOG, max=1, freshness="cache")
    await changes.aclose()

    assert (change.node, change.what, change.published) == (BLOG, "items", ["new"])
    assert [item.id for item in answer.items] == ["new"]
    assert answer.meta["sequence"] >= change.sequence


@pytest.mark.dbus
async def test_search_is_a_live_view_with_since(world: World, blog: Author) -> None:
    alice = await world.add()
    await world.synced(alice)
    before = await world.pubkeep.search("Title", limit=50)

    await blog.publish(SERVICE, BLOG, "new", entry(100))
    await blog.publish(SERVICE, BLOG, "i2", entry(2, "Other"))
    await blog.retract(SERVICE, BLOG, "i4")
    await until(lambda: _changed(world, before.meta["sequence"]))
    after = await world.pubkeep.search("Title", limit=50, since=before.meta["sequence"])

    assert len(before.items) == 20
    assert [item.id for item in after.items] == ["new"]
    assert sorted(uri.rpartition("=")[2] for uri in after.removed) == ["i2", "i4"]


async def _changed(world: World, since: int) -> bool:
    found = await world.pubkeep.search("Title", limit=50, since=since)
    return len(found.items) + len(found.removed) == 3


async def test_forgetting_ends_the_subscription_and_removes_the_rows(world: World, blog: Author) -> None:
    alice = await world.add()
    await world.synced(alice)

    with pytest.raises(InvalidArgs, match="everything"):
        await world.pubkeep.forget({})
    assert await world.pubkeep.forget({"node": BLOG}, dry_run=True) == 20
    assert await world.pubkeep.forget({"node": BLOG}) == 20

    assert await world.pubkeep.nodes() == []
    assert not (await world.pubkeep.search("Title")).items
    with pytest.raises(Unavailable, match="nothing is held"):
        await alice.get_items(SERVICE, BLOG, freshness="cache")


async def test_what_we_subscribed_is_ended_and_reading_alone_never_subscribes(world: World, bob: Author) -> None:
    alice = await world.add()
    for node in (BLOG, "plain"):
        await bob.create(SERVICE, node, access_model="open", max_items="50")
        await bob.publish(SERVICE, node, "x", "<thing xmlns='urn:thing'>text</thing>")

    await alice.get_items(SERVICE, "plain")
    await world.synced(alice)
    while_kept = await bob.subscribers(SERVICE, BLOG)
    await world.pubkeep.forget({"node": BLOG})

    assert [jid.partition("/")[0] for jid in while_kept] == ["alice@localhost"]
    assert "/pubkeep-" in while_kept[0]
    assert await bob.subscribers(SERVICE, BLOG) == []
    assert await bob.subscribers(SERVICE, "plain") == []


async def test_quick_answers_at_once_and_max_age_asks_for_less_or_more(world: World, blog: Author) -> None:
    alice = await world.add()
    await world.synced(alice)
    world.daemon.stop()
    world.daemon.start()
    await until(lambda: _ready(world))

    quick = await alice.get_items(SERVICE, BLOG, freshness="quick")
    enough = await alice.get_items(SERVICE, BLOG, max_age=3600)
    await alice.set_password(PASSWORD)
    await alice.online()
    await world.synced(alice)
    barrier = await alice.get_items(SERVICE, BLOG, max_age=0)

    assert (quick.meta["source"], quick.meta["stale"], len(quick.items)) == ("cache", True, 20)
    assert (enough.meta["source"], enough.meta["stale"]) == ("cache", True)
    assert (barrier.meta["source"], barrier.meta["stale"]) == ("cache", False)


@pytest.mark.dbus
async def test_removing_an_account_removes_what_is_held_for_it(world: World, blog: Author) -> None:
    alice = await world.add()
    await world.synced(alice)

    await alice.remove()

    assert await world.pubkeep.accounts() == []
    assert await world.pubkeep.nodes() == []
    with pytest.raises(PubkeepError, match="no such object"):
        await alice.get_items(SERVICE, BLOG)
    again = await world.add()
    assert again.path != alice.path


async def test_a_chat_message_sent_while_only_the_daemon_is_online_reaches_the_users_client(
    world: World, bob: Author, server: Server
) -> None:
    await world.add("alice")

    message = bob.client.make_message(mto="alice@localhost", mbody="are you there?", mtype="chat")
    message.send()
    await bob.iq("get", "bob@localhost", ET.Element("{urn:xmpp:ping}ping"))

    async with Author(server, "alice", "phone") as phone:
        received = await asyncio.wait_for(phone.messages.get(), 10)
    assert received["body"] == "are you there?"


async def test_a_cut_is_resumed_and_nothing_is_lost(world: World, blog: Author) -> None:
    async with Proxy(world.server.port) as proxy:
        alice = await world.add(port=proxy.port)
        await world.synced(alice)

        for number in range(5):
            proxy.cut()
            await blog.publish(SERVICE, BLOG, f"cut{number}", entry(200 + number))
            await alice.connect()
            newest = f"cut{number}"
            await until(lambda newest=newest: _newest_is(world, newest))  # type: ignore[misc]

        await equal_to_service(world, blog)


async def _newest_is(world: World, item_id: str) -> bool:
    alice = await world.pubkeep.account("alice@localhost")
    answer = await alice.get_items(SERVICE, BLOG, max=1)
    return answer.meta["source"] == "cache" and not answer.meta["stale"] and answer.items[0].id == item_id


async def test_a_restarted_server_that_lost_everything_is_noticed(world: World, blog: Author) -> None:
    alice = await world.add()
    await world.synced(alice)

    world.server.kill()
    await until(lambda: _state(world, "waiting"))
    stale = await alice.get_items(SERVICE, BLOG)
    world.server.wipe()
    world.server.start()
    await alice.connect()

    assert stale.meta["stale"] is True
    assert len(stale.items) == 20
    await until(lambda: _state(world, "online"))

    async def gone() -> bool:
        return bool((await world.pubkeep.nodes())[0]["state"] == "gone")

    await until(gone)


async def _state(world: World, state: str) -> bool:
    return bool((await (await world.pubkeep.account()).refresh())["State"] == state)


@pytest.mark.dbus
async def test_a_wrong_password_is_permanent_and_shown(world: World) -> None:
    account = await world.pubkeep.add_account(
        "alice@localhost", password="wrong", host="127.0.0.1", port=world.server.port
    )

    with pytest.raises(PubkeepError, match="refuses the password"):
        await account.online()
    assert account.properties["State"] == "refused"
    assert account.properties["ErrorName"].endswith("NotAllowed")

    await account.set_password(PASSWORD)
    await account.online()
    assert "wrong" not in world.log()
    assert PASSWORD not in world.log()


async def test_an_account_without_a_password_says_so(world: World) -> None:
    account = await world.pubkeep.add_account("alice@localhost", host="127.0.0.1", port=world.server.port)

    with pytest.raises(PubkeepError, match="no password is known"):
        await account.online()
    assert account.properties["State"] == "needs-password"
    with pytest.raises(Unavailable):
        await account.get_items(SERVICE, BLOG)


async def test_another_program_that_takes_the_resource_stops_the_account(world: World, server: Server) -> None:
    alice = await world.add()
    resource = world.daemon_resource()

    async with Author(server, "alice", resource):
        await until(lambda: _state(world, "refused"))

    assert (await alice.refresh())["ErrorName"].endswith("Conflict")


async def test_a_swallowing_link_is_noticed_by_the_keepalive(server: Server, world: World, blog: Author) -> None:
    world.daemon.stop()
    world.daemon.environ |= {"PUBKEEP_XMPP_KEEPALIVE_INTERVAL": "1", "PUBKEEP_XMPP_KEEPALIVE_TIMEOUT": "3"}
    await world.start()
    async with Proxy(server.port) as proxy:
        alice = await world.add(port=proxy.port)
        await world.synced(alice)

        proxy.swallowing = True
        await until(lambda: _state(world, "waiting"))
        stale = await alice.get_items(SERVICE, BLOG, max=1)
        proxy.swallowing = False
        await alice.connect()

        assert stale.meta["stale"] is True
        await world.synced(alice)


async def test_a_server_that_accepts_and_resets_is_not_hammered(world: World, server: Server) -> None:
    async with Proxy(server.port) as proxy:
        await world.add(port=proxy.port)
        proxy.refusing = True
        proxy.cut()

        await until(lambda: _state(world, "waiting"))
        proxy.refusing = False
        await until(lambda: _state(world, "online"))

        assert proxy.connections < 10


@pytest.mark.dbus
async def test_after_a_restart_what_is_held_is_served_stale_before_the_network_is_back(
    world: World, blog: Author
) -> None:
    alice = await world.add()
    await world.synced(alice)
    assert world.daemon.stop() == 0
    world.daemon.start()
    await until(lambda: _ready(world))

    stale = await alice.get_items(SERVICE, BLOG, freshness="cache")
    offline = await alice.get_items(SERVICE, BLOG)
    await alice.set_password(PASSWORD)
    await alice.online()

    assert (stale.meta["stale"], stale.meta["source"], len(stale.items)) == (True, "cache", 20)
    assert offline.meta["stale"] is True
    await equal_to_service(world, blog)


async def _ready(world: World) -> bool:
    try:
        return bool((await world.pubkeep.status())["State"] == "ready")
    except PubkeepError:
        return False


@pytest.mark.slow
async def test_killed_in_the_middle_of_a_sync_it_completes_after_the_restart(world: World, bob: Author) -> None:
    await bob.create(SERVICE, BLOG, max_items="20000", access_model="open")
    await bob.publish_all(SERVICE, BLOG, [(f"i{n}", entry(n)) for n in range(3000)])
    alice = await world.add()
    job = await alice.synchronise(SERVICE, BLOG)
    async for done, _ in job.progress():
        if done:
            break
    world.daemon.kill()
    world.daemon.start()
    await until(lambda: _ready(world))

    held = await alice.get_items(SERVICE, BLOG, freshness="cache")
    await alice.set_password(PASSWORD)
    await alice.online()

    assert held.meta["stale"] is True
    assert held.meta["complete"] is False
    assert 0 < len(held.items) <= 50
    await until(lambda: _synced_by_itself(world), 120)
    await equal_to_service(world, bob)


async def _synced_by_itself(world: World) -> bool:
    """Whether the copy is whole, without a read that would compete with the synchronisation."""
    return bool((await world.pubkeep.nodes())[0]["state"] == "synced")

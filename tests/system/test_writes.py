# SPDX-License-Identifier: MIT
"""What people do to nodes at a real service, and what the next read sees of it."""

import pytest

from pubkeep_bridge.client.errors import Conflict, InvalidArgs, NotAllowed, NotFound, NotSupported, Refused
from tests.fixtures.author import Author
from tests.fixtures.component import NODE, serving
from tests.system.conftest import BLOG, SERVICE, World, entry, until
from tests.system.test_paging import EXT

pytestmark = pytest.mark.system
PRIVATE: dict[str, bool | str | list[str]] = {
    "pubsub#access_model": "whitelist",
    "pubsub#max_items": "max",
    "pubsub#persist_items": True,
}


async def test_a_purge_is_seen_by_the_next_read_here_and_at_the_service(world: World, blog: Author) -> None:
    alice = await world.add()
    await world.synced(alice)

    await alice.purge_node(SERVICE, BLOG)
    answer = await alice.get_items(SERVICE, BLOG)

    assert list(answer.items) == []
    assert not (await world.pubkeep.search("Title")).items
    assert await blog.items(SERVICE, BLOG) == []
    assert list((await world.synced(alice)).items) == []


async def test_writes_of_somebody_without_rights_are_not_allowed_and_change_nothing(world: World, blog: Author) -> None:
    carol = await world.add("carol")
    before = await world.synced(carol)

    for refused in (
        carol.purge_node(SERVICE, BLOG),
        carol.delete_node(SERVICE, BLOG),
        carol.configuration(SERVICE, BLOG),
        carol.configure(SERVICE, BLOG, {"pubsub#title": "Mine"}),
        carol.affiliations(SERVICE, BLOG),
        carol.set_affiliations(SERVICE, BLOG, {"carol@localhost": "owner"}),
        carol.publish(SERVICE, BLOG, [entry(1)]),
        carol.retract(SERVICE, BLOG, ["i3"]),
        carol.create_node(SERVICE, "mine"),
    ):
        with pytest.raises(NotAllowed, match=r"^(urn:xmpp:microblog:0|mine) at pubsub\.localhost: "):
            await refused

    assert (await world.synced(carol)).items == before.items
    assert len(await blog.items(SERVICE, BLOG)) == 20


@pytest.mark.dbus
async def test_a_configuration_is_changed_field_by_field(world: World) -> None:
    alice = await world.add()
    await alice.create_node(SERVICE, "mine", {"pubsub#title": "Old", "pubsub#max_items": "50"})
    before = await alice.configuration(SERVICE, "mine")

    await alice.configure(SERVICE, "mine", {"pubsub#title": "New", "pubsub#persist_items": False})

    changed = {"pubsub#title": "New", "pubsub#persist_items": False}
    assert await alice.configuration(SERVICE, "mine") == before | changed
    assert before["pubsub#persist_items"] is True
    with pytest.raises(InvalidArgs, match="'pubsub#nonsense'"):
        await alice.configure(SERVICE, "mine", {"pubsub#title": "Newer", "pubsub#nonsense": "x"})
    with pytest.raises(InvalidArgs, match="'pubsub#persist_items': it is of type b"):
        await alice.configure(SERVICE, "mine", {"pubsub#persist_items": "perhaps"})
    with pytest.raises(NotSupported, match=r"'pubsub#language': mine at .* did not take it"):
        await alice.configure(SERVICE, "mine", {"pubsub#language": "de"})
    with pytest.raises(Refused, match=r"^not-acceptable: mine at "):
        await alice.configure(SERVICE, "mine", {"pubsub#access_model": "nonsense"})
    assert await alice.configuration(SERVICE, "mine") == before | changed


async def test_what_a_smaller_limit_trims_in_silence_is_not_served_any_more(world: World, blog: Author) -> None:
    alice = await world.add()
    await world.synced(alice)

    await alice.configure(SERVICE, BLOG, {"pubsub#max_items": "3"})
    answer = await alice.get_items(SERVICE, BLOG)

    assert [item.id for item in answer.items] == ["i17", "i18", "i19"]


@pytest.mark.dbus
async def test_a_publisher_is_made_and_unmade(world: World) -> None:
    alice, carol = await world.add(), await world.add("carol")
    await alice.create_node(SERVICE, "ours", {"pubsub#max_items": "50"})

    await alice.set_affiliations(SERVICE, "ours", {"Carol@localhost": "publisher"})
    await carol.publish(SERVICE, "ours", [entry(1)], ids=["hers"])

    assert await alice.affiliations(SERVICE, "ours") == {
        "alice@localhost": "owner",
        "carol@localhost": "publisher",
    }
    assert [item.id for item in (await alice.get_items(SERVICE, "ours")).items] == ["hers"]
    await alice.set_affiliations(SERVICE, "ours", {"carol@localhost": "none"})
    with pytest.raises(NotAllowed):
        await carol.publish(SERVICE, "ours", [entry(2)])


@pytest.mark.dbus
async def test_arguments_that_cannot_be_used_are_refused_by_name(world: World) -> None:
    alice = await world.add()

    with pytest.raises(InvalidArgs, match="'king' is not one of owner, publisher, publish-only, member, none, outcast"):
        await alice.set_affiliations(SERVICE, "ours", {"carol@localhost": "king"})
    with pytest.raises(InvalidArgs, match="affiliations '@@': not a JID"):
        await alice.set_affiliations(SERVICE, "ours", {"@@": "owner"})
    with pytest.raises(InvalidArgs, match="service '@@': not a JID"):
        await alice.discover("@@")
    for nameless in (
        alice.purge_node(SERVICE, ""),
        alice.configuration(SERVICE, ""),
        alice.configure(SERVICE, "", {"x": "y"}),
        alice.affiliations(SERVICE, ""),
    ):
        with pytest.raises(InvalidArgs, match="node: the name is empty"):
            await nameless
    for missing in (alice.purge_node(SERVICE, "missing"), alice.discover(SERVICE, "missing")):
        with pytest.raises(NotFound, match=r"^missing at "):
            await missing


@pytest.mark.dbus
async def test_subscriptions_are_listed_for_a_node_and_for_a_service(world: World, blog: Author) -> None:
    alice = await world.add()
    await world.synced(alice)
    await alice.create_node(SERVICE, "other")
    await alice.subscribe(SERVICE, "other")

    jid = f"alice@localhost/{world.daemon_resource()}"
    one = [{"node": "other", "jid": jid, "subscription": "subscribed", "subid": ""}]

    assert await alice.subscriptions(SERVICE, "other") == one
    assert sorted(each["node"] for each in await alice.subscriptions(SERVICE)) == ["other", BLOG]
    assert await alice.subscriptions("") == []


@pytest.mark.dbus
async def test_a_service_and_its_nodes_are_discovered(world: World, blog: Author) -> None:
    alice = await world.add()
    await alice.create_node(SERVICE, "mine", {"pubsub#title": "Mine", "pubsub#description": "For all"})

    service = await alice.discover(SERVICE)
    node = await alice.discover(SERVICE, "mine")
    items = await alice.discover(SERVICE, BLOG)
    some = await alice.discover(SERVICE, BLOG, max_bytes=200)

    assert "pubsub/service/Prosody PubSub Service" in service.info["identities"]
    assert "http://jabber.org/protocol/pubsub#publish-options" in service.info["features"]
    assert {entry["node"] for entry in service.entries} == {BLOG, "mine"}
    assert (node.info["title"], node.info["description"], node.info["access_model"]) == ("Mine", "For all", "open")
    assert {entry["name"] for entry in items.entries} == {f"i{number}" for number in range(20)}
    assert some.info["more"] is True
    assert 0 < len(some.entries) < 20
    assert (await alice.discover("")).info["identities"] == ["account/registered", "pubsub/pep"]


async def test_a_node_that_shows_only_what_it_is_lists_nothing_and_says_why(world: World) -> None:
    alice, carol = await world.add(), await world.add("carol")
    await alice.create_node(SERVICE, "closed", {"pubsub#title": "Closed", "pubsub#access_model": "whitelist"})
    await alice.publish(SERVICE, "closed", [entry(1)])

    found = await carol.discover(SERVICE, "closed")

    assert (found.info["title"], list(found.entries)) == ("Closed", [])
    assert found.info["refused"] == "closed at pubsub.localhost: access is not allowed"


@pytest.mark.dbus
async def test_publish_options_make_a_private_node_or_nothing(world: World) -> None:
    alice = await world.add()

    await alice.publish("", "urn:test:private", [entry(1)], ids=["one"], publish_options=PRIVATE)

    form = await alice.configuration("", "urn:test:private")
    assert {key: form[key] for key in PRIVATE} == PRIVATE
    with pytest.raises(Conflict, match=r"precondition-not-met; .* \(nothing is stored\)$"):
        await alice.publish("", "urn:test:private", [entry(2)], publish_options={"pubsub#access_model": "open"})
    assert [item.id for item in (await alice.get_items("", "urn:test:private")).items] == ["one"]


async def test_an_option_that_the_service_ignores_in_silence_is_a_conflict(world: World) -> None:
    alice = await world.add()

    options = PRIVATE | {"pubsub#secret": True}

    with pytest.raises(Conflict, match=r"pubsub#secret of the node is not to be seen, not True \(stored: one\)$"):
        await alice.publish("", "urn:test:private", [entry(1), entry(2)], ids=["one", "two"], publish_options=options)

    assert [item.id for item in (await alice.get_items("", "urn:test:private")).items] == ["one"]


async def test_a_service_without_publish_options_is_not_sent_anything(world: World) -> None:
    async with serving(world.server, 3):
        alice = await world.add()

        with pytest.raises(NotSupported, match="does not offer publish-options"):
            await alice.publish(EXT, NODE, [entry(1)], publish_options=PRIVATE)


async def test_what_was_forgotten_while_offline_is_unsubscribed_when_online_again(world: World, blog: Author) -> None:
    alice = await world.add()
    await world.synced(alice)
    await alice.enable(False)
    await world.pubkeep.forget({"node": BLOG})
    before = await blog.subscribers(SERVICE, BLOG)

    await alice.enable(True)

    async def ended() -> bool:
        return await blog.subscribers(SERVICE, BLOG) == []

    await until(ended)
    assert len(before) == 1
    assert await world.pubkeep.nodes() == []

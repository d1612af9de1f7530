# SPDX-License-Identifier: MIT
"""PEP: the account's own nodes and its contacts', which show themselves by +notify."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from pubkeep.model import NodeKey, NodeState
from pubkeep_bridge.client import Account
from tests.fixtures.author import Author
from tests.fixtures.backend import Backend
from tests.fixtures.every_server import on_every_server
from tests.fixtures.servers import Server
from tests.system.conftest import BLOG, World, entry, until

pytestmark = pytest.mark.system
BOB = "bob@localhost"


@pytest.fixture
async def elsewhere(server: Server) -> AsyncIterator[Author]:
    """alice's other program."""
    async with Author(server, "alice", "elsewhere") as author:
        yield author


async def befriend(alice: Author, bob: Author) -> None:
    """alice sees bob's presence (RFC 6121 3.1)."""
    seen = asyncio.Event()
    alice.client.add_event_handler("got_online", lambda presence: seen.set() if presence["from"].bare == BOB else None)
    bob.client.auto_authorize = True
    alice.client.auto_authorize = True
    await alice.client.get_roster()
    alice.client.send_presence_subscription(BOB)
    async with asyncio.timeout(10):
        await seen.wait()


async def state(world: World, service: str) -> str:
    """The state of the microblog there, empty if it is not kept."""
    nodes = await world.pubkeep.nodes(service=service, node=BLOG)
    return nodes[0]["state"] if nodes else ""


async def titles(account: Account, service: str) -> list[str]:
    """What the cache has."""
    answer = await account.get_items(service, BLOG, freshness="cache", format="json")
    return [item.title for item in answer.items]


async def test_an_own_node_is_kept_as_soon_as_another_program_writes_to_it(world: World, elsewhere: Author) -> None:
    alice = await world.add()

    await elsewhere.publish("alice@localhost", BLOG, "one", entry(1))

    await until(lambda: is_synced(world, "alice@localhost"))
    assert await titles(alice, "") == ["Title 1"]


async def is_synced(world: World, service: str) -> bool:
    return await state(world, service) == "synced"


async def test_a_contacts_node_is_kept_and_goes_with_the_contact(world: World, elsewhere: Author, bob: Author) -> None:
    await befriend(elsewhere, bob)
    alice = await world.add()

    await bob.publish(BOB, BLOG, "one", entry(1))
    await until(lambda: is_synced(world, BOB))
    await bob.publish(BOB, BLOG, "one", entry(2))

    async def told() -> bool:
        return await titles(alice, BOB) == ["Title 2"]

    await until(told)

    elsewhere.client.del_roster_item(BOB)

    async def forgotten() -> bool:
        return await state(world, BOB) == ""

    await until(forgotten)


def unwanted(reader: Backend, key: NodeKey) -> list[str]:
    """What was sent of nodes that nobody wants; one that is wanted may show itself before it is subscribed."""
    return [each for each in reader.cache.explain(key)["account_dropped"] if each.endswith("unwanted")]  # type: ignore[attr-defined]


@on_every_server
async def test_only_what_an_analyser_wants_is_sent_to_us_and_what_another_one_wants_from_then_on(
    server: Server, elsewhere: Author
) -> None:
    async with Backend(server) as alice:
        key = alice.key("", "urn:test:first")
        for node in ("urn:test:first", "urn:test:second"):
            await elsewhere.publish(alice.jid, node, "one", "<thing xmlns='urn:x'/>")
        await elsewhere.publish(alice.jid, BLOG, "one", entry(1))
        await alice.synced("", BLOG)
        before = alice.state("", "urn:test:first"), unwanted(alice, key)

        declaration = {"name": "first", "type": "first", "node": "urn:test:first", "to_sync": True}
        alice.analysers.register_analyser(declaration)
        await alice.sessions.interested(alice.analysers.interests())

        async def kept() -> bool:
            await elsewhere.publish(alice.jid, "urn:test:second", "two", "<thing xmlns='urn:x'/>")
            await elsewhere.publish(alice.jid, "urn:test:first", "two", "<thing xmlns='urn:x'/>")
            return alice.state("", "urn:test:first") is not NodeState.UNKNOWN

        await until(kept)  # when the server knows of our new interest, nobody says

        assert before == (NodeState.UNKNOWN, [])
        assert alice.state("", "urn:test:second") is NodeState.UNKNOWN
        assert unwanted(alice, key) == []


async def test_who_is_no_contact_is_not_listened_to(world: World, bob: Author, elsewhere: Author) -> None:
    await world.add()

    await bob.publish(BOB, BLOG, "one", entry(1))
    await elsewhere.publish("alice@localhost", BLOG, "one", entry(1))
    await until(lambda: is_synced(world, "alice@localhost"))

    assert await state(world, BOB) == ""

# SPDX-License-Identifier: MIT
"""A server that is lent from test to test has forgotten what the last one did."""

from xml.etree import ElementTree as ET

import pytest

from tests.fixtures.author import Author
from tests.fixtures.every_server import on_every_server
from tests.fixtures.servers import USERS, Server
from tests.system.conftest import BLOG, SERVICE, entry, until

pytestmark = [pytest.mark.system, on_every_server]
ITEMS, ROSTER = "{http://jabber.org/protocol/disco#items}query", "{jabber:iq:roster}query"


async def nodes(author: Author, service: str) -> list[str]:
    """What somebody sees there."""
    found = await author.iq("get", service, ET.Element(ITEMS))
    return [node for item in found[0] if (node := item.get("node"))]


async def contacts(author: Author) -> list[str]:
    """Whose presence somebody sees."""
    found = await author.iq("get", author.client.boundjid.bare, ET.Element(ROSTER))
    return [item.get("jid", "") for query in found for item in query if item.get("subscription") in ("to", "both")]


async def test_what_was_made_written_and_subscribed_is_forgotten(server: Server) -> None:
    async with Author(server, "alice") as alice, Author(server, "bob") as bob:
        for author in (alice, bob):
            await author.create(SERVICE, f"{BLOG}/{author.client.boundjid.user}", access_model="open")
            await author.publish(author.client.boundjid.bare, BLOG, "one", entry(1))
        alice.client.auto_authorize = bob.client.auto_authorize = True
        alice.client.send_presence_subscription("bob@localhost")

        async def befriended() -> bool:
            return await contacts(alice) == ["bob@localhost"]

        await until(befriended)
        assert len(await nodes(alice, SERVICE)) == 2
        assert await nodes(alice, "bob@localhost") == [BLOG]

        server.forget()

    for user in USERS:
        async with Author(server, user) as author:
            assert await nodes(author, SERVICE) == []
            assert await nodes(author, f"{user}@localhost") == []
            assert await contacts(author) == []

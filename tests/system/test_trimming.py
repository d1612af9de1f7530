# SPDX-License-Identifier: MIT
"""Nodes of which the service keeps so many items only: by default one, where a node of PEP is made by publishing."""

import asyncio

import pytest

from tests.fixtures.author import Author
from tests.fixtures.backend import Backend
from tests.fixtures.every_server import on_every_server
from tests.fixtures.servers import Server
from tests.system.conftest import BLOG, entry

pytestmark = pytest.mark.system


async def ids(backend: Backend, **options: object) -> list[str]:
    return [row.id for row in (await backend.read("", BLOG, **options)).page.items]


@on_every_server
async def test_what_the_service_does_not_keep_is_gone_from_the_next_answer(server: Server) -> None:
    async with Backend(server) as backend, Author(server, "alice", "phone") as phone:
        await backend.cache.writer.publish(backend.key("", BLOG), [entry(1)], ids=["first"])
        await backend.synced("", BLOG)

        await phone.publish("alice@localhost", BLOG, "second", entry(2))
        async with asyncio.timeout(30):
            while "second" not in await ids(backend, freshness="cache"):
                await asyncio.sleep(0.02)
        await backend.cache.writer.publish(backend.key("", BLOG), [entry(3)], ids=["third"])

        assert await ids(backend) == ["third"]
        assert (await backend.synced("", BLOG)).page.count == 1
        assert [item_id for item_id, _ in await phone.items("alice@localhost", BLOG)] == ["third"]


@on_every_server
async def test_of_several_that_are_kept_the_oldest_goes(server: Server) -> None:
    async with Backend(server) as backend, Author(server, "alice", "phone") as phone:
        await backend.cache.writer.publish(backend.key("", BLOG), [entry(1)], ids=["a"])
        await backend.cache.nodes.configure(backend.key("", BLOG), {"pubsub#max_items": "3"})
        for item_id in ("b", "c"):
            await phone.publish("alice@localhost", BLOG, item_id, entry(2))
        await backend.synced("", BLOG)

        for item_id in ("d", "e"):
            await phone.publish("alice@localhost", BLOG, item_id, entry(3))

        async with asyncio.timeout(30):
            while await ids(backend, freshness="cache") != ["c", "d", "e"]:
                await asyncio.sleep(0.02)
        await backend.settled("", BLOG)
        assert [item_id for item_id, _ in await phone.items("alice@localhost", BLOG)] == ["c", "d", "e"]

# SPDX-License-Identifier: MIT
"""The whole system: a server, a bus, the daemon, a client."""

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from pubkeep_bridge.client import Account, ItemsAnswer, Pubkeep, connect
from pubkeep_bridge.client.errors import PubkeepError
from tests.fixtures.author import Author
from tests.fixtures.daemon import DaemonProcess
from tests.fixtures.servers import PASSWORD, Server

SERVICE = "pubsub.localhost"
BLOG = "urn:xmpp:microblog:0"


def entry(number: int, title: str = "Title") -> str:
    """An Atom post."""
    return (
        f"<entry xmlns='http://www.w3.org/2005/Atom'><id>{number}</id><title>{title} {number}</title>"
        f"<content>word{number}</content><published>2024-01-01T{number // 3600 % 24:02}:{number // 60 % 60:02}:"
        f"{number % 60:02}Z</published></entry>"
    )


async def until(condition: Callable[[], Awaitable[Any]], seconds: float = 20.0) -> Any:
    """Wait until the condition gives something true, and return it."""
    async with asyncio.timeout(seconds):
        while not (result := await condition()):
            await asyncio.sleep(0.02)
    return result


class World:
    """What a test talks to."""

    def __init__(self, server: Server, daemon: DaemonProcess, pubkeep: Pubkeep) -> None:
        self.server = server
        self.daemon = daemon
        self.pubkeep = pubkeep

    async def start(self) -> None:
        """Start the daemon and wait until it is ready."""
        self.daemon.start()

        async def ready() -> bool:
            try:
                return bool((await self.pubkeep.status())["State"] == "ready")
            except PubkeepError:
                return False

        await until(ready)

    async def add(self, user: str = "alice", port: int = 0) -> Account:
        """Add an account and wait until it is online."""
        account = await self.pubkeep.add_account(
            f"{user}@localhost", password=PASSWORD, host="127.0.0.1", port=port or self.server.port
        )
        await account.online()
        return account

    async def synced(self, account: Account, node: str = BLOG, service: str = SERVICE) -> ItemsAnswer:
        """Read until the answer comes from the cache."""

        async def from_cache() -> ItemsAnswer | None:
            answer = await account.get_items(service, node, max=20_000)
            return answer if answer.meta["source"] == "cache" and not answer.meta["stale"] else None

        result: ItemsAnswer = await until(from_cache)
        return result

    def daemon_resource(self) -> str:
        """The resource that the daemon made for its first account."""
        with contextlib.closing(sqlite3.connect(f"file:{self.daemon.database}?mode=ro", uri=True)) as database:
            return str(database.execute("SELECT resource FROM account").fetchone()[0])

    def log(self) -> str:
        """What the daemon logged."""
        return self.daemon.log.read_text()


@pytest.fixture
async def world(server: Server, daemon: DaemonProcess, private_bus: str) -> AsyncIterator[World]:
    """A running daemon without accounts."""
    async with connect(private_bus) as pubkeep:
        world = World(server, daemon, pubkeep)
        await world.start()
        yield world


@pytest.fixture
async def bob(server: Server) -> AsyncIterator[Author]:
    """Another program, on another account."""
    async with Author(server, "bob") as author:
        yield author


@pytest.fixture
async def blog(bob: Author) -> Author:
    """bob, with a blog of 20 posts, i0 to i19."""
    await bob.create(SERVICE, BLOG, max_items="20000", access_model="open")
    await bob.publish_all(SERVICE, BLOG, [(f"i{n}", entry(n)) for n in range(20)])
    return bob

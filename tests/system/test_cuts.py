# SPDX-License-Identifier: MIT
"""Cuts in the worst moments, between real servers and the session of an account."""

import pytest

from pubkeep.config import CacheSettings
from pubkeep.model import AccountState
from tests.fixtures.author import Author
from tests.fixtures.backend import Backend
from tests.fixtures.every_server import on_every_server
from tests.fixtures.proxy import Proxy
from tests.fixtures.servers import Server
from tests.system.conftest import BLOG, SERVICE, bob, entry, until

__all__ = ["bob"]
pytestmark = [pytest.mark.system, pytest.mark.slow, on_every_server]
READER = "carol"
POINTS = 25
"""Moments in which each login is cut, evenly over the bytes that the server sends in it."""


async def test_wherever_a_login_is_cut_it_is_noticed_at_once_and_nothing_is_lost(server: Server, bob: Author) -> None:
    await bob.create(SERVICE, BLOG, max_items="1000", access_model="open")
    await bob.publish(SERVICE, BLOG, "first", entry(0))
    settings = CacheSettings(fan_out=0.5)
    async with Proxy(server.port) as proxy, Backend(server, READER, settings, proxy.port) as reader:
        login = proxy.passed
        await reader.synced(SERVICE, BLOG)

        for point in range(POINTS):
            await cut_login(proxy, reader, login * point // POINTS)
            await bob.publish(SERVICE, BLOG, f"cut{point}", entry(point))
        await reader.settled(SERVICE, BLOG)

        words = {status.message.partition(";")[0].partition("(")[0].strip() for status in reader.said}
        assert words <= {"", "the connection was lost"}
        assert proxy.cuts >= POINTS // 2


async def cut_login(proxy: Proxy, reader: Backend, after: int) -> None:
    """Cut the connection, and the next one after so many bytes; return when the account is back."""
    connections, cuts = proxy.connections, proxy.cuts
    proxy.cut_after = after
    proxy.cut()

    async def over() -> bool:
        reader.sessions.connect_now(reader.jid)
        return proxy.connections > connections and (proxy.cuts > cuts or online(reader))

    await until(over, 60)
    proxy.cut_after = None
    await until(lambda: back(reader), 60)


def online(reader: Backend) -> bool:
    return reader.status.state is AccountState.ONLINE


async def back(reader: Backend) -> bool:
    reader.sessions.connect_now(reader.jid)
    return online(reader)

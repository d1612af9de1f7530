# SPDX-License-Identifier: MIT
"""After a session that was not resumed: each way of catching up, at a service that has it and at one that lies.

A way that is believed costs few requests; one that lies costs a list of the whole and is not used again.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from pubkeep.config import CacheSettings
from pubkeep.questions import Answer
from pubkeep.sync.proofs import Way
from tests.fixtures.backend import Backend
from tests.fixtures.component import JID, NODE, Remote, serving
from tests.fixtures.servers import Server

pytestmark = pytest.mark.system
NUMBER = 320
SETTINGS = CacheSettings(fan_out=0.2)


class Place:
    """A node of the service, and its copy."""

    def __init__(self, backend: Backend, service: Remote, ways: tuple[str, ...] = ()) -> None:
        self.backend, self.service = backend, service
        self._orders = any(way.startswith("order") for way in ways)

    async def learn(self) -> list[str]:
        """Overwrites show the order, and the next list what the service makes of a wish for another.

        Returns what was overwritten, the last one last.
        """
        last = await self.service.overwrite(lambda: self.explain()["order"] != "unknown", self.synced)
        async with asyncio.timeout(60):
            while True:
                await self.backend.synchronise(JID, NODE)
                await self.backend.synced(JID, NODE)
                known = f"{self.explain()['shown']}{self.explain()['distrusted']}"
                if not self._orders or "order-by" in known:  # what was told meanwhile may have spoiled the trial
                    break
        await self.service.asked()
        return last

    @asynccontextmanager
    async def away(self) -> AsyncIterator[None]:
        """Afterwards, in another session, the copy is synced again, by itself."""
        async with self.backend.away():
            await self.service.asked()
            yield
        await self.synced()

    async def synced(self) -> None:
        """Wait until it is, without a read: nobody is in a hurry."""
        async with asyncio.timeout(30):
            while self.explain()["state"] != "synced":
                await asyncio.sleep(0.02)

    def explain(self) -> dict[str, object]:
        return dict(self.backend.cache.explain(self.backend.key(JID, NODE)))

    async def read(self) -> Answer:
        """All of it; the copy's answer, which is what the service has."""
        ours = await self.backend.synced(JID, NODE)  # a notification may still come late, and leave a doubt
        theirs = await self.backend.read(JID, NODE, max=1000, freshness="service")

        assert [row.id for row in ours.page.items] == await self.service.held()
        assert [(row.id, row.xml) for row in ours.page.items] == [(row.id, row.xml) for row in theirs.page.items]
        return ours


@asynccontextmanager
async def place(server: Server, *ways: str) -> AsyncIterator[Place]:
    """A node of a service that has these ways, synced."""
    async with serving(server, NUMBER, *ways) as service, Backend(server, settings=SETTINGS) as backend:
        await backend.synced(JID, NODE)
        yield Place(backend, service, ways)


async def change(service: Remote, *, retract: bool = True) -> None:
    """Five changes that nobody is told."""
    await service.publish("new", "1", told=False)
    await service.publish("i300", "edited", told=False)
    await service.publish("i3", "edited", told=False)
    await service.publish("newer", "2", told=False)
    if retract:
        await service.retract("i100", told=False)


@pytest.mark.parametrize(
    ("ways", "proved", "hidden"),
    [
        ((), {Way.NEWEST, Way.IDS}, True),
        (("reversed",), {Way.NEWEST, Way.IDS}, True),
        (("creation", "order0"), {Way.NEWEST_CREATED, Way.ORDER_BY, Way.IDS}, True),
        (("creation", "order1"), {Way.NEWEST_CREATED, Way.ORDER_BY, Way.IDS}, True),
        (("creation", "mam"), {Way.NEWEST_CREATED, Way.ARCHIVE, Way.IDS}, False),
        (("mam",), {Way.NEWEST, Way.ARCHIVE, Way.IDS}, False),
    ],
)
async def test_what_came_and_went_is_caught_up(
    server: Server, ways: tuple[str, ...], proved: set[Way], hidden: bool
) -> None:
    async with place(server, *ways) as there:
        await there.learn()

        async with there.away():
            await change(there.service)

        asked, explained = await there.service.asked(), there.explain()
        answer = await there.read()
        assert not {"all", "page"}.intersection(asked)
        assert set(explained["proved_by"]) == proved  # type: ignore[call-overload]
        assert ("edit" in answer.untold) is hidden


@pytest.mark.parametrize("ways", [(), ("backwards",), ("creation", "mam"), ("creation", "order1")])
async def test_where_nothing_went_the_number_of_all_shows_it(server: Server, ways: tuple[str, ...]) -> None:
    async with place(server, *ways) as there:
        await there.learn()

        async with there.away():
            await change(there.service, retract=False)

        asked, explained = await there.service.asked(), there.explain()
        await there.read()
        assert "ids" not in asked
        assert not {"all", "page"}.intersection(asked)
        assert Way.COUNT in explained["proved_by"]  # type: ignore[operator]


@pytest.mark.parametrize("ways", [(), ("reversed",)])
async def test_who_reads_all_the_time_does_not_keep_a_node_from_being_synced(
    server: Server, ways: tuple[str, ...]
) -> None:
    async with place(server, *ways) as there:
        await there.learn()

        async with there.backend.away():
            await change(there.service)
        async with asyncio.timeout(20):
            while (answer := await there.backend.read(JID, NODE, max=1000)).source != "cache" or answer.stale:
                await asyncio.sleep(0.02)

        await there.read()
        assert there.explain()["failures"] == 0

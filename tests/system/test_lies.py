# SPDX-License-Identifier: MIT
"""A service that pages and lies: what is told twice, joined, or otherwise than it is stored."""

import asyncio
from typing import Any

import pytest

from pubkeep.config import CacheSettings
from pubkeep.sync.jobs import Job
from pubkeep_bridge.client import Account
from tests.fixtures.backend import Backend
from tests.fixtures.component import NODE, serving
from tests.fixtures.servers import Server
from tests.system.conftest import World, until
from tests.system.test_paging import EXT

pytestmark = pytest.mark.system
NUMBER = 5
SETTINGS = CacheSettings(fan_out=0.3)


async def ids(account: Account) -> list[str]:
    """What the copy has."""
    answer = await account.get_items(EXT, NODE, freshness="cache")
    return [item.id for item in answer.items]


async def test_a_notification_that_shows_another_payload_is_found_out_and_none_is_believed_again(
    server: Server,
) -> None:
    async with serving(server, NUMBER, "payload") as service, Backend(server, settings=SETTINGS) as alice:
        key = alice.key(EXT, NODE)
        await alice.synced(EXT, NODE)
        await asyncio.sleep(2 * SETTINGS.fan_out)  # else the listing was still under way, and the item were asked for

        for item_id in ("first", "second"):
            await service.publish(item_id, f"what is stored of the {item_id}")

            async def shown(item_id: str = item_id) -> bool:
                row = (await alice.synced(EXT, NODE)).page.items[-1]
                return row.id == item_id and f"what is stored of the {item_id}" in row.xml

            await until(shown)
        job = await alice.cache.verify(key, repair=False)
        await until(lambda: ended(job))

        assert (job.result["different"], job.result["missing"], job.result["extra"]) == ([], [], [])
        assert alice.cache.explain(key)["distrusted"] == ["payloads"]


async def ended(job: Job) -> bool:
    return job.ended


async def test_notifications_in_two_copies_are_one_item_and_leave_the_node_synced(world: World) -> None:
    async with serving(world.server, NUMBER, "doubled") as service:
        alice = await world.add()
        await (await alice.synchronise(EXT, NODE)).result()

        await service.publish("new", "twice")
        await service.retract("i0")

        async def told() -> bool:
            return await ids(alice) == ["i1", "i2", "i3", "i4", "new"]

        await until(told)
        assert [item.id for item in (await world.synced(alice, NODE, EXT)).items] == await service.held()


async def test_several_retractions_joined_to_one_are_asked_for(world: World) -> None:
    async with serving(world.server, NUMBER, "joined") as service:
        alice = await world.add()
        await (await alice.synchronise(EXT, NODE)).result()

        await service.retract("i0", "i1", "i2")

        async def told() -> bool:
            return await ids(alice) == ["i3", "i4"]

        await until(told)
        assert [item.id for item in (await world.synced(alice, NODE, EXT)).items] == await service.held()


@pytest.mark.parametrize("way", ["order-ignored", "index", "reversed"])
async def test_whatever_its_pages_look_like_the_answer_has_one_order(world: World, way: str) -> None:
    async with serving(world.server, NUMBER, way):
        alice = await world.add()
        requests: tuple[dict[str, Any], ...] = (
            {"max": 2},
            {"after": "i1"},
            {"before": "i3"},
            {"index": 1, "max": 2},
            {},
        )

        answers = [await alice.get_items(EXT, NODE, freshness="service", **request) for request in requests]

        shown = [[item.id for item in answer.items] for answer in answers]
        assert shown == [
            ["i3", "i4"],
            ["i2", "i3", "i4"],
            ["i0", "i1", "i2"],
            ["i1", "i2"],
            [f"i{n}" for n in range(5)],
        ]

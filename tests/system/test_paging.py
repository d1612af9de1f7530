# SPDX-License-Identifier: MIT
"""Services that page, and services that lie about it."""

import pytest

from pubkeep_bridge.client.errors import PubkeepError
from tests.fixtures.component import NODE, entry, serving
from tests.system.conftest import World

pytestmark = pytest.mark.system
EXT = "ext.localhost"


async def test_a_node_of_a_paging_service_is_fetched_page_by_page(world: World) -> None:
    async with serving(world.server, 1234):
        alice = await world.add()

        job = await alice.synchronise(EXT, NODE)
        seen = [done async for done, total in job.progress() if total == 1234]
        answer = await alice.get_items(EXT, NODE, max=5000)

        assert answer.meta["source"] == "cache"
        assert [item.id for item in answer.items] == [f"i{n}" for n in range(1234)]
        assert entry(1233).partition("<title>")[2].partition("<")[0] in answer.items[-1].xml
        assert seen == sorted(seen)


async def test_a_service_that_cuts_its_answers_is_paged_on(world: World) -> None:
    async with serving(world.server, 345, "truncate"):
        alice = await world.add()

        answer = await world.synced(alice, NODE, EXT)

        assert len(answer.items) == 345


@pytest.mark.parametrize(
    ("ways", "words"),
    [
        (("stuck", "truncate"), "cursor does not advance"),
        (("repeat", "truncate"), "twice"),
        (("count", "truncate"), "counts 346 items and lists 345"),
        (("silent",), "cuts its answers to 100 items without a word"),
    ],
)
async def test_a_walk_that_proves_nothing_leaves_the_node_unsynced(
    world: World, ways: tuple[str, ...], words: str
) -> None:
    async with serving(world.server, 345, *ways):
        alice = await world.add()
        job = await alice.synchronise(EXT, NODE)

        with pytest.raises(PubkeepError, match=words):
            await job.result()
        answer = await alice.get_items(EXT, NODE, max=3)

        assert answer.meta["source"] == "service"
        assert [item.id for item in answer.items] == ["i342", "i343", "i344"]
        assert [node["state"] for node in await world.pubkeep.nodes()] == ["error"]


@pytest.mark.parametrize("lie", ["stuck", "repeat", "count"])
async def test_pages_that_do_not_fit_together_are_given_up_for_all_at_once(world: World, lie: str) -> None:
    async with serving(world.server, 345, lie) as service:
        alice = await world.add()

        await (await alice.synchronise(EXT, NODE)).result()
        await service.asked()
        await (await alice.synchronise(EXT, NODE)).result()

        assert [item.id for item in (await world.synced(alice, NODE, EXT)).items] == [f"i{n}" for n in range(345)]
        assert set(await service.asked()) == {"all"}
        explained = await alice.explain(EXT, NODE)
        assert "pages" in explained["distrusted"]
        assert explained["proved_by"] == ["at-once"]
        assert "pages" not in explained["shown"]

# SPDX-License-Identifier: MIT
"""Nodes of many items: all of them are held in the end, and each is written once."""

import contextlib
import sqlite3

import pytest

from pubkeep_bridge.client.errors import PubkeepError
from tests.fixtures.component import NODE, serving
from tests.fixtures.servers import PASSWORD
from tests.system.conftest import World, until
from tests.system.test_paging import EXT

pytestmark = pytest.mark.system
ALL = 16 * 1024 * 1024


@pytest.mark.slow
async def test_a_node_of_ten_thousand_items_is_held_whole(world: World) -> None:
    async with serving(world.server, 10_000) as service:
        alice = await world.add()

        await (await alice.synchronise(EXT, NODE)).result()
        answer = await alice.get_items(EXT, NODE, max=10_000, format="json", max_bytes=ALL)

        assert (answer.meta["source"], answer.meta["stale"]) == ("cache", False)
        assert [item.id for item in answer.items] == await service.held()


async def test_a_listing_that_was_broken_off_goes_on_with_what_it_has(world: World) -> None:
    def written() -> dict[str, int]:
        """id -> the number of the change that wrote it last."""
        with contextlib.closing(sqlite3.connect(world.daemon.database)) as database:
            return dict(database.execute("SELECT item_id, sequence FROM item").fetchall())

    async with serving(world.server, 3000) as service:
        alice = await world.add()
        job = await alice.synchronise(EXT, NODE)
        with contextlib.suppress(PubkeepError):
            async for done, _ in job.progress():
                if done >= 1000:
                    break
        world.daemon.kill()
        before = written()

        await world.start()
        alice = (await until(world.pubkeep.accounts))[0]
        await alice.set_password(PASSWORD)
        await alice.online()
        await (await alice.synchronise(EXT, NODE)).result()
        answer = await alice.get_items(EXT, NODE, max=5000, format="json", max_bytes=ALL)

        after = written()
        assert 1000 <= len(before) < 3000
        assert (answer.meta["source"], answer.meta["stale"]) == ("cache", False)
        assert [item.id for item in answer.items] == await service.held()
        assert [item_id for item_id in before if after[item_id] != before[item_id]] == []

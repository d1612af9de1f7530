# SPDX-License-Identifier: MIT
"""GetItems in another order than that of the list (XEP-0413): asked of a service that has shown that it knows it."""

import pytest

from pubkeep.errors import NotSupported
from tests.fixtures.component import JID, NODE
from tests.fixtures.servers import Server
from tests.system.test_catching_up import Place, place

pytestmark = pytest.mark.system


async def ids(there: Place, **options: object) -> list[str]:
    answer = await there.backend.read(JID, NODE, **options)
    assert (answer.source, answer.stale) == ("service", False)
    return [row.id for row in answer.page.items]


@pytest.mark.parametrize("version", ["order0", "order1"])
async def test_the_last_modified_are_asked_for_where_the_list_is_by_creation(server: Server, version: str) -> None:
    async with place(server, "creation", version) as there:
        overwritten = await there.learn()

        newest = await ids(there, order="modification", max=3)
        before = await there.backend.read(JID, NODE, order="modification", before=overwritten[-1], max=2)
        own = await there.backend.read(JID, NODE, order="creation", max=2)

        modified = ["i317", "i318", "i319", *overwritten]
        assert newest == modified[-3:]
        assert [row.id for row in before.page.items] == modified[-3:-1]
        assert (own.source, [row.id for row in own.page.items]) == ("cache", ["i318", "i319"])


@pytest.mark.parametrize("version", ["order0", "order1"])
async def test_the_last_created_are_asked_for_where_an_overwrite_moves_to_the_end(server: Server, version: str) -> None:
    async with place(server, version) as there:
        await there.learn()

        newest = await ids(there, order="creation", max=2)
        middle = await there.backend.read(JID, NODE, order="creation", after="i4", max=2)

        assert newest == ["i318", "i319"]
        assert [row.id for row in middle.page.items] == ["i5", "i6"]


async def test_an_order_that_the_service_ignores_in_silence_is_refused(server: Server) -> None:
    async with place(server, "creation", "order-ignored") as there:
        await there.learn()

        with pytest.raises(NotSupported, match="does not show that it keeps this order"):
            await there.backend.read(JID, NODE, order="modification", max=3)

        assert "order-by" in there.explain()["distrusted"]  # type: ignore[operator]

# SPDX-License-Identifier: MIT
"""A database that takes no writes for a while: it is said, reads go on, and it is noticed when it takes them again."""

import asyncio

import pytest

from pubkeep.errors import PubkeepError, ReadOnly
from pubkeep.model import NodeRecord
from pubkeep.query.document import read
from pubkeep.questions import SearchRequest
from pubkeep.storage.store import Store
from tests.daemon.storage.conftest import KEY, item, opened
from tests.fixtures.places import Place


async def filled(place: Place) -> tuple[Store, NodeRecord]:
    """A store with one item."""
    store, node = await opened(place.where)
    await store.apply(node, [item("a", "apple")])
    return store, node


async def refused(store: Store, node: NodeRecord) -> ReadOnly:
    """What a write is told; a session that was ended is made anew first."""
    async with asyncio.timeout(20):
        while True:
            try:
                await store.apply(node, [item("b")])
            except ReadOnly as error:
                return error
            except PubkeepError:
                await asyncio.sleep(0.05)
            else:
                raise AssertionError("it was written")


async def test_writers_are_told_reads_go_on_and_it_goes_on_by_itself(
    place: Place,
) -> None:
    store, node = await filled(place)
    told: list[str] = []
    store.told = told.append

    await place.take_writes(store, no=True)
    error = await refused(store, node)
    for _ in range(3):
        with pytest.raises(ReadOnly):
            await store.save_node(node)

    assert "by itself as soon as it" in str(error)
    assert (store.read_only, told) == (str(error), [str(error)])
    assert [row.id for row in (await store.page(node, limit=5)).items] == ["a"]
    found = await store.search(SearchRequest(read("apple")), [KEY.account])
    assert [row.id for row in found.items] == ["a"]

    await place.take_writes(store)
    async with asyncio.timeout(20):
        while store.read_only:
            await asyncio.sleep(0.05)

    assert told == [str(error), ""]
    assert (await store.apply(node, [item("b")])).items == 2
    await store.close()
    assert place.fault() == ""


async def test_it_may_be_closed_meanwhile(place: Place) -> None:
    store, node = await filled(place)
    await place.take_writes(store, no=True)
    await refused(store, node)

    await store.close()

    await place.take_writes(None)
    store, node = await opened(place.where)
    assert (await store.apply(node, [item("b")])).items == 2
    await store.close()

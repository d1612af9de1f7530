# SPDX-License-Identifier: MIT
"""What is read while the database takes no writes, and how the copy is made right afterwards."""

import pytest

from pubkeep.errors import ReadOnly
from pubkeep.model import Policy
from pubkeep.questions import ItemsRequest
from pubkeep.storage.opening import OpenedFile
from tests.daemon.cache.conftest import ENTRY, Bench
from tests.daemon.cache.service import KEY
from tests.fixtures.places import File

OTHER = KEY._replace(node="urn:xmpp:microblog:0:comments/1")


@pytest.fixture
async def place(bench: Bench) -> File:
    """Whose database takes no writes."""
    assert isinstance(bench.store.opened, OpenedFile)
    place = File(bench.store.opened.path)
    await place.take_writes(bench.store, no=True)
    bench.store.told = lambda words: None if words else bench.cache.written_again()
    return place


async def test_what_is_told_meanwhile_is_read_from_the_service_and_kept_afterwards(bench: Bench, place: File) -> None:
    bench.service.publish_elsewhere("d", "4")
    await bench.service.drained(KEY)

    for _ in range(2):
        assert await bench.state() == ("service", [("a", "1"), ("b", "2"), ("c", "3"), ("d", "4")])
    held = await bench.read(freshness="cache")
    assert (held.stale, [row.id for row in held.page.items]) == (True, ["a", "b", "c"])

    await place.take_writes(bench.store)
    await bench.settled()
    assert place.fault() == ""


async def test_a_difference_that_a_read_shows_is_shown_though_it_cannot_be_stored(bench: Bench, place: File) -> None:
    bench.service.publish_elsewhere("d", "4", told=False)

    answer = await bench.read(freshness="service")

    assert [row.id for row in answer.page.items] == ["a", "b", "c", "d"]
    assert (await bench.read(freshness="cache")).stale
    await place.take_writes(bench.store)
    await bench.settled()


async def test_a_node_that_would_be_taken_up_is_shown_and_taken_up_later(bench: Bench, place: File) -> None:
    bench.service.key = OTHER
    answer = await bench.cache.get_items(OTHER, ItemsRequest())
    assert [row.id for row in answer.page.items] == ["a", "b", "c"]
    assert bench.cache.explain(OTHER)["state"] == "unknown"

    await place.take_writes(bench.store)
    await bench.written()
    await bench.cache.get_items(OTHER, ItemsRequest())
    assert bench.cache.explain(OTHER)["state"] != "unknown"


async def test_who_writes_is_told(bench: Bench, place: File) -> None:
    with pytest.raises(ReadOnly):
        await bench.cache.set_policy(KEY, Policy("always"))
    with pytest.raises(ReadOnly):
        await bench.cache.writer.publish(KEY, [ENTRY.format("4")], ids=["d"])
    assert await bench.state() == ("service", list(bench.service.items_held.items()))
    assert bench.cache.get_policy(KEY) == Policy()

    await place.take_writes(bench.store)
    await bench.settled()
    await bench.cache.set_policy(KEY, Policy("always"))

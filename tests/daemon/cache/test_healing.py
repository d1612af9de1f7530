# SPDX-License-Identifier: MIT
"""A read that meets an item that is damaged: never wrong, never without end, and later all is right again."""

import asyncio
import sqlite3
from contextlib import closing
from typing import Any

import pytest

from pubkeep.cache.harm import OFTEN, WITHIN
from pubkeep.errors import DamagedItem
from pubkeep.model import NodeChange
from pubkeep.query.document import read
from pubkeep.questions import ChangesRequest, SearchRequest
from pubkeep.storage.opening import OpenedFile
from pubkeep.uri import item_uri
from tests.daemon.cache.conftest import ENTRY, Bench
from tests.daemon.cache.service import KEY

WHOLE = [ENTRY.format(title) for title in "123"]


def harm(bench: Bench, *ids: str) -> None:
    """Something else is stored of these items, all of a sudden."""
    opened = bench.store.opened
    assert isinstance(opened, OpenedFile)
    with closing(sqlite3.connect(opened.path)) as database, database:
        for item_id in ids:
            database.execute(
                "UPDATE payload SET data = x'00' WHERE item = (SELECT number FROM item WHERE item_id = ?)", (item_id,)
            )
    node = bench.cache._known.node(KEY)
    assert node is not None
    node.changed()  # pages that were read before are kept


async def titles(bench: Bench, **options: Any) -> tuple[str, bool, bool, list[str]]:
    """(source, stale, complete, ids) of a read of the XML."""
    answer = await bench.read(format="xml", **options)
    return answer.source, answer.stale, answer.page.complete, [row.id for row in answer.page.items]


async def test_a_read_is_passed_to_the_service_and_the_next_ones_are_right_again(bench: Bench) -> None:
    harm(bench, "b")

    assert await titles(bench) == ("service", False, True, ["a", "b", "c"])

    await bench.settled()
    assert await titles(bench) == ("cache", False, True, ["a", "b", "c"])
    assert bench.cache.explain(KEY)["damaged"] == 1


async def test_offline_the_others_are_shown_and_the_answer_says_that_it_lacks_something(bench: Bench) -> None:
    bench.cache.session_lost(KEY.account)
    harm(bench, "b")

    assert await titles(bench, freshness="cache") == ("cache", True, False, ["a", "c"])
    answer = await bench.read(ids=("a", "b"), freshness="cache")
    assert ([row.id for row in answer.page.items], answer.page.unknown, answer.stale) == (["a"], ("b",), True)
    assert not answer.page.complete

    bench.cache.session_started(KEY.account)
    await bench.settled()
    assert await titles(bench) == ("cache", False, True, ["a", "b", "c"])


async def test_a_search_goes_on_without_it_and_says_how_many_nodes_are_not_whole(bench: Bench) -> None:
    bench.cache.session_lost(KEY.account)
    harm(bench, "b", "c")
    await bench.cache.search(SearchRequest(), [KEY.account])  # json alone: nothing of it is damaged

    result = await bench.cache.search(SearchRequest(format="both"), [KEY.account])

    assert ([row.id for row in result.items], result.incomplete, result.stale) == (["a"], 1, 1)
    rows, missing = await bench.cache.lookup([item_uri(KEY, i) for i in "ab"], [KEY.account], "xml", extra=False)
    assert ([row.id for row in rows], missing) == (["a"], [item_uri(KEY, "b")])


async def test_a_lookup_says_that_it_is_not_held(bench: Bench) -> None:
    bench.cache.session_lost(KEY.account)
    harm(bench, "b")

    rows, missing = await bench.cache.lookup([item_uri(KEY, i) for i in "abc"], [KEY.account], "xml", extra=False)

    assert ([row.id for row in rows], missing) == (["a", "c"], [item_uri(KEY, "b")])


async def test_an_export_is_cut_off_and_the_next_one_is_whole(bench: Bench) -> None:
    harm(bench, "b")
    request = SearchRequest(read(""), format="both")

    with pytest.raises(DamagedItem):
        [page async for page in bench.cache.export(request, [KEY.account])]

    await bench.settled()
    (page,) = [page async for page in bench.cache.export(request, [KEY.account])]
    assert sorted(row.id for row in page.items) == ["a", "b", "c"]


async def test_who_follows_what_changes_is_told_that_it_is_gone_and_back(bench: Bench) -> None:
    told: list[NodeChange] = []
    bench.cache.listeners.append(told.append)
    since = bench.cache.sequence
    harm(bench, "b")

    await titles(bench)
    await bench.settled()

    changes = await bench.cache.changes(ChangesRequest(since, limit=100), [KEY.account])
    assert [(change.kind, change.item_id) for change in changes.changes if change.item_id] == [("published", "b")]
    assert [(c.published, c.retracted) for c in told if c.what == "items"] == [((), ("b",)), (("b",), ())]


async def test_what_is_damaged_again_and_again_is_not_fetched_again_and_again(bench: Bench) -> None:
    for _ in range(OFTEN):
        await bench.settled()
        harm(bench, "b")
        await titles(bench)
    listings = len(bench.service.asked)
    for _ in range(5):
        assert await titles(bench) == ("service", False, True, ["a", "b", "c"])
        await bench.read(freshness="quick")
    await asyncio.sleep(0.3)

    assert bench.cache.explain(KEY)["damaged"] == OFTEN
    assert "damaged again and again" in str(bench.cache.explain(KEY)["words"])
    assert "next_attempt" in bench.cache.explain(KEY)
    assert len(bench.service.asked) == listings + 5  # quick reads give what is held

    bench.clock.forward += WITHIN
    bench.cache._scheduler._wake.set()
    await bench.settled()


async def test_who_asks_for_it_has_it_fetched_all_the_same(bench: Bench) -> None:
    for _ in range(OFTEN):
        await bench.settled()
        harm(bench, "b")
        await titles(bench)

    await bench.synchronise()

    await bench.settled()
    assert await titles(bench) == ("cache", False, True, ["a", "b", "c"])


async def test_where_it_cannot_be_forgotten_it_is_not_believed_all_the_same(bench: Bench) -> None:
    harm(bench, "b")
    bench.store.forgets = False

    assert await titles(bench) == ("service", False, True, ["a", "b", "c"])
    bench.cache.session_lost(KEY.account)
    with pytest.raises(DamagedItem):
        await titles(bench, freshness="cache")

# SPDX-License-Identifier: MIT
"""An item of which something else is stored than was is shown to nobody, found, and forgotten without a trace."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from pubkeep.clock import Clock
from pubkeep.errors import DamagedItem
from pubkeep.model import NodeRecord
from pubkeep.query.declared import Declared
from pubkeep.query.document import read
from pubkeep.questions import SearchRequest
from pubkeep.storage.store import Store
from tests.daemon.storage.conftest import KEY, item, opened
from tests.fixtures.places import Place

OF_B = "(SELECT number FROM item WHERE item_id = 'b')"
OTHERS = f"(SELECT data FROM payload WHERE item != {OF_B} LIMIT 1)"
HARMS = {
    "bytes that are nothing": f"UPDATE payload SET data = 'x' WHERE item = {OF_B}",
    "no payload": f"DELETE FROM payload WHERE item = {OF_B}",
    "no bytes": f"UPDATE payload SET data = substr(data, 1, 0) WHERE item = {OF_B}",
    "another item's payload": f"UPDATE payload SET data = {OTHERS} WHERE item = {OF_B}",
    "another digest": "UPDATE item SET digest = substr(digest, 2) WHERE item_id = 'b'",
}
OF_THE_ROW = {
    "JSON that is none": "UPDATE item SET json = 'x' WHERE item_id = 'b'",
}


async def filled(place: Place) -> tuple[Store, NodeRecord]:
    """A store with the items a, b and c; b shares a word with each of them."""
    store, node = await opened(place.where)
    await store.declare(Declared({("title",): frozenset()}))
    await store.apply(node, [item("a", "one two"), item("b", "two three two"), item("c", "three four")])
    return store, node


async def found(store: Store, query: str) -> list[str]:
    """The ids that a search finds, the oldest first."""
    request = SearchRequest(read(query), order_by=("id",))
    return [row.id for row in (await store.search(request, [KEY.account])).items]


READS: dict[str, Callable[[Store, NodeRecord], Awaitable[object]]] = {
    "page": lambda store, node: store.page(node, limit=10),
    "ids": lambda store, node: store.by_ids(node, ["a", "b"]),
    "raw": lambda store, node: store.raw_items(node.number, -1, 10),
    "lookup": lambda store, _: store.lookup([(KEY, "b")], format="both", extra=False),
    "search that shows it": lambda store, _: store.search(SearchRequest(format="xml"), [KEY.account]),
    "search that looks into it": lambda store, _: store.search(
        SearchRequest(read('{"namespaces": ["urn:x"]}')), [KEY.account]
    ),
}


@pytest.mark.parametrize("reading", READS)
@pytest.mark.parametrize("harm", HARMS)
async def test_no_read_shows_it_and_each_says_whose_it_is(place: Place, harm: str, reading: str) -> None:
    store, node = await filled(place)
    place.execute(HARMS[harm])

    with pytest.raises(DamagedItem, match="item 'b': what is stored of it is damaged") as raised:
        await READS[reading](store, node)

    assert raised.value.node == node.number
    assert not isinstance(raised.value.__cause__, DamagedItem)
    assert [row.xml for row in (await store.by_ids(node, ["a", "c"])).items] == [
        item("a", "one two").xml,
        item("c", "three four").xml,
    ]
    assert await found(store, "one") == ["a"]
    await store.close()


async def test_json_that_is_none_is_noticed_by_who_looks_into_it(place: Place) -> None:
    store, _ = await filled(place)
    place.execute(OF_THE_ROW["JSON that is none"])

    with pytest.raises(DamagedItem, match="item 'b'"):
        await found(store, '{"parsed": [{"path": "/title", "op": "like", "value": "b"}]}')

    await store.close()


@pytest.mark.parametrize("harm", [*HARMS, *OF_THE_ROW])
async def test_it_is_forgotten_with_all_that_was_made_of_it(place: Place, harm: str) -> None:
    store, node = await filled(place)
    place.execute((HARMS | OF_THE_ROW)[harm])

    ids = await store.damaged_items(node.number)
    applied = await store.forget_items(node, ids)

    assert (ids, applied.retracted, applied.items) == (["b"], ("b",), 2)
    assert place.rows("SELECT kind FROM change WHERE item_id = 'b'") == [("forgotten",)]
    assert place.fault() == ""
    assert await found(store, "two") == ["a"]
    await store.apply(node, [item("b", "two five")])
    assert place.fault() == ""
    assert (await found(store, "two"), await found(store, "three")) == (["a", "b"], ["c"])
    await store.close()


@pytest.mark.parametrize("harm", [*HARMS, "JSON that is none"])
@pytest.mark.parametrize("what", ["overwritten", "retracted", "told anew"])
async def test_whatever_happens_to_it_meanwhile_the_indexes_are_right(place: Place, harm: str, what: str) -> None:
    store, node = await filled(place)
    place.execute((HARMS | OF_THE_ROW)[harm])

    if what == "retracted":
        await store.apply(node, removals=["b"])
    else:
        await store.apply(node, [item("b", "six" if what == "overwritten" else "two three two seven")])

    assert place.fault() == ""
    assert await found(store, "two") == (["a", "b"] if what == "told anew" else ["a"])
    await store.close()


async def test_it_does_not_keep_the_words_of_the_others_from_being_indexed_anew(place: Place) -> None:
    store, node = await filled(place)
    place.execute(HARMS["another item's payload"])
    place.execute("UPDATE derived SET version = 'older'")
    await store.close()  # in order: a file that is changed later is looked through

    store = await Store.open(place.where, Clock())
    async with asyncio.timeout(20):
        while store.indexing:
            await asyncio.sleep(0.01)

    assert await found(store, "two") == ["a"]
    await store.forget_items(node, await store.damaged_items(node.number))
    assert place.fault() == ""
    await store.close()


@pytest.mark.parametrize("harm", ["DELETE FROM item_key", "UPDATE item_key SET tkey = tkey + 1", "words"])
async def test_indexes_are_made_anew_while_everything_goes_on(place: Place, harm: str) -> None:
    store, node = await filled(place)
    in_a_file = "INSERT INTO item_fts(item_fts) VALUES ('delete-all')"
    lost = in_a_file if isinstance(place.where, Path) else "DELETE FROM item_fts"
    place.execute(lost if harm == "words" else harm)
    assert place.fault() != ""

    await store.reindex()
    await store.apply(node, [item("d", "four one")], removals=["a"])
    async with asyncio.timeout(20):
        while store.indexing or place.rows("SELECT count(*) FROM key WHERE behind > 0 OR place = ''") != [(0,)]:
            await asyncio.sleep(0.01)

    assert place.fault() == ""
    assert (await found(store, "one"), await found(store, "two")) == (["d"], ["b"])
    await store.close()


async def test_where_nothing_is_damaged_nothing_is_found(place: Place) -> None:
    store, node = await filled(place)

    assert await store.damaged_items(node.number) == []

    await store.close()

# SPDX-License-Identifier: MIT
"""What lies in the database of an item's XML and text, and the dictionaries that make it small."""

import asyncio
import os
import random
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pubkeep.clock import Clock
from pubkeep.errors import Failed
from pubkeep.model import NewItem, NodeRecord, Parsed
from pubkeep.query.document import read
from pubkeep.questions import SearchRequest
from pubkeep.storage import training
from pubkeep.storage.payloads import Payloads, train
from pubkeep.storage.store import Store
from pubkeep.storage.training import Dictionaries
from tests.daemon.storage.conftest import KEY, item, opened
from tests.fixtures.full_text import stored
from tests.fixtures.places import Place

WORDS = [f"{a}{b}{c}" for a in ("gar", "oni", "spr", "lav") for b in ("den", "ons", "ing") for c in ("a", "e", "i")]


def text(number: int) -> str:
    """What somebody might write."""
    return " ".join(random.Random(number).choices(WORDS, k=60)) + f" w{number}"


def items(start: int, end: int) -> list[NewItem]:
    return [item(f"i{number}", text(number)) for number in range(start, end)]


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


@given(TEXT, TEXT)
def test_it_comes_back_as_it_was(xml: str, words: str) -> None:
    payloads = Payloads({})

    assert payloads.unpack(payloads.pack(xml, words)) == (xml, words)


def test_the_text_costs_next_to_nothing_beside_the_xml() -> None:
    payloads, xml = Payloads({}), f"<entry xmlns='urn:x'>{text(1)}</entry>"

    assert len(payloads.pack(xml, text(1))) < len(payloads.pack(xml, "")) + 30


def test_each_dictionary_reads_what_it_wrote() -> None:
    known: dict[int, bytes] = {}
    payloads = Payloads(known)
    packed = [[payloads.pack(text(number), "") for number in range(500)]]
    for number in (1, 2):
        known[number] = train(number, packed[-1], known)
        packed.append([payloads.pack(text(each), "") for each in range(500)])

    again = Payloads(dict(known))

    assert [[again.unpack(data)[0] for data in part] for part in packed] == [[text(n) for n in range(500)]] * 3
    assert sum(map(len, packed[1])) < sum(map(len, packed[0])) / 1.5


@pytest.mark.parametrize("damaged", [b"", b"what is this", Payloads({}).pack("x" * 99, "")[:-2]])
def test_damaged_bytes_are_said_to_be_damaged(damaged: bytes) -> None:
    with pytest.raises(Failed, match="a stored payload is damaged"):
        Payloads({}).unpack(damaged)


def test_a_lost_dictionary_is_damage_too() -> None:
    plain = Payloads({})
    known = {1: train(1, [plain.pack(text(n), "") for n in range(500)], {})}

    with pytest.raises(Failed, match="a stored payload is damaged"):
        plain.unpack(Payloads(known).pack(text(1), ""))


def test_a_dictionary_is_trained_rarely() -> None:
    never, once = Dictionaries({}, 0), Dictionaries({1: b""}, 3000)

    assert [never.due(999), never.due(1000)] == [False, True]
    assert [once.due(29_999), once.due(30_000)] == [False, True]


async def trained(place: Place) -> None:
    """Until a dictionary is stored."""
    async with asyncio.timeout(20):
        while not count(place):
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)  # the thread that committed it has to say so yet


def count(place: Place) -> int:
    found: int = place.rows("SELECT count(*) FROM dictionary")[0][0]
    return found


async def test_of_a_thousand_items_a_dictionary_is_made_and_the_next_are_smaller(place: Place) -> None:
    store, node = await opened(place.where)
    await store.apply(node, items(0, training.FIRST))
    await trained(place)
    await store.apply(node, [*items(0, 10), *items(1000, 1100)])
    await store.apply(node, [item("i0", "other words")], removals=["i1"])
    page = await store.page(node, limit=2000)
    (found,) = (await store.search(SearchRequest(read("w1050"), format="both"), [KEY.account])).items
    await store.close()
    again = await Store.open(place.where, Clock())
    try:
        assert [row.xml for row in (await again.page(node, limit=2000)).items] == [row.xml for row in page.items]
        assert found.xml == items(1050, 1051)[0].xml
        assert (await again.search(SearchRequest(read("w0 OR w1")), [KEY.account])).items == ()
    finally:
        await again.close()
    sql = "SELECT item > 1000, avg(length(data)) FROM payload GROUP BY 1"
    sizes = {bool(late): size for late, size in place.rows(sql)}
    assert count(place) == 1
    assert sizes[True] < float(sizes[False]) / 1.5


async def test_payloads_with_nothing_to_learn_from_are_kept(store: Store, node: NodeRecord) -> None:
    await store.apply(node, [NewItem(f"i{n}", "", "", b"", Parsed()) for n in range(training.FIRST)])
    await asyncio.sleep(0.1)

    assert [row.xml for row in (await store.page(node, limit=5000)).items] == [""] * training.FIRST


DYING = """
import asyncio, sys
from pubkeep.clock import Clock
from pubkeep.storage.store import Store
from tests.daemon.storage.conftest import KEY
from tests.daemon.storage.test_payloads import items
from tests.fixtures.places import named
async def main():
    store = await Store.open(named(sys.argv[1]), Clock())
    (node,) = await store.nodes(KEY.account)
    await store.apply(node, items(0, 1000))
    await asyncio.sleep(20)
asyncio.run(main())
"""


@pytest.mark.parametrize("side", ["before", "after"])
async def test_killed_where_a_dictionary_is_stored_nothing_is_lost(place: Place, side: str) -> None:
    store, _ = await opened(place.where)
    await store.close()
    environ = os.environ | {"PUBKEEP_CRASH": f"{side} save dictionary"}

    run = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", DYING, str(place.where)], env=environ, capture_output=True
    )
    assert run.returncode == -9, run.stderr
    store = await Store.open(place.where, Clock())
    (node,) = await store.nodes(KEY.account)
    await store.apply(node, items(1000, 1001))
    await trained(place)
    page = await store.page(node, limit=2000)
    await store.close()

    assert [row.xml for row in page.items] == [each.xml for each in items(0, 1001)]
    assert count(place) == 1


def test_the_fixture_reads_what_the_program_writes() -> None:
    assert stored(Payloads({}).pack("<x/>", "word")) == ("<x/>", "word")

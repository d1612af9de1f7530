# SPDX-License-Identifier: MIT
"""What analysers declare of their JSON is indexed, and the index says just what the query means."""

import asyncio
import json
import os
import subprocess
import sys
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pubkeep.clock import Clock
from pubkeep.model import NewItem
from pubkeep.query.conditions import Parsed
from pubkeep.query.declared import Declared
from pubkeep.query.document import pointer, pointer_of, read
from pubkeep.query.matching import compare
from pubkeep.query.values import MISSING, sort_key
from pubkeep.questions import SearchRequest
from pubkeep.storage import keys
from pubkeep.storage.engines import READERS
from pubkeep.storage.keys import ranges
from pubkeep.storage.store import Store
from tests.daemon.storage.conftest import KEY, item, opened
from tests.fixtures.places import Place

START, PRICE = ("start",), ("price",)
DATES = ("2026-07-01T00:00:00Z", "2026-07-01T02:00:00+02:00", "2026-06-30T23:59:59Z", "2027-01-01T00:00:00Z")
VALUES: list[Any] = [None, True, False, 0, -1, 1, 1.0, 1.5, 2**53 + 1, -(2**60), "", "1", "a", "ab", "ä", "春", *DATES]
VALUES += ["soon", "x" * 255, "x" * 256, "x" * 300, "\ud800", [], ["a"], {}, {"a": 1}]
OPERATORS = ("==", ">", ">=", "<", "<=", "exists", "starts_with", "!=", "like", "overlap")
ANY = st.sampled_from(VALUES)
CONDITIONS = st.one_of(
    st.builds(Parsed, st.just(START), st.sampled_from(OPERATORS), ANY, st.booleans()),
    st.builds(Parsed, st.just(START), st.just("in"), st.lists(ANY, max_size=3)),
    st.builds(Parsed, st.just(START), st.just("between"), st.tuples(ANY, ANY).map(list)),
)


@settings(max_examples=1500, deadline=None)
@given(CONDITIONS, ANY, st.booleans(), st.booleans())
def test_the_index_finds_just_what_is_meant(condition: Parsed, found: Any, dated: bool, sometimes: bool) -> None:
    made = ranges(condition, dated or sometimes)

    if made is not None:
        key = sort_key(found, dated=dated)
        inside = sum(start <= key < end for start, end in made)
        assert inside == compare(condition, found, dated=dated)


def test_what_is_asked_of_values_is_answered_by_the_index() -> None:
    for operator in ("==", ">", ">=", "<", "<=", "exists"):
        assert ranges(Parsed(START, operator, "2026-07-01T00:00:00Z"), dated=True)
        assert ranges(Parsed(START, operator, 3), dated=False)
    assert compare(Parsed(START, "exists"), MISSING) is False


@given(st.lists(st.text(max_size=5), max_size=4).map(tuple))
def test_a_pointer_is_read_as_it_was_written(path: tuple[str, ...]) -> None:
    assert pointer(pointer_of(path)) == path


# -- in the database -----------------------------------------------------------------------------------------


def event(number: int, price: int | None = None) -> NewItem:
    """Each has a start; the even ones have a price."""
    document: dict[str, Any] = {"start": DATES[number % len(DATES)]}
    if price is not None or number % 2 == 0:
        document["price"] = number if price is None else price
    plain = item(f"e{number}", json.dumps(document))
    return replace(plain, parsed=replace(plain.parsed, text="", json=json.dumps(document)))


async def filled(place: Place, places: int) -> None:
    """Until so many places are indexed, and nothing else."""
    sql = "SELECT count(*), coalesce(sum(behind), 0), count(CASE WHEN place = '' THEN 1 END) FROM key"
    async with asyncio.timeout(20):
        while place.rows(sql) != [(places, 0, 0)]:
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)  # the thread that committed it has to say so yet


async def found(store: Store, **parsed: Any) -> set[str]:
    request = SearchRequest(read(json.dumps({"parsed": parsed})), limit=5000)
    return {row.id for row in (await store.search(request, [KEY.account])).items}


BOTH = Declared({START: frozenset({"event"}), PRICE: frozenset()})
MANY = 2 * keys.FILLED + 100


async def test_items_that_are_there_are_indexed_while_others_come_change_and_go(place: Place) -> None:
    store, node = await opened(place.where, "event")
    await store.apply(node, [event(number) for number in range(MANY)])
    await store.declare(BOTH)
    writing = [
        store.apply(node, [event(number, 7), event(MANY + number)], removals=[f"e{MANY - 1 - number}"])
        for number in range(0, 40, 2)
    ]
    await asyncio.gather(*writing)
    assert await found(store, path="/price", value=7) == {f"e{number}" for number in range(0, 40, 2)}
    await filled(place, 2)

    assert await found(store, path="/price", value=7) == {f"e{number}" for number in range(0, 40, 2)}
    assert await found(store, path="/price", value=8) == set()
    early = {f"e{number}" for number in range(MANY + 40) if number % 4 == 2} & await found(store, path="", op="exists")
    assert await found(store, path="/start", op="<", value="2026-07-01T00:00:00Z") == early
    await store.close()
    assert place.fault() == ""


async def test_what_is_declared_otherwise_is_indexed_anew(place: Place) -> None:
    store, node = await opened(place.where, "event")
    await store.apply(node, [event(number) for number in range(20)])
    same = {f"e{number}" for number in range(20) if number % 4 < 2}
    query = {"path": "/start", "value": "2026-07-01T00:00:00Z"}
    for declared, places, meant in (
        (Declared({START: frozenset()}), 1, {f"e{number}" for number in range(0, 20, 4)}),
        (Declared({START: frozenset({"event"})}), 1, same),
        (BOTH, 2, same),
        (Declared(), 0, {f"e{number}" for number in range(0, 20, 4)}),
        (BOTH, 2, same),
    ):
        await store.declare(declared)
        assert await found(store, **query) == meant
        await filled(place, places)
        assert await found(store, **query) == meant
        await store.apply(node, [event(3, 5)] if places == 1 else [event(3)])
        assert place.fault() == ""
    await store.close()


async def test_the_indexes_of_an_earlier_run_are_kept_up_before_anything_is_declared(place: Place) -> None:
    store, node = await opened(place.where, "event")
    await store.declare(BOTH)
    await store.apply(node, [event(number) for number in range(20)])
    await store.close()

    store, node = await opened(place.where, "event")
    await store.apply(node, [event(2, 99)], removals=["e4"])

    assert await found(store, path="/price", value=99) == {"e2"}
    await store.close()
    assert place.fault() == ""


async def test_an_index_of_another_version_is_made_anew(place: Place) -> None:
    store, node = await opened(place.where, "event")
    await store.declare(BOTH)
    await store.apply(node, [event(number) for number in range(20)])
    await store.close()
    place.execute("UPDATE key SET made_by = replace(made_by, '[1', '[0')")
    place.execute("DELETE FROM item_key")

    store, node = await opened(place.where, "event")
    await store.declare(BOTH)
    await filled(place, 2)

    assert await found(store, path="/price", value=4) == {"e4"}
    await store.close()
    assert place.fault() == ""


async def test_a_search_that_has_to_wait_uses_no_index_that_goes_meanwhile(place: Place) -> None:
    store, node = await opened(place.where, "event")
    await store.apply(node, [event(number) for number in range(20)])
    await store.declare(BOTH)
    await filled(place, 2)

    async with AsyncExitStack() as readers:
        for _ in range(READERS):
            await readers.enter_async_context(store._readers.snapshot())
        waiting = asyncio.create_task(found(store, path="/price", value=4))
        await asyncio.sleep(0)
        await store.declare(Declared())
        await filled(place, 0)

    assert await waiting == {"e4"}
    await store.close()


async def test_what_is_declared_gives_no_number_that_cannot_be_asked_about(place: Place) -> None:
    store, node = await opened(place.where, "event")
    await store.apply(node, [event(1)])
    before = store.sequence

    await store.declare(BOTH)

    assert store.sequence == before
    assert not (await store.search(SearchRequest(since=store.sequence), [KEY.account])).reset
    await store.close()


class Stopped(Clock):
    """It shows the same at each start, as where there is no battery."""

    def wall(self) -> int:
        return 0


async def test_an_index_has_a_number_of_its_own_whatever_the_clock_says(place: Place) -> None:
    for declared, places in ((Declared({START: frozenset()}), 1), (BOTH, 2), (Declared({PRICE: frozenset()}), 1)):
        store, _ = await opened(place.where, "event", Stopped())
        await store.declare(declared)
        await filled(place, places)
        await store.close()


DYING = """
import asyncio, sys
from tests.daemon.storage.conftest import opened
from tests.daemon.storage.test_keys import BOTH
from tests.fixtures.places import named
async def main():
    store, node = await opened(named(sys.argv[1]), "event")
    await store.declare(BOTH)
    await asyncio.sleep(20)
asyncio.run(main())
"""


@pytest.mark.parametrize("side", ["before", "after"])
@pytest.mark.parametrize("work", ["declare keys", "fill keys"])
async def test_killed_while_it_is_made_it_is_made_all_the_same(place: Place, side: str, work: str) -> None:
    store, node = await opened(place.where, "event")
    await store.apply(node, [event(number) for number in range(MANY)])
    await store.close()

    run = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", DYING, str(place.where)],
        env=os.environ | {"PUBKEEP_CRASH": f"{side} {work}"},
        capture_output=True,
    )
    assert run.returncode == -9, run.stderr
    store, node = await opened(place.where, "event")
    await store.apply(node, [event(2, 99)], removals=["e4"])
    await store.declare(BOTH)
    await filled(place, 2)

    assert await found(store, path="/price", value=99) == {"e2"}
    await store.close()
    assert place.fault() == ""

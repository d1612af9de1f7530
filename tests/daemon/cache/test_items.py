# SPDX-License-Identifier: MIT
"""Several items in one notification, several copies of it, items that nobody can read, old ones."""

from pubkeep.model import NodeChange
from pubkeep.query.document import read
from pubkeep.questions import SearchRequest
from tests.daemon.cache.conftest import ENTRY, Bench
from tests.daemon.cache.service import KEY, wire

BAD = "?what is this"


async def rows(bench: Bench) -> dict[str, tuple[str, str]]:
    """id -> (title, why there is no json), of the copy."""
    answer = await bench.read(format="both", freshness="cache", extra=True)
    return {row.id: (row.title, str(row.extra.get("error", ""))) for row in answer.page.items}


async def found(bench: Bench, text: str) -> list[str]:
    """The ids that a search finds."""
    return [row.id for row in (await bench.cache.search(SearchRequest(read(text)), [KEY.account])).items]


async def test_all_items_and_all_retractions_of_one_notification_count(bench: Bench) -> None:
    changes: list[NodeChange] = []
    bench.cache.listeners.append(changes.append)

    bench.service.items_held = {"c": "3", "d": "4", "e": "5", "f": "6"}
    bench.service.tell(wire("d", "4"), wire("e", "5"), wire("f", "6"), retracted=("a", "b"))
    await bench.service.drained(KEY)

    assert list(await rows(bench)) == ["c", "d", "e", "f"]
    told = [(change.published, set(change.retracted)) for change in changes if change.what == "items"]
    assert told == [(("d", "e", "f"), {"a", "b"})]
    await bench.settled()


async def test_copies_of_a_notification_are_one_change(bench: Bench) -> None:
    changes: list[NodeChange] = []
    bench.cache.listeners.append(changes.append)

    bench.service.publish_elsewhere("d", "4")
    for _ in range(3):
        bench.service.tell(wire("d", "4"))
    await bench.service.drained(KEY)

    assert [change.published for change in changes if change.what == "items"] == [("d",)]
    await bench.settled()


async def test_an_item_that_nobody_can_read_is_kept_raw_with_its_error_and_the_others_stand(bench: Bench) -> None:
    bench.service.items_held |= {"bad": BAD, "d": "4"}

    await bench.synchronise()

    kept = await rows(bench)
    assert {each: title for each, (title, _) in kept.items()} == {"a": "1", "b": "2", "c": "3", "bad": "", "d": "4"}
    assert "not an Atom entry" in kept["bad"][1]
    assert [error for each, (_, error) in kept.items() if each != "bad"] == [""] * 4
    raw = (await bench.read(ids=("bad",))).page.items[0]
    assert "what is this" in raw.xml
    assert raw.json == ""


async def test_the_same_in_a_notification_spoils_nothing_beside_it(bench: Bench) -> None:
    bench.service.items_held |= {"bad": BAD, "d": "4"}

    bench.service.tell(wire("bad", BAD), wire("d", "4"))
    await bench.service.drained(KEY)

    kept = await rows(bench)
    assert (kept["d"], kept["bad"][0]) == (("4", ""), "")
    assert "not an Atom entry" in kept["bad"][1]


async def test_a_search_that_meets_an_item_nobody_can_read_finds_it_by_its_words_or_not(bench: Bench) -> None:
    bench.service.items_held |= {"bad": BAD, "d": "this is read"}

    await bench.synchronise()

    assert sorted(await found(bench, "this")) == ["bad", "d"]
    assert await found(bench, "read") == ["d"]


async def test_an_overwrite_that_nobody_can_read_leaves_its_text_and_no_hole(bench: Bench) -> None:
    bench.service.publish_elsewhere("b", BAD)
    await bench.service.drained(KEY)

    kept = await rows(bench)
    assert set(kept) == {"a", "b", "c"}
    assert "not an Atom entry" in kept["b"][1]
    assert (kept["a"], kept["c"]) == (("1", ""), ("3", ""))


async def test_a_notified_post_of_long_ago_is_kept(bench: Bench) -> None:
    old = ENTRY.format("old</title><published>1999-12-31T23:59:59Z</published><title>")
    await bench.cache.writer.publish(KEY, [old], ids=["old"])

    (row,) = (await bench.read(ids=("old",), format="json", freshness="cache")).page.items

    assert row.published == 946_684_799_000_000

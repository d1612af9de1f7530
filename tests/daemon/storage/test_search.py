# SPDX-License-Identifier: MIT
"""Searching: any text that can be typed, pages, and what changed since."""

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pubkeep.clock import Clock
from pubkeep.errors import CursorTooOld, InvalidArgs
from pubkeep.model import NodeRecord, NodeState
from pubkeep.query import typed
from pubkeep.query.conditions import Name, OneOf
from pubkeep.query.document import read
from pubkeep.questions import ChangesRequest, SearchRequest
from pubkeep.storage.dialects import SQLITE
from pubkeep.storage.engines import READERS
from pubkeep.storage.plan import plan
from pubkeep.storage.store import Store
from tests.daemon.storage.conftest import item

ALICE = ["alice@localhost"]


async def found(store: Store, query: str) -> list[str]:
    return [row.id for row in (await store.search(SearchRequest(read(query)), ALICE)).items]


@pytest.fixture
async def filled(store: Store, node: NodeRecord) -> NodeRecord:
    texts = {
        "garden": "spring onions in the garden",
        "kitchen": "onions and spring rolls",
        "café": "Crème brûlée, sécurité",
        "code": 'foo-bar "quoted" don\'t',
        "cjk": "春の庭",
    }
    dates = range(1_700_000_000_000_000, 1_800_000_000_000_000, 10_000_000_000_000)
    items = [item(name, text, date) for (name, text), date in zip(texts.items(), dates, strict=False)]
    await store.apply(node, items)
    return node


async def test_words_are_anded_and_the_newest_comes_first(store: Store, filled: NodeRecord) -> None:
    assert await found(store, "spring onions") == ["kitchen", "garden"]


async def test_phrases_prefixes_negation_and_or(store: Store, filled: NodeRecord) -> None:
    assert await found(store, '"spring onions"') == ["garden"]
    assert await found(store, "gard*") == ["garden"]
    assert await found(store, "onions -rolls") == ["garden"]
    assert await found(store, "rolls OR garden") == ["kitchen", "garden"]
    assert await found(store, "-onions") == ["cjk", "code", "café"]


async def test_case_and_diacritics_do_not_matter(store: Store, filled: NodeRecord) -> None:
    assert await found(store, "SECURITE creme") == ["café"]


async def test_markup_is_never_found(store: Store, filled: NodeRecord) -> None:
    assert await found(store, "entry") == []
    assert await found(store, "xmlns") == []


@pytest.mark.parametrize(
    "typed", ["foo-bar", "don't", '"quoted', 'a"b"c', "AND", "NOT onions", "NEAR(a b)", "a:b", "^x"]
)
async def test_what_looks_like_syntax_is_text(store: Store, filled: NodeRecord, typed: str) -> None:
    await found(store, typed)


async def test_a_text_without_words_finds_nothing_and_too_many_are_refused(store: Store, filled: NodeRecord) -> None:
    assert await found(store, "!!! ???") == []
    assert len(await found(store, "")) == 5
    with pytest.raises(InvalidArgs, match="words"):
        await found(store, "x " * 65536)


async def test_pages_by_cursor_are_whole_and_forged_cursors_refused(store: Store, node: NodeRecord) -> None:
    await store.apply(node, [item(f"i{n}", "same words", 1_700_000_000_000_000) for n in range(25)])

    seen: list[str] = []
    cursor = ""
    while True:
        result = await store.search(SearchRequest(read("words"), limit=10, cursor=cursor), ALICE)
        seen += [row.id for row in result.items]
        cursor = result.cursor
        if not cursor:
            break

    assert sorted(seen) == sorted(f"i{n}" for n in range(25))
    first = (await store.search(SearchRequest(read("words"), limit=10), ALICE)).cursor
    mark = first.partition(".")[2]
    for forged in ("x", "zz.0", "1.000000000000", f"{first}1", f"{'f' * 30}.{mark}", f".{mark}"):
        with pytest.raises(InvalidArgs, match="cursor"):
            await store.search(SearchRequest(read("words"), cursor=forged), ALICE)


async def test_an_order_by_rank_does_not_depend_on_what_is_there(store: Store, filled: NodeRecord) -> None:
    async def ranked(query: str) -> list[str]:
        return [row.id for row in (await store.search(SearchRequest(read(query), ("rank",)), ALICE)).items]

    either = '{"any": [{"types": ["blog"]}, {"text": "onions"}]}'
    assert (await ranked("onions type:event"), len(await ranked(either))) == ([], 5)
    await store.save_node(replace(filled, state=NodeState.DENIED))
    assert (await ranked("onions"), await ranked(either)) == ([], [])
    with pytest.raises(InvalidArgs, match="there is no rank"):
        await ranked("type:blog")


async def test_types_nodes_and_accounts_restrict(store: Store, filled: NodeRecord) -> None:
    assert len(await found(store, "onions type:blog")) == 2
    assert await found(store, "onions type:event") == []
    assert len(await found(store, f"onions node:{filled.key.node}")) == 2
    assert await found(store, "onions node:other") == []
    assert (await store.search(SearchRequest(read("onions")), ["bob@localhost"])).items == ()


async def test_denied_and_gone_nodes_are_hidden(store: Store, filled: NodeRecord) -> None:
    await store.save_node(replace(filled, state=NodeState.DENIED))
    assert await found(store, "onions") == []

    await store.save_node(replace(filled, state=NodeState.STALE))
    assert len(await found(store, "onions")) == 2


async def test_since_tells_what_matches_now_and_what_does_not_any_more(store: Store, filled: NodeRecord) -> None:
    since = store.sequence

    await store.apply(
        filled, [item("new", "onions"), item("garden", "weeds"), item("other", "words")], removals=["kitchen"]
    )
    result = await store.search(SearchRequest(read("onions"), since=since), ALICE)

    assert [row.id for row in result.items] == ["new"]
    assert sorted(uri.rpartition("=")[2] for uri in result.removed) == ["garden", "kitchen", "other"]
    assert result.sequence == store.sequence
    assert not result.reset


async def test_since_resets_where_too_much_changed_and_refuses_the_future(store: Store, filled: NodeRecord) -> None:
    since = store.sequence
    await store.apply(filled, [item(f"n{n}", "onions") for n in range(20)])

    result = await store.search(SearchRequest(read("onions"), since=since, limit=5), ALICE)
    old = await store.search(SearchRequest(read("onions"), since=1, limit=5), ALICE)

    assert result.reset
    assert len(result.items) == 5
    assert old.reset
    for future in (store.sequence + 1, 2**63, 2**64 - 1):
        with pytest.raises(CursorTooOld):
            await store.search(SearchRequest(read("onions"), since=future), ALICE)
        with pytest.raises(CursorTooOld):
            await store.changes(ChangesRequest(future), ALICE)


async def test_a_restart_gives_no_number_that_cannot_be_asked_about(tmp_path: Path) -> None:
    path = tmp_path / "x" / "pubkeep.db"
    store = await Store.open(path, Clock())
    account = await store.add_account(ALICE[0], "x", uid=0, enabled=True, host="", port=0, tls="required")
    await store.close()

    again = await Store.open(path, Clock())
    await again.enable_account(account.number, False)
    result = await again.search(SearchRequest(since=again.sequence), ALICE)
    await again.close()

    assert not result.reset
    assert result.sequence == again.sequence


async def test_a_cancelled_search_leaves_no_reader_in_the_past(store: Store, node: NodeRecord) -> None:
    for turns in range(6):
        search = asyncio.create_task(store.search(SearchRequest(read("words")), ALICE))
        for _ in range(turns):
            await asyncio.sleep(0)
        search.cancel()
        await asyncio.gather(search, return_exceptions=True)
    await store.apply(node, [item("a", "words")])

    for _ in range(2 * READERS):
        assert await found(store, "words") == ["a"]
        assert list(await store.digests(node.number)) == ["a"]


async def test_an_item_forgotten_and_taken_up_again_is_not_removed(store: Store, node: NodeRecord) -> None:
    await store.apply(node, [item("back"), item("away")])
    since = store.sequence

    await store.forget_node(node.number, "forgotten")
    node = await store.save_node(replace(node, number=0))
    await store.apply(node, [item("back")])
    result = await store.search(SearchRequest(since=since), ALICE)

    assert [row.id for row in result.items] == ["back"]
    assert [uri.rpartition("=")[2] for uri in result.removed] == ["away"]


async def test_what_went_from_other_nodes_does_not_concern(store: Store, filled: NodeRecord) -> None:
    since = store.sequence
    await store.apply(filled, removals=["kitchen"])

    here = await store.search(SearchRequest(OneOf(Name.NODE, (filled.key.node,)), since=since), ALICE)
    elsewhere = await store.search(SearchRequest(OneOf(Name.NODE, ("other",)), since=since), ALICE)

    assert len(here.removed) == 1
    assert elsewhere.removed == ()


async def test_since_begins_anew_where_a_node_was_hidden_or_shown(store: Store, filled: NodeRecord) -> None:
    before = store.sequence
    await store.save_node(replace(filled, state=NodeState.DENIED))
    hidden = store.sequence
    while_hidden = await store.search(SearchRequest(read("onions"), since=before), ALICE)
    await store.save_node(replace(filled, state=NodeState.STALE))
    shown = store.sequence
    after = await store.search(SearchRequest(read("onions"), since=hidden), ALICE)
    await store.save_node(replace(filled, state=NodeState.ERROR))
    later = await store.search(SearchRequest(read("onions"), since=shown), ALICE)

    assert (while_hidden.reset, while_hidden.items) == (True, ())
    assert (after.reset, len(after.items)) == (True, 2)
    assert (later.reset, later.items, later.removed) == (False, (), ())


@pytest.mark.parametrize("text", ["", "庭"])
async def test_an_answer_fits_the_bytes_it_may_have_but_has_one_item(store: Store, node: NodeRecord, text: str) -> None:
    since = store.sequence
    await store.apply(node, [item(f"i{n}", "庭 " + "春" * 1000) for n in range(10)])

    first = await store.search(SearchRequest(read(text), format="xml", max_bytes=8000), ALICE)
    changed = await store.search(SearchRequest(read(text), format="xml", since=since, max_bytes=8000), ALICE)
    least = await store.search(SearchRequest(read(text), format="xml", max_bytes=1), ALICE)

    assert (len(first.items), bool(first.cursor)) == (2, True)
    assert (len(changed.items), changed.reset) == (2, True)
    assert len(least.items) == 1


_SYNTAX = st.sampled_from([*"ab\"*-()^:+{}|&!\\'.,", " ", "OR", "AND", "NOT", "NEAR", "\0", "春", "😀", "²", "\u0301"])


def test_whatever_is_typed_the_database_understands_it() -> None:
    @given(st.lists(_SYNTAX, max_size=14).map("".join))
    @settings(max_examples=200, deadline=None)
    def understood(text: str) -> None:
        made = plan(typed.text(text), SQLITE, marked=True)
        for each in filter(None, (made.wanted, *made.unwanted)):
            database.execute("SELECT rowid FROM item_fts WHERE item_fts MATCH ?", (each.text,)).fetchall()

    with closing(sqlite3.connect(":memory:")) as database:
        database.execute("CREATE VIRTUAL TABLE item_fts USING fts5(words, marks, content='', tokenize='ascii')")
        understood()


async def test_extra_shows_why_an_item_was_found(store: Store, filled: NodeRecord) -> None:
    async def shown(query: str, **options: Any) -> dict[str, Any]:
        result = await store.search(SearchRequest(read(query), extra=True, **options), ALICE)
        return {row.id: (row.extra.get("snippet"), row.xml != "", row.json != "") for row in result.items}

    since = store.sequence - 5

    assert await shown("creme") == {"café": (("", "Crème", " brûlée, sécurité"), False, True)}
    assert await shown("creme", since=since) == await shown("creme")
    assert await shown("creme", format="xml") == {"café": (("", "Crème", " brûlée, sécurité"), True, False)}
    assert await shown("onions -rolls", format="none") == {
        "garden": (("spring ", "onions", " in the garden"), False, False)
    }
    assert (await shown("type:blog"))["café"] == (None, False, True)
    either = '{"any": [{"text": "春"}, {"ids": ["code"]}]}'
    assert await shown(either) == {"cjk": (("", "春", "の庭"), False, True), "code": (None, False, True)}
    assert "snippet" not in (await store.search(SearchRequest(read("creme")), ALICE)).items[0].extra


async def test_rank_is_told_where_it_is_the_order(store: Store, node: NodeRecord) -> None:
    await store.apply(node, [item("little", "onions " + "and much else " * 50), item("much", "onions onions onions")])

    async def ranks(*order_by: str, extra: bool = True) -> dict[str, Any]:
        result = await store.search(SearchRequest(read("onions"), order_by, extra=extra), ALICE)
        return {row.id: row.extra.get("rank") for row in result.items}

    best_first = await ranks("rank")
    assert list(best_first) == ["much", "little"]
    assert best_first["much"] < best_first["little"]
    assert await ranks("-rank") == best_first
    assert await ranks("id", "rank") == best_first
    assert set((await ranks()).values()) == {None}
    assert set((await ranks("rank", extra=False)).values()) == {None}


async def test_snippets_count_in_what_an_answer_may_have(store: Store, node: NodeRecord) -> None:
    await store.apply(node, [item(f"i{n}", "庭 " + "春" * 300) for n in range(10)])
    request = SearchRequest(read("庭"), extra=True, format="none", max_bytes=4000)

    assert len((await store.search(request, ALICE)).items) == 4
    assert len((await store.search(replace(request, extra=False), ALICE)).items) == 10

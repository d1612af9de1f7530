# SPDX-License-Identifier: MIT
"""Searching: any text that can be typed, pages, and what changed since."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pubkeep.errors import CursorTooOld, InvalidArgs
from pubkeep.model import NodeRecord, NodeState, SearchRequest
from pubkeep.storage.store import Store
from pubkeep.storage.text import parse
from tests.daemon.storage.conftest import item

ALICE = ["alice@localhost"]


async def found(store: Store, text: str, **more: object) -> list[str]:
    result = await store.search(SearchRequest(text, **more), ALICE)  # type: ignore[arg-type]
    return [row.id for row in result.items]


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


@given(st.text(max_size=200))
@settings(max_examples=300, deadline=None)
def test_any_text_parses_into_quoted_terms(typed: str) -> None:
    query = parse(" ".join(typed.split()[:50]))

    for expression in (query.wanted, query.unwanted):
        outside = expression.split('"')[::2]
        assert set("".join(outside)) <= set(" ()ANDOR*")


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
        result = await store.search(SearchRequest("words", limit=10, cursor=cursor), ALICE)
        seen += [row.id for row in result.items]
        cursor = result.cursor
        if not cursor:
            break

    assert sorted(seen) == sorted(f"i{n}" for n in range(25))
    for forged in ("x", "zz.0", "1.000000000000", f"{cursor}1"):
        with pytest.raises(InvalidArgs, match="cursor"):
            await store.search(SearchRequest("words", cursor=forged or "x"), ALICE)


async def test_types_nodes_and_accounts_restrict(store: Store, filled: NodeRecord) -> None:
    assert len(await found(store, "onions", types=("blog",))) == 2
    assert await found(store, "onions", types=("event",)) == []
    assert len(await found(store, "onions", nodes=(filled.key.node,))) == 2
    assert await found(store, "onions", nodes=("other",)) == []
    assert (await store.search(SearchRequest("onions"), ["bob@localhost"])).items == ()


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
    result = await store.search(SearchRequest("onions", since=since), ALICE)

    assert [row.id for row in result.items] == ["new"]
    assert sorted(uri.rpartition("=")[2] for uri in result.removed) == ["garden", "kitchen", "other"]
    assert result.sequence == store.sequence
    assert not result.reset


async def test_since_resets_where_too_much_changed_and_refuses_the_future(store: Store, filled: NodeRecord) -> None:
    since = store.sequence
    await store.apply(filled, [item(f"n{n}", "onions") for n in range(20)])

    result = await store.search(SearchRequest("onions", since=since, limit=5), ALICE)
    old = await store.search(SearchRequest("onions", since=1, limit=5), ALICE)

    assert result.reset
    assert len(result.items) == 5
    assert old.reset
    with pytest.raises(CursorTooOld):
        await store.search(SearchRequest("onions", since=store.sequence + 1), ALICE)

# SPDX-License-Identifier: MIT
"""Whatever is typed or sent as a query: an answer or a refusal, never a fault, and nothing is changed by it."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from pubkeep.errors import InvalidArgs
from pubkeep.model import NodeRecord
from pubkeep.query.document import MAX_DEPTH, read
from pubkeep.query.words import words
from pubkeep.questions import SearchRequest
from pubkeep.storage.store import Store
from tests.daemon.storage.conftest import KEY, item

ODD = {
    "quotes": """it's "quoted" ''twice'' ""and"" `ticks` 'open""",
    "dashes": "-- --- -x- re-do -- comment /* too */",
    "operators": "a AND b OR NOT c NEAR(d e, 2) + - * ^ ~ ! & | < > <-> <2> = % _ \\",
    "sql": "'; DROP TABLE item; -- \"; DELETE FROM node WHERE 1=1 OR ''='",
    "sql with a union": "x') UNION SELECT sql FROM sqlite_master; SELECT pg_sleep(9) --",
    "fts5": 'words : "x" marks:y {words marks}: z ^first NEAR("a b" c, 3) col* + "d" OR -e',
    "tsquery": "a & !b | (c <-> d:*A) 'it''s' :* :ABCD \\'",
    "marks": "\ue0007 \ue001a4 \ue002ff",
    "keys": "type: tag: before: node:\" from:' -id: account:* :x x: ::",
    "parameters": ":node ? ?1 @x $1 %s {0} %(x)s :bound::int",
    "parentheses": "((((([[[{{{ )))))]]]}}}",
    "han": "東京駅の春 東",
    "hangul and thai": "서울에서 ภาษาไทย",
    "right to left": "\u202eשָׁלוֹם\u202c مُحَمَّد",  # noqa: RUF001 (that is how it is written)
    "emoji": "👩‍👩‍👧‍👦 🇩🇪 😀*",
    "marks alone": "\u0301\u0301\u0301 e\u0301",
    "controls": "a\0b \x01\x1f\x7f \ufeff\u200b\u2028 \ufffe",
    "beyond the plane": "𠮷野家 𐐷𐑊",
    "64 kB of a word": "x" * 65536,
    "64 kB of quotes": '"' * 65536,
    "64 kB of dashes": "-" * 65536,
    "64 kB of stars": "* " * 32768,
    "64 kB of a phrase": '"' + "onions " * 9362 + '"',
    "64 kB without spaces": "東" * 21845,
    "64 kB of json": '{"not":' * 9362,
}
REFUSED = [ODD[name] for name in ("64 kB of a phrase", "64 kB without spaces", "64 kB of json")]
"""More words than are looked for."""
NAMES = ("accounts", "services", "nodes", "types", "subtypes", "namespaces", "analysers", "ids", "publishers", "tags")


async def found(store: Store, query: str, *order_by: str) -> list[str] | None:
    """Ids; None where it is refused."""
    try:
        request = SearchRequest(read(query), order_by, limit=1000)
        return [row.id for row in (await store.search(request, [KEY.account])).items]
    except InvalidArgs:
        return None


def questions(text: str) -> list[str]:
    """All places where a text can stand in a query."""
    conditions: list[dict[str, Any]] = [{name: [text]} for name in NAMES]
    conditions += [{"parsed": {"path": "/title", "op": op, "value": text}} for op in ("==", "<", "like")]
    conditions += [{"parsed": {"path": f"/{text}", "op": "exists"}}] if "~" not in text and text.count("/") < 9 else []
    conditions += [{"node_prefix": text}, {"text": text}, {"not": {"words": text}}]
    typed = [text, f'"{text}"', f"-{text}", f"type:{text}", f'tag:"{text}"']
    return [*typed, json.dumps({"any": conditions}), json.dumps({"not": {"all": conditions}})]


@pytest.mark.parametrize("long", [False, True])
async def test_what_is_typed_is_searched_for_or_refused_and_all_is_as_before(
    store: Store, node: NodeRecord, long: bool
) -> None:
    plain = item("odd")
    for name, text in ODD.items():
        if name.startswith("64 kB") == long:
            odd = replace(item("odd", name), parsed=replace(plain.parsed, text=text))
            await store.apply(node, [item("plain", "spring onions"), odd])

            answers = [await found(store, query) for query in questions(text)]
            by_its_words = await found(store, json.dumps({"words": text}))

            assert all(answer is None or set(answer) <= {"plain", "odd"} for answer in answers), name
            assert by_its_words == (["odd"] if words(text) else []) or text in REFUSED, name
            assert await found(store, "onions", f"id{text}") is None, name
            assert await found(store, "{}") == ["odd", "plain"], name
            assert await found(store, "spring") == ["plain"], name


CONDITION = {
    "text": {"text": "onions"},
    "column": {"ids": ["plain"]},
    "json": {"parsed": {"path": "/title", "op": "exists"}},
}
TREES: dict[str, Callable[[int, Any], Any]] = {
    "all": lambda depth, leaf: json.loads('{"all":[' * depth + json.dumps(leaf) + "]}" * depth),
    "any": lambda depth, leaf: json.loads('{"any":[{"ids":[]},' * depth + json.dumps(leaf) + "]}" * depth),
    "not": lambda depth, leaf: json.loads('{"not":' * depth + json.dumps(leaf) + "}" * depth),
}


async def test_trees_are_understood_as_deep_as_they_may_be(store: Store, node: NodeRecord) -> None:
    await store.apply(node, [item("plain", "spring onions"), item("other", "weeds")])
    for tree, grow in TREES.items():
        for kind, leaf in CONDITION.items():
            deepest = await found(store, json.dumps(grow(MAX_DEPTH, leaf)), "id")

            assert "plain" in (deepest or []), (tree, kind)
            assert await found(store, json.dumps(grow(64, leaf))) is None, (tree, kind)

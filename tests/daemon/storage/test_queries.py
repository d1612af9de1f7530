# SPDX-License-Identifier: MIT
"""What the database finds is what the query means, in every order, on every page."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pubkeep import payload
from pubkeep.clock import Clock
from pubkeep.errors import InvalidArgs, LimitExceeded
from pubkeep.model import Analysis, NewItem, NodeKey, NodeRecord, NodeState, Parsed
from pubkeep.query.conditions import Condition, Moment
from pubkeep.query.declared import Declared
from pubkeep.query.document import read
from pubkeep.query.matching import Candidate, matches
from pubkeep.query.values import sort_key
from pubkeep.questions import SearchRequest
from pubkeep.storage.store import Store
from pubkeep.storage.walking import Limits
from tests.daemon.storage.conftest import place_of

ALICE, BOB = "alice@localhost", "bob@localhost"
ACCOUNTS = [ALICE, BOB]
NODES = {
    NodeKey(ALICE, "pubsub.localhost", "urn:xmpp:microblog:0"): "blog",
    NodeKey(ALICE, "events.localhost", "urn:x:event"): "event",
    NodeKey(BOB, "pubsub.localhost", "urn:xmpp:microblog:0"): "blog",
}
DECLARED = Declared({("start",): frozenset({"event"}), ("n",): frozenset(), ("n", "0"): frozenset()})
WORDS = ("spring", "onions", "garden", "Straße", "東京駅", "sécurité")
DOCUMENTS: list[Any] = [
    {},
    {"n": None, "tags": ["Garden", "x"]},
    {"n": 1, "start": "2026-07-01T00:00:00Z"},
    {"n": 1.0, "start": "2026-07-01T02:00:00+02:00", "tags": "no list"},
    {"n": 2**53 + 1, "start": "soon"},
    {"n": "1", "start": "2026-06-30T23:59:59Z"},
    {"n": True, "tags": ["garden"]},
    {"n": ["a", 1], "s": "ß"},
    {"n": {"x": "a"}, "s": "SS"},
    ["a"],
]
DAY = 86_400_000_000


class Filled:
    """A store with items of every kind, and the same as candidates."""

    def __init__(self, where: Path | str) -> None:
        self.runner = asyncio.Runner()
        self.items: list[tuple[int, Candidate]] = []
        self.store = self.runner.run(self._filled(where))

    async def _filled(self, where: Path | str) -> Store:
        store = await Store.open(where, Clock())
        await store.declare(DECLARED)
        for account in ACCOUNTS:
            await store.add_account(account, "x", uid=0, enabled=True, host="", port=0, tls="required")
        for at, (key, kind) in enumerate(NODES.items()):
            node = await store.save_node(
                NodeRecord(0, key, NodeState.STALE, analysis=Analysis(kind, kind, to_sync=True))
            )
            for number in range(14):
                await store.apply(node, [self._item(key, kind, at * 14 + number)])
        return store

    def _item(self, key: NodeKey, kind: str, number: int) -> NewItem:
        document = DOCUMENTS[number % len(DOCUMENTS)]
        text = " ".join(WORDS[each] for each in range(len(WORDS)) if number >> each & 1)
        published = (1_780_000_000_000_000 + (number * 37 % 42) * DAY) if number % 5 else 0
        publisher = ("", "juliet@capulet.lit/home", "romeo@montague.lit", "pubsub.localhost")[number % 4]
        subtype = ("", "comment")[number % 2]
        xml = f"<entry xmlns='urn:{number % 3}'>{number}</entry>"
        parsed = Parsed(json.dumps(document), "", f"t{number}", text, published, published // 2, subtype)
        tags = document.get("tags") if isinstance(document, dict) else None
        self.items.append(
            (
                number,
                Candidate(
                    key,
                    f"i{number}",
                    publisher,
                    kind,
                    subtype,
                    f"urn:{number % 3}",
                    kind,
                    tuple(tags) if isinstance(tags, list) else (),
                    {Moment.PUBLISHED: published, Moment.UPDATED: published // 2, Moment.STORED: 1},
                    text,
                    document,
                    DECLARED.dates(kind),
                ),
            )
        )
        return NewItem(f"i{number}", publisher, xml, payload.digest(xml, publisher), parsed)

    def found(self, query: Condition, limit: int = 1000, order_by: tuple[str, ...] = ()) -> list[str]:
        """All pages of a search, one after the other."""
        seen: list[str] = []
        cursor = ""
        while True:
            request = SearchRequest(query, order_by, limit=limit, cursor=cursor, format="none")
            result = self.runner.run(self.store.search(request, ACCOUNTS))
            assert len(result.items) <= limit
            seen += [row.id for row in result.items]
            if not (cursor := result.cursor):
                assert result.count in (None, len(seen))
                return seen

    def meant(self, query: Condition) -> set[str]:
        return {item.id for _, item in self.items if matches(query, item)}


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def filled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filled]:
    made = Filled(place_of(request, tmp_path_factory.mktemp("queries")).where)
    yield made
    made.runner.run(made.store.close())
    made.runner.close()


VALUES = st.sampled_from([None, True, False, 0, 1, 1.0, 2**53, 2**53 + 1, "1", "a", "SS", "ß", ["a", 1], {"x": "a"}])
DATES = st.sampled_from(["2026-07-01T00:00:00Z", "2026-06-01T00:00:00Z", "soon"])
PATHS = st.sampled_from(["/n", "/s", "/start", "/n/0", "/n/x", "/0", "", "/none"])
COMPARISONS = st.one_of(
    st.fixed_dictionaries(
        {"path": PATHS, "op": st.sampled_from(["==", "!="]), "value": VALUES | DATES, "fold": st.booleans()}
    ),
    st.fixed_dictionaries(
        {"path": PATHS, "op": st.sampled_from([">", ">=", "<", "<="]), "value": DATES | st.integers(0, 2)}
    ),
    st.fixed_dictionaries(
        {"path": PATHS, "op": st.sampled_from(["in", "overlap"]), "value": st.lists(VALUES | DATES, max_size=2)}
    ),
    st.fixed_dictionaries(
        {
            "path": PATHS,
            "op": st.sampled_from(["like", "starts_with"]),
            "value": st.sampled_from(["%", "2026%", "s_", "2026"]),
        }
    ),
    st.fixed_dictionaries({"path": PATHS, "op": st.sampled_from(["exists", "missing"])}),
)
MOMENTS = st.integers(1_780_000_000_000_000 - DAY, 1_780_000_000_000_000 + 43 * DAY)
TYPED = st.sampled_from(
    [
        *WORDS,
        "strasse",
        "東京",
        "京",
        "gard*",
        "-spring",
        '"spring onions"',
        "spring OR garden",
        "!!!",
        "spring -garden",
    ]
)
LEAVES = st.one_of(
    st.fixed_dictionaries({"text": TYPED}),
    st.fixed_dictionaries({"types": st.lists(st.sampled_from(["blog", "event", "x"]), max_size=2)}),
    st.fixed_dictionaries({"accounts": st.just([BOB])}),
    st.fixed_dictionaries({"services": st.just(["pubsub.localhost"])}),
    st.fixed_dictionaries({"node_prefix": st.sampled_from(["urn:x", "urn:"])}),
    st.fixed_dictionaries({"subtypes": st.just(["comment"])}),
    st.fixed_dictionaries({"namespaces": st.just(["urn:1", "urn:2"])}),
    st.fixed_dictionaries({"analysers": st.just(["event"])}),
    st.fixed_dictionaries({"ids": st.lists(st.integers(0, 45).map("i{}".format), max_size=9)}),
    st.fixed_dictionaries(
        {"publishers": st.sampled_from([["juliet"], ["romeo@montague.lit", "x"], ["pubsub.localhost"]])}
    ),
    st.fixed_dictionaries({"tags": st.just(["GARDEN"])}),
    st.fixed_dictionaries({"published": st.fixed_dictionaries({"after": MOMENTS}, optional={"before": MOMENTS})}),
    st.fixed_dictionaries({"updated": st.fixed_dictionaries({"before": MOMENTS})}),
    st.fixed_dictionaries({"created": st.fixed_dictionaries({"before": MOMENTS})}),
    st.fixed_dictionaries({"parsed": COMPARISONS | st.lists(COMPARISONS, max_size=2)}),
)
QUERIES = st.recursive(
    LEAVES | st.just({}),
    lambda inner: st.one_of(
        st.fixed_dictionaries({"any": st.lists(inner, max_size=3)}),
        st.fixed_dictionaries({"all": st.lists(inner, max_size=3)}),
        st.fixed_dictionaries({"not": inner}),
        st.tuples(LEAVES, inner).map(lambda two: two[0] | two[1]),
    ),
    max_leaves=6,
).map(lambda document: read(json.dumps(document)))


def test_the_database_finds_what_the_query_means(filled: Filled) -> None:
    newest_first = filled.found(read("{}"))
    assert sorted(newest_first) == sorted(item.id for _, item in filled.items)

    @settings(max_examples=400, deadline=None)
    @given(QUERIES)
    def finds(query: Condition) -> None:
        meant = filled.meant(query)
        assert filled.found(query) == [each for each in newest_first if each in meant]

    finds()


@pytest.mark.parametrize("order", ["/n", "-/n", "/start", "-/start"])
def test_many_items_are_sorted_along_the_index_as_few_are_in_memory(filled: Filled, order: str) -> None:
    @settings(max_examples=40, deadline=None)
    @given(QUERIES, st.integers(1, 7))
    def same(query: Condition, limit: int) -> None:
        expected = filled.found(query, 1000, (order,))
        filled.store.limits = Limits(few_sorted=0, few=3, many=3)
        try:
            assert filled.found(query, limit, (order,)) == expected
        finally:
            filled.store.limits = Limits()

    same()


def test_pages_one_after_the_other_are_the_whole(filled: Filled) -> None:
    @settings(max_examples=60, deadline=None)
    @given(
        QUERIES, st.integers(1, 7), st.sampled_from([(), ("published",), ("-updated",), ("/n", "-id"), ("-/start",)])
    )
    def fits(query: Condition, limit: int, order_by: tuple[str, ...]) -> None:
        assert filled.found(query, limit, order_by) == filled.found(query, 1000, order_by)

    fits()


@pytest.mark.parametrize("descending", [False, True])
def test_items_are_sorted_by_a_place_in_their_json_and_what_has_nothing_there_comes_last(
    filled: Filled, descending: bool
) -> None:
    found = filled.found(read("{}"), 5, ("-/n" if descending else "/n",))

    by_id = {item.id: item for _, item in filled.items}
    places = [by_id[each].document for each in found]
    keys = [sort_key(place["n"]) for place in places if isinstance(place, dict) and "n" in place]
    assert len(found) == len(by_id)
    assert keys == sorted(keys, reverse=descending)
    assert all(not isinstance(place, dict) or "n" not in place for place in places[len(keys) :])


def test_declared_dates_are_sorted_as_moments(filled: Filled) -> None:
    query = read('{"types": ["event"], "parsed": {"path": "/start", "op": ">", "value": "2000-01-01T00:00:00Z"}}')
    by_id = {item.id: item for _, item in filled.items}

    found = [by_id[each].document for each in filled.found(query, 2, ("/start",))]

    starts = [each["start"] for each in found if isinstance(each, dict)]
    early, late = "2026-06-30T23:59:59Z", {"2026-07-01T00:00:00Z", "2026-07-01T02:00:00+02:00"}
    assert starts[0] == early
    assert set(starts[starts.count(early) :]) == late


def test_the_best_match_comes_first_where_rank_is_asked_for(filled: Filled) -> None:
    found = filled.found(read("garden OR onions"), 10, ("rank",))

    assert sorted(found) == sorted(filled.meant(read("garden OR onions")))
    with pytest.raises(InvalidArgs, match="there is no rank without a text"):
        filled.found(read("type:blog"), 10, ("rank",))


@pytest.mark.parametrize(
    ("order", "words"),
    [
        ("price", "option 'order_by': 'price' is no order; there are published, updated, creation"),
        ("-", "option 'order_by': '-' is no order"),
        ("/a~", "option 'order_by': '/a~' is no JSON pointer"),
    ],
)
def test_what_is_no_order_is_refused(filled: Filled, order: str, words: str) -> None:
    with pytest.raises(InvalidArgs) as refused:
        filled.found(read("{}"), 10, (order,))

    assert str(refused.value).startswith(words)


def test_a_cursor_is_of_one_question_only(filled: Filled) -> None:
    async def search(query: str, cursor: str, *order_by: str) -> str:
        request = SearchRequest(read(query), order_by, limit=2, cursor=cursor)
        return (await filled.store.search(request, ACCOUNTS)).cursor

    cursor = filled.runner.run(search("{}", "", "/n"))

    assert filled.runner.run(search("{}", cursor, "/n"))
    mark = cursor.partition(".")[2]
    others = [("type:blog", cursor, "/n"), ("{}", cursor, "-/n"), ("{}", cursor.replace(":0", ":2"), "/n")]
    for question in (*others, ("{}", f"5.{mark}", "/n"), ("{}", f"5:0f.{mark}", "/n"), ("{}", f"5:00:00.{mark}", "/n")):
        with pytest.raises(InvalidArgs, match="cursor: it is not of this search"):
            filled.runner.run(search(*question))


class Slow(Clock):
    """Every look at it takes a second."""

    now = 0.0

    def boottime(self) -> float:
        self.now += 1.0
        return self.now


def test_a_search_that_takes_too_long_says_so_and_goes_on_where_it_was(filled: Filled) -> None:
    query = read('{"parsed": {"path": "/n", "op": "!=", "value": 1}}')
    meant = filled.found(query)

    async def search() -> tuple[list[str], int]:
        filled.store._clock, filled.store.limits = Slow(), Limits(few=3, many=3)
        seen: list[str] = []
        cursor, rounds = "", 0
        try:
            while True:
                result = await filled.store.search(SearchRequest(query, cursor=cursor), ACCOUNTS)
                seen += [row.id for row in result.items]
                rounds += 1
                if not (cursor := result.cursor):
                    return seen, rounds
                assert result.unfinished
                assert result.count is None
        finally:
            filled.store._clock, filled.store.limits = Clock(), Limits()

    seen, rounds = filled.runner.run(search())

    assert seen == meant
    assert rounds > 2


def test_more_items_than_can_be_sorted_are_refused(filled: Filled) -> None:
    async def search() -> None:
        filled.store.limits = Limits(sorted=10)
        try:
            await filled.store.search(SearchRequest(order_by=("id",)), ACCOUNTS)
        finally:
            filled.store.limits = Limits()

    with pytest.raises(LimitExceeded, match="more than 10 items match; restrict the query"):
        filled.runner.run(search())


def test_since_tells_what_matches_now_by_the_meaning_of_the_query(filled: Filled) -> None:
    query = read('{"parsed": {"path": "/n", "op": "exists"}, "not": {"text": "garden"}}')

    async def search() -> set[str]:
        result = await filled.store.search(SearchRequest(query, limit=1000, since=start), ACCOUNTS)
        return {row.id for row in result.items}

    start = filled.store.sequence - 20

    found = filled.runner.run(search())

    assert found <= filled.meant(query)

# SPDX-License-Identifier: MIT
"""What a query means."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pubkeep.model import NodeKey
from pubkeep.query.conditions import Moment, Parsed
from pubkeep.query.document import read
from pubkeep.query.matching import Candidate, compare, matches
from pubkeep.query.values import MISSING, at, equal, kind, sort_key
from pubkeep.uri import node_uri

KEY = NodeKey("alice@localhost", "pubsub.localhost", "urn:xmpp:microblog:0")
ITEM = Candidate(
    KEY,
    "i1",
    publisher="Juliet@capulet.lit/balcony",
    type="blog",
    subtype="comment",
    namespace="http://www.w3.org/2005/Atom",
    analyser="blog",
    tags=("Garden", "Straße"),
    dates={Moment.PUBLISHED: 1_000, Moment.UPDATED: 0},
    text="Spring onions in the garden",
    document={
        "n": 1,
        "big": 2**53 + 1,
        "real": 1.5,
        "s": "Verona",
        "null": None,
        "yes": True,
        "list": ["a", "B", 3],
        "deep": {"x": [{"y": "z"}]},
        "start": "2026-07-01T02:00:00+02:00",
        "when": "soon",
        "a/b": {"~": 1},
        "": 0,
    },
    instants=frozenset({("start",), ("when",)}),
)


def fits(query: dict[str, Any], item: Candidate = ITEM) -> bool:
    return matches(read(json.dumps(query)), item)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, True),
        ({"text": "onion*", "types": ["blog", "event"]}, True),
        ({"text": "onions", "types": ["event"]}, False),
        ({"types": []}, False),
        ({"accounts": ["alice@localhost"]}, True),
        ({"services": ["localhost"]}, False),
        ({"nodes": [KEY.node]}, True),
        ({"nodes": [node_uri(KEY)]}, True),
        ({"nodes": ["urn:xmpp:microblog"]}, False),
        ({"node_prefix": "urn:xmpp:microblog"}, True),
        ({"node_prefix": ["x", "urn:"]}, True),
        ({"node_prefix": []}, False),
        ({"subtypes": ["comment"]}, True),
        ({"namespaces": ["http://www.w3.org/2005/Atom"]}, True),
        ({"analysers": ["event"]}, False),
        ({"ids": ["i1"]}, True),
        ({"publishers": ["Juliet@capulet.lit"]}, True),
        ({"publishers": ["Juliet"]}, True),
        ({"publishers": ["capulet.lit"]}, False),
        ({"publishers": ["Juliet@capulet.lit/balcony"]}, False),
        ({"tags": ["garden"]}, True),
        ({"tags": ["STRASSE"]}, True),
        ({"tags": ["gard"]}, False),
        ({"published": {"after": 1000}}, True),
        ({"published": {"after": 1001}}, False),
        ({"published": {"before": 1001}}, True),
        ({"published": {"before": 1000}}, False),
        ({"updated": {"before": 5}}, False),
        ({"created": {"after": -5}}, False),
        ({"not": {"updated": {"before": 5}}}, True),
        ({"any": [{"types": ["event"]}, {"text": "garden"}]}, True),
        ({"any": []}, False),
        ({"all": []}, True),
        ({"all": [{"types": ["blog"]}, {"not": {"types": ["blog"]}}]}, False),
    ],
)
def test_an_item_and_its_node_are_asked(query: dict[str, Any], expected: bool) -> None:
    assert fits(query) == expected


@pytest.mark.parametrize(
    ("path", "operator", "value", "expected"),
    [
        ("/n", "==", 1, True),
        ("/n", "==", 1.0, True),
        ("/n", "==", "1", False),
        ("/n", "==", True, False),
        ("/yes", "==", True, True),
        ("/yes", "==", 1, False),
        ("/null", "==", None, True),
        ("/none", "==", None, False),
        ("/none", "!=", 5, False),
        ("/null", "!=", 5, True),
        ("/n", "!=", "1", True),
        ("/null", "exists", ..., True),
        ("/none", "exists", ..., False),
        ("/none", "missing", ..., True),
        ("/null", "missing", ..., False),
        ("/deep/x/0/y", "==", "z", True),
        ("/deep/x/1/y", "missing", ..., True),
        ("/deep/x/00/y", "missing", ..., True),
        ("/s/0", "missing", ..., True),
        ("/a~1b/~0", "==", 1, True),
        ("/", "==", 0, True),
        ("", "exists", ..., True),
        ("/big", "==", 2**53, False),
        ("/big", ">", float(2**53), True),
        ("/big", "between", [2**53 + 1, 2**53 + 1], True),
        ("/real", ">=", 1, True),
        ("/real", ">", "1", False),
        ("/s", ">", "Ver", True),
        ("/s", "<", "a", True),
        ("/s", "between", ["Verona", "Veronb"], True),
        ("/yes", ">", 0, False),
        ("/n", "in", [3, 2, 1], True),
        ("/n", "in", ["1"], False),
        ("/n", "in", [], False),
        ("/list", "in", [["a", "B", 3]], True),
        ("/list", "==", ["a", "B", 3.0], True),
        ("/list", "==", ["B", "a", 3], False),
        ("/list", "overlap", ["x", "B"], True),
        ("/list", "overlap", ["b"], False),
        ("/n", "overlap", [1, 2], True),
        ("/deep", "==", {"x": [{"y": "z"}]}, True),
        ("/s", "like", "V%a", True),
        ("/s", "like", "V%", True),
        ("/s", "like", "v%", False),
        ("/s", "like", "_erona", True),
        ("/s", "like", "erona", False),
        ("/s", "starts_with", "Ver", True),
        ("/n", "starts_with", "1", False),
        ("/start", "==", "2026-07-01T00:00:00Z", True),
        ("/start", "!=", "2026-07-01T00:00:00Z", False),
        ("/start", "<", "2026-07-01T00:00:01Z", True),
        ("/start", "in", ["2026-06-30T23:00:00-01:00"], True),
        ("/start", "between", ["2026-06-30T00:00:00Z", "2026-07-01T00:00:00Z"], True),
        ("/start", "starts_with", "2026-07-01T02", True),
        ("/start", ">", "soon", False),
        ("/when", "==", "soon", True),
        ("/when", ">", "2026-07-01T00:00:00Z", False),
    ],
)
def test_a_place_in_the_json_is_compared(path: str, operator: str, value: object, expected: bool) -> None:
    comparison = {"path": path, "op": operator} | ({} if value is ... else {"value": value})

    assert fits({"parsed": comparison}) == expected


@pytest.mark.parametrize(
    ("path", "operator", "value"),
    [
        ("/s", "==", "VERONA"),
        ("/s", "in", ["vErona"]),
        ("/s", "like", "vER%"),
        ("/s", "starts_with", "vE"),
        ("/s", "between", ["verona", "verona"]),
        ("/list", "overlap", ["b"]),
        ("/list", "==", ["A", "b", 3]),
        ("/deep", "==", {"x": [{"y": "Z"}]}),
    ],
)
def test_case_can_be_ignored(path: str, operator: str, value: object) -> None:
    comparison = {"path": path, "op": operator, "value": value}

    assert not fits({"parsed": comparison})
    assert fits({"parsed": comparison | {"fold": True}})


def test_case_is_folded_and_not_merely_lowered() -> None:
    item = Candidate(KEY, "i", document={"s": "STRASSE e\u0301"})

    assert fits({"parsed": {"path": "/s", "value": "straße é", "fold": True}}, item)


@pytest.mark.parametrize("like", ["100\\%", "%\\%", "100_"])
def test_a_backslash_takes_the_meaning_from_what_follows(like: str) -> None:
    assert compare(Parsed((), "like", like), "100%")
    assert not compare(Parsed((), "like", "100\\_"), "100%")
    assert compare(Parsed((), "like", "a\\"), "a\\")


def test_an_item_without_json_has_nothing_anywhere() -> None:
    raw = Candidate(KEY, "i")

    assert not fits({"parsed": {"path": "", "op": "exists"}}, raw)
    assert fits({"parsed": {"path": "", "op": "missing"}}, raw)
    assert at(MISSING, ()) is MISSING


NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False) | st.integers(-5, 5)
VALUES = st.none() | st.booleans() | NUMBERS | st.text(max_size=5) | st.lists(st.integers(), max_size=2)


@given(VALUES, VALUES)
def test_keys_sort_as_the_values_they_stand_for(one: Any, other: Any) -> None:
    keys = sort_key(one), sort_key(other)

    if kind(one) != kind(other):
        assert (keys[0] < keys[1]) == (kind(one) < kind(other))
    elif not isinstance(one, list):
        assert (keys[0] == keys[1]) == equal(one, other)
        assert one is None or (keys[0] < keys[1]) == (one < other)


@given(st.integers(2**52, 2**55), st.integers(-3, 3))
def test_integers_that_no_double_tells_apart_are_told_apart(number: int, more: int) -> None:
    assert (sort_key(number) < sort_key(number + more)) == (more > 0)
    assert (sort_key(float(number)) < sort_key(number + more)) == (float(number) < number + more)

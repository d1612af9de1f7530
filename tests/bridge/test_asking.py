# SPDX-License-Identifier: MIT
"""What `pubkeep search` asks is what was typed, as the daemon understands it."""

import argparse
import contextlib
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pubkeep.query.conditions import All, Condition, Moment, Name, OneOf
from pubkeep.query.document import KEYS, read
from pubkeep_bridge.cli import asking
from pubkeep_bridge.cli.arguments import parser


def asked(*words: str) -> str:
    return asking.query(parser().parse_args(["search", *words]))


def parts(condition: Condition) -> list[Condition]:
    """What is ANDed, no value twice."""
    return [
        replace(part, values=tuple(dict.fromkeys(part.values))) if isinstance(part, OneOf) else part
        for part in (condition.parts if isinstance(condition, All) else (condition,))
    ]


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--type", "blog", "--type", "event"], [{"types": ["blog", "event"]}]),
        (["--tag", "a", "--tag", "b"], [{"tags": ["a"]}, {"tags": ["b"]}]),
        (
            ["--account", "a@b", "--service", "c", "--node", "d"],
            [{"accounts": ["a@b"]}, {"services": ["c"]}, {"nodes": ["d"]}],
        ),
        (["--node-prefix", "urn:", "--namespace", "urn:x"], [{"node_prefix": ["urn:"]}, {"namespaces": ["urn:x"]}]),
        (
            ["--subtype", "s", "--analyser", "a", "--id", "i"],
            [{"subtypes": ["s"]}, {"analysers": ["a"]}, {"ids": ["i"]}],
        ),
        (["--from", 'ju"liet'], [{"publishers": ['ju"liet']}]),
        (["--after", "2026-01-31T12:00:00Z"], [{"published": {"after": 1769860800000000}}]),
        (["--before", "1970-01-01T00:00:00Z"], [{"published": {"before": 0}}]),
        (
            ["--stored-before", "2026-01-31T12:00:00Z", "--stored-after", "2026-01-31T13:00:00+01:00"],
            [{"stored": {"after": 1769860800000000, "before": 1769860800000000}}],
        ),
        (["--text", "tag:x -y", "--words", "-z"], [{"text": "tag:x -y"}, {"words": "-z"}]),
        (["--parsed", "/n >= 5"], [{"parsed": {"path": "/n", "op": ">=", "value": 5}}]),
        (["--parsed", "/a = b  c ", "-i"], [{"parsed": {"path": "/a", "op": "==", "value": "b  c", "fold": True}}]),
        (["--parsed", '/a == "5"'], [{"parsed": {"path": "/a", "op": "==", "value": "5"}}]),
        (["--parsed", "/a missing"], [{"parsed": {"path": "/a", "op": "missing"}}]),
        (["--parsed", "/t overlap a,2"], [{"parsed": {"path": "/t", "op": "overlap", "value": ["a", 2]}}]),
        (["--parsed", '/t in ["a,b"]'], [{"parsed": {"path": "/t", "op": "in", "value": ["a,b"]}}]),
        (["--parsed", "/d between 1,2"], [{"parsed": {"path": "/d", "op": "between", "value": [1, 2]}}]),
        (["--query", '{"not": {"text": "x"}}'], [{"not": {"text": "x"}}]),
        (["onions", "-x", "tag:y", "--type", "blog"], [{"text": "onions -x"}, {"tags": ["y"]}, {"types": ["blog"]}]),
        (['{"text": "x"}', "--id", "i"], [{"text": "x"}, {"ids": ["i"]}]),
    ],
)
def test_each_key_of_a_query_has_a_flag(words: list[str], expected: list[dict[str, Any]]) -> None:
    query = asked(*words)

    assert json.loads(query) == {"all": expected}
    read(query)


def test_no_key_of_the_query_is_without_a_flag() -> None:
    trees = {"any", "all", "not"}
    flags = {key for key, _, _ in asking.KINDS.values()} | {"text", "words", "parsed"} | set(asking.MOMENTS)

    assert flags | trees == set(KEYS)
    assert {name.value for name in Name} <= flags
    assert {moment.value for moment in Moment} == set(asking.MOMENTS)


def test_without_flags_what_is_typed_is_asked_as_it_is() -> None:
    assert asked("spring", "-onions", "tag:x") == "spring -onions tag:x"
    assert asked() == ""
    assert asked('{"text":', '"x"}') == '{"text": "x"}'


_TYPED = """onions|-x|"a b"|"a b"*|gard*|OR|!!!|http://a.b/c?d|tag:x|tag:"a b"|-type:blog|type:blog|type:event
|from:juliet|after:2026|before:2026-02|after:2026-02-03|-after:2026|before:2026-02-03T04:05:06Z|node_prefix:x|namespace:x|id:|:"
|account:"|-|id:a"b\""""
_PIECES = st.lists(st.sampled_from(_TYPED.split("|")) | st.text(alphabet='ab"*-: ', max_size=5), max_size=8).map(
    " ".join
)


@given(_PIECES)
@settings(deadline=None)
def test_a_search_box_means_the_same_beside_flags(typed: str) -> None:
    alone = read(typed)

    beside = read(f'{{"all": {json.dumps([*asking.boxed(typed), {"types": ["x"]}])}}}')

    assert parts(beside)[:-1] == (parts(alone) if typed.strip() else [])


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026", "2026-01-01T00:00+01:00"),
        ("2026-07", "2026-07-01T00:00+02:00"),
        ("2026-07-31", "2026-07-31T00:00+02:00"),
        ("2026-07-31T12:30", "2026-07-31T12:30+02:00"),
        ("2026-07-31 12:30:01", "2026-07-31T12:30:01+02:00"),
        ("2026-07-31T12:30:00Z", "2026-07-31T12:30+00:00"),
    ],
)
def test_days_begin_where_the_person_is(berlin: None, text: str, moment: str) -> None:
    assert asking.date(text) == asking.date(moment)


def test_dates_may_be_said_from_now(berlin: None) -> None:
    now, hour = time.time() * 1e6, 3_600_000_000

    assert abs(now - asking.date("now")) < hour
    assert 0 <= now - asking.date("today") <= 25 * hour
    assert 23 * hour <= asking.date("today") - asking.date("yesterday") <= 25 * hour
    for text, hours in (("30min", 0.5), ("12h", 12.0), ("7d", 168.0), ("2w", 336.0)):
        assert abs(now - asking.date(text) - hours * hour) <= 1.1 * hour


@pytest.mark.parametrize(
    "text", ["", "x", "2026-13", "2026-02-30", "7", "d", "9999999d", "999999w", "-7d", "0001-01-01"]
)
def test_what_is_no_date_is_refused_with_those_that_are(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="write 2026, 2026-01"):
        asking.date(text)


@pytest.mark.parametrize("text", ["", "/a", "/a ~ 3", "a == 3", "/a ==", "/a missing 3", "/a>3"])
def test_what_is_no_comparison_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is not 'PATH OPERATOR VALUE'; for example"):
        asking.comparison(text)


@given(st.text(max_size=20))
def test_whatever_is_given_is_understood_or_refused(text: str) -> None:
    for understood in (asking.date, asking.comparison):
        with contextlib.suppress(argparse.ArgumentTypeError):
            understood(text)

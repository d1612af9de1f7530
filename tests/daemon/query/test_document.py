# SPDX-License-Identifier: MIT
"""The JSON face: every query is valid, or refused with the place and the reason; the published schema says the same."""

import contextlib
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pubkeep import query
from pubkeep.errors import InvalidArgs
from pubkeep.query.conditions import All, Dated, Moment, Name, NodePrefix, Not, OneOf, Parsed, Term, Text
from pubkeep.query.conditions import Any as AnyOf
from pubkeep.query.document import KEYS, MAX_CONDITIONS, MAX_DEPTH, MAX_VALUES, read
from pubkeep.query.typed import MAX_TERMS, MAX_WORDS

SCHEMA = json.loads((Path(query.__file__).parent / "query.schema.json").read_text(encoding="utf-8"))
JULY = 1_782_864_000_000_000


def word(of: str) -> Text:
    return Text(((Term((of,)),),))


@pytest.mark.parametrize(
    ("typed", "condition"),
    [
        ("", All()),
        ("{}", All()),
        (" \n{}", All()),
        ('{"text": "boat"}', word("boat")),
        ('{"words": "red bo"}', Text(((Term(("red",)),), (Term(("bo",), True),)))),
        ('{"words": "-red OR \\"bo"}', Text(((Term(("red",)),), (Term(("or",)),), (Term(("bo",), True),)))),
        ('{"types": ["blog", "event"]}', OneOf(Name.TYPE, ("blog", "event"))),
        ('{"types": []}', OneOf(Name.TYPE, ())),
        ('{"node_prefix": "urn:"}', NodePrefix(("urn:",))),
        ('{"published": {"after": "2026-07-01T00:00:00Z"}}', Dated(Moment.PUBLISHED, JULY)),
        ('{"stored": {"after": 5, "before": 7}}', Dated(Moment.STORED, 5, 7)),
        ('{"parsed": {"path": "/a~1b/0", "value": null}}', Parsed(("a/b", "0"), "==", None)),
        ('{"parsed": [{"path": "", "op": "exists"}]}', Parsed((), "exists")),
        ('{"parsed": []}', All()),
        (
            '{"any": [{"text": "boat"}, {"not": {"ids": ["i"]}}], "tags": ["x"]}',
            All((AnyOf((word("boat"), Not(OneOf(Name.ID, ("i",))))), OneOf(Name.TAG, ("x",)))),
        ),
        ('{"any": []}', AnyOf()),
        ("boat", word("boat")),
        ("type:blog", OneOf(Name.TYPE, ("blog",))),
        ("type:blog type:event", OneOf(Name.TYPE, ("blog", "event"))),
        ("tag:a tag:b", All((OneOf(Name.TAG, ("a",)), OneOf(Name.TAG, ("b",))))),
        ('-tag:"two words"', Not(OneOf(Name.TAG, ("two words",)))),
        ("after:2026-07", Dated(Moment.PUBLISHED, JULY)),
        ("before:2026-07-01T02:00:00+02:00", Dated(Moment.PUBLISHED, None, JULY)),
        (
            'boat from:juliet "spring onions"',
            All((Text(((Term(("boat",)),), (Term(("spring", "onions")),))), OneOf(Name.PUBLISHER, ("juliet",)))),
        ),
        ("http://example.org", Text(((Term(("http", "example", "org")),),))),
        ("'; DROP TABLE item; --", Text(((Term(("drop",)),), (Term(("table",)),), (Term(("item",)),)))),
    ],
)
def test_what_is_asked_becomes_one_condition(typed: str, condition: object) -> None:
    assert read(typed) == condition


DEEP = 64
MIXED = '{"any": [{"all": [{"not": ' * (DEEP // 3) + '{"text": "a"}' + "}]}]}" * (DEEP // 3)
NESTED = '{"not": ' * (MAX_DEPTH + 1) + "{}" + "}" * (MAX_DEPTH + 1)


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("{", "query: it is not JSON: "),
        ('{"a": 1, "a": 2}', "query: the key 'a' stands twice in one object"),
        ('{"types": [NaN]}', "query: it is not JSON: NaN is no number"),
        ('{"colour": "red"}', f"query at /colour: 'colour' is no key; there are {', '.join(KEYS)}"),
        ('{"any": [{}, {"types": "blog"}]}', "query at /any/1/types: it must be a list of strings"),
        ('{"types": [1]}', "query at /types: it must be a list of strings"),
        ('{"any": {}}', "query at /any: it must be a list of objects"),
        ('{"not": []}', "query at /not: it must be an object"),
        ('{"text": 5}', "query at /text: it must be a string"),
        ('{"text": "' + "a " * (MAX_TERMS + 1) + '"}', f"query at /text: more than {MAX_TERMS} words"),
        ('{"words": "' + "a " * (MAX_TERMS + 1) + '"}', f"query at /words: more than {MAX_TERMS}"),
        ("a " * (MAX_TERMS + 1), f"text: more than {MAX_TERMS} words"),
        ("東" * (MAX_WORDS + 2), f"text: more than {MAX_WORDS} words"),
        ('{"words": "' + "東" * (MAX_WORDS + 2) + '"}', f"query at /words: more than {MAX_WORDS} words"),
        ("half \ud800", "query: the text has half a character"),
        ("-id:\ud800", "query: the text has half a character"),
        ("after:tomorrow", "after: 'tomorrow' is no date; "),
        ("before:2026-02-30", "before: '2026-02-30' is no date"),
        ('{"published": {}}', "query at /published: it must be an object with 'after', 'before' or both"),
        ('{"published": {"since": 1}}', "query at /published/since: 'since' is no key; there are after, before"),
        ('{"published": {"after": "1 July"}}', "query at /published/after: it must be a date: "),
        ('{"published": {"after": 1.5}}', "query at /published/after: it must be a date: "),
        ('{"published": {"after": true}}', "query at /published/after: it must be a date: "),
        ('{"parsed": 5}', "query at /parsed/0: it must be an object with 'path', 'op' and 'value'"),
        ('{"parsed": {"value": 5}}', "query at /parsed/0/path: it must be there, a JSON pointer: '/start'"),
        ('{"parsed": {"path": "start", "value": 5}}', "query at /parsed/0/path: 'start' is no JSON pointer; "),
        ('{"parsed": {"path": "/a~2", "value": 5}}', "query at /parsed/0/path: '/a~2' is no JSON pointer: "),
        ('{"parsed": {"path": "' + "/a" * 33 + '", "value": 5}}', "query at /parsed/0/path: it has more than 32 steps"),
        (
            '{"parsed": {"path": "/a", "op": "~", "value": 5}}',
            "query at /parsed/0/op: '~' is no operator; there are ==",
        ),
        ('{"parsed": {"path": "/a", "op": [], "value": 5}}', "query at /parsed/0/op: [] is no operator; there are =="),
        ('{"parsed": {"path": "/a"}}', "query at /parsed/0/value: '==' needs one"),
        ('{"parsed": {"path": "/a", "op": "exists", "value": 1}}', "query at /parsed/0/value: 'exists' takes none"),
        ('{"parsed": {"path": "/a", "op": "in", "value": 1}}', "query at /parsed/0/value: 'in' needs a list"),
        ('{"parsed": {"path": "/a", "op": "like", "value": 1}}', "query at /parsed/0/value: 'like' needs a string"),
        ('{"parsed": {"path": "/a", "op": "<", "value": null}}', "query at /parsed/0/value: '<' needs a number or a "),
        ('{"parsed": {"path": "/a", "op": "between", "value": [1, "b"]}}', "query at /parsed/0/value: 'between' needs"),
        ('{"parsed": {"path": "/a", "value": 1, "fold": 1}}', "query at /parsed/0/fold: it must be true or false"),
        ('{"parsed": {"path": "/a", "value": 1, "case": 1}}', "query at /parsed/0/case: 'case' is no key; there are "),
        ('{"parsed": {"path": "/a", "value": [1e999]}}', "query at /parsed/0/value/0: the number is too large"),
        (
            '{"parsed": {"path": "/a", "value": 1' + "0" * 400 + "}}",
            "query at /parsed/0/value: the number is too large",
        ),
        ('{"parsed": {"path": "/a", "value": 1' + "0" * 5000 + "}}", "query: it is not JSON: "),
        ('{"ids": ["\\ud800"]}', "query at /ids: the text has half a character"),
        ('{"ids": [' + '"a",' * MAX_VALUES + '"a"]}', f"query at /ids: it has more than {MAX_VALUES} strings"),
        (MIXED, f"query at {'/any/0/all/0/not' * 5}/any/0/all/0: it is more than {MAX_DEPTH} deep"),
        (NESTED, f"query at {'/not' * (MAX_DEPTH + 1)}: it is more than {MAX_DEPTH} deep"),
        ('{"a":' * 100_000, f"query: it is more than {MAX_DEPTH} deep"),
        (
            '{"any": [' + '{"types": []},' * MAX_CONDITIONS + '{"types": []}]}',
            f"query at /any/{MAX_CONDITIONS - 1}/types: there are more than {MAX_CONDITIONS} conditions",
        ),
    ],
)
def test_what_is_no_query_is_refused_with_the_place_and_the_reason(typed: str, words: str) -> None:
    with pytest.raises(InvalidArgs) as refused:
        read(typed)

    assert str(refused.value).startswith(words)
    assert len(str(refused.value)) < 500


STRINGS = st.sampled_from(["", "a", "/a", "/a~1", "~", "a/b", "2026-07-01T00:00:00Z", "2026-07-01"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | STRINGS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(STRINGS, inner, max_size=2),
    max_leaves=4,
)
OPERATORS = st.sampled_from(SCHEMA["$defs"]["comparison"]["properties"]["op"]["enum"]) | JSON
COMPARISON = st.fixed_dictionaries(
    {}, optional={"path": STRINGS | JSON, "op": OPERATORS, "value": JSON, "fold": st.booleans() | JSON, "x": JSON}
)
DATES = st.fixed_dictionaries({}, optional={"after": STRINGS | st.integers(), "before": JSON, "x": JSON})
QUERIES: st.SearchStrategy[Any] = st.recursive(
    st.just({}),
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "text": STRINGS | JSON,
            "words": STRINGS,
            "types": st.lists(STRINGS) | JSON,
            "node_prefix": STRINGS | JSON,
            "published": DATES | JSON,
            "parsed": COMPARISON | st.lists(COMPARISON, max_size=2) | JSON,
            "any": st.lists(inner, max_size=2) | JSON,
            "all": st.lists(inner, max_size=2),
            "not": inner | JSON,
            "x": JSON,
        },
    ),
    max_leaves=6,
)


@settings(max_examples=400)
@given(QUERIES)
def test_the_schema_accepts_just_what_is_accepted(document: Any) -> None:
    try:
        read(json.dumps(document))
        accepted = True
    except InvalidArgs:
        accepted = False

    validator = jsonschema.Draft202012Validator(SCHEMA, format_checker=DATE_TIMES)
    assert validator.is_valid(document) == accepted


DATE_TIMES = jsonschema.FormatChecker(formats=())


@DATE_TIMES.checks("date-time")
def _date_time(value: object) -> bool:
    return not isinstance(value, str) or value == "2026-07-01T00:00:00Z"


def test_the_schema_is_one_and_names_every_key() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)

    assert tuple(sorted(SCHEMA["$defs"]["query"]["properties"])) == tuple(sorted(KEYS))


@given(st.text(max_size=200))
def test_whatever_is_typed_is_a_query_or_refused(typed: str) -> None:
    with contextlib.suppress(InvalidArgs):
        read(typed)

# SPDX-License-Identifier: MIT
"""The JSON face of a query: an object whose keys are ANDed and whose lists are ORed (query.schema.json).

Each error names the place, as a JSON pointer, and the reason.
"""

import json
from collections.abc import Callable
from typing import Any, NoReturn, cast, get_args

from pubkeep.dates import microseconds
from pubkeep.errors import InvalidArgs
from pubkeep.query import typed
from pubkeep.query.conditions import (
    All,
    Condition,
    Dated,
    Json,
    Moment,
    Name,
    NodePrefix,
    Not,
    OneOf,
    Operator,
    Parsed,
    Path,
)
from pubkeep.query.conditions import Any as AnyOf

MAX_DEPTH = 16
"""Trees in trees."""
MAX_CONDITIONS = 256
MAX_VALUES = 10_000
"""Strings in one list."""
MAX_PATH = 32
"""Tokens of a JSON pointer."""
MOST = (1 << 63) - 1

_NAMES, _MOMENTS = frozenset(Name), frozenset(Moment)
_DATES = ("after", "before")
_COMPARISON = ("path", "op", "value", "fold")
_BARE = ("exists", "missing")
"""Operators without a value."""
_LISTS = ("in", "overlap")
_STRINGS = ("like", "starts_with")
_ORDERED = (">", ">=", "<", "<=")


def read(query: str) -> Condition:
    """A query as one condition: JSON where it begins with a brace, else what a person typed.

    Raises:
        InvalidArgs: it is no query; the message says where and why.
    """
    if not query.lstrip().startswith("{"):
        return typed.box(_whole(query, ""))
    try:
        document = json.loads(query, object_pairs_hook=_unique, parse_constant=_no_constant)
    except RecursionError:
        raise InvalidArgs(f"query: it is more than {MAX_DEPTH} deep") from None
    except ValueError as error:
        raise InvalidArgs(f"query: it is not JSON: {error}") from None
    return _Reader().query(document, "", 0)


def pointer(path: str, where: str = "") -> Path:
    """The tokens of a JSON pointer (RFC 6901).

    Raises:
        InvalidArgs: it is none.
    """
    if path and not path.startswith("/"):
        _wrong(where, f"{path!r} is no JSON pointer; it begins with a slash: '/start'")
    tokens = path.split("/")[1:]
    if len(tokens) > MAX_PATH:
        _wrong(where, f"it has more than {MAX_PATH} steps")
    for token in tokens:
        if "~" in token.replace("~0", "").replace("~1", ""):
            _wrong(where, f"{path!r} is no JSON pointer: '~' is written '~0', '/' in a name '~1'")
    return tuple(token.replace("~1", "/").replace("~0", "~") for token in tokens)


def pointer_of(path: Path) -> str:
    """The JSON pointer with these tokens."""
    return "".join("/" + token.replace("~", "~0").replace("/", "~1") for token in path)


def _wrong(where: str, why: str) -> NoReturn:
    raise InvalidArgs(f"query{where and ' at '}{where}: {why}")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise InvalidArgs(f"query: the key {twice!r} stands twice in one object")
    return found


def _no_constant(name: str) -> NoReturn:
    raise InvalidArgs(f"query: it is not JSON: {name} is no number")


class _Reader:
    """Counts what it has read."""

    def __init__(self) -> None:
        self._conditions = 0

    def query(self, document: Any, where: str, depth: int) -> Condition:
        """An object of the query language."""
        if not isinstance(document, dict):
            _wrong(where, "it must be an object")
        if depth > MAX_DEPTH:
            _wrong(where, f"it is more than {MAX_DEPTH} deep")
        parts = [self._part(key, value, f"{where}/{_escaped(key)}", depth) for key, value in document.items()]
        return parts[0] if len(parts) == 1 else All(tuple(parts))

    def _part(self, key: str, value: Any, where: str, depth: int) -> Condition:
        self._conditions += 1
        if self._conditions > MAX_CONDITIONS:
            _wrong(where, f"there are more than {MAX_CONDITIONS} conditions")
        if key in ("text", "words"):
            return self._text(typed.text if key == "text" else typed.literal, value, where)
        if key in _NAMES:
            return OneOf(Name(key), _strings(value, where))
        if key == "node_prefix":
            return NodePrefix(_strings([value] if isinstance(value, str) else value, where))
        if key in _MOMENTS:
            return self._dated(Moment(key), value, where)
        if key == "parsed":
            conditions = value if isinstance(value, list) else [value]
            return _all([self._parsed(each, f"{where}/{at}") for at, each in enumerate(conditions)])
        if key == "not":
            return Not(self.query(value, where, depth + 1))
        if key in ("any", "all"):
            if not isinstance(value, list):
                _wrong(where, "it must be a list of objects")
            parts = tuple(self.query(each, f"{where}/{at}", depth + 1) for at, each in enumerate(value))
            return AnyOf(parts) if key == "any" else All(parts)
        _wrong(where, f"{key!r} is no key; there are {', '.join(KEYS)}")

    def _text(self, read_text: Callable[[str], Condition], value: Any, where: str) -> Condition:
        if not isinstance(value, str):
            _wrong(where, "it must be a string")
        try:
            return read_text(_whole(value, where))
        except InvalidArgs as error:
            _wrong(where, str(error).partition(": ")[2])

    def _dated(self, moment: Moment, value: Any, where: str) -> Condition:
        if not isinstance(value, dict) or not value:
            _wrong(where, "it must be an object with 'after', 'before' or both")
        for key in value:
            if key not in _DATES:
                _wrong(f"{where}/{_escaped(key)}", f"{key!r} is no key; there are {', '.join(_DATES)}")
        return Dated(moment, **{key: _moment(each, f"{where}/{key}") for key, each in value.items()})

    def _parsed(self, value: Any, where: str) -> Condition:
        self._conditions += 1
        if self._conditions > MAX_CONDITIONS:
            _wrong(where, f"there are more than {MAX_CONDITIONS} conditions")
        if not isinstance(value, dict):
            _wrong(where, "it must be an object with 'path', 'op' and 'value'")
        for key in value:
            if key not in _COMPARISON:
                _wrong(f"{where}/{_escaped(key)}", f"{key!r} is no key; there are {', '.join(_COMPARISON)}")
        if not isinstance(value.get("path"), str):
            _wrong(f"{where}/path", "it must be there, a JSON pointer: '/start'")
        path = pointer(_whole(value["path"], f"{where}/path"), f"{where}/path")
        operator, fold = value.get("op", "=="), value.get("fold", False)
        if operator not in get_args(Operator):
            _wrong(f"{where}/op", f"{operator!r} is no operator; there are {', '.join(get_args(Operator))}")
        if not isinstance(fold, bool):
            _wrong(f"{where}/fold", "it must be true or false")
        if ("value" in value) == (operator in _BARE):
            _wrong(f"{where}/value", f"{operator!r} {'takes none' if operator in _BARE else 'needs one'}")
        operand = _json(value.get("value"), f"{where}/value")
        _check(cast(Operator, operator), operand, f"{where}/value")
        return Parsed(path, cast(Operator, operator), operand, fold)


KEYS = ("text", "words", *Name, "node_prefix", *Moment, "parsed", "any", "all", "not")


def _check(operator: Operator, value: Json, where: str) -> None:
    """Whether an operator can be used with a value."""
    if operator in _LISTS and not isinstance(value, list):
        _wrong(where, f"{operator!r} needs a list")
    if operator in _STRINGS and not isinstance(value, str):
        _wrong(where, f"{operator!r} needs a string")
    if operator in _ORDERED and not _comparable(value):
        _wrong(where, f"{operator!r} needs a number or a string")
    if operator == "between":
        ends = value if isinstance(value, list) else []
        if len(ends) != 2 or not all(map(_comparable, ends)) or isinstance(ends[0], str) != isinstance(ends[1], str):
            _wrong(where, "'between' needs a list of two numbers or two strings, the lower one first")


def _comparable(value: Json) -> bool:
    return isinstance(value, (int, float, str)) and not isinstance(value, bool)


def _all(parts: list[Condition]) -> Condition:
    return parts[0] if len(parts) == 1 else All(tuple(parts))


def _strings(value: Any, where: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        _wrong(where, "it must be a list of strings")
    if len(value) > MAX_VALUES:
        _wrong(where, f"it has more than {MAX_VALUES} strings")
    return tuple(dict.fromkeys(_whole(each, where) for each in value))


def _moment(value: Any, where: str) -> int:
    """Microseconds since the Unix epoch, or RFC 3339."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= MOST:
        return value
    if isinstance(value, str) and (found := microseconds(value)):
        return found
    _wrong(where, "it must be a date: microseconds since 1970, or a string such as '2026-01-31T12:00:00Z'")


def _json(value: Any, where: str) -> Json:
    """A value as it is compared: integers of more than 64 bits are doubles, as in the databases."""
    match value:
        case str():
            return _whole(value, where)
        case bool() | None:
            return value
        case int():
            return value if -MOST - 1 <= value <= MOST else _double(value, where)
        case float():
            return value if abs(value) != float("inf") else _wrong(where, "the number is too large")
        case list():
            return [_json(each, f"{where}/{at}") for at, each in enumerate(value)]
        case _:
            return {_whole(key, where): _json(each, f"{where}/{_escaped(key)}") for key, each in value.items()}


def _double(value: int, where: str) -> float:
    try:
        return float(value)
    except OverflowError:
        _wrong(where, "the number is too large")


def _whole(text: str, where: str) -> str:
    """A text without half a character; U+0000 is what the store makes of it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        _wrong(where, "the text has half a character")
    return text.replace("\0", "\ufffd")


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1").encode(errors="replace").decode()

# SPDX-License-Identifier: MIT
"""What `search` and `export` ask for: a search box, and a flag for each key of the query's JSON.

What is typed goes to the daemon as it is, unless there are flags: then all of it becomes JSON, since a search box
cannot say the half of it.
"""

import argparse
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

KINDS = {
    "account": ("accounts", "JID", "of this account"),
    "service": ("services", "JID", "of this service"),
    "node": ("nodes", "NODE", "of this node"),
    "node-prefix": ("node_prefix", "PREFIX", "of nodes whose names begin so"),
    "type": ("types", "TYPE", "of this type"),
    "subtype": ("subtypes", "SUBTYPE", "of this subtype"),
    "namespace": ("namespaces", "URI", "whose payload is of this namespace"),
    "analyser": ("analysers", "NAME", "that this analyser read"),
    "id": ("ids", "ID", "with this id"),
    "from": ("publishers", "JID", "of this publisher: a JID, a domain, or what stands before the @"),
    "tag": ("tags", "TAG", "with this tag"),
}
"""Flag -> (key, what it takes, what it says). Several of a kind are ORed; tags are ANDed, as in a search box."""
MOMENTS = ("published", "updated", "created", "stored")
OPERATORS = ("==", "!=", ">", ">=", "<", "<=", "between", "in", "overlap", "like", "starts_with", "exists", "missing")
DATES = "2026, 2026-01, 2026-01-31, 2026-01-31T12:00, today, yesterday, 30min, 12h, 7d or 2w (ago)"

_TYPED = re.compile(r'(-?)(?:([a-z]+):)?(?:"([^"]*)"?\*?|(\S+))')
"""A piece of what is typed, as the daemon reads it."""
_DAY = re.compile(r"\A(\d{4})(?:-(\d\d)(?:-(\d\d))?)?\Z")
_AGO = re.compile(r"(\d{1,6})(min|h|d|w)")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNITS = {"min": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


def add_flags(command: argparse.ArgumentParser) -> None:
    """All that a query can say."""
    words = 'words, "phrases", prefix*, -not, OR, tag:garden and the like; or a query in JSON'
    command.add_argument("words", nargs="*", metavar="WORDS", help=words)
    command.set_defaults(takes_dashes=True)
    command.usage = "%(prog)s [OPTION ...] [WORDS ...]"
    asked = command.add_argument_group(
        "what is asked for",
        "Several of a kind are ORed, tags and all else are ANDed. "
        f"DATE is {DATES}; days begin where you are. An OPERATOR is one of {' '.join(OPERATORS)}.",
    )
    for flag, (key, takes, what) in KINDS.items():
        asked.add_argument(f"--{flag}", action="append", metavar=takes, dest=f"only_{key}", help=f"only items {what}")
    for moment in MOMENTS:
        for end, when in (("after", "then or later"), ("before", "before that")):
            flag, dest = end if moment == "published" else f"{moment}-{end}", f"{moment}_{end}"
            what = "first held here" if moment == "stored" else moment
            asked.add_argument(f"--{flag}", type=date, metavar="DATE", dest=dest, help=f"only items {what} {when}")
    asked.add_argument(
        "--text", action="append", metavar="WORDS", help="words as in a search box, without tag: and so on"
    )
    asked.add_argument(
        "--words", action="append", metavar="WORDS", dest="literal", help="words literally; the last one may go on"
    )
    asked.add_argument(
        "--parsed",
        action="append",
        type=comparison,
        metavar="COMPARISON",
        help="'PATH OPERATOR VALUE' with a place in the item's json, VALUE being JSON or text: "
        "'/start > 2026-01-01T00:00:00Z', '/tags overlap garden,tree', '/end missing'",
    )
    asked.add_argument("-i", "--ignore-case", action="store_true", help="in --parsed")
    asked.add_argument("--query", action="append", metavar="JSON", help="a query in JSON, beside all this")


def query(arguments: argparse.Namespace) -> str:
    """What the daemon is asked."""
    typed = " ".join(arguments.words)
    flags = [json.dumps(part, ensure_ascii=False) for part in _flags(arguments)] + (arguments.query or [])
    if not flags:
        return typed
    parts = [typed] if typed.lstrip().startswith("{") else [json.dumps(part) for part in boxed(typed)]
    return f'{{"all": [{", ".join(parts + flags)}]}}'


def boxed(typed: str) -> Iterator[dict[str, Any]]:
    """A search box as JSON, part by part."""
    words: list[str] = []
    parts: list[dict[str, Any]] = []
    several: dict[str, list[str]] = {}
    for piece in _TYPED.finditer(typed):
        minus, name, quoted, bare = piece.groups(default="")
        key, value = KINDS.get(name, ("",))[0], quoted or bare
        if name in ("after", "before") and not minus:
            parts.append({"published": {name: _DAY.sub(_in_utc, value)}})
        elif name not in _BOX:
            words.append(piece[0])
        elif minus:
            parts.append({"not": {key: [value]}})
        elif key == "tags":
            parts.append({key: [value]})
        else:
            several.setdefault(key, []).append(value)
    yield from [{"text": " ".join(words)}] if words else []
    yield from parts
    yield from ({key: values} for key, values in several.items())


_BOX = frozenset(KINDS) - {"node-prefix", "namespace"}


def date(text: str) -> int:
    """A date that a person gives, where the person is, in microseconds since 1970.

    Raises:
        argparse.ArgumentTypeError: it is none.
    """
    try:
        return (_moment(text.strip()).astimezone() - _EPOCH) // timedelta(microseconds=1)
    except (ValueError, OverflowError, OSError):
        raise argparse.ArgumentTypeError(f"{text!r} is no date; write {DATES}") from None


def _moment(text: str) -> datetime:
    """Without a time zone where none is said."""
    now = datetime.now(UTC).astimezone().replace(tzinfo=None)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    if text in ("now", "today", "yesterday"):
        return {"now": now, "today": midnight, "yesterday": midnight - timedelta(days=1)}[text]
    if ago := _AGO.fullmatch(text):
        return now - int(ago[1]) * _UNITS[ago[2]]
    return datetime.fromisoformat(_DAY.sub(_begun, text))


def _begun(day: re.Match[str]) -> str:
    """A year, or a month, as its first day."""
    year, month, of_month = day.groups(default="01")
    return f"{year}-{month}-{of_month}"


def _in_utc(day: re.Match[str]) -> str:
    """Where a day begins for a search box."""
    return f"{_begun(day)}T00:00:00Z"


def comparison(text: str) -> dict[str, Any]:
    """`PATH OPERATOR VALUE` as JSON.

    Raises:
        argparse.ArgumentTypeError: it is not.
    """
    path, operator, value = (*text.split(None, 2), "", "", "")[:3]
    operator = "==" if operator == "=" else operator
    bare = operator in ("exists", "missing")
    if not path.startswith("/") or operator not in OPERATORS or bare == bool(value):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not 'PATH OPERATOR VALUE'; for example '/start > 2026-01-01T00:00:00Z'"
        )
    found: dict[str, Any] = {"path": path, "op": operator}
    if not bare:
        found["value"] = _value(value)
    if operator in ("between", "in", "overlap") and not isinstance(found["value"], list):
        found["value"] = [_value(each) for each in value.split(",")]
    return found


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text.strip()


def _flags(arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    for key, _, _ in KINDS.values():
        given = getattr(arguments, f"only_{key}") or []
        yield from [{key: [each]} for each in given] if key == "tags" else [{key: given}] if given else []
    for moment in MOMENTS:
        ends = {end: getattr(arguments, f"{moment}_{end}") for end in ("after", "before")}
        given_ends = {end: value for end, value in ends.items() if value is not None}
        yield from [{moment: given_ends}] if given_ends else []
    yield from ({"text": each} for each in arguments.text or [])
    yield from ({"words": each} for each in arguments.literal or [])
    fold = {"fold": True} if arguments.ignore_case else {}
    yield from ({"parsed": each | fold} for each in arguments.parsed or [])

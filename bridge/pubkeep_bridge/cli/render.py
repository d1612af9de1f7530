# SPDX-License-Identifier: MIT
"""Text for people. What comes from the network is never obeyed by a terminal: control characters are shown as dots."""

import json
import os
import re
import shutil
import sys
import time
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from typing import Any

BOLD, DIM, HIT = "1", "2", "1;31"
"""Styles of ECMA-48: a hit is bold and red, as with grep."""
_JOINERS = "\u200c\u200d"
"""Persian and emoji need them, and no terminal obeys them."""
_OBEYED = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""What JSON may hold raw, and a terminal may obey."""


def clean(text: str) -> str:
    """Text on one line, without what a terminal would obey (escape sequences, directions, line breaks)."""
    return "".join(" " if char in "\t\n\r" else "·" if _obeyed(char) else char for char in text)


def _obeyed(char: str) -> bool:
    return unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co", "Cn") and char not in _JOINERS


def harmless(document: str) -> str:
    """The same JSON without what a terminal would obey."""
    return _OBEYED.sub(lambda match: f"\\u{ord(match[0]):04x}", document)


def date(microseconds: int) -> str:
    """Local date and time; a dash for unknown."""
    if not microseconds:
        return "-"
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(microseconds / 1_000_000))


def width(text: str) -> int:
    """Columns that a text takes in a terminal."""
    return sum(
        0
        if unicodedata.category(char) in ("Mn", "Me", "Cf")
        else 2
        if unicodedata.east_asian_width(char) in "WF"
        else 1
        for char in text
    )


def fit(text: str, columns: int) -> str:
    """Cut a text to so many columns, with an ellipsis."""
    if width(text) <= columns:
        return text
    while text and width(text) > columns - 1:
        text = text[:-1]
    return f"{text}…"


def columns() -> int:
    """How wide the output may be."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else 10_000


def table(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Columns; the last one is cut to the width of a terminal."""
    cells = [[clean(str(cell)) for cell in row] for row in rows]
    widths = [max(width(row[i]) for row in [list(headings), *cells]) for i in range(len(headings))]
    for number, row in enumerate([list(headings), *cells]):
        line = "  ".join(cell + " " * (widths[i] - width(cell)) for i, cell in enumerate(row)).rstrip()
        line = fit(line, columns())
        print(styled(line, BOLD) if number == 0 else line)


def pairs(values: Mapping[str, Any]) -> None:
    """Keys and values, one a line."""
    longest = max((len(key) for key in values), default=0)
    for key, value in values.items():
        several = value if isinstance(value, list | tuple) else [value]
        print(f"{key:{longest}}  {clean(', '.join(map(_word, several)))}".rstrip())


def marked(pieces: Sequence[str], indent: str) -> None:
    """A snippet, broken into lines, with its hits highlighted."""
    text = "".join(map(clean, pieces))
    hit = [bool(number % 2) for number, piece in enumerate(pieces) for _ in piece]
    for start, end in _lines(text, max(20, columns() - len(indent) - 1)):
        line, at = indent, start
        while at < end:
            begun, style = at, hit[at]
            while at < end and hit[at] == style:
                at += 1
            line += styled(text[begun:at], HIT) if style else text[begun:at]
        print(line)


def _lines(text: str, room: int) -> Iterator[tuple[int, int]]:
    """Start and end of each line; it is broken at spaces, or between letters where there are none."""
    start = 0
    while start < len(text):
        end, used = start, 0
        while end < len(text) and (used := used + width(text[end])) <= room:
            end += 1
        space = text.rfind(" ", start, end + 1) if end < len(text) else -1
        yield start, space if space > start else end
        start = space + 1 if space > start else end


def styled(text: str, style: str) -> str:
    """The text in a style where colours are used."""
    return f"\033[{style}m{text}\033[0m" if colours() else text


def document(value: Any) -> None:
    """Print JSON on one line."""
    print(harmless(json.dumps(value, ensure_ascii=False, default=_plain)), flush=True)


def result(values: Any, *lines: str, as_json: bool) -> None:
    """What came of a command: lines for people, or all of it as JSON."""
    if as_json:
        document(values)
    else:
        for line in lines:
            print(clean(line))


def note(text: str) -> None:
    """Something beside the result: on stderr."""
    print(clean(text), file=sys.stderr)


def colours() -> bool:
    """Whether to use them: a terminal that has some, and nobody asked for none (no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _word(value: Any) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return str(value)

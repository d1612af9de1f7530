# SPDX-License-Identifier: MIT
"""Text for people. What comes from the network is never obeyed by a terminal: control characters are shown as dots."""

import json
import shutil
import sys
import time
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import asdict, is_dataclass
from typing import Any


def clean(text: str) -> str:
    """Text on one line, without what a terminal would obey (escape sequences, directions, line breaks)."""
    return "".join(
        " " if char in "\t\n\r" else "·" if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co", "Cn") else char
        for char in text
    )


def date(microseconds: int) -> str:
    """Local date and time; a dash for unknown."""
    if not microseconds:
        return "-"
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(microseconds / 1_000_000))


def width(text: str) -> int:
    """Columns that a text takes in a terminal."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )


def fit(text: str, columns: int) -> str:
    """Cut a text to so many columns, with an ellipsis."""
    if width(text) <= columns:
        return text
    while text and width(text) > columns - 1:
        text = text[:-1]
    return f"{text}…"


def table(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Columns; the last one is cut to the width of a terminal."""
    cells = [[clean(str(cell)) for cell in row] for row in rows]
    widths = [max(width(row[i]) for row in [list(headings), *cells]) for i in range(len(headings))]
    room = shutil.get_terminal_size().columns if sys.stdout.isatty() else 10_000
    for number, row in enumerate([list(headings), *cells]):
        line = "  ".join(cell + " " * (widths[i] - width(cell)) for i, cell in enumerate(row)).rstrip()
        line = fit(line, room)
        print(f"\033[1m{line}\033[0m" if number == 0 and colours() else line)


def pairs(values: Mapping[str, Any]) -> None:
    """Keys and values, one a line."""
    longest = max((len(key) for key in values), default=0)
    for key, value in values.items():
        text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
        print(f"{key:{longest}}  {clean(text)}")


def document(value: Any) -> None:
    """Print JSON on one line."""
    print(json.dumps(value, ensure_ascii=False, default=_plain), flush=True)


def note(text: str) -> None:
    """Something beside the result: on stderr."""
    print(clean(text), file=sys.stderr)


def colours() -> bool:
    """Whether to use them: a terminal, and nobody asked for none (no-color.org)."""
    import os

    return sys.stdout.isatty() and "NO_COLOR" not in os.environ


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return str(value)

# SPDX-License-Identifier: MIT
"""What a person types into a search box, as a full-text expression.

Words are ANDed; "phrases", prefix*, -not and OR (which binds tighter than the AND between words) are
understood. Everything else is text: each term goes to FTS5 as a quoted string, so nothing of its own
syntax can be reached.
"""

import re
import unicodedata
from dataclasses import dataclass

from pubkeep.errors import InvalidArgs

MAX_TERMS = 100
"""Terms of one search."""

_TERM = re.compile(r'(-?)(?:"([^"]*)"?|(\S+))')


@dataclass(frozen=True, slots=True)
class TextQuery:
    """FTS5 expressions: what must match, and what must not. Both empty: the text has no word in it."""

    wanted: str
    unwanted: str


def parse(typed: str) -> TextQuery:
    """Understand what was typed.

    Raises:
        InvalidArgs: more than MAX_TERMS terms.
    """
    wanted: list[list[str]] = []
    unwanted: list[str] = []
    either = False
    for minus, phrase, word in _TERM.findall(typed.replace("\0", " ")):
        if word == "OR" and not minus:
            either = bool(wanted)
            continue
        term = _quoted(phrase or word)
        if not term:
            continue
        if minus:
            unwanted.append(term)
        elif either:
            wanted[-1].append(term)
        else:
            wanted.append([term])
        either = False
        if sum(map(len, wanted)) + len(unwanted) > MAX_TERMS:
            raise InvalidArgs(f"text: more than {MAX_TERMS} words")
    return TextQuery(" AND ".join(f"({' OR '.join(group)})" for group in wanted), " OR ".join(unwanted))


def _quoted(term: str) -> str:
    """The term as an FTS5 string, with a star behind it for a prefix; empty where it has no letter or digit."""
    prefix = " *" if term.endswith("*") else ""
    if not any(unicodedata.category(character)[0] in "LN" for character in term):
        return ""
    return '"' + term.rstrip("*").replace('"', '""') + '"' + prefix

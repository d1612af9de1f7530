# SPDX-License-Identifier: MIT
"""What a person types into a search box.

Words are ANDed; "phrases", prefix*, -not and OR (which binds tighter than the AND between words) are understood.
`key:value` (box keys below) restricts; `-key:value` excludes; a value with spaces is quoted. A word before a colon that
is no key is a word like any other: people paste addresses.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pubkeep.dates import microseconds
from pubkeep.errors import InvalidArgs
from pubkeep.query.conditions import All, Condition, Dated, Moment, Name, Not, OneOf, Term, Text
from pubkeep.query.words import term

MAX_TERMS = 100
"""Terms of one query."""
MAX_WORDS = 2000
"""Words of them, all together: SQLite takes time as the square of it (1.5 s for 10,000), PostgreSQL takes no 60,000."""
KEYS = {
    "account": Name.ACCOUNT,
    "service": Name.SERVICE,
    "node": Name.NODE,
    "type": Name.TYPE,
    "subtype": Name.SUBTYPE,
    "analyser": Name.ANALYSER,
    "id": Name.ID,
    "from": Name.PUBLISHER,
    "tag": Name.TAG,
}
"""Keys of the search box with their names in JSON. Beside them `after:` and `before:`, of the published date."""
DATES = ("after", "before")

_TYPED = re.compile(r'(-?)(?:([a-z]+):)?(?:"([^"]*)"?(\*?)|(\S+))')
_DAY = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?")


@dataclass(frozen=True, slots=True)
class _Piece:
    minus: bool
    key: str
    quoted: str
    star: bool
    bare: str

    @property
    def value(self) -> str:
        return self.quoted or self.bare

    def as_word(self) -> "_Piece":
        """What it is where its key has no meaning: a word with a colon in it."""
        return _Piece(self.minus, "", "", self.star, f"{self.key}:{self.value}") if self.key else self


def _pieces(typed: str) -> list[_Piece]:
    found = []
    for match in _TYPED.finditer(typed.replace("\0", " ")):
        minus, key, quoted, star, bare = match.groups(default="")
        found.append(_Piece(bool(minus), key, quoted, bool(star), bare))
        if len(found) > MAX_TERMS:
            raise InvalidArgs(f"text: more than {MAX_TERMS} words")
    return found


def text(typed: str) -> Text:
    """The key `text`. Blank text is what has no word: nothing matches.

    Raises:
        InvalidArgs: more than MAX_TERMS terms.
    """
    return _text([piece.as_word() for piece in _pieces(typed)])  # here nothing restricts


def literal(typed: str) -> Text:
    """The key `words`: each stands there, the last one perhaps as a beginning. Nothing else has a meaning.

    Raises:
        InvalidArgs: more than MAX_TERMS words.
    """
    found = [words for words, _ in map(term, typed.split()) if words]
    if len(found) > MAX_TERMS:
        raise InvalidArgs(f"words: more than {MAX_TERMS}")
    _check(found)
    return Text(tuple((Term(words, prefix=number == len(found)),) for number, words in enumerate(found, 1)))


def box(typed: str) -> Condition:
    """A whole query. Nothing typed is everything.

    Raises:
        InvalidArgs: more than MAX_TERMS terms; a date that is none.
    """
    words: list[_Piece] = []
    values: dict[Name, list[str]] = {}
    parts: list[Condition] = []
    for piece in _pieces(typed):
        if piece.key in KEYS:
            name = KEYS[piece.key]
            if piece.minus:
                parts.append(Not(OneOf(name, (piece.value,))))
            elif name is Name.TAG:  # an item has several
                parts.append(OneOf(name, (piece.value,)))
            else:
                values.setdefault(name, []).append(piece.value)
        elif piece.key in DATES and not piece.minus:
            parts.append(Dated(Moment.PUBLISHED, **{piece.key: _date(piece.key, piece.value)}))
        else:
            words.append(piece.as_word())
    parts += [OneOf(name, tuple(each)) for name, each in values.items()]
    if words:
        parts.insert(0, _text(words))
    return parts[0] if len(parts) == 1 else All(tuple(parts))


def _text(pieces: list[_Piece]) -> Text:
    groups: list[list[Term]] = []
    unwanted: list[Term] = []
    looked_for: list[tuple[str, ...]] = []
    either = False
    for piece in pieces:
        if piece.bare == "OR" and not piece.minus:
            either = bool(groups)
            continue
        found, begins = term(piece.value)
        looked_for.append(found)
        if not found:
            continue
        typed = Term(found, piece.star or piece.bare.endswith("*") or begins)
        if piece.minus:
            unwanted.append(typed)
        elif either:
            groups[-1].append(typed)
        else:
            groups.append([typed])
        either = False
    _check(looked_for)
    return Text(tuple(map(tuple, groups)), tuple(unwanted))


def _check(looked_for: Sequence[tuple[str, ...]]) -> None:
    """Of phrases, and of scripts without spaces, one term may have very many words."""
    if sum(map(len, looked_for)) > MAX_WORDS:
        raise InvalidArgs(f"text: more than {MAX_WORDS} words")


def _date(key: str, value: str) -> int:
    """A year, a month, a day (from its beginning, UTC) or a moment (RFC 3339)."""
    if match := _DAY.fullmatch(value):
        year, month, day = (int(part or 1) for part in match.groups())
        try:
            moment = datetime(year, month, day, tzinfo=UTC)
        except ValueError:
            raise InvalidArgs(f"{key}: {value!r} is no date") from None
        return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    if found := microseconds(value):
        return found
    raise InvalidArgs(f"{key}: {value!r} is no date; write 2026, 2026-01, 2026-01-31 or 2026-01-31T12:00:00Z")

# SPDX-License-Identifier: MIT
"""JSON values compared: the same meaning on every database.

Types are never equal across; null < false < true < number < string < array < object. Numbers are compared exactly,
strings by code point. Ignoring case is comparing casefold of NFC (Unicode 3.13, D145 for short).
"""

import re
import struct
import unicodedata

from pubkeep.dates import microseconds
from pubkeep.query.conditions import Json, Path

MAX_STRING = 256
"""Bytes of a string that its key holds; where two begin alike for so long, the values themselves decide."""
_NULL, _FALSE, _TRUE, _NUMBER, _STRING, _ARRAY, _OBJECT, _MOMENT, _NO_MOMENT = range(1, 10)


_INDEX = re.compile("0|[1-9][0-9]{0,9}")
"""RFC 6901 4."""


class Missing:
    """There is nothing at that place; null is something."""


MISSING = Missing()


def at(document: Json | Missing, path: Path) -> Json | Missing:
    """What stands at a place (RFC 6901 4)."""
    for token in path:
        if isinstance(document, dict):
            document = document.get(token, MISSING)
        elif isinstance(document, list) and _INDEX.fullmatch(token):
            index = int(token)
            document = document[index] if index < len(document) else MISSING
        else:
            return MISSING
    return document


def folded(value: Json) -> Json:
    """The value with the case of all its strings folded; keys of objects stay."""
    match value:
        case str():
            return unicodedata.normalize("NFC", unicodedata.normalize("NFC", value).casefold())
        case list():
            return [folded(each) for each in value]
        case dict():
            return {key: folded(each) for key, each in value.items()}
        case _:
            return value


def instant(value: Json) -> int | None:
    """The moment, in microseconds since the Unix epoch, that a string names (RFC 3339); None: it names none."""
    return (microseconds(value) or None) if isinstance(value, str) else None


def kind(value: Json) -> int:
    """The rank of its type."""
    match value:
        case None:
            return _NULL
        case bool():
            return _TRUE if value else _FALSE
        case int() | float():
            return _NUMBER
        case str():
            return _STRING
        case list():
            return _ARRAY
        case _:
            return _OBJECT


def equal(one: Json, other: Json) -> bool:
    """Whether they are the same value; 1 and 1.0 are, 1 and true are not."""
    if kind(one) != kind(other):
        return False
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(equal, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(equal(value, other[key]) for key, value in one.items())
    return bool(one == other)


def sort_key(value: Json, *, dated: bool = False) -> bytes:
    """Bytes in the order of the values, for indexes of every database.

    Equal values have equal keys. Strings that begin alike for MAX_STRING bytes have equal keys, too, and so have
    arrays, and objects.

    Args:
        dated: dates stand there: they sort as moments, and behind them strings that are none.
    """
    rank = bytes((kind(value),))
    if isinstance(value, str):
        if dated:
            moment = instant(value)
            if moment is not None:
                return bytes((_MOMENT,)) + _number(moment)
            rank = bytes((_NO_MOMENT,))
        return rank + value.encode(errors="surrogatepass")[:MAX_STRING]
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return rank + _number(value)
    return rank


def _number(value: int | float) -> bytes:
    """A double, made to sort as bytes; what an integer of 64 bits has beyond it follows."""
    double = float(value)
    bits: int = struct.unpack(">Q", struct.pack(">d", double + 0.0))[0]  # + 0.0: there is one zero
    bits = bits ^ ((1 << 64) - 1) if bits >> 63 else bits | 1 << 63
    beyond = value - int(double) if isinstance(value, int) else 0
    return struct.pack(">QH", bits, beyond + (1 << 15))

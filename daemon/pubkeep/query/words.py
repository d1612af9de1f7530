# SPDX-License-Identifier: MIT
"""Text as words: the same for what is indexed and what is typed, and on every database.

A word is a run of letters, digits and the marks on them. Case and diacritics are folded: `Sécurité` is `securite`.
Scripts that part no words by spaces (Han, kana, hangul, Thai and their neighbours) become pairs of neighbouring
letters: 東京駅 is `東京 京駅 駅`. Two or more of them then are a phrase, and one alone is the beginning of a pair.

The databases are given these words and split at spaces only; so both find the same, whatever version they are of.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

VERSION = f"1-{unicodedata.unidata_version}"
"""What was indexed by another version is indexed anew."""
MAX_WORD = 100
"""Characters of a word that count."""
MAX_WORDS = 16_000
"""Words of one item that are found: PostgreSQL counts no further places."""

_UNPARTED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3100-\u312f\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\ua9e0-\ua9ff\uaa60-\uaa7f\uac00-\ud7a3\uf900-\ufaff\U0001b000-\U0001b16f\U00020000-\U0003ffff々"
)
"""Scripts without spaces between words, and hangul, whose words take endings."""
_UNPARTED_LETTER = re.compile(f"[{_UNPARTED}]")
_RUN = re.compile(f"[{_UNPARTED}]+|[^{_UNPARTED}]+")
_ASCII_WORD = re.compile("[a-z0-9]+")
_PLAIN = re.compile("[\\x00-\\x7f]+(?![^\\x00-\\x7f])")
"""ASCII, but for the last letter before something else that may be folded together with it."""
_OTHERS = re.compile("[^\\x00-\\x7f]+")
_FOLDED_WORD = re.compile("[^ ]+")


class _Folding(dict[int, str | None]):
    """What becomes of each character of a decomposed text, found out when it is first met."""

    def __missing__(self, code: int) -> str | None:
        character = chr(code)
        category = unicodedata.category(character)
        if category[0] in "LN":
            result: str | None = character.casefold()
        elif category[0] == "M":
            result = None if _diacritic(character) else character
        else:
            result = None if category == "Cf" else " "
        self[code] = result
        return result


def _diacritic(mark: str) -> bool:
    """Whether a mark only colours its letter: accents, points of Hebrew and Arabic; not the vowels of other scripts."""
    combining = unicodedata.combining(mark)
    return 10 <= combining <= 36 or 200 <= combining <= 240


_folding = _Folding()


class _Joining(dict[int, bool]):
    """Whether a character is folded together with what stands before it, found out when it is first met."""

    def __missing__(self, code: int) -> bool:
        first = unicodedata.normalize("NFKD", chr(code).casefold())[0]
        vowel_or_final_of_hangul = "\u1160" <= first <= "\u11ff"
        result = unicodedata.category(first)[0] == "M" or unicodedata.category(first) == "Cf"
        self[code] = result or vowel_or_final_of_hangul
        return self[code]


_joining = _Joining()


class Place(NamedTuple):
    """A word and where it stands in a text as it was written."""

    word: str
    start: int
    end: int
    letter: int
    """Where its first letter ends."""


def fold(text: str) -> str:
    """Case and diacritics away, words parted by spaces."""
    return " ".join(_folded(text))


def words(text: str) -> list[str]:
    """All words of a text that is to be found."""
    return _words(_folded(text), whole=True)[:MAX_WORDS]


def places(text: str) -> list[Place]:
    """The same words with their places; a character that becomes several words is the place of each of them.

    It takes half a microsecond for each character, and less for ASCII.
    """
    if text.isascii():
        each = _ASCII_WORD.finditer(text.lower())
        return [Place(word[0][:MAX_WORD], word.start(), word.end(), word.start() + 1) for word in each]
    letters: list[str] = []
    owners: list[tuple[int, int]] = []
    for start, end in _clusters(text):
        part = text[start:end]
        folded = _folded_letter(part) if end == start + 1 else _folded_whole(part)
        letters.append(folded)
        if part.isascii():
            owners += zip(range(start, end), range(start + 1, end + 1), strict=True)
        else:
            owners += [(start, end)] * len(folded)
    found = []
    for run in _FOLDED_WORD.finditer("".join(letters)):
        for first, last in ((0, len(run[0])),) if run[0].isascii() else _spans(run[0]):
            (start, letter), (_, end) = owners[run.start() + first], owners[run.start() + last - 1]
            found.append(Place(run[0][first:last][:MAX_WORD], start, end, letter))
    return found


def joins(character: str) -> bool:
    """Whether a text cannot be cut before this character: an accent, a vowel sign, what nobody sees."""
    return _joining[ord(character)]


def is_unparted(letter: str) -> bool:
    """Whether it is of a script without spaces between words."""
    return _UNPARTED_LETTER.match(letter) is not None


def term(text: str) -> tuple[tuple[str, ...], bool]:
    """What was typed, as words that follow each other, and whether the last of them begins others by its nature."""
    runs = _folded(text)
    alone = bool(runs) and is_unparted(runs[-1][-1]) and (len(runs[-1]) == 1 or not is_unparted(runs[-1][-2]))
    return tuple(_words(runs, whole=False)), alone


def _folded(text: str) -> list[str]:
    simple = text if text.isascii() else _OTHERS.sub(_folded_alone, text)
    return _ASCII_WORD.findall(simple.lower()) if simple.isascii() else _folded_whole(text).split()


def _folded_alone(others: re.Match[str]) -> str:
    """Characters between ASCII, which do not change what becomes of them: dashes, quotes, a letter with an accent."""
    return unicodedata.normalize("NFKD", others[0].casefold()).translate(_folding)


def _folded_whole(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return unicodedata.normalize("NFC", decomposed.translate(_folding))


@lru_cache(2000)
def _folded_letter(letter: str) -> str:
    return _folded_whole(letter)


def _clusters(text: str) -> Iterator[tuple[int, int]]:
    """The smallest parts of a text that are folded each by itself; those of ASCII together, one becomes of each."""
    start = 0
    while start < len(text):
        if plain := _PLAIN.match(text, start):
            end = plain.end()
        else:
            end = start + 1
            while end < len(text) and _joining[ord(text[end])]:
                end += 1
        yield start, end
        start = end


def _spans(part: str) -> Iterator[tuple[int, int]]:
    """Where the words of a folded run stand in it, as `_words` takes them from a whole text."""
    for run in _RUN.finditer(part):
        if not is_unparted(run[0][0]):
            yield run.span()
            continue
        for first in range(run.start(), run.end()):
            yield first, min(first + 2, run.end())


def _words(folded: list[str], *, whole: bool) -> list[str]:
    """The words of folded text.

    Args:
        whole: the text ends there. What is typed may go on: the last letter of an unparted script is no word then.
    """
    together = " ".join(folded)
    if together.isascii() or not _UNPARTED_LETTER.search(together):  # most texts: four times as fast
        return folded if max(map(len, folded), default=0) <= MAX_WORD else [part[:MAX_WORD] for part in folded]
    found: list[str] = []
    for number, part in enumerate(folded, 1 - len(folded)):
        if not _UNPARTED_LETTER.search(part):
            found.append(part[:MAX_WORD])
            continue
        runs = _RUN.findall(part)
        for at, run in enumerate(runs, 1 - len(runs)):
            if not is_unparted(run[0]):
                found.append(run[:MAX_WORD])
                continue
            found += [run[first : first + 2] for first in range(len(run) - 1)]
            if whole or number or at or len(run) == 1:
                found.append(run[-1])
    return found

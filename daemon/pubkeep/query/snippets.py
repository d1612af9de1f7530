# SPDX-License-Identifier: MIT
"""The part of a text that shows best why it was found, with the words marked that are looked for.

Words mean here what they mean in the index (words.py), and are shown as they were written.
"""

import re
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pubkeep.query.conditions import Term
from pubkeep.query.words import MAX_WORDS, is_unparted, joins, places, words

WIDTH = 200
"""Characters of a snippet, without its ellipses. A longer phrase is not marked."""
RUN = 1000
"""Characters without any space or punctuation that nobody reads: they are passed over, with what stands beside them."""
LONG = 40
"""Characters of a word that may be cut."""
ELLIPSIS = "…"

Pieces = tuple[str, ...]
"""Text, hit, text, hit and so on to a last text; the first and the last may be empty. Nothing: no hit."""

_BARRIER = re.compile("[\0-/:-@\\[-`{-\x7f\u2010-\u2027\u3000-\u3003\u3008-\u3011\uff01\uff0c\uff1a\uff1b\uff1f]")
"""Some characters that are no part of a word, with nothing before them that folding would change."""
_SOMETHING = re.compile(r"\S")
_SPACES = re.compile(r"\s+")


class Looked:
    """Terms that are looked for."""

    def __init__(self, terms: Sequence[Term]) -> None:
        self.terms = tuple(dict.fromkeys(terms))
        self._first: dict[str, list[int]] = {}
        self._begun: dict[str, list[int]] = {}
        """Those of one word that may go on."""
        for number, term in enumerate(self.terms):
            begun = term.prefix and len(term.words) == 1
            (self._begun if begun else self._first).setdefault(term.words[0], []).append(number)
        self._lengths = sorted({len(word) for word in self._begun})

    def at(self, found: Sequence[str], start: int) -> list[int]:
        """Numbers of the terms that stand at a place of a text (matching.py says the same of a whole text)."""
        word = found[start]
        first = self._first.get(word)
        here = [number for number in first if _stands(self.terms[number], found, start)] if first else []
        for length in self._lengths:
            if length <= len(word):
                here += self._begun.get(word[:length], ())
        return here


def snippet(text: str, looked: Looked) -> Pieces:
    """The best one: it shows most of the different terms, and is the first of those."""
    return deque(better(text, looked), maxlen=1).pop()


def better(text: str, looked: Looked) -> Iterator[Pieces]:
    """The best one so far, and so on until nothing better can come; each step takes a millisecond or so.

    What stands behind MAX_WORDS words is not found, and not looked at.
    """
    best, pieces, number = 0, Pieces(), 0
    near: deque[_Block] = deque(maxlen=3)
    yield pieces
    for start, end in _blocks(text):
        if near and near[-1].end != start:
            near.clear()
        near.append(_Block(start, end, words(text[start:end])))
        number += len(near[-1].words)
        if _different(near, looked) > best:
            behind = _end(text, end)
            hits = _hits(text, near[0].start, behind if _parts(text, behind) else end, looked)
            shown, first, last = _densest(hits)
            if shown > best:
                best, pieces = shown, _pieces(text, hits, first, last)
        yield pieces
        if best == len(looked.terms) or number >= MAX_WORDS:
            return


class _Block(NamedTuple):
    """A part of a text that no word crosses."""

    start: int
    end: int
    words: list[str]


class _Hit(NamedTuple):
    start: int
    end: int
    term: int


def _stands(term: Term, found: Sequence[str], start: int) -> bool:
    *first, last = term.words
    end = start + len(first)
    if end >= len(found) or list(found[start:end]) != first:
        return False
    return found[end].startswith(last) if term.prefix else found[end] == last


def _blocks(text: str) -> Iterator[tuple[int, int]]:
    """Parts a little longer than WIDTH; in place of what is passed over, empty ones."""
    start = end = 0
    while end < len(text):
        end = _end(text, end)
        if _parts(text, end):
            yield (start if end - start <= WIDTH + RUN else end), end
            start = end
        else:
            yield end, end


def _parts(text: str, at: int) -> bool:
    """Whether the text can be parted here."""
    return at == len(text) or _BARRIER.match(text, at) is not None


def _end(text: str, start: int) -> int:
    """Where a block ends that begins there, or as far as it may go."""
    found = _BARRIER.search(text, start + WIDTH, start + WIDTH + RUN)
    return found.start() if found else min(start + WIDTH + RUN, len(text))


def _different(near: Sequence[_Block], looked: Looked) -> int:
    """How many terms stand in the last two blocks."""
    found = [word for block in list(near)[-2:] for word in block.words]
    return len({number for start in range(len(found)) for number in looked.at(found, start)})


def _hits(text: str, start: int, end: int, looked: Looked) -> list[_Hit]:
    """Where the terms stand in a part of the text."""
    there = places(text[start:end])
    found = [place.word for place in there]
    hits = []
    for at, place in enumerate(there):
        for number in looked.at(found, at):
            term = looked.terms[number]
            last = there[at + len(term.words) - 1]
            letter = term.prefix and len(term.words[-1]) == 1 and is_unparted(term.words[-1])
            hits.append(_Hit(start + place.start, start + (last.letter if letter else last.end), number))
    return sorted(hit for hit in hits if hit.end - hit.start <= WIDTH)


def _densest(hits: Sequence[_Hit]) -> tuple[int, int, int]:
    """Number of terms, start and end of the part with most of them."""
    best, first = (0, 0, 0), 0
    inside: Counter[int] = Counter()
    for last, hit in enumerate(hits):
        inside[hit.term] += 1
        while hit.end - hits[first].start > WIDTH:
            inside[hits[first].term] -= 1
            first += 1
        number = len(+inside)
        if number > best[0]:
            best = number, hits[first].start, max(each.end for each in hits[first : last + 1])
    return best


def _pieces(text: str, hits: Sequence[_Hit], first: int, last: int) -> Pieces:
    """The part around these hits, with all that are in it marked."""
    start, end = _around(text, first, last)
    found = [ELLIPSIS if _SOMETHING.search(text, 0, start) else ""]
    at = start
    for hit_start, hit_end in _merged([hit for hit in hits if start <= hit.start and hit.end <= end]):
        found[-1] += text[at:hit_start]
        found += [text[hit_start:hit_end], ""]
        at = hit_end
    found[-1] += text[at:end] + (ELLIPSIS if _SOMETHING.search(text, end) else "")
    return tuple(found)


def _around(text: str, first: int, last: int) -> tuple[int, int]:
    """Start and end of a snippet: a third of the room is before the hits, and only long words are cut."""
    room = WIDTH - (last - first)
    before = min(first, max(room // 3, room - (len(text) - last)))
    start, end = first - before, min(len(text), last + room - before)
    if start and not text[start - 1].isspace():
        space = _SPACES.search(text, start, min(first, start + LONG))
        start = space.end() if space else start
    if end < len(text) and not text[end].isspace():
        *_, space = (None, *_SPACES.finditer(text, max(last, end - LONG), end))
        end = space.start() if space else end
    while start < first and (text[start].isspace() or joins(text[start])):
        start += 1
    while end > last and (text[end - 1].isspace() or (end < len(text) and joins(text[end]))):
        end -= 1
    return start, end


def _merged(hits: Sequence[_Hit]) -> Iterator[tuple[int, int]]:
    """Hits that overlap or touch are one."""
    start, end = hits[0].start, hits[0].end
    for hit in hits:
        if hit.start > end:
            yield start, end
            start = hit.start
        end = max(end, hit.end)
    yield start, end

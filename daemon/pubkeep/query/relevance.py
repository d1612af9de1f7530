# SPDX-License-Identifier: MIT
"""How well an item fits what was typed.

By the item alone: how often the terms stand in it, for its length. What others publish does not change it, so that
pages in this order hold together, and it is the same on every database.
"""

from collections.abc import Collection, Sequence

from pubkeep.query.conditions import Term

SATURATION, LENGTH, USUAL = 1.2, 0.75, 200
"""k1 and b of BM25 (Robertson and Zaragoza 2009, 3.1), and the number of words that is neither long nor short."""


def relevance(wanted: Collection[Term], words: Sequence[str]) -> float:
    """How well these words fit; 0 is not at all, and no term adds more than 2.2."""
    room = SATURATION * (1 - LENGTH + LENGTH * len(words) / USUAL)
    found = [number for number in (_number(term, words) for term in wanted) if number]
    return sum(number * (SATURATION + 1) / (number + room) for number in sorted(found))


def _number(term: Term, words: Sequence[str]) -> int:
    """How often a term stands there."""
    *first, last = term.words
    if not first and not term.prefix:
        return words.count(last)
    before = len(first)
    return sum(
        (word.startswith(last) if term.prefix else word == last) and words[at - before : at] == first
        for at, word in enumerate(words)
        if at >= before
    )

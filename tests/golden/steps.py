# SPDX-License-Identifier: MIT
"""Who says what: the parts of a script."""

from dataclasses import dataclass

ALICE, BOB, CAROL = (f"{name}@localhost" for name in ("alice", "bob", "carol"))
FIRST, LAST, SUBID = "{first}", "{last}", "{subid}"
"""Filled in from what carol was answered last: the edges of a page, and her subscription."""
NEWS, CLUB, LOUD, MANY, PEP = "news", "club", "loud", "many", "urn:example:pep"


@dataclass(frozen=True, slots=True)
class Step:
    """Somebody says something. `stanza` is an IQ without id, a presence, or `enter` or `leave`."""

    words: str
    who: str
    stanza: str


def each(who: str, **steps: str) -> list[Step]:
    """The steps of one person: what is said, by its words."""
    return [Step(f"{who} {words.replace('_', ' ')}", who, stanza) for words, stanza in steps.items()]

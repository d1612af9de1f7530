# SPDX-License-Identifier: MIT
"""Whether what a service tells comes in the order in which things happened: three ways to see that it does not."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

LISTING = "a listing comes after the event of an item that it lacks"
LAST = "the last event of an item is not what is stored"
ORDER = "events of new items come in another order than they are listed"


class Told(NamedTuple):
    """An event: this id has this text now."""

    id: str
    text: str


Listed = Sequence[tuple[str, str]]
"""An answer: ids and texts, oldest first."""


def seen(stream: Sequence[Told | Listed], stored: Mapping[str, str]) -> set[str]:
    """What a subscriber sees of it.

    Args:
        stream: events and answers, in the order in which they came; nothing was ever retracted.
        stored: what the service holds in the end, in its order.
    """
    found: set[str] = set()
    last: dict[str, str] = {}
    for each in stream:
        if isinstance(each, Told):
            last[each.id] = each.text
        elif not last.keys() <= {item_id for item_id, _ in each}:
            found.add(LISTING)
    if any(stored[item_id] != text for item_id, text in last.items()):
        found.add(LAST)
    return found


def reordered(told: Sequence[str], listed: Sequence[str]) -> set[str]:
    """Of ids that were new, each told once."""
    return {ORDER} if list(told) != [each for each in listed if each in told] else set()

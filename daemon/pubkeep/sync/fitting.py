# SPDX-License-Identifier: MIT
"""Whether ids, counts and the newest items fit together and to the copy. Pure.

Whatever does not fit exactly proves nothing: then the node is listed whole.
"""

from collections.abc import Collection, Sequence

from pubkeep.sync.strategies import OVERLAP


def by_ids(
    listed: Sequence[str], head: Sequence[str], held: Collection[str], shown: Collection[str]
) -> list[str] | None:
    """The service's order, oldest first, from all its ids; None where they do not fit.

    Args:
        listed: all ids, oldest or newest first.
        head: the newest, oldest first, as they were listed with their contents.
        held: our ids.
        shown: ids of which the contents were shown, in the head or elsewhere.
    """
    order = _turned(listed, head)
    if order is None or not set(order).difference(shown) <= set(held):
        return None
    return order


def by_newest(held: Sequence[str], listed: Sequence[str], head: Sequence[str], changed: Collection[str]) -> bool:
    """Whether the newest close the gap where an overwrite moves to the end, and nothing shows edits but they.

    Args:
        held: our ids, oldest first.
        listed: all ids of the service, oldest first; the head stands at their end.
        head: the newest, oldest first.
        changed: those of the head that are new or other than held.
    """
    there, newest = set(listed), set(head)
    expected = [item_id for item_id in held if item_id in there and item_id not in newest]
    if list(listed[: -len(head)]) != expected:
        return False
    known = head[: next((at for at, item_id in enumerate(head) if item_id in changed), len(head))]
    places = {item_id: at for at, item_id in enumerate(i for i in held if i in there and i not in changed)}
    before = len(expected)
    return len(known) >= OVERLAP // 2 and all(places[item_id] == before + at for at, item_id in enumerate(known))


def by_count(held: Sequence[str], count: int, head: Sequence[str], order: str) -> list[str] | None:
    """The service's order, oldest first, if its newest items and their number show that nothing went; else None.

    Args:
        held: our ids, oldest first.
        count: how many items the service says that it has.
        head: the newest, oldest first.
        order: of the service (Traits).
    """
    newest = set(head)
    if order == "publish":
        expected = [item_id for item_id in held if item_id not in newest] + list(head)
    elif order == "creation":
        mine = set(held)
        expected = [*held, *(item_id for item_id in head if item_id not in mine)]
    else:
        return None
    fitting = len(expected) == count and expected[-len(head) :] == list(head)
    return expected if fitting and len(newest) == len(head) else None


def _turned(listed: Sequence[str], head: Sequence[str]) -> list[str] | None:
    """The ids oldest first, by where the newest stand; None where they stand nowhere."""
    newest, number = list(head), len(head)
    if newest and list(listed[-number:]) == newest:
        return list(listed)
    if newest and list(listed[number - 1 :: -1]) == newest:
        return list(listed[::-1])
    return None

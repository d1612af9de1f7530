# SPDX-License-Identifier: MIT
"""Orders that a search may ask for, and cursors in them.

Every order ends with the newest first, so that no two items share a place. What has nothing at a place of its JSON
comes last, whichever way the rest goes.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from pubkeep.errors import InvalidArgs
from pubkeep.query.conditions import Path
from pubkeep.query.document import pointer
from pubkeep.query.matching import Candidate
from pubkeep.query.values import Missing, at, sort_key
from pubkeep.questions import SearchRequest

NAMES = ("published", "updated", "creation", "modification", "rank", "id")
MAX_ORDERS = 8
TOP = 1 << 62
"""Above the time key of every item."""

Place = tuple[tuple[bool, bytes], ...]
"""Where an item stands in an order: for each part of it whether it has nothing there, and its key."""
_PLACE = re.compile("[0-9a-f]{1,15}(?::[01][0-9a-f]*)*")


@dataclass(frozen=True, slots=True)
class Order:
    """One part of an order."""

    name: str
    """One of NAMES; empty for a place in the JSON."""
    path: Path
    descending: bool


@dataclass(slots=True)
class Sortable:
    """An item with all that an order may ask of it."""

    candidate: Candidate
    tkey: int
    sequence: int = 0
    rank: float = 0.0
    moments: tuple[int, int, int, int] = (0, 0, 0, 0)
    """(published, updated, created, stored)."""


def read(order_by: Sequence[str]) -> tuple[Order, ...]:
    """Understand the option; empty is the newest first.

    Raises:
        InvalidArgs: it is no order; the message says which part.
    """
    if len(order_by) > MAX_ORDERS:
        raise InvalidArgs(f"option 'order_by': it has more than {MAX_ORDERS} parts")
    orders: list[Order] = []
    for each in order_by:
        bare = each.removeprefix("-")
        if bare.startswith("/"):
            try:
                path = pointer(bare)
            except InvalidArgs as error:
                raise InvalidArgs(f"option 'order_by': {str(error).partition(': ')[2]}") from None
            orders.append(Order("", path, bare != each))
        elif bare in NAMES:
            orders.append(Order(bare, (), bare != each))
        else:
            raise InvalidArgs(
                f"option 'order_by': {each!r} is no order; there are {', '.join(NAMES)} and places in the json "
                "('/start'), with '-' in front for the other way round"
            )
    return tuple(orders)


def by_time(orders: tuple[Order, ...]) -> bool | None:
    """Whether it is the order of the time key: True the newest first, False the oldest first; else None."""
    if not orders:
        return True
    return orders[0].descending if len(orders) == 1 and orders[0].name == "published" else None


def place(orders: tuple[Order, ...], item: Sortable) -> Place:
    """Where an item stands, but for its time key."""
    keys = [(order, _key(order, item)) for order in orders]
    return tuple((True, b"") if key is None else place_of(order, key) for order, key in keys)


def place_of(order: Order, key: bytes) -> tuple[bool, bytes]:
    """Where something stands that has this key."""
    return False, bytes(255 - each for each in key) + b"\xff" if order.descending else key


def value_of(order: Order, place: tuple[bool, bytes]) -> bytes:
    """The key again."""
    return bytes(255 - each for each in place[1][:-1]) if order.descending else place[1]


def _key(order: Order, item: Sortable) -> bytes | None:
    published, updated, created, stored = item.moments
    match order.name:
        case "published":
            return sort_key(item.tkey)
        case "updated":
            return sort_key(updated or published or stored)
        case "creation":
            return sort_key(created or stored)
        case "modification":
            return sort_key(item.sequence)
        case "rank":
            return sort_key(item.rank)
        case "id":
            return sort_key(item.candidate.id)
    value = at(item.candidate.document, order.path)
    if isinstance(value, Missing):
        return None
    return sort_key(value, dated=order.path in item.candidate.instants)


def mark(request: SearchRequest, accounts: Sequence[str]) -> str:
    """Of a question: a cursor is of one question only."""
    question = repr((request.query, request.order_by, sorted(accounts)))
    return hashlib.blake2b(question.encode(errors="surrogatepass"), digest_size=6).hexdigest()


def write_cursor(of: str, tkey: int, where: Place = ()) -> str:
    """A cursor behind an item.

    Args:
        of: the question (mark).
    """
    return ":".join([f"{tkey:x}", *(f"{missing:d}{key.hex()}" for missing, key in where)]) + f".{of}"


def read_cursor(cursor: str, of: str, orders: tuple[Order, ...]) -> tuple[int, Place]:
    """The item behind which a page begins.

    Raises:
        InvalidArgs: it is of another question, or none of ours.
    """
    text, _, found = cursor.partition(".")
    parts = text.split(":")
    keys = 0 if by_time(orders) is not None else len(orders)
    try:
        if found == of and _PLACE.fullmatch(text) and len(parts) == keys + 1:
            return int(parts[0], 16), tuple((part[0] == "1", bytes.fromhex(part[1:])) for part in parts[1:])
    except ValueError:
        pass  # half a byte
    raise InvalidArgs("cursor: it is not of this search")

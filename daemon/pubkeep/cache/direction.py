# SPDX-License-Identifier: MIT
"""Which end of an answer with the newest items is the newer one: XEP-0060 6.5.7 does not say, and servers differ."""

from collections.abc import Awaitable, Callable
from typing import Any

from pubkeep import payload
from pubkeep.cache.links import Link
from pubkeep.protocol import ItemsQuery, Listing

FEW = ItemsQuery(max_items=2)


async def learn(link: Link, ask: Callable[[ItemsQuery], Awaitable[Listing]], few: ItemsQuery, seen: Listing) -> None:
    """The single newest stands at one end of the few newest. Nothing is learnt where something came in between.

    An item that goes between two answers, and comes again before the next, would show the wrong end; so both are asked
    for twice, and must be the same with their contents.

    Args:
        few: the request that `seen` answers.
    """
    newest, one = await ask(ItemsQuery(max_items=1)), _items(seen)
    again = await ask(few)
    quiet = one == _items(again) and _items(newest) == _items(await ask(ItemsQuery(max_items=1)))
    ids, ends = list(dict(one)), [item.id for item in newest.items]
    if quiet and len(ids) > 1 and ends in (ids[:1], ids[-1:]):
        link.learn(reversed=ends == ids[:1])


def _items(listing: Listing) -> list[Any]:
    return [(item.id, payload.of_item(item.element)[1]) for item in listing.items]

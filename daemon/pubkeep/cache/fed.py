# SPDX-License-Identifier: MIT
"""What an answer that a caller got shows of the copy."""

from collections.abc import Collection, Mapping

from pubkeep.cache.wanted import Node
from pubkeep.protocol import Listing


def absent(
    held: list[str], listing: Listing, ids: Collection[str] | None, everything: Collection[str] | None
) -> list[str]:
    """Which of the ids held, oldest first, an answer shows to be gone (Applier.feed says what the arguments are)."""
    shown = {item.id for item in listing.items}
    if everything is not None:
        return [item_id for item_id in held if item_id not in everything]
    if ids is not None:
        asked = set(listing.query.ids)
        return [item_id for item_id in held if item_id in asked and item_id not in shown]
    cut = listing.rsm is not None and (listing.rsm.count or 0) > len(shown)
    if listing.query.max_items is not None and len(shown) < listing.query.max_items and not cut:
        return [item_id for item_id in held if item_id not in shown]  # fewer than asked: there are no more
    oldest = next((at for at, item_id in enumerate(held) if item_id in shown), len(held))
    return [item_id for item_id in held[oldest:] if item_id not in shown]


def otherwise_ordered(node: Node, held: list[str], listing: Listing) -> bool:
    """Whether an answer with the newest shows them in another order than the copy, though no order is in doubt."""
    listed = [item.id for item in node.link.oldest_first(listing.items)]
    if len(listed) <= 1 or node.settle.order_ids:
        return False
    there, mine = set(listed), set(held)
    return [item_id for item_id in held if item_id in there] != [item_id for item_id in listed if item_id in mine]


def beside_head(
    node: Node,
    held: Mapping[str, bytes],
    listing: Listing,
    everything: Collection[str] | None,
    shown: Mapping[str, bytes],
    racing: Collection[str],
) -> bool:
    """Whether an answer shows the newest otherwise than they are kept, where only they are (see Applier.feed).

    Args:
        shown: the digests of its items.
        racing: ids that events named meanwhile.
    """
    sure = {item_id: mark for item_id, mark in held.items() if item_id not in racing}
    if any(shown.get(item_id, mark) != mark for item_id, mark in sure.items()):
        return True
    if listing.query.ids:
        return any(item_id in sure and item_id not in shown for item_id in listing.query.ids)
    if everything is not None:
        newest = list(everything)
    elif listing.query.max_items is not None:
        newest = [item.id for item in node.link.oldest_first(listing.items)]
    else:
        return False  # a page of a list, of which nobody knows yet where it ends
    tail, ours = newest[max(len(newest) - len(held), 0) :], list(held)
    ours = ours[max(len(ours) - len(tail), 0) :]
    return [i for i in tail if i not in racing] != [i for i in ours if i not in racing]

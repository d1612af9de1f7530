# SPDX-License-Identifier: MIT
"""Whether a service stores what its notifications show: some items are asked for by id."""

from pubkeep.cache.wanted import Node

PAYLOADS = "payloads"
"""The way of learning contents from notifications (Traits)."""
SAMPLED = 50
"""One in so many items that notifications show is asked for by id."""


def sample(node: Node, item_id: str, at: float, *, usable: bool) -> None:
    """Doubt the first item that a service notifies of, and one in fifty: is it stored as it was shown?"""
    node.sampled.discard(item_id)  # it changed again, and what is stored now says nothing of the one before
    if usable and not node.settle.unsettled((item_id,)):
        if node.link.events % SAMPLED == 0 and (node.link.events or PAYLOADS not in node.link.traits.shown):
            node.sampled.add(item_id)
            node.settle.doubt(item_id, at)
        node.link.events += 1

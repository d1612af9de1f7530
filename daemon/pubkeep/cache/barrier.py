# SPDX-License-Identifier: MIT
"""The barrier: one round trip behind which all that a service had told before has arrived."""

from pubkeep.cache.wanted import Node
from pubkeep.ports import PubSubClient


async def barrier(node: Node, client: PubSubClient) -> bool:
    """Ask a service for our subscriptions (XEP-0060 5.6), and believe it where ours is not among them.

    Returns:
        Whether it stood all the time: False, too, where it ended or another session began meanwhile.

    Raises:
        PubkeepError: no answer, or a refusal.
    """
    epoch, endings = node.link.epoch, node.endings
    states = await client.subscriptions(node.key)
    if (epoch, endings) != (node.link.epoch, node.endings):
        return False
    if "subscribed" not in states:
        node.unsubscribe(states[0] if states else "none")
    return "subscribed" in states

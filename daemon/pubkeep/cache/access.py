# SPDX-License-Identifier: MIT
"""Whether the account may read a node: answers and refusals, which need not come in the order in which they were given.

What was refused is hidden at once, and shown again only for an answer that is surely the newer one. A refusal that is
surely older than an answer which came before it hides nothing. Where nobody can know which of the two is older the
rows stay hidden: the next question decides.
"""

from dataclasses import dataclass


@dataclass(slots=True)
class Access:
    """What the service said of it last. All times are boottime seconds."""

    shown_at: float = float("-inf")
    """When the request was sent of the latest answer with items."""
    refused_until: float = float("-inf")
    """An answer to a request that was sent earlier may be older than the last refusal."""

    def refused(self, asked_at: float, now: float, fan_out: float) -> bool:
        """The service refuses. Returns False where that is older than what it showed since.

        Args:
            asked_at: when the request was sent; or after that: of several that make one answer it may be the last.
            fan_out: D of the service; at 0 it answers in order.
        """
        if fan_out and asked_at + fan_out < self.shown_at:
            return False
        self.refused_until = min(now, asked_at + fan_out) if fan_out else float("-inf")
        return True

    def shown(self, sent_at: float) -> bool:
        """The service showed items. Returns False where that may be older than the last refusal."""
        self.shown_at = max(self.shown_at, sent_at)
        return sent_at >= self.refused_until

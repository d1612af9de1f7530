# SPDX-License-Identifier: MIT
"""What a service says of a node as a whole: that it is gone, emptied, refused, readable again."""

from collections.abc import Callable
from dataclasses import replace

from pubkeep.cache.committing import Committer, always
from pubkeep.cache.parts import Tools
from pubkeep.cache.wanted import Node
from pubkeep.errors import NotAllowed
from pubkeep.model import Copy, NodeState


class Verdicts(Committer):
    """Writes it, and plans what follows."""

    def __init__(self, tools: Tools) -> None:
        super().__init__(tools)
        self.verify: Callable[[Node], None] = lambda _node: None
        """Plans a synchronisation of a node that cannot be vouched for any more."""
        self.unwanted: Callable[[Node], None] = lambda _node: None
        """Plans to end the subscription and to drop the rows of a node that nobody wants any more."""
        self.settle: Callable[[Node], None] = lambda _node: None
        """Plans to ask for what is in doubt."""

    async def gone(self, node: Node, words: str) -> None:
        """The service has no such node (any more): the rows go, the name stays known as gone."""
        node.incarnation += 1
        node.ended_at = self._clock.boottime()
        node.proof = None
        node.unsubscribe()
        gone = {"state": NodeState.GONE, "reason": words, "copy": Copy.NONE, "subscribed": False, "error": ""}
        await self.drop_rows(node, always, "node-deleted", **gone)
        self.tell(node, "deleted", None)

    async def purged(self, node: Node) -> None:
        """All items are gone, but for a last one perhaps, that some services keep (XEP-0060 8.5, XEP-0460)."""
        node.punch("purged; the service may have kept a last item")
        if (applied := await self.drop_rows(node, node.unended(), "purged")) is not None:
            self.tell(node, "purged", applied)

    async def ignore(self, node: Node, words: str) -> None:
        """A node of which no copy can be true: it is passed through."""
        node.proof = None
        node.incarnation += 1
        ignored = {"state": NodeState.IGNORED, "reason": words, "copy": Copy.NONE}
        node.record = replace(node.record, **ignored)  # type: ignore[arg-type]
        node.changed()
        if await self.drop_rows(node, node.unended(), "purged", **ignored) is not None:
            self.tell(node, "state", None)

    async def denied(self, node: Node, error: NotAllowed, began: float) -> None:
        """The service refuses a question: the rows are kept, and shown to nobody, stored or not.

        Args:
            began: when the first one was sent of those of which this may be.
        """
        words, asked_at = str(error), began if error.sent_at is None else error.sent_at
        if not node.access.refused(asked_at, self._clock.boottime(), node.link.fan_out):
            node.punch("an earlier question was refused")
            self.verify(node)
            return
        node.refused_at = asked_at
        node.incarnation += 1
        node.proof = None
        node.unsubscribe()
        denied = {"state": NodeState.DENIED, "reason": words, "error": "NotAllowed"}
        node.record = replace(node.record, **denied)  # type: ignore[arg-type]
        node.changed()
        await self.save(node, None, **denied)

    async def reveal(self, node: Node) -> None:
        """A denied, gone or ignored node gives a list (again); what is held of it is to be verified."""
        if node.hidden:
            await self.save(node)  # where the refusal is not stored yet, nothing would say that its items are back
        await self.save(node, state=NodeState.STALE, reason="readable again", error="")

    async def subscribed(self, node: Node) -> None:
        """We made the subscription, so we end it; one that ended since needs no end."""
        endings = node.endings
        await self.save(node, lambda: node.endings == endings, subscribed=True)

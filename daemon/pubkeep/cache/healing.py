# SPDX-License-Identifier: MIT
"""What to do when a read meets an item that is damaged: forget it, and have it fetched again.

All damaged items of the node are forgotten in one transaction, in which the copy ceases to be whole, so that this holds
over a crash, too. The read is then made again: of the copy without them, which is marked, or of the service.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from pubkeep.cache.applying import Applier
from pubkeep.cache.parts import Part, Tools, words
from pubkeep.errors import DamagedItem, PubkeepError
from pubkeep.model import Applied, Copy, NodeRecord, NodeState

log = logging.getLogger(__name__)

T = TypeVar("T")

NODES = 10
"""So many nodes with damaged items one read gets over."""
FORGOTTEN = "items that were damaged here were forgotten, and are fetched again"


class Healer(Part):
    """Forgets what is damaged."""

    def __init__(self, tools: Tools, applier: Applier) -> None:
        super().__init__(tools)
        self._applier = applier

    async def reading(self, read: Callable[[], Awaitable[T]]) -> T:
        """Read, and read again where damage was met.

        Raises:
            DamagedItem: there is more of it than that.
        """
        for _ in range(NODES):
            try:
                return await read()
            except DamagedItem as error:
                await self.heal(error.node)
        return await read()

    async def heal(self, number: int) -> None:
        """Forget all damaged items of the node with this number, and have it synchronised.

        Where that cannot be stored, the copy is not believed all the same.
        """
        node = next((node for node in self._known.nodes() if node.record.number == number), None)
        ids = await self._store.damaged_items(number) if node is not None else []
        if node is None or not ids:
            return  # somebody else was faster
        log.error("%s: %d of its items are damaged here; they are fetched again", words(node.key), len(ids))
        node.harm.meet(self._clock.boottime())
        node.proof = None
        node.punch(FORGOTTEN)
        shown = {} if node.hidden else {"state": NodeState.STALE, "reason": FORGOTTEN}

        async def store(record: NodeRecord) -> Applied:
            return await self._store.forget_items(record, ids)

        try:
            applied = await self._applier.commit(node, node.unended(), store, copy=Copy.NONE, **shown)
        except PubkeepError as trouble:
            log.warning("%s: what is damaged of it could not be forgotten: %s", words(node.key), trouble)
        else:
            if applied is not None:
                self._applier.tell_items(node, applied)
        node.punch(FORGOTTEN)  # a listing that began meanwhile may have seen them here
        self._applier.verify(node)

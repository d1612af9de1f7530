# SPDX-License-Identifier: MIT
"""The only way to a node's rows: one transaction after the other, each upon what the one before it left.

Not all that writes runs inside the node's inbox: verdicts, subscriptions and failures are learnt beside it. What was
computed before another transaction and stored after it would undo that. So the record is read, changed and stored
under a lock of the node's, which is held for the store alone, never while the network is waited for. And what began
before the node went, or was refused, writes nothing any more.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from pubkeep.cache.parts import Part, Tools
from pubkeep.cache.wanted import Node, Valid
from pubkeep.model import Applied, Copy, NewItem, NodeChange, NodeRecord

Listener = Callable[[NodeChange], None]
Transaction = Callable[[NodeRecord], Awaitable[Applied]]
"""Stores something of the node, with the record as it is to be."""
BATCH = 200
"""Rows a transaction: readers wait for none, and events get in between."""


def always() -> bool:
    """Valid whatever happened meanwhile."""
    return True


class Committer(Part):
    """Commits, and tells what changed."""

    def __init__(self, tools: Tools) -> None:
        super().__init__(tools)
        self.listeners: list[Listener] = []

    @staticmethod
    async def committed(node: Node) -> None:
        """Wait for what is being written: whether a node is gone is known when its rows are."""
        async with node.committing:
            pass

    async def commit(self, node: Node, valid: Valid, work: Transaction, **changes: object) -> Applied | None:
        """One transaction of a node, when those before it are through.

        A verdict that came while it was stored stands: of such a transaction only the numbers are taken over.

        Args:
            valid: whether it may still be done, when its turn has come.
            changes: fields of the record that it stores.

        Returns:
            None where it is not valid any more: nothing is stored.
        """
        async with node.committing:
            if not valid():
                return None
            record = replace(node.record, **changes)  # type: ignore[arg-type]
            applied = await work(record)
            if valid():
                node.record = replace(node.record, **changes)  # type: ignore[arg-type]
            if applied.sequence > node.record.sequence:
                node.applied(applied, self._clock.wall())
            return applied

    async def write(
        self,
        node: Node,
        valid: Valid,
        items: Sequence[NewItem],
        *,
        removals: Sequence[str] = (),
        moves: bool = False,
    ) -> None:
        """Store items, a batch a transaction, and tell what changed."""
        for start in range(0, max(len(items), 1), BATCH):
            batch, gone = items[start : start + BATCH], removals if start == 0 else ()

            async def store(
                record: NodeRecord, batch: Sequence[NewItem] = batch, gone: Sequence[str] = gone
            ) -> Applied:
                return await self._store.apply(record, batch, removals=gone, moves=moves)

            if (applied := await self.commit(node, valid, store)) is not None:
                self.tell_items(node, applied)

    async def drop_rows(self, node: Node, valid: Valid, kind: str, **changes: object) -> Applied | None:
        """The rows go, and the record is another from then on."""

        async def store(record: NodeRecord) -> Applied:
            return await self._store.forget_node(record.number, kind, record=record)

        return await self.commit(node, valid, store, **changes)

    async def trim(self, node: Node, valid: Valid) -> None:
        """Where the service keeps so many items only, the oldest went when the last one came, told or not.

        Where nobody knows which are its oldest, that is a hole.
        """
        surplus = node.record.items - node.keeps if node.keeps and node.record.copy is Copy.WHOLE else 0
        if surplus <= 0:
            return
        if node.link.order != "publish" and node.keeps > 1:
            node.punch(f"the service keeps {node.keeps} items, and nobody told which ones went")
            return
        oldest = list(await self._store.digests(node.record.number))[:surplus]
        for item_id in oldest:
            node.settle.event(item_id, None, self._clock.boottime(), own=True)
        await self.write(node, valid, [], removals=oldest)

    async def save(self, node: Node, valid: Valid | None = None, **changes: object) -> None:
        """Write the node's own row, and tell that its state changed; without `valid` no verdict of later is undone."""

        async def store(record: NodeRecord) -> Applied:
            saved = await self._store.save_node(record)
            return Applied(saved.sequence, items=saved.items)

        if await self.commit(node, valid or node.unended(), store, **changes) is not None:
            node.changed()
            self.tell(node, "state", None)

    def tell_items(self, node: Node, applied: Applied) -> None:
        """Tell the listeners what came and went, if anything did."""
        if applied.published or applied.retracted:
            self.tell(node, "items", applied)

    def tell(self, node: Node, what: str, applied: Applied | None) -> None:
        """Tell the listeners; the transaction is committed."""
        analysis = node.record.analysis
        change = NodeChange(
            analysis.type if analysis else "",
            node.key,
            what,  # type: ignore[arg-type]
            applied.sequence if applied else node.record.sequence,
            applied.published if applied else (),
            applied.retracted if applied else (),
        )
        for listener in self.listeners:
            listener(change)

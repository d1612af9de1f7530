# SPDX-License-Identifier: MIT
"""Items of which something else is stored than was: found in their node, and forgotten.

SQLite, and disks, say nothing of a bit that turned within a value. A read that meets such an item says so
(payloads.py), and then all items of the node are looked at: damage rarely comes alone.
"""

from collections.abc import Callable, Sequence

from sqlalchemy import Connection

from pubkeep.model import Applied, NodeRecord
from pubkeep.slices import Slices
from pubkeep.storage.engines import Readers
from pubkeep.storage.indexing import document_of
from pubkeep.storage.payloads import Payloads
from pubkeep.storage.transactions import Transactions
from pubkeep.storage.writing import ItemChanges

AT_ONCE = 200
_ITEMS = (
    "SELECT pos, item_id, publisher, digest, json, data FROM item LEFT JOIN payload ON payload.item = item.number"
    " WHERE node = :node AND pos > :pos ORDER BY pos LIMIT :number"
)


class Harmed(Transactions):
    """ports.ItemStore, as far as it is about damage."""

    _readers: Readers
    _stored: Payloads
    _changes: Callable[[Connection, NodeRecord], ItemChanges]

    async def damaged_items(self, number: int) -> list[str]:
        """See ports.ItemStore.damaged_items."""
        found, pos, slices = list[str](), -1, Slices()
        while rows := await self._readers.fetch(_ITEMS, {"node": number, "pos": pos, "number": AT_ONCE}):
            for pos, item_id, publisher, digest, document, data in rows:  # noqa: B007 (the next rows are behind the last)
                if self._stored.whole(data, publisher, digest) is None or not _readable(document):
                    found.append(item_id)
                await slices.pause()
        return found

    async def forget_items(self, record: NodeRecord, ids: Sequence[str]) -> Applied:
        """See ports.ItemStore.forget_items."""

        def work(connection: Connection) -> Applied:
            changes = self._changes(connection, record)
            changes.remove(ids, "forgotten")
            return changes.finish(record)

        return await self._write("forget node", work)


def _readable(document: str) -> bool:
    """Whether it is JSON, or nothing."""
    try:
        document_of(document)
    except ValueError:
        return False
    return True

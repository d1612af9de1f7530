# SPDX-License-Identifier: MIT
"""O7: what the database must be after each commit, in its own words (SQL); it shares nothing with the store."""

import sqlite3
from collections.abc import Iterable

from tests.fixtures.full_text import index_fault, stored

_NODES = """
SELECT node.account || ' ' || node.service || ' ' || node.name, node.state, node.items,
       (SELECT count(*) FROM item WHERE item.node = node.number),
       (SELECT count(DISTINCT pos) FROM item WHERE item.node = node.number)
FROM node
"""
_TOTALS = """
SELECT (SELECT count(*) FROM item), (SELECT count(*) FROM payload),
       (SELECT count(*) FROM item JOIN payload ON payload.item = item.number
        JOIN node ON node.number = item.node JOIN account ON account.jid = node.account),
       (SELECT max(coalesce((SELECT max(sequence) FROM item), 0), coalesce((SELECT max(sequence) FROM change), 0))),
       (SELECT count(*) FROM change JOIN item USING (sequence)),
       (SELECT count(*) FROM item) - (SELECT count(DISTINCT sequence) FROM item)
"""
_TABLE = """
SELECT node.account, node.service, node.name, item.item_id, item.title FROM item JOIN node ON node.number = item.node
WHERE node.state NOT IN ('denied', 'gone')
"""
_ROWS = """
SELECT item.item_id, item.title, payload.data, item.publisher FROM item
JOIN node ON node.number = item.node JOIN payload ON payload.item = item.number
WHERE node.account = ? AND node.service = ? AND node.name = ? ORDER BY item.pos
"""
EMPTY_STATES = ("gone", "ignored", "unknown")


class Ledger:
    """Looks at every commit."""

    def __init__(self, raw: sqlite3.Connection) -> None:
        self._raw = raw
        self._changes = 0
        self.sequence = self.used = 0
        self.commits = 0
        self.wrong = ""
        """What was wrong first."""

    def committed(self) -> None:
        """A transaction is through."""
        self.commits += 1
        if not self.wrong:
            self.wrong = "; ".join(self._faults())

    def _faults(self) -> Iterable[str]:
        for name, state, counted, items, places in self._raw.execute(_NODES):
            if counted != items:
                yield f"O7: {name} counts {counted} items and has {items}"
            if places != items:
                yield f"O7: {name}: {items} items share {places} places"
            if state in EMPTY_STATES and items:
                yield f"O7: {name} is {state} and has {items} rows"
            if state == "synced":
                yield f"O7: {name} is stored as synced"
        items, payloads, joined, sequence, shared, doubled = self._raw.execute(_TOTALS).fetchone()
        if not items == payloads == joined:
            yield f"O7: {items} items, {payloads} payloads, {joined} of them together"
        if sequence < self.sequence or self.sequence < sequence <= self.used:
            yield f"O7: the sequence went from {self.sequence} to {sequence}, {self.used} being used already"
        if shared or doubled:
            yield f"O7: {shared + doubled} sequence numbers were given twice"
        self.sequence = sequence
        self.used = max(self.used, sequence)

    def restored(self) -> None:
        """An older file is in its place; no number of the newer one may come again."""
        self.commits += 1  # who compares what was told before with what is there now compares two files
        self.sequence = self._raw.execute(_TOTALS).fetchone()[3]

    def index_fault(self) -> str:
        """Whether the full-text index holds just the words of the items."""
        fault = index_fault(self._raw)
        return f"O7: {fault}" if fault else ""

    def table(self) -> dict[tuple[str, str, str, str], str]:
        """(account, service, node, id) -> title of all that may be found."""
        return {
            (account, service, node, item): title for account, service, node, item, title in self._raw.execute(_TABLE)
        }

    def rows(self, account: str, service: str, node: str) -> list[tuple[str, str, str, str]]:
        """(id, title, xml, publisher) of a node, oldest first."""
        rows = self._raw.execute(_ROWS, (account, service, node))
        return [(item_id, title, stored(data)[0], publisher) for item_id, title, data, publisher in rows]

# SPDX-License-Identifier: MIT
"""What one transaction does to the items of one node. Everything here runs in the writer's thread.

The full-text index is kept here and not by triggers, which Alembic's batch mode drops silently; it is
told the text that it held before, which `item_text` keeps.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Table, bindparam, delete, func, insert, select, text, update

from pubkeep.model import Applied, NewItem, NodeRecord
from pubkeep.storage import tables
from pubkeep.uri import item_uri


def _table(mapped: type[tables.Base]) -> Table:
    assert isinstance(mapped.__table__, Table)
    return mapped.__table__


Item, Payload, Text, Change, Node = (
    _table(mapped) for mapped in (tables.ItemRow, tables.PayloadRow, tables.TextRow, tables.ChangeRow, tables.NodeRow)
)
AT_ONCE = 500
"""Ids in one statement."""
TKEY_BITS = 20
"""A million items may share a second."""
EARLIEST, DAY = 631_152_000, 86_400
"""1990: dates before, or after tomorrow, say nothing about the order of items (seconds)."""

_FTS_DELETE = text("INSERT INTO item_fts(item_fts, rowid, text) VALUES ('delete', :tkey, :text)")
_FTS_INSERT = text("INSERT INTO item_fts(rowid, text) VALUES (:tkey, :text)")
_LAST_TKEYS = text(
    "SELECT value, (SELECT max(tkey) FROM item WHERE tkey >= value << :bits AND tkey < (value + 1) << :bits)"
    " FROM json_each(:seconds)"
).bindparams(bits=TKEY_BITS)
_MOVE = update(Item).where(Item.c.number == bindparam("b_number")).values(pos=bindparam("b_pos"))


class Counter:
    """The sequence: grows with each change, never used twice, not in a new file either."""

    def __init__(self, start: int) -> None:
        self.value = start

    def next(self) -> int:
        """The next number."""
        self.value += 1
        return self.value


@dataclass(slots=True)
class ItemChanges:
    """One transaction on the items of one node."""

    connection: Connection
    node: NodeRecord
    counter: Counter
    wall: int
    published: list[str] = field(default_factory=list)
    retracted: list[str] = field(default_factory=list)
    added: int = 0
    _next_tkeys: dict[int, int] = field(default_factory=dict)

    def upsert(self, items: Sequence[NewItem], *, moves: bool) -> None:
        """See ports.ItemStore.apply."""
        held = {row.item_id: row for row in self._held([item.id for item in items])}
        number = self._max(Item.c.number)
        last = self._max(Item.c.pos, Item.c.node == self.node.number)
        new: list[dict[str, Any]] = []
        changed: list[dict[str, Any]] = []
        payloads: list[dict[str, Any]] = []
        texts: list[dict[str, Any]] = []
        moved: list[dict[str, int]] = []
        each = {item.id: item for item in items}
        seconds = {name: self._second(item, held.get(name)) for name, item in each.items()}
        self._reserve(set(seconds.values()))
        for item in each.values():
            row, second = held.get(item.id), seconds[item.id]
            same = row is not None and row.digest == item.digest and row.publisher == item.publisher
            if row is None or moves:
                last += 1
            if row is not None and moves:
                moved.append({"b_number": row.number, "b_pos": last})
            if same:
                continue
            tkey = row.tkey if row is not None and row.tkey >> TKEY_BITS == second else self._tkey(second)
            values = _values(item, self.node) | {"tkey": tkey, "sequence": self.counter.next()}
            if row is None:
                number += 1
                place = {"number": number, "node": self.node.number, "item_id": item.id, "pos": last}
                new.append(values | place | {"stored": self.wall})
                payloads.append({"item": number, "xml": item.xml})
            else:
                changed.append(values | {"b_number": row.number, "b_xml": item.xml})
            texts.append({"tkey": tkey, "text": item.parsed.text})
            self.published.append(item.id)
        self._unindex([held[item_id].tkey for item_id in self.published if item_id in held])
        if new:
            self.connection.execute(insert(Item), new)
            self.connection.execute(insert(Payload), payloads)
            self._no_tombstones([row["item_id"] for row in new])
        for values in changed:
            number_of, xml = values.pop("b_number"), values.pop("b_xml")
            self.connection.execute(update(Item).where(Item.c.number == number_of).values(values))
            self.connection.execute(update(Payload).where(Payload.c.item == number_of).values(xml=xml))
        if texts:
            texts.sort(key=lambda row: row["tkey"])  # FTS5 flushes its memory wherever the rowid goes back
            self.connection.execute(insert(Text), texts)
            self.connection.execute(_FTS_INSERT, texts)
        if moved:
            self.connection.execute(_MOVE, moved)
        self.added += len(new)

    def remove(self, ids: Iterable[str], kind: str) -> None:
        """Delete items; each leaves a tombstone."""
        for row in self._held(list(dict.fromkeys(ids))):
            self._unindex([row.tkey])
            self.connection.execute(delete(Payload).where(Payload.c.item == row.number))
            self.connection.execute(delete(Item).where(Item.c.number == row.number))
            self._no_tombstones([row.item_id])
            self._log(kind, row.item_id)
            self.retracted.append(row.item_id)
            self.added -= 1

    def reorder(self, order: Sequence[str]) -> None:
        """Put the items into this order; those that are not named keep their place before the next that is."""
        rows = self.connection.execute(
            select(Item.c.item_id, Item.c.number).where(Item.c.node == self.node.number).order_by(Item.c.pos)
        ).all()
        numbers = {row.item_id: row.number for row in rows}
        named = set(order)
        before: dict[str, list[str]] = {}
        waiting: list[str] = []
        for row in rows:
            if row.item_id in named:
                before[row.item_id], waiting = waiting, []
            else:
                waiting.append(row.item_id)
        final = [each for item_id in order if item_id in numbers for each in (*before[item_id], item_id)] + waiting
        start = self._max(Item.c.pos, Item.c.node == self.node.number) + 1
        if final:
            self.connection.execute(
                _MOVE, [{"b_number": numbers[i], "b_pos": start + place} for place, i in enumerate(final)]
            )

    def finish(self, record: NodeRecord | None, kind: str = "node-state") -> Applied:
        """Write the node's row; its counters are kept here and nowhere else."""
        if record is not None:
            self._log(kind, "")
        if self.published or self.retracted or record is not None:
            values: dict[str, Any] = {"items": Node.c["items"] + self.added, "sequence": self.counter.value}
            if self.published or self.retracted:
                values["newest"] = self.wall
            own = node_values(record) if record is not None else {}
            self.connection.execute(update(Node).where(Node.c.number == self.node.number).values(own | values))
        row = self.connection.execute(
            select(Node.c["items"], Node.c.sequence).where(Node.c.number == self.node.number)
        ).one()
        return Applied(row.sequence, tuple(self.published), tuple(self.retracted), row.items)

    # -- parts -----------------------------------------------------------------------------------

    def _held(self, ids: Sequence[str]) -> Iterator[Any]:
        wanted = select(
            Item.c.item_id, Item.c.number, Item.c.digest, Item.c.publisher, Item.c.tkey, Item.c.stored
        ).where(Item.c.node == self.node.number, Item.c.item_id.in_(bindparam("ids", expanding=True)))
        for start in range(0, len(ids), AT_ONCE):
            yield from self.connection.execute(wanted, {"ids": list(ids[start : start + AT_ONCE])}).all()

    def _unindex(self, tkeys: Sequence[int]) -> None:
        for start in range(0, len(tkeys), AT_ONCE):
            part = Text.c.tkey.in_(tkeys[start : start + AT_ONCE])
            chosen = select(Text.c.tkey, Text.c.text).order_by(Text.c.tkey)
            old = [row._asdict() for row in self.connection.execute(chosen.where(part))]
            if old:
                self.connection.execute(_FTS_DELETE, old)
                self.connection.execute(delete(Text).where(part))

    def _no_tombstones(self, ids: Sequence[str]) -> None:
        for start in range(0, len(ids), AT_ONCE):
            part = Change.c.item_id.in_(ids[start : start + AT_ONCE])
            self.connection.execute(delete(Change).where(Change.c.node == self.node.number, part))

    def _log(self, kind: str, item_id: str) -> None:
        if not item_id:
            self._no_tombstones([""])
        self.connection.execute(
            insert(Change).values(
                sequence=self.counter.next(),
                kind=kind,
                node=self.node.number,
                item_id=item_id,
                account=self.node.key.account,
                type=self.node.analysis.type if self.node.analysis else "",
                uri=item_uri(self.node.key, item_id) if item_id else "",
                at=self.wall,
            )
        )

    def _max(self, column: Any, *where: Any) -> int:
        return self.connection.execute(select(func.max(column)).where(*where)).scalar() or 0

    def _second(self, item: NewItem, row: Any) -> int:
        """The second an item counts to: its own date, where that says something, else that of its first day here."""
        published = item.parsed.published // 1_000_000
        if EARLIEST <= published <= self.wall // 1_000_000 + DAY:
            return published
        return (self.wall if row is None else int(row.stored)) // 1_000_000

    def _reserve(self, seconds: set[int]) -> None:
        """Look up the next free keys of these seconds, in one question."""
        rows = self.connection.execute(_LAST_TKEYS, {"seconds": json.dumps(list(seconds.difference(self._next_tkeys)))})
        for second, last in rows:
            self._next_tkeys[second] = last + 1 if last is not None else second << TKEY_BITS

    def _tkey(self, second: int) -> int:
        """The next free key of this second."""
        tkey = self._next_tkeys[second]
        self._next_tkeys[second] += 1
        return tkey


def _values(item: NewItem, node: NodeRecord) -> dict[str, Any]:
    parsed = item.parsed
    return {
        "publisher": item.publisher,
        "created": item.created,
        "published": parsed.published,
        "updated": parsed.updated,
        "subtype": parsed.subtype,
        "title": parsed.title,
        "json": parsed.json,
        "analyser": node.analysis.name if node.analysis else "",
        "version": node.analysis.version if node.analysis else 0,
        "error": parsed.error,
        "digest": item.digest,
    }


def node_values(record: NodeRecord) -> dict[str, Any]:
    """A record as a row; `items`, `newest` and `sequence` belong to the store."""
    analysis = record.analysis
    return {
        "account": record.key.account,
        "service": record.key.service,
        "name": record.key.node,
        "state": str(record.state),
        "reason": record.reason,
        "analyser": analysis.name if analysis else "",
        "type": analysis.type if analysis else "",
        "subtype": analysis.subtype if analysis else "",
        "to_sync": int(analysis.to_sync) if analysis else 0,
        "version": analysis.version if analysis else 0,
        "final": int(analysis.final) if analysis else 0,
        "namespace": analysis.namespace if analysis else "",
        "extra": analysis.extra if analysis else "{}",
        "wanted_by": record.wanted_by,
        "copy": str(record.copy),
        "verified_at": record.verified_at,
        "subscribed": int(record.subscribed),
        "title": record.title,
        "error": record.error,
    }

# SPDX-License-Identifier: MIT
"""What one transaction does to the items of one node. Everything here runs in the writer's thread.

The full-text index (indexing.py) is kept from here and not by triggers, which Alembic's batch mode drops silently.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Table, bindparam, func, insert, select, text, update

from pubkeep.errors import Conflict
from pubkeep.model import HIDDEN, Applied, NewItem, NodeRecord, NodeState
from pubkeep.storage import indexing, keys, tables
from pubkeep.storage.compiled import ask, change, many
from pubkeep.storage.counter import Counter
from pubkeep.storage.dialect import Dialect
from pubkeep.storage.dialects import dialect_of
from pubkeep.storage.indexing import Indexed
from pubkeep.storage.keys import Keys
from pubkeep.storage.payloads import Payloads
from pubkeep.storage.statements import TKEY_BITS, Statements, statements
from pubkeep.uri import item_uri


def _table(mapped: type[tables.Base]) -> Table:
    assert isinstance(mapped.__table__, Table)
    return mapped.__table__


Item, Change, Node = (_table(mapped) for mapped in (tables.ItemRow, tables.ChangeRow, tables.NodeRow))
AT_ONCE = 500
"""Ids in one statement."""
EARLIEST, DAY = 631_152_000, 86_400
"""1990: dates before, or after tomorrow, say nothing about the order of items (seconds)."""

_LAST_POS = select(func.max(Item.c.pos)).where(Item.c.node == bindparam("node"))
_NEW_ITEM, _NEW_CHANGE = insert(Item), insert(Change)
_PAYLOAD = text(
    "INSERT INTO payload (item, data) VALUES (:item, :data) ON CONFLICT (item) DO UPDATE SET data = excluded.data"
)
_OVERWRITTEN = (
    *("tkey", "sequence", "received", "publisher", "created", "published", "updated"),
    *("subtype", "title", "json", "analyser", "version", "error", "digest"),
)
_CHANGE_ITEM = (
    update(Item).where(Item.c.number == bindparam("b_number")).values({n: bindparam(f"b_{n}") for n in _OVERWRITTEN})
)
_MOVE = update(Item).where(Item.c.number == bindparam("b_number")).values(pos=bindparam("b_pos"))
_COUNT = (
    update(Node)
    .where(Node.c.number == bindparam("b_number"))
    .values(
        items=Node.c["items"] + bindparam("b_added"), sequence=bindparam("b_sequence"), newest=bindparam("b_newest")
    )
)
_TURN = update(Node).where(Node.c.number == bindparam("b_number")).values(turned=bindparam("b_turned"))
_BEFORE = select(
    *(Node.c["items"], Node.c.sequence, Node.c.newest, Node.c.state),
    select(func.max(Item.c.number)).scalar_subquery().label("last_number"),
    select(func.max(Item.c.pos)).where(Item.c.node == bindparam("number")).scalar_subquery().label("last_pos"),
).where(Node.c.number == bindparam("number"))


@dataclass(slots=True)
class ItemChanges:
    """One transaction on the items of one node.

    Raises:
        Conflict: the node was forgotten meanwhile.
    """

    connection: Connection
    node: NodeRecord
    counter: Counter
    stored: Payloads
    keys: Keys
    wall: int
    filling: bool = False
    """Whether the full-text index may be behind: what it has not yet is neither taken in nor out."""
    published: list[str] = field(default_factory=list)
    retracted: list[str] = field(default_factory=list)
    added: int = 0
    last_number: int = 0
    """Of the newest item that came; 0: none did."""
    _unsaid: bool = False
    """That an item is gone is said no more, since it is back, and it is not shown, since the node is hidden."""
    _next_tkeys: dict[int, int] = field(default_factory=dict)
    _before: Any = field(init=False)
    _dialect: Dialect = field(init=False)
    _statements: Statements = field(init=False)

    def __post_init__(self) -> None:
        self._dialect = dialect_of(self.connection)
        self._statements = statements(self._dialect)
        before = ask(self.connection, _BEFORE, number=self.node.number)
        if not before:
            raise Conflict(f"{self.node.key.node} at {self.node.key.service}: it was forgotten here meanwhile")
        self._before = before[0]

    def upsert(self, items: Sequence[NewItem], *, moves: bool) -> None:
        """See ports.ItemStore.apply."""
        each: dict[str, NewItem] = {}
        for item in items:
            if moves:
                each.pop(item.id, None)  # named twice, it stands where it was named last
            each[item.id] = item
        held = {row.item_id: row for row in self._held(list(each))}
        number, last = self._before.last_number or 0, self._before.last_pos or 0
        new: list[dict[str, Any]] = []
        changed: list[dict[str, Any]] = []
        payloads: list[dict[str, Any]] = []
        indexed: list[Indexed] = []
        moved: list[dict[str, int]] = []
        behind, late = self._behind(), set[int]()
        seconds = {
            item.id: self._second(item, held.get(item.id))
            for item in each.values()
            if not self._same(item, held.get(item.id))
        }
        self._reserve(set(seconds.values()))
        for item in each.values():
            row = held.get(item.id)
            if row is None or moves:
                last += 1
            if row is not None and moves:
                moved.append({"b_number": row.number, "b_pos": last})
            if item.id not in seconds:
                continue
            second = seconds[item.id]
            tkey = row.tkey if row is not None and row.tkey >> TKEY_BITS == second else self._tkey(second)
            values = _values(item, self.node) | {"tkey": tkey, "sequence": self.counter.next()}
            values["received"] = row.received if row is not None and _alike(item, row) else values["sequence"]
            data = self.stored.pack(item.xml, item.parsed.text)
            if row is None:
                number += 1
                late |= {tkey} if number <= behind else set()
                place = {"number": number, "node": self.node.number, "item_id": item.id, "pos": last}
                new.append(values | place | {"stored": self.wall})
            else:
                late |= {tkey} if row.number <= behind else set()
                changed.append({f"b_{name}": value for name, value in values.items()} | {"b_number": row.number})
            payloads.append({"item": number if row is None else row.number, "data": data})
            indexed.append(
                Indexed(
                    *(tkey, self.node.number, item.publisher, values["analyser"]),
                    *(indexing.document_of(item.parsed.json), item.parsed.text),
                )
            )
            self.published.append(item.id)
        self._unindex([held[item_id] for item_id in self.published if item_id in held])
        many(self.connection, _NEW_ITEM, new)
        if self._no_tombstones([row["item_id"] for row in new]) and self._before.state in HIDDEN:
            self._unsaid = True
        many(self.connection, _CHANGE_ITEM, changed)
        many(self.connection, _PAYLOAD, payloads)
        self._dialect.full_text.add(self.connection, [each for each in indexed if each.tkey not in late])
        keys.add(self.connection, self.keys, indexed)
        many(self.connection, _MOVE, moved)
        self.added += len(new)
        self.last_number = number if new else 0

    def remove(self, ids: Iterable[str], kind: str) -> None:
        """Delete items; each leaves a tombstone."""
        rows = list(self._held(list(dict.fromkeys(ids))))
        gone = [row.item_id for row in rows]
        self._unindex(rows)
        for part in _parts([row.number for row in rows]):
            change(self.connection, self._statements.drop_payloads, some=part)
            change(self.connection, self._statements.drop_items, some=part)
        self._no_tombstones(gone)
        many(self.connection, _NEW_CHANGE, [self._change(kind, item_id) for item_id in gone])
        self.retracted += gone
        self.added -= len(gone)

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
        final = list(dict.fromkeys(final))
        kept = next((at for at, row in enumerate(rows) if row.item_id != final[at]), len(rows))
        last = self.connection.execute(_LAST_POS, {"node": self.node.number}).scalar() or 0  # some came just now
        moved = [{"b_number": numbers[name], "b_pos": last + 1 + at} for at, name in enumerate(final[kept:])]
        many(self.connection, _MOVE, moved)

    def finish(self, record: NodeRecord | None, kind: str = "node-state") -> Applied:
        """Write the node's row; its counters are kept here and nowhere else."""
        number, before = self.node.number, self._before
        published, retracted = tuple(self.published), tuple(self.retracted)
        if record is not None:
            self._no_tombstones([""])
            change(self.connection, _NEW_CHANGE, **self._change(_turn(before.state, record.state) or kind, ""))
            change(self.connection, _SAVE, b_number=number, **{f"b_{n}": v for n, v in node_values(record).items()})
            if before.items + self.added and (before.state in HIDDEN) != (record.state in HIDDEN):
                change(self.connection, _TURN, b_number=number, b_turned=self.counter.value)
        if not (published or retracted or record is not None):
            return Applied(before.sequence, published, retracted, before.items)
        if self._unsaid:
            self._no_tombstones([""])
            change(self.connection, _NEW_CHANGE, **self._change("hidden", ""))
            change(self.connection, _TURN, b_number=number, b_turned=self.counter.value)
        newest = self.wall if published or retracted else before.newest
        counters = {"b_added": self.added, "b_sequence": self.counter.value, "b_newest": newest}
        change(self.connection, _COUNT, b_number=number, **counters)
        return Applied(self.counter.value, published, retracted, before.items + self.added)

    # -- parts -----------------------------------------------------------------------------------

    def _held(self, ids: Sequence[str]) -> Iterator[Any]:
        for part in _parts(ids):
            yield from ask(self.connection, self._statements.held, node=self.node.number, some=part)

    def _behind(self) -> int:
        """The number of the newest item that is not in the full-text index yet."""
        return indexing.behind(self.connection) if self.filling else 0

    def _unindex(self, rows: Sequence[Any]) -> None:
        """Take items out of all that is made of them, as they are. Of damaged ones nobody knows what that was."""
        behind = self._behind()
        for part in _parts([row.number for row in rows]):
            old = ask(self.connection, self._statements.old, some=part)
            made = [(row, indexing.of_row(row, self.stored)) for row in old]
            there = [(row.number, item) for row, item in made if item is not None]
            self._dialect.full_text.remove(self.connection, [item for number, item in there if number > behind])
            keys.remove(self.connection, self.keys, [item for _, item in there])
            if damaged := [row.tkey for row, item in made if item is None]:
                self._dialect.full_text.drop(self.connection, damaged)
                keys.drop(self.connection, self._dialect, damaged)

    def _no_tombstones(self, ids: Sequence[str]) -> int:
        """Nothing is said any more of these. Returns how many rows that were."""
        drop = self._statements.drop_changes
        return sum(change(self.connection, drop, of=self.node.number, some=part) for part in _parts(ids))

    def _change(self, kind: str, item_id: str) -> dict[str, Any]:
        """A row of the log: of an item that is gone, or of the node itself."""
        return {
            "sequence": self.counter.next(),
            "kind": kind,
            "node": self.node.number,
            "item_id": item_id,
            "account": self.node.key.account,
            "type": self.node.analysis.type if self.node.analysis else "",
            "uri": item_uri(self.node.key, item_id),
            "at": self.wall,
        }

    def _same(self, item: NewItem, row: Any) -> bool:
        """Whether it is held as it is, and parsed by the analyser that the node has."""
        if row is None or not _alike(item, row):
            return False
        analysis = self.node.analysis
        return (row.analyser, row.version) == ((analysis.name, analysis.version) if analysis else ("", 0))

    def _second(self, item: NewItem, row: Any) -> int:
        """The second an item counts to: its own date, where that says something, else that of its first day here."""
        published = item.parsed.published // 1_000_000
        if EARLIEST <= published <= self.wall // 1_000_000 + DAY:
            return published
        return (self.wall if row is None else int(row.stored)) // 1_000_000

    def _reserve(self, seconds: set[int]) -> None:
        """Look up the next free keys of these seconds, in one question."""
        some = json.dumps(list(seconds.difference(self._next_tkeys)))
        for row in ask(self.connection, self._statements.last_tkeys, some=some):
            self._next_tkeys[row.value] = row.last + 1 if row.last is not None else row.value << TKEY_BITS

    def _tkey(self, second: int) -> int:
        """The next free key of this second."""
        tkey = self._next_tkeys[second]
        self._next_tkeys[second] += 1
        return tkey


def _alike(item: NewItem, row: Any) -> bool:
    """Whether it is held with this payload, by this publisher."""
    return bool(row.digest == item.digest and row.publisher == item.publisher)


def _turn(before: str, after: str) -> str:
    """The kind of change that a node's new state is, where it says more than `node-state` (DBUS-API, Changes)."""
    if before == NodeState.GONE and after not in HIDDEN:
        return "node-recreated"
    if after == NodeState.DENIED and before != after:
        return "hidden"
    return "shown" if before == NodeState.DENIED and after not in HIDDEN else ""


def _parts(values: Sequence[str] | Sequence[int]) -> list[str]:
    """Lists for statements, as JSON."""
    return [json.dumps(values[start : start + AT_ONCE]) for start in range(0, len(values), AT_ONCE)]


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


_KEPT = [name for name in Node.c.keys() if name not in ("number", "items", "newest", "sequence", "turned")]  # noqa: SIM118
"""The columns of `node_values`."""
_SAVE = update(Node).where(Node.c.number == bindparam("b_number")).values({n: bindparam(f"b_{n}") for n in _KEPT})


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

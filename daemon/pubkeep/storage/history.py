# SPDX-License-Identifier: MIT
"""What changed after a number (DBUS-API, Changes), and from which numbers that can be told.

Of an item that is there `item.sequence` is the log, of one that is gone its tombstone, of a node its last change (and
the last time that its items were hidden or shown): one row each, the latest. Numbers that were given in a file that is
lost, in a copy that was replaced, or in transactions that a crash took away are never given again: each run goes on
above the present time, and remembers which numbers it left out. Whoever noted one of those has to read anew.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, delete, func, insert, select, update

from pubkeep.errors import CursorTooOld
from pubkeep.model import NodeKey
from pubkeep.questions import Change, ChangesRequest, ChangesResult
from pubkeep.slices import Slices
from pubkeep.storage import tables
from pubkeep.storage.counter import Counter
from pubkeep.storage.engines import Fetcher, Readers
from pubkeep.storage.nodes import LAST, VERSION, KnownNode, NodeMemory
from pubkeep.uri import item_uri, parse_item_uri

AT_ONCE = 1000
"""Rows of the log looked at in one go."""
LATEST = (1 << 63) - 1
"""The greatest number of a database; D-Bus has greater ones."""
DROPPED = 2000
"""Tombstones dropped in one transaction."""
_Change, _Gap = tables.ChangeRow, tables.GapRow

_NOW = f"""
SELECT {LAST},
       (SELECT sequence FROM change WHERE node = 0),
       EXISTS (SELECT 1 FROM gap WHERE after < :since AND first > :since),
       {VERSION}
"""  # noqa: S608 (constants only)
_ITEMS = """
SELECT sequence, CASE WHEN received > :since THEN 'published' ELSE 'parsed' END, node, item_id FROM item
WHERE sequence > :behind ORDER BY sequence LIMIT :number
"""
_LOG = """
SELECT sequence, kind, item_id, node, uri, type FROM change WHERE sequence > :behind AND node != 0
ORDER BY sequence LIMIT :number
"""


class Present(NamedTuple):
    """A database in one snapshot."""

    sequence: int
    """The last number."""
    start: int
    """Where the history begins."""
    nodes: int
    """The version of the nodes (nodes.py)."""


async def present(fetcher: Fetcher, since: int | None) -> Present:
    """How it is in the snapshot of this connection.

    Raises:
        CursorTooOld: what changed after `since` cannot be told: that number is not of this database's history. Whether
            it lies before its beginning is the caller's to see.
    """
    bounds = {"since": min(since or 0, LATEST)}
    of_items, of_others, start, lost, nodes = (await fetcher.execute_fetchall(_NOW, bounds))[0]
    sequence = max(of_items or 0, of_others)
    if since is not None and since > sequence:
        raise CursorTooOld(f"since {since}: this database is at {sequence} only; read anew")
    if since and lost:
        raise CursorTooOld(f"since {since}: that was in a part of the history that is lost; read anew")
    return Present(sequence, start, nodes)


class History:
    """ports.Historian."""

    def __init__(self, readers: Readers, nodes: NodeMemory) -> None:
        self._readers = readers
        self._nodes = nodes

    async def changes(self, request: ChangesRequest, accounts: Sequence[str]) -> ChangesResult:
        """See ports.Historian.changes."""
        slices, found = Slices(), list[Change]()
        async with self._readers.snapshot() as fetcher:
            sequence, start, version = await present(fetcher, request.since)
            if request.since < start:
                raise CursorTooOld(f"since {request.since}: the history begins at {start}; read anew")
            nodes = (await self._nodes.at(fetcher, version)).each
            behind = request.since
            while True:
                bounds = {"since": request.since, "behind": behind, "number": AT_ONCE}
                items = await fetcher.execute_fetchall(_ITEMS, bounds)
                log = await fetcher.execute_fetchall(_LOG, {"behind": behind, "number": AT_ONCE})
                ends = [rows[-1][0] for rows in (items, log) if len(rows) == AT_ONCE]
                end = min(ends, default=sequence)
                rows = _items(items, nodes) + _logged(log, nodes) + _turned(nodes, behind, {row[0] for row in log})
                for number, kind, node, item_id in sorted(rows, key=_number):
                    if number > end or node.key.account not in accounts or not request.fits(node.key, node.type):
                        continue
                    if len(found) == request.limit:
                        return ChangesResult(tuple(found), found[-1].sequence, more=True)
                    found.append(Change(number, kind, node.key, item_id, node.type))
                    await slices.pause()
                if not ends:
                    return ChangesResult(tuple(found), sequence, more=False)
                behind = end


_Row = tuple[int, str, KnownNode, str]
"""(sequence, kind, node, item id)"""


def _number(row: _Row) -> int:
    return row[0]


def _items(rows: Sequence[Any], nodes: Mapping[int, KnownNode]) -> list[_Row]:
    """Items that are there, and shown."""
    return [(sequence, kind, nodes[node], item_id) for sequence, kind, node, item_id in rows if not nodes[node].hidden]


def _logged(rows: Sequence[Any], nodes: Mapping[int, KnownNode]) -> list[_Row]:
    """What is gone, and nodes."""
    found = []
    for sequence, kind, item_id, number, uri, type_ in rows:
        found.append((sequence, kind, nodes.get(number) or KnownNode(parse_item_uri(uri)[0], type_), item_id))
    return found


def _turned(nodes: Mapping[int, KnownNode], behind: int, logged: Collection[int]) -> list[_Row]:
    """Nodes that were hidden or shown, where their last change is another one."""
    return [
        (node.turned, node.shown, node, "")
        for node in nodes.values()
        if node.turned > behind and node.turned not in logged
    ]


# -- in the writer's thread -----------------------------------------------------------------------------------


def last_number(connection: Connection) -> int:
    """The last one that is stored; 0 where none is."""
    return max(
        connection.execute(select(func.max(column))).scalar() or 0
        for column in (_Change.sequence, tables.ItemRow.sequence)
    )


def first_numbers(connection: Connection, wall: int) -> tuple[Counter, int]:
    """Go on above everything that was ever given: what is stored, and the present time in microseconds.

    The row of node 0 says where this database's history begins. Returns the last number stored, too: the
    one to start from has not been given, and whoever asked for changes since it would be told it is unknown.
    """
    last = last_number(connection)
    counter = Counter(max(last, wall))
    if connection.execute(select(_Change.sequence).where(_Change.node == 0)).first() is None:
        values = {"kind": "created", "node": 0, "item_id": "", "account": "", "type": "", "uri": "", "at": wall}
        last = counter.next()
        connection.execute(insert(_Change).values(sequence=last, **values))
    connection.execute(delete(_Gap).where(_Gap.after >= last))  # nothing was stored in those runs
    connection.execute(insert(_Gap).values(after=last, first=counter.value + 1))
    return counter, last


def take_over(connection: Connection, key: NodeKey, number: int) -> None:
    """A node that was here before under another number: what is said of its items may be said again."""
    before = select(_Change.node).where(_Change.item_id == "", _Change.uri == item_uri(key, ""))
    for old in connection.execute(before).scalars().all():
        connection.execute(update(_Change).where(_Change.node == old).values(node=number))


def drop_old(connection: Connection, before: int) -> bool:
    """Drop what was said of items and nodes that went, or changed, before this moment. Returns whether there is more.

    From the newest of them on the history is whole, and there it begins now.
    """
    old = select(_Change.sequence).where(_Change.node != 0, _Change.at < before).order_by(_Change.sequence)
    numbers = connection.execute(old.limit(DROPPED)).scalars().all()
    if not numbers:
        return False
    connection.execute(delete(_Change).where(_Change.sequence.in_(numbers)))
    start = connection.execute(select(_Change.sequence).where(_Change.node == 0)).scalar() or 0
    if (begins := max(numbers)) > start:
        connection.execute(update(_Change).where(_Change.node == 0).values(sequence=begins))
        connection.execute(delete(_Gap).where(_Gap.first <= begins))
    return len(numbers) == DROPPED

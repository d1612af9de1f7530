# SPDX-License-Identifier: MIT
"""The hot reads: one hop each, keyset along the service's order, never OFFSET but where a position is asked for."""

from collections.abc import Sequence
from functools import cache
from typing import Any, Literal

from sqlalchemy import BindParameter, Select, bindparam, func, literal_column, select

from pubkeep.errors import NotFound
from pubkeep.model import ItemRow, NodeRecord
from pubkeep.questions import Format, Page
from pubkeep.slices import STEP, Slices
from pubkeep.storage import tables
from pubkeep.storage.compiled import Compiled
from pubkeep.storage.engines import Readers
from pubkeep.storage.payloads import Payloads
from pubkeep.uri import item_uri

Item, Payload = tables.ItemRow, tables.PayloadRow
Where = Literal["newest", "before", "after", "index"]
IDS_AT_ONCE = 512
"""Ids in one statement."""
INDEXED, INDEXES = 64, 512
"""Nodes, and items of each, of which it is remembered where they stand: who walks along a node counts nothing."""
ROWS_AT_ONCE = 50
"""Rows converted before others may get a turn: a quarter of a millisecond."""


def columns(form: Format) -> tuple[Any, ...]:
    """What a row is made of, in the order that `to_row` takes."""
    return (
        Item.item_id,
        Item.title,
        Item.published,
        Item.updated,
        Item.publisher,
        Payload.data if form in ("xml", "both") else literal_column("''"),
        Item.json if form in ("json", "both") else literal_column("''"),
        Item.stored,
        Item.sequence,
        Item.subtype,
        Item.error,
        Item.digest,
    )


def to_row(node: NodeRecord, values: Sequence[Any], stored: Payloads, *, extra: bool) -> ItemRow:
    """A row as frontends see it."""
    item_id, title, published, updated, publisher, data, json = values[:7]
    key = node.key
    return ItemRow(
        item_uri(key, item_id),
        key.account,
        key.service,
        key.node,
        item_id,
        node.analysis.type if node.analysis else "",
        title,
        published,
        updated,
        publisher,
        stored.of_item(data, publisher, values[11], node.number, item_id)[0] if data != "" else "",
        json,
        extra_keys(values[7:11]) if extra else {},
    )


def extra_keys(values: Sequence[Any]) -> dict[str, object]:
    """The keys of `extra` (DBUS-API, ITEM)."""
    stored, sequence, subtype, error = values
    result: dict[str, object] = {"stored": stored, "sequence": sequence}
    result |= {"subtype": subtype} if subtype else {}
    return result | ({"error": error} if error else {})


def with_payload(statement: Select[Any], form: Format) -> Select[Any]:
    """Join the raw XML where it is wanted. An item that has lost it is not left out: it is damaged."""
    return statement.outerjoin(Payload, Payload.item == Item.number) if form in ("xml", "both") else statement


_ANCHOR = select(Item.pos).where(Item.node == bindparam("node"), Item.item_id == bindparam("anchor")).scalar_subquery()


@cache
def _page(where: Where, form: Format) -> Compiled:
    statement = with_payload(select(*columns(form), Item.pos).where(Item.node == bindparam("node")), form)
    statement = statement.order_by(Item.pos.desc() if where in ("newest", "before") else Item.pos)
    if where == "before":
        statement = statement.where(Item.pos < _ANCHOR)
    elif where == "after":
        statement = statement.where(Item.pos > _ANCHOR)
    elif where == "index":
        statement = statement.offset(bindparam("start"))
    return Compiled(statement.limit(bindparam("number")))


@cache
def _by_ids(number: int, form: Format) -> Compiled:
    statement = select(*columns(form)).where(Item.node == bindparam("node"), Item.item_id.in_(_names(number)))
    return Compiled(with_payload(statement, form))


@cache
def _digests(number: int | None) -> Compiled:
    statement = select(Item.item_id, Item.digest).where(Item.node == bindparam("node"))
    if number is None:
        return Compiled(statement.order_by(Item.pos))
    return Compiled(statement.where(Item.item_id.in_(_names(number))))


_THERE = Compiled(select(Item.number).where(Item.node == bindparam("node"), Item.item_id == bindparam("item_id")))
_BEFORE = Compiled(
    select(func.count()).select_from(Item).where(Item.node == bindparam("node"), Item.pos < bindparam("pos"))
)
_RAW = Compiled(
    select(Item.pos, Item.item_id, Item.publisher, Payload.data, Item.digest)
    .outerjoin(Payload, Payload.item == Item.number)
    .where(Item.node == bindparam("node"), Item.pos > bindparam("pos"))
    .order_by(Item.pos)
    .limit(bindparam("number"))
)


class Reading:
    """ports.ItemReader, and the digests."""

    def __init__(self, readers: Readers, stored: Payloads) -> None:
        self._readers = readers
        self._stored = stored
        self._indexes: dict[tuple[int, int], dict[str, int]] = {}
        """Of nodes as they were read: id -> its number in their order, of items that pages began and ended with."""

    def _moved(self, number: int) -> None:
        """The items of a node were changed: nothing is known of their order."""
        for known in [each for each in self._indexes if each[0] == number]:
            del self._indexes[known]

    async def page(
        self,
        node: NodeRecord,
        *,
        limit: int,
        before: str | None = None,
        after: str | None = None,
        index: int | None = None,
        format: Format = "xml",
        extra: bool = False,
    ) -> Page:
        """See ports.ItemReader.page."""
        where: Where = "before" if before else "after" if after else "newest" if index is None else "index"
        anchor, indexes = before or after, self._indexes_of(node)
        parameters: dict[str, object] = {"node": node.number, "number": limit + 1}
        if anchor:
            parameters["anchor"] = anchor
        elif index is not None:
            parameters["start"] = index
        statement = _page(where, format)
        rows = await self._readers.fetch(statement.sql, statement.args(**parameters))
        more = len(rows) > limit
        rows = rows[:limit]
        if where in ("newest", "before"):
            rows = rows[::-1]
        items = tuple(await self._rows(node, rows, extra=extra))
        if anchor and not items:
            await self._there(node, anchor)
        if not items:
            return Page((), more, count=node.items)
        if where == "newest":
            index = node.items - len(items)
        elif before in indexes:
            index = indexes[before] - len(items)
        elif after in indexes:
            index = indexes[after] + 1
        elif index is None:
            index = (await self._readers.fetch(_BEFORE.sql, _BEFORE.args(node=node.number, pos=rows[0][-1])))[0][0]
        indexes[items[0].id], indexes[items[-1].id] = index, index + len(items) - 1
        return Page(items, more, True, items[0].id, items[-1].id, index, node.items)

    def _indexes_of(self, node: NodeRecord) -> dict[str, int]:
        """What is known of them, in a few nodes: those that were read last. A caller may have an older record."""
        known = node.number, node.sequence
        indexes = self._indexes.pop(known, {})
        self._indexes[known] = indexes if len(indexes) < INDEXES else {}
        if len(self._indexes) > INDEXED:
            del self._indexes[next(iter(self._indexes))]
        return self._indexes[known]

    async def by_ids(
        self, node: NodeRecord, ids: Sequence[str], *, format: Format = "xml", extra: bool = False
    ) -> Page:
        """See ports.ItemReader.by_ids."""
        found: dict[str, ItemRow] = {}
        for part in _parts(ids):
            statement = _by_ids(_room(len(part)), format)
            rows = await self._readers.fetch(statement.sql, statement.args(node=node.number, **_named(part)))
            found |= {row.id: row for row in await self._rows(node, rows, extra=extra)}
        items = tuple(found[item_id] for item_id in ids if item_id in found)
        first, last = (items[0].id, items[-1].id) if items else ("", "")
        return Page(items, False, True, first, last, unknown=tuple(i for i in ids if i not in found))

    async def digests(self, number: int, ids: Sequence[str] | None = None) -> dict[str, bytes]:
        """See ports.ItemStore.digests."""
        if ids is None:
            rows = await self._readers.fetch(_digests(None).sql, {"node": number})
            slices, held = Slices(), dict[str, bytes]()
            for start in range(0, len(rows), STEP):
                held.update(rows[start : start + STEP])
                await slices.pause()
            return held
        result: dict[str, bytes] = {}
        for part in _parts(list(dict.fromkeys(ids))):
            statement = _digests(_room(len(part)))
            result |= dict(await self._readers.fetch(statement.sql, statement.args(node=number, **_named(part))))
        return result

    async def raw_items(self, number: int, after: int, limit: int) -> list[tuple[int, str, str, str, bytes]]:
        """See ports.ItemReader.raw_items."""
        rows = await self._readers.fetch(_RAW.sql, _RAW.args(node=number, pos=after, number=limit))
        whole = self._stored.of_item
        return [
            (pos, item_id, publisher, whole(data, publisher, digest, number, item_id)[0], digest)
            for pos, item_id, publisher, data, digest in rows
        ]

    async def _there(self, node: NodeRecord, item_id: str) -> None:
        if not await self._readers.fetch(_THERE.sql, _THERE.args(node=node.number, item_id=item_id)):
            raise NotFound(f"{node.key.node} at {node.key.service}: no item {item_id!r} to count from")

    async def _rows(self, node: NodeRecord, rows: Sequence[Sequence[Any]], *, extra: bool) -> list[ItemRow]:
        """Rows as frontends see them; ten thousand of them are a tenth of a second of work."""
        slices = Slices()
        result: list[ItemRow] = []
        for start in range(0, len(rows), ROWS_AT_ONCE):
            part = rows[start : start + ROWS_AT_ONCE]
            result += [to_row(node, row, self._stored, extra=extra) for row in part]
            await slices.pause()
        return result


def _parts(ids: Sequence[str]) -> list[Sequence[str]]:
    return [ids[start : start + IDS_AT_ONCE] for start in range(0, len(ids), IDS_AT_ONCE)]


def _room(number: int) -> int:
    """Powers of two: a handful of statements serve all numbers of ids."""
    return 1 << (number - 1).bit_length()


def _names(number: int) -> list[BindParameter[str]]:
    return [bindparam(f"i{index}") for index in range(number)]


def _named(ids: Sequence[str]) -> dict[str, str]:
    """The ids by the names of their parameters, the last one again where there is room left."""
    return {f"i{index}": ids[min(index, len(ids) - 1)] for index in range(_room(len(ids)))}

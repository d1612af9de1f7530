# SPDX-License-Identifier: MIT
"""The face of the database (ports.Store): one public method is one transaction."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from pubkeep.clock import Clock
from pubkeep.errors import Conflict, UnknownObject
from pubkeep.model import Account, Analysis, Applied, Copy, NewItem, NodeKey, NodeRecord, NodeState, Tls
from pubkeep.storage import tables
from pubkeep.storage.background import Background
from pubkeep.storage.beginning import Beginning
from pubkeep.storage.engines import Readers, Writer
from pubkeep.storage.finding import Finding
from pubkeep.storage.harmed import Harmed
from pubkeep.storage.history import History, take_over
from pubkeep.storage.learnt import Learnt
from pubkeep.storage.nodes import NodeMemory
from pubkeep.storage.payloads import Payloads
from pubkeep.storage.place import Opened, open_place
from pubkeep.storage.progress import Tell, nobody
from pubkeep.storage.reading import Reading
from pubkeep.storage.writing import Item, ItemChanges, Node, node_values

log = logging.getLogger(__name__)


class Store(Harmed, Learnt, Reading, Finding, History, Background):
    """All that is kept, in one database."""

    opened: Opened | None = None
    """Where; None in a simulation, which has its own."""

    def __init__(
        self, writer: Writer, readers: Readers, found: Beginning, clock: Clock, changes_days: int = 30
    ) -> None:
        stored = Payloads(found.dictionaries.each)
        Reading.__init__(self, readers, stored)
        nodes = NodeMemory()
        Finding.__init__(self, readers, stored, nodes, clock)
        History.__init__(self, readers, nodes)
        Learnt.__init__(self, writer, found.counter, found.last, found.read_only)
        self._clock = clock
        Background.__init__(self, found, changes_days)

    @classmethod
    async def open(cls, place: Path | str, clock: Clock, changes_days: int = 30, tell: Tell = nobody) -> "Store":
        """Open the database, creating or migrating it. One that takes no writes is opened to be read (`read_only`).

        Args:
            place: a file, or the URL of a database (config.py).
            changes_days: so long it is remembered what is gone.
            tell: called in the event loop while it is migrated, with a sentence that says how far that is.

        Raises:
            StorageFull, ReadOnly, Unavailable, Failed: it cannot be opened; a sentence says why.
        """
        opened = await open_place(place, clock, tell)
        store = cls(opened.writer, opened.readers, opened.found, clock, changes_days)
        store.opened = opened
        store._after = opened.keepsake
        return store

    def session(self) -> AsyncSession:
        """A session for plug-ins that read the mapped classes; the connection is read-only, a flush raises."""
        return AsyncSession(self._readers.engine, autoflush=False)

    async def expired(self) -> str:
        """Wait until it has to be closed and opened anew. Returns why, for people."""
        assert self.opened is not None
        return await self.opened.expired()

    async def close(self) -> None:
        """End all connections, in order."""
        await self._end_works()
        if self.opened is not None:
            await self.opened.close(self._clock.wall())
        else:
            await self._readers.close()
            await self._writer.close()

    # -- accounts --------------------------------------------------------------------------------

    async def accounts(self) -> list[Account]:
        """See ports.AccountStore."""
        return await self._writer.run(
            lambda c: [_account(row) for row in c.execute(select(tables.AccountRow.__table__).order_by("number"))]
        )

    async def add_account(
        self, jid: str, resource: str, *, uid: int, enabled: bool, host: str, port: int, tls: Tls
    ) -> Account:
        """See ports.AccountStore."""

        def work(connection: Connection) -> Account:
            values = {"jid": jid, "resource": resource, "uid": uid, "enabled": int(enabled)}
            if connection.execute(select(tables.AccountRow.number).where(tables.AccountRow.jid == jid)).first():
                raise Conflict(f"{jid}: this account is there already")
            statement = insert(tables.AccountRow).values(**values, host=host, port=port, tls=tls)
            key = connection.execute(statement).inserted_primary_key
            assert key is not None
            return Account(key[0], jid, resource, uid, enabled, host, port, tls)

        return await self._write("add account", work)

    async def enable_account(self, number: int, enabled: bool) -> None:
        """See ports.AccountStore."""
        row = tables.AccountRow
        await self._write(
            "enable account", lambda c: c.execute(update(row).where(row.number == number).values(enabled=int(enabled)))
        )

    async def remove_account(self, number: int) -> None:
        """See ports.AccountStore."""

        def work(connection: Connection) -> None:
            row = tables.AccountRow
            jid = connection.execute(select(row.jid).where(row.number == number)).scalar()
            if jid is None:
                raise UnknownObject(f"account {number}: there is none")
            for node in connection.execute(select(Node).where(Node.c.account == jid)).all():
                self._forget(connection, _record(node), "forgotten", [])
                connection.execute(delete(Node).where(Node.c.number == node.number))
            connection.execute(delete(row).where(row.number == number))

        await self._write("remove account", work)

    # -- nodes -----------------------------------------------------------------------------------

    async def nodes(self, account: str) -> list[NodeRecord]:
        """See ports.NodeStore."""
        statement = select(Node).where(Node.c.account == account).order_by(Node.c.service, Node.c.name)
        return await self._writer.run(lambda c: [_record(row) for row in c.execute(statement)])

    async def save_node(self, record: NodeRecord) -> NodeRecord:
        """See ports.NodeStore."""

        def work(connection: Connection) -> NodeRecord:
            saved = record
            if not record.number:
                number = self._counter.next()  # never used twice, as a rowid would be
                counters = {"items": 0, "newest": 0, "sequence": number}
                connection.execute(insert(Node).values(number=number, **node_values(record), **counters))
                take_over(connection, record.key, number)
                saved = replace(record, number=number, items=0)
            applied = self._changes(connection, saved).finish(saved)
            return replace(saved, sequence=applied.sequence, items=applied.items)

        return await self._write("save node", work)

    async def forget_node(
        self,
        number: int,
        kind: str,
        *,
        created_before: int = 0,
        updated_before: int = 0,
        record: NodeRecord | None = None,
    ) -> Applied:
        """See ports.NodeStore. `forgotten` without a date drops the node's row, too."""

        def work(connection: Connection) -> Applied:
            row = connection.execute(select(Node).where(Node.c.number == number)).first()
            if row is None:
                return Applied(self._sequence)  # forgotten meanwhile: nothing is left to do
            dates = _dates(created_before, updated_before)
            applied = self._forget(connection, record or _record(row), kind, dates)
            if kind == "forgotten" and not dates:
                connection.execute(delete(Node).where(Node.c.number == number))
            return applied

        try:
            return await self._write("forget node", work)
        finally:
            self._moved(number)

    async def count_before(self, number: int, created_before: int, updated_before: int) -> int:
        """See ports.NodeStore."""
        dates = _dates(created_before, updated_before)
        statement = select(func.count()).select_from(Item).where(Item.c.node == number, *dates)
        return await self._writer.run(lambda c: c.execute(statement).scalar() or 0)

    def _forget(self, connection: Connection, record: NodeRecord, kind: str, dates: list[Any]) -> Applied:
        ids = connection.execute(select(Item.c.item_id).where(Item.c.node == record.number, *dates)).scalars().all()
        changes = self._changes(connection, record)
        changes.remove(ids, kind)
        return changes.finish(record, kind)

    # -- items -----------------------------------------------------------------------------------

    async def apply(
        self,
        node: NodeRecord,
        upserts: Sequence[NewItem] = (),
        *,
        removals: Sequence[str] = (),
        order: Sequence[str] | None = None,
        moves: bool = False,
        record: NodeRecord | None = None,
    ) -> Applied:
        """See ports.ItemStore."""

        def work(connection: Connection) -> tuple[Applied, int]:
            changes = self._changes(connection, node)
            if upserts:
                changes.upsert(upserts, moves=moves)
            if removals:
                changes.remove(removals, "retracted")
            if order is not None:
                changes.reorder(order)
            return changes.finish(record), changes.last_number

        try:
            applied, items = await self._write("event" if record is None else "swap", work)
        finally:
            self._moved(node.number)
        self._grown(items)
        return applied

    def _changes(self, connection: Connection, node: NodeRecord) -> ItemChanges:
        return ItemChanges(connection, node, self._counter, self._stored, self._keys, self._clock.wall(), self.indexing)


def _dates(created_before: int, updated_before: int) -> list[Any]:
    """An item is as old as its payload says, or as its first day here."""
    conditions: list[Any] = []
    if created_before:
        dated = (Item.c.published > 0) & (Item.c.published < created_before)
        conditions.append(or_(dated, (Item.c.published == 0) & (Item.c.stored < created_before)))
    if updated_before:
        dated = (Item.c.updated > 0) & (Item.c.updated < updated_before)
        conditions.append(or_(dated, (Item.c.updated == 0) & (Item.c.stored < updated_before)))
    return conditions


def _account(row: Any) -> Account:
    return Account(row.number, row.jid, row.resource, row.uid, bool(row.enabled), row.host, row.port, row.tls)


def _record(row: Any) -> NodeRecord:
    analysis = None
    if row.analyser:
        analysis = Analysis(
            row.analyser,
            row.type,
            row.subtype,
            bool(row.to_sync),
            row.version,
            bool(row.final),
            row.namespace,
            row.extra,
        )
    return NodeRecord(
        row.number,
        NodeKey(row.account, row.service, row.name),
        NodeState(row.state),
        row.reason,
        analysis,
        row.wanted_by,
        Copy(row.copy),
        row.items,
        row.newest,
        row.sequence,
        row.verified_at,
        bool(row.subscribed),
        row.title,
        row.error,
    )

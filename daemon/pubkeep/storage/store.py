# SPDX-License-Identifier: MIT
"""The face of the database (ports.Store): one public method is one transaction."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from pubkeep.clock import Clock
from pubkeep.errors import Conflict, PubkeepError, UnknownObject
from pubkeep.model import Account, Analysis, Applied, Copy, NewItem, NodeKey, NodeRecord, NodeState, Tls
from pubkeep.query.declared import Declared
from pubkeep.storage import indexing, keys, tables, training
from pubkeep.storage.beginning import Beginning
from pubkeep.storage.engines import Readers, Writer
from pubkeep.storage.finding import Finding
from pubkeep.storage.harmed import Harmed
from pubkeep.storage.history import History, drop_old, take_over
from pubkeep.storage.learnt import Learnt
from pubkeep.storage.payloads import Payloads
from pubkeep.storage.place import Opened, open_place
from pubkeep.storage.reading import Reading
from pubkeep.storage.writing import Item, ItemChanges, Node, node_values

log = logging.getLogger(__name__)

DAY = 86_400_000_000
"""Microseconds."""
DROP_AGAIN = 6 * 3600.0
"""Seconds between two looks for what is too old to be remembered."""
FILL_AGAIN = 30.0
"""Seconds after which it is tried again to index what could not be."""


class Store(Harmed, Learnt, Reading, Finding, History):
    """All that is kept, in one database."""

    opened: Opened | None = None
    """Where; None in a simulation, which has its own."""

    def __init__(
        self, writer: Writer, readers: Readers, found: Beginning, clock: Clock, changes_days: int = 30
    ) -> None:
        stored = Payloads(found.dictionaries.each)
        Reading.__init__(self, readers, stored)
        Finding.__init__(self, readers, stored, clock)
        History.__init__(self, readers)
        Learnt.__init__(self, writer, found.counter, found.last)
        self._clock = clock
        self._dictionaries = found.dictionaries
        self._keys = found.keys
        self._key_numbers = found.key_numbers
        self._declaring = asyncio.Lock()
        """What is declared and what is filled change `_keys`, one after the other."""
        self.indexing = found.filling
        if found.filling:
            self._later(self._fill_index())
        self._later(self._drop_old(changes_days * DAY))

    @classmethod
    async def open(cls, place: Path | str, clock: Clock, changes_days: int = 30) -> "Store":
        """Open the database, creating or migrating it.

        Args:
            place: a file, or the URL of a database (config.py).
            changes_days: so long it is remembered what is gone.

        Raises:
            StorageFull, ReadOnly, Unavailable, Failed: it cannot be opened; a sentence says why.
        """
        opened = await open_place(place, clock)
        store = cls(opened.writer, opened.readers, opened.found, clock, changes_days)
        store.opened = opened
        store._after = opened.keepsake
        return store

    def session(self) -> AsyncSession:
        """A session for plug-ins that read the mapped classes; the connection is read-only, a flush raises."""
        return AsyncSession(self._readers.engine, autoflush=False)

    async def damaged(self) -> None:
        """Wait until damage is met. Closing sets the database aside, and opening builds another one."""
        if self.opened is not None:
            await self.opened.damaged()

    async def close(self) -> None:
        """End all connections, in order."""
        for work in self._works:
            work.cancel()
        await asyncio.gather(*self._works, return_exceptions=True)
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

        return await self._write("forget node", work)

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

        applied, items = await self._write("event" if record is None else "swap", work)
        if self._dictionaries.due(items):
            self._train(items)
        return applied

    def _changes(self, connection: Connection, node: NodeRecord) -> ItemChanges:
        return ItemChanges(connection, node, self._counter, self._stored, self._keys, self._clock.wall(), self.indexing)

    def _train(self, items: int) -> None:
        """Begin to make a dictionary of what is there, so that what comes takes less room."""
        known = self._dictionaries
        known.items = items  # once, whatever comes of it

        async def work() -> None:
            try:
                if data := await training.trained(self._readers, known, items):
                    number = max(known.each, default=0) + 1
                    await self._write("save dictionary", lambda c: training.save(c, number, items, data))
                    known.each[number] = data
            except PubkeepError as error:
                log.warning("the database: no dictionary for its payloads: %s", error)

        self._later(work())

    async def declare(self, declared: Declared) -> None:
        """See ports.Finder."""

        def work(connection: Connection) -> None:
            self._keys = keys.declare(connection, declared, self._key_numbers)  # the next transaction keeps to them

        async with self._declaring:
            before = self._keys
            try:
                await self._write("declare keys", work)
            except PubkeepError:
                self._keys = before
                raise
        self._later(self._fill_keys())

    async def _fill_keys(self) -> None:
        """Index what was declared, as long as nobody else writes."""
        more = True
        while more:
            try:
                async with self._declaring:
                    more, filled = await self._write("fill keys", lambda c: keys.fill(c, self._keys))
                    self._keys = self._keys.filled(filled)
            except PubkeepError as error:
                log.warning("the database: what analysers declare could not be indexed: %s", error)
                await asyncio.sleep(FILL_AGAIN)

    async def _drop_old(self, age: int) -> None:
        """Forget now and then what went more than so many microseconds ago."""
        while True:
            more = False
            try:
                more = await self._write("drop old", lambda c: drop_old(c, self._clock.wall() - age))
            except PubkeepError as error:
                log.warning("the database: what went long ago is still remembered: %s", error)
            if not more:
                await asyncio.sleep(DROP_AGAIN)

    async def _fill_index(self) -> None:
        """Take into the full-text index what is not in it, as long as nobody else writes."""
        log.info("the words of all items are indexed anew; until that is done, a search may not find the older ones")
        while True:
            try:
                if not await self._write(
                    "fill index", lambda c: indexing.fill(c, self._readers.dialect.full_text, self._stored)
                ):
                    break
            except PubkeepError as error:
                log.warning("the database: its words could not be indexed: %s", error)
                await asyncio.sleep(FILL_AGAIN)
        self.indexing = False
        log.info("the words of all items are indexed")


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

# SPDX-License-Identifier: MIT
"""Walking along the items that a query finds, within limits."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pubkeep.clock import Clock
from pubkeep.errors import LimitExceeded
from pubkeep.model import NodeKey
from pubkeep.query.conditions import All, Condition, Term
from pubkeep.query.matching import matches
from pubkeep.query.relevance import relevance
from pubkeep.query.values import Missing, at
from pubkeep.questions import Format
from pubkeep.slices import Slices
from pubkeep.storage import candidates, sorting
from pubkeep.storage.dialect import Dialect, Expression
from pubkeep.storage.engines import Fetcher
from pubkeep.storage.keys import Key, Keys
from pubkeep.storage.leading import Lead, lead
from pubkeep.storage.marks import of_node
from pubkeep.storage.payloads import Payloads
from pubkeep.storage.plan import Plan, plan
from pubkeep.storage.sorting import TOP, Order, Place, Sortable

MANY_NODES = 50
"""More of them are looked at one by one, not looked up by their marks."""
AT_ONCE = 25
"""Rows looked at before others may get a turn, where no payloads are among them."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one search."""

    seconds: float = 2.0
    """As long as it has to look at rows one by one."""
    few: int = 200
    many: int = 1000
    """Rows looked at in one go: at first, and from then on."""
    few_sorted: int = 1000
    """Items that are sorted where there is an index in their order, too."""
    sorted: int = 10_000
    """Items that are sorted by anything but the time key."""
    ranked: int = 1000
    """Of the newest that match, so many have a rank."""


@dataclass(slots=True)
class Scope:
    """The nodes that a query concerns."""

    nodes: dict[int, tuple[NodeKey, str]]
    """number -> (key, type), of those that are shown."""
    left: dict[int, Condition]
    """number -> what is left of the query for its items."""
    items: int = 0
    """So many they have."""
    others: int = 0
    """So many nodes are not among them."""
    turned: int = 0
    """When one of them last vanished or came back: whoever noted a number before it has to read anew."""

    def rest(self) -> tuple[Condition, bool]:
        """What all of them have left in common, and whether that is all."""
        different: list[Condition] = []
        for condition in self.left.values():
            if condition not in different:
                different.append(condition)
        if len(different) == 1:
            return different[0], True
        parts = [each.parts if isinstance(each, All) else (each,) for each in different]
        common = [part for part in parts[0] if all(part in others for others in parts[1:])] if parts else []
        return All(tuple(common)), False

    @property
    def all_left(self) -> Condition:
        """All that any of them has left, to see what it asks."""
        return All(tuple(self.left.values()))

    def marks(self, dialect: Dialect) -> Expression | None:
        """A full-text expression for them where they are few of many."""
        restricts = self.others and 0 < len(self.left) <= MANY_NODES
        index = dialect.full_text
        return index.either([index.mark(of_node(number)) for number in self.left]) if restricts else None

    @property
    def numbers(self) -> str:
        """As JSON."""
        return json.dumps(list(self.left))


class Walk:
    """One search, on one connection."""

    def __init__(
        self,
        clock: Clock,
        limits: Limits,
        fetcher: Fetcher,
        dialect: Dialect,
        scope: Scope,
        keys: Keys,
        stored: Payloads,
        *,
        marked: bool,
    ) -> None:
        """Args:
        marked: all items have their marks in the full-text index.
        """
        self._stored = stored
        self._keys = keys
        self.fetcher = fetcher
        self._dialect = dialect
        self._among = dialect.among_numbers("item.node", "nodes")
        self._limits = limits
        self.scope = scope
        self.unfinished: tuple[int, Place] | None = None
        """Behind which item it did not come; None: it came to the end, or had enough."""
        self.ranks: dict[int, float] = {}
        """Time key -> rank, where the order asks for it."""
        self._clock = clock
        self._slices = Slices()
        self._until = clock.boottime() + limits.seconds
        rest, self._alike = scope.rest()
        self.plan: Plan = plan(rest, dialect, marked=marked)
        self._marks = scope.marks(dialect) if marked else None

    async def along(self, number: int, start: int | None, *, newest: bool) -> list[tuple[int, Place]]:
        """The time keys of so many items that match, in their order."""
        found: list[tuple[int, Place]] = []
        async for item in self._matching(start, number, candidates.Needs(), newest=newest):
            found.append((item.tkey, ()))
            if len(found) == number:
                break
        return found

    async def sorted(
        self, orders: tuple[Order, ...], number: int, after: tuple[int, Place] | None, wanted: Sequence[Term]
    ) -> list[Any]:
        """So many items that match, with their places, sorted; many of them along a declared key.

        Args:
            wanted: what their rank is of.
        """
        ranked = any(order.name == "rank" for order in orders)
        key = self._keys.ready(orders[0].path) if len(orders) == 1 and not orders[0].name else None
        if key and not (self.plan.wanted or self.plan.keyed) and self.scope.items > self._limits.few_sorted:
            return await self._along_key(key, orders, number, after)
        found: list[tuple[Place, int]] = []
        async for item in self._matching(
            None, self._limits.many, candidates.needs_of(orders), newest=True, ranked=ranked
        ):
            item.rank = -relevance(wanted, item.candidate.words) if ranked else 0.0
            found.append((sorting.place(orders, item), -item.tkey))
            if ranked:
                self.ranks[item.tkey] = item.rank
            if key and len(found) > self._limits.few_sorted:
                return await self._along_key(key, orders, number, after)
            if len(found) > self._limits.sorted:
                raise LimitExceeded(
                    f"option 'order_by': more than {self._limits.sorted} items match; restrict the query"
                )
            if ranked and len(found) == self._limits.ranked:
                break
        if self.unfinished:
            raise LimitExceeded(
                f"option 'order_by': sorting took more than {self._limits.seconds:.0f} s; restrict the query"
            )
        found.sort()
        if after is not None:
            found = [each for each in found if each > (after[1], -after[0])]
        return [(-key, where) for where, key in found[:number]]

    async def _along_key(
        self, key: Key, orders: tuple[Order, ...], number: int, after: tuple[int, Place] | None
    ) -> list[tuple[int, Place]]:
        """Those that have something there, in its order; then the others, the newest first."""
        found: list[tuple[int, Place]] = []
        bound = (None, TOP) if after is None else (sorting.value_of(orders[0], after[1][0]), after[0])
        if after is None or not after[1][0][0]:
            async for item, value in self._by_value(key, bound, number, descending=orders[0].descending):
                found.append((item.tkey, (sorting.place_of(orders[0], value),)))
                if len(found) == number:
                    return found
            if self.unfinished:
                return found
            bound = (None, TOP)
        async for item in self._matching(bound[1], number, candidates.needs_of(orders), newest=True):
            if isinstance(at(item.candidate.document, key.path), Missing):
                found.append((item.tkey, ((True, b""),)))
                if len(found) == number:
                    return found
        if self.unfinished:
            self.unfinished = (self.unfinished[0], ((True, b""),))
        return found

    async def _by_value(
        self, key: Key, bound: tuple[bytes | None, int], number: int, *, descending: bool
    ) -> AsyncIterator[tuple[Sortable, bytes]]:
        """Items that match and have something at a declared place, in the order of that, until the time is over."""
        exact = self.plan.exact and self._alike and not (self.plan.wanted or self.plan.unwanted or self.plan.keyed)
        needs = candidates.Needs() if exact else candidates.needs(self.scope.all_left)
        sql = self._by_value_sql(needs, descending=descending)
        number = number if exact else self._limits.few
        value, tkey = bound
        if value is None:
            value = b"\xff" if descending else b""
        fixed = {"nodes": self.scope.numbers, "led": key.number, **self.plan.parameters}
        while True:
            parameters = {**fixed, "value": value, "bound": tkey, "number": number}
            rows = await self.fetcher.execute_fetchall(sql, parameters)
            for *row, value in rows:
                item = candidates.read(row, self.scope.nodes, self._keys.declared, self._stored)
                tkey = item.tkey
                if exact or matches(self.scope.left[row[1]], item.candidate):
                    yield item, value
                await self._slices.pause()
            if len(rows) < number:
                return
            if self._clock.boottime() > self._until:
                self.unfinished = (tkey, (sorting.place_of(Order("", key.path, descending), value),))
                return
            number = self._limits.many
            await asyncio.sleep(0)

    async def changed(self, since: Mapping[str, object]) -> list[tuple[Sortable, bool]]:
        """Items of the nodes in scope that changed, oldest change first, and whether they match now."""
        needs = candidates.needs(self.scope.all_left)
        sql = f"SELECT {candidates.COLUMNS}, {needs.columns} FROM item{needs.joins} WHERE {self._among}"  # noqa: S608
        sql += " AND item.sequence > :since ORDER BY item.sequence LIMIT :number"
        rows = await self.fetcher.execute_fetchall(sql, {"nodes": self.scope.numbers, **since})
        found = []
        for row in rows:
            item = candidates.read(row, self.scope.nodes, self._keys.declared, self._stored)
            found.append((item, matches(self.scope.left[row[1]], item.candidate)))
            await self._slices.pause()
        return found

    async def rows(self, tkeys: Sequence[int], form: Format, *, texts: bool) -> Sequence[Sequence[Any]]:
        """What frontends see, in this order.

        Args:
            texts: the payload is read for its text, whatever the format.
        """
        sql = select_rows(form, self._dialect.among_numbers("item.tkey", "tkeys"), texts=texts)
        rows = await self.fetcher.execute_fetchall(sql, {"tkeys": json.dumps(list(tkeys))})
        by_key = {row[-1]: row for row in rows}
        return [by_key[tkey] for tkey in tkeys]

    async def _matching(
        self, start: int | None, number: int, more: candidates.Needs, *, newest: bool, ranked: bool = False
    ) -> AsyncIterator[Sortable]:
        """Items that match, along the time key, until the time is over."""
        if not self.scope.left:
            return
        led = await lead(self.fetcher, self._dialect, self.plan, self._keys, self._marks, ranked=ranked)
        exact = led.exact and self._alike
        needs = more if exact else candidates.needs(self.scope.all_left) | more
        sql = self._candidates(led, needs, newest=newest)
        bound = (TOP if newest else -1) if start is None else start
        number = number if exact else self._limits.few
        fixed = {"nodes": self.scope.numbers, **led.parameters, **self.plan.parameters}
        while True:
            parameters = {**fixed, "bound": bound, "number": number}
            rows = await self.fetcher.execute_fetchall(sql, parameters)
            for place, row in enumerate(rows):
                item = candidates.read(row, self.scope.nodes, self._keys.declared, self._stored)
                bound = item.tkey
                if exact or matches(self.scope.left[row[1]], item.candidate):
                    yield item
                if needs.payload or place % AT_ONCE == 0:
                    await self._slices.pause()
            if len(rows) < number:
                return
            if self._clock.boottime() > self._until:
                self.unfinished = (bound, ())
                return
            number = self._limits.many
            await asyncio.sleep(0)

    def _candidates(self, led: Lead, needs: candidates.Needs, *, newest: bool) -> str:
        where = [self._among, f"{led.time} {'<' if newest else '>'} :bound", *led.where, *self.plan.where]
        order = f"{led.time} {'DESC' if newest else ''}"
        return (
            f"SELECT {candidates.COLUMNS}, {needs.columns} FROM {led.tables}{needs.joins}"  # noqa: S608 (constants only)
            f" WHERE {' AND '.join(where)} ORDER BY {order} LIMIT :number"
        )

    def _by_value_sql(self, needs: candidates.Needs, *, descending: bool) -> str:
        behind = "<" if descending else ">"
        where = ["item_key.key = :led", f"item_key.value {behind}= :value", self._among, *self.plan.where]
        where.append(f"(item_key.value {behind} :value OR item_key.tkey < :bound)")
        order = f"item_key.value {'DESC' if descending else ''}, item_key.tkey DESC"
        return (
            f"SELECT {candidates.COLUMNS}, {needs.columns}, item_key.value"  # noqa: S608 (constants only)
            f" FROM item_key {self._dialect.first} item ON item.tkey = item_key.tkey{needs.joins}"
            f" WHERE {' AND '.join(where)} ORDER BY {order} LIMIT :number"
        )


def select_rows(form: Format, where: str, *, texts: bool = False) -> str:
    """Rows as `_row` takes them; `tkey` last."""
    packed = texts or form in ("xml", "both")
    xml = "payload.data" if packed else "''"
    parsed = "item.json" if form in ("json", "both") else "''"
    join = " JOIN payload ON payload.item = item.number" if packed else ""
    return (
        "SELECT item.node, item.item_id, item.title, item.published, item.updated, item.publisher,"  # noqa: S608
        f" {xml}, {parsed}, item.stored, item.sequence, item.subtype, item.error, item.digest, item.tkey"
        f" FROM item{join} WHERE {where}"
    )

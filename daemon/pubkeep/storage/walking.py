# SPDX-License-Identifier: MIT
"""Walking along the items that a query finds, within limits."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from pubkeep.clock import Clock
from pubkeep.errors import LimitExceeded
from pubkeep.query.conditions import Term
from pubkeep.query.matching import matches
from pubkeep.query.relevance import relevance
from pubkeep.query.values import Missing, at
from pubkeep.questions import Format
from pubkeep.slices import Slices
from pubkeep.storage import candidates, sorting
from pubkeep.storage.dialect import Dialect
from pubkeep.storage.engines import Fetcher
from pubkeep.storage.keys import Key, Keys
from pubkeep.storage.leading import Lead, lead
from pubkeep.storage.nodes import LAST, VERSION, Scope
from pubkeep.storage.payloads import Payloads
from pubkeep.storage.plan import Plan, plan
from pubkeep.storage.sorting import TOP, Order, Place, Sortable

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
        self._among = scope.among(dialect)
        self._limits = limits
        self.scope = scope
        self.unfinished: tuple[int, Place] | None = None
        """Behind which item it did not come; None: it came to the end, or had enough."""
        self.ranks: dict[int, float] = {}
        """Time key -> rank, where the order asks for it."""
        self._clock = clock
        self._slices = Slices()
        self._until = clock.boottime() + limits.seconds
        self.plan: Plan = plan(scope.rest, dialect, marked=marked)
        self._marks = scope.marks(dialect) if marked else None

    async def page(
        self, number: int, start: int | None, *, newest: bool, form: Format, texts: bool
    ) -> tuple[int, int, Sequence[Sequence[Any]]] | None:
        """The same rows as `along` and `rows` give, all in one question; None where SQL does not decide them alone.

        Returns:
            (the last number, the version of the nodes, the rows), in one snapshot.
        """
        if not (self.plan.exact and self.scope.alike and self.scope.left):
            return None
        led = await self._lead()
        if not led.exact:
            return None
        rows = self._led(led, select_rows(form, led.tables, texts=texts), newest=newest)
        sql = f"SELECT now.*, found.* FROM ({_NOW}) AS now LEFT JOIN ({rows}) AS found ON TRUE"  # noqa: S608 (constants only)
        found = await self.fetcher.execute_fetchall(sql, self._parameters(led, start, number, newest=newest))
        of_items, of_others, version = found[0][:3]
        each = sorted((row[3:] for row in found if row[-1] is not None), key=itemgetter(-1), reverse=newest)
        return max(of_items or 0, of_others), version, each

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
        exact = self.plan.exact and self.scope.alike and not (self.plan.wanted or self.plan.unwanted or self.plan.keyed)
        needs = candidates.Needs() if exact else candidates.needs(self.scope.all_left)
        value, tkey = bound
        if value is None:
            value = b"\xff" if descending else b""
        parameters: dict[str, Any] = {"nodes": self.scope.numbers, "led": key.number, **self.plan.parameters}
        parameters |= {"value": value, "bound": tkey, "number": number if exact else self._limits.few}
        sql = self._by_value_sql(needs, descending=descending)
        async for item, row in self._each(sql, parameters, exact=exact, payloads=needs.payload):
            yield item, row[-1]
        if self.unfinished:
            last = sorting.place_of(Order("", key.path, descending), parameters["value"])
            self.unfinished = self.unfinished[0], (last,)

    async def changed(self, since: Mapping[str, object]) -> list[tuple[Sortable, bool]]:
        """Items of the nodes in scope that changed, oldest change first, and whether they match now."""
        needs = candidates.needs(self.scope.all_left)
        sql = f"{candidates.select(needs)} WHERE {self._among}"
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
        sql = f"{select_rows(form, texts=texts)} WHERE {self._dialect.among_numbers('item.tkey', 'tkeys')}"
        rows = await self.fetcher.execute_fetchall(sql, {"tkeys": json.dumps(list(tkeys))})
        by_key = {row[-1]: row for row in rows}
        return [by_key[tkey] for tkey in tkeys]

    async def _matching(
        self, start: int | None, number: int, more: candidates.Needs, *, newest: bool, ranked: bool = False
    ) -> AsyncIterator[Sortable]:
        """Items that match, along the time key, until the time is over."""
        if not self.scope.left:
            return
        led = await self._lead(ranked=ranked)
        exact = led.exact and self.scope.alike
        needs = more if exact else candidates.needs(self.scope.all_left) | more
        sql = self._led(led, candidates.select(needs, led.tables), newest=newest)
        parameters = self._parameters(led, start, number if exact else self._limits.few, newest=newest)
        async for item, _ in self._each(sql, parameters, exact=exact, payloads=needs.payload):
            yield item

    async def _each(
        self, sql: str, parameters: dict[str, Any], *, exact: bool, payloads: bool
    ) -> AsyncIterator[tuple[Sortable, Sequence[Any]]]:
        """Items that match, batch by batch, each behind the last item of the one before, until the time is over.

        Args:
            parameters: `bound` and, where there is one, `value` are set to the time key, and the last column, of each
                item that was looked at; `number` is a batch.
            exact: whatever is read matches.
        """
        while True:
            rows = await self.fetcher.execute_fetchall(sql, parameters)
            for place, row in enumerate(rows):
                item = candidates.read(row, self.scope.nodes, self._keys.declared, self._stored)
                parameters["bound"] = item.tkey
                if "value" in parameters:
                    parameters["value"] = row[-1]
                if exact or matches(self.scope.left[row[1]], item.candidate):
                    yield item, row
                if payloads or place % AT_ONCE == 0:
                    await self._slices.pause()
            if len(rows) < parameters["number"]:
                return
            if self._clock.boottime() > self._until:
                self.unfinished = (parameters["bound"], ())
                return
            parameters["number"] = self._limits.many
            await asyncio.sleep(0)

    async def _lead(self, *, ranked: bool = False) -> Lead:
        return await lead(self.fetcher, self._dialect, self.plan, self._keys, self._marks, ranked=ranked)

    def _led(self, led: Lead, select: str, *, newest: bool) -> str:
        """The question for what is next along the time key."""
        where = [self._among, f"{led.time} {'<' if newest else '>'} :bound", *led.where, *self.plan.where]
        return f"{select} WHERE {' AND '.join(where)} ORDER BY {led.time} {'DESC' if newest else ''} LIMIT :number"

    def _parameters(self, led: Lead, start: int | None, number: int, *, newest: bool) -> dict[str, Any]:
        """Those of `_led`."""
        bound = (TOP if newest else -1) if start is None else start
        fixed = {"nodes": self.scope.numbers, **led.parameters, **self.plan.parameters}
        return {**fixed, "bound": bound, "number": number}

    def _by_value_sql(self, needs: candidates.Needs, *, descending: bool) -> str:
        behind = "<" if descending else ">"
        where = ["item_key.key = :led", f"item_key.value {behind}= :value", self._among, *self.plan.where]
        where.append(f"(item_key.value {behind} :value OR item_key.tkey < :bound)")
        order = f"item_key.value {'DESC' if descending else ''}, item_key.tkey DESC"
        tables = f"item_key {self._dialect.first} item ON item.tkey = item_key.tkey"
        select = candidates.select(needs, tables, "item_key.value")
        return f"{select} WHERE {' AND '.join(where)} ORDER BY {order} LIMIT :number"


def select_rows(form: Format, tables: str = "item", *, texts: bool = False) -> str:
    """Rows as `_row` takes them; `tkey` last."""
    packed = texts or form in ("xml", "both")
    xml = "payload.data" if packed else "'' AS data"
    parsed = "item.json" if form in ("json", "both") else "'' AS json"
    join = " LEFT JOIN payload ON payload.item = item.number" if packed else ""
    return (
        "SELECT item.node, item.item_id, item.title, item.published, item.updated, item.publisher,"  # noqa: S608
        f" {xml}, {parsed}, item.stored, item.sequence, item.subtype, item.error, item.digest, item.tkey"
        f" FROM {tables}{join}"
    )


_NOW = f"SELECT {LAST}, {VERSION} AS nodes"

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
from pubkeep.query.conditions import All, Condition, Path
from pubkeep.query.matching import matches
from pubkeep.questions import Format
from pubkeep.slices import Slices
from pubkeep.storage import candidates, sorting
from pubkeep.storage.engines import Fetcher
from pubkeep.storage.payloads import Payloads
from pubkeep.storage.plan import Plan, plan
from pubkeep.storage.sorting import TOP, Order, Place, Sortable

AT_ONCE = 25
"""Rows looked at before others may get a turn."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one search."""

    seconds: float = 2.0
    """As long as it has to look at rows one by one."""
    few: int = 200
    many: int = 1000
    """Rows looked at in one go: at first, and from then on."""
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
    turned: int
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
        scope: Scope,
        instants: Mapping[str, frozenset[Path]],
        stored: Payloads,
    ) -> None:
        self._stored = stored
        self.fetcher = fetcher
        self._limits = limits
        self.scope = scope
        self.unfinished = 0
        """The time key behind which it did not come; 0: it came to the end, or had enough."""
        self._clock = clock
        self._instants = instants
        self._slices = Slices()
        self._until = clock.boottime() + limits.seconds
        rest, all_of_it = scope.rest()
        self.plan: Plan = plan(rest)
        self._exact = self.plan.exact and all_of_it
        self._needs = candidates.Needs() if self._exact else candidates.needs(scope.all_left)

    async def along(self, number: int, start: int | None, *, newest: bool) -> list[tuple[int, Place]]:
        """The time keys of so many items that match, in their order."""
        found: list[tuple[int, Place]] = []
        async for item in self._matching(
            start, number if self._exact else self._limits.few, candidates.Needs(), newest=newest
        ):
            found.append((item.tkey, ()))
            if len(found) == number:
                break
        return found

    async def sorted(self, orders: tuple[Order, ...], number: int, after: tuple[int, Place] | None) -> list[Any]:
        """So many items that match, with their places, sorted."""
        ranked = any(order.name == "rank" for order in orders)
        found: list[tuple[Place, int]] = []
        async for item in self._matching(
            None, self._limits.many, candidates.needs_of(orders), newest=True, ranked=ranked
        ):
            found.append((sorting.place(orders, item), -item.tkey))
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

    async def changed(self, since: Mapping[str, object]) -> list[tuple[Sortable, bool]]:
        """Items of the nodes in scope that changed, oldest change first, and whether they match now."""
        needs = candidates.needs(self.scope.all_left)
        sql = f"SELECT {candidates.COLUMNS}, 0, {needs.columns} FROM item{needs.joins} WHERE {_AMONG}"  # noqa: S608
        sql += " AND item.sequence > :since ORDER BY item.sequence LIMIT :number"
        rows = await self.fetcher.execute_fetchall(sql, {"nodes": self.scope.numbers, **since})
        found = []
        for row in rows:
            item = candidates.read(row, self.scope.nodes, self._instants, self._stored)
            found.append((item, matches(self.scope.left[row[1]], item.candidate)))
            await self._slices.pause()
        return found

    async def rows(self, tkeys: Sequence[int], form: Format) -> Sequence[Sequence[Any]]:
        """What frontends see, in this order."""
        sql = select_rows(form, "item.tkey IN (SELECT value FROM json_each(:tkeys))")
        rows = await self.fetcher.execute_fetchall(sql, {"tkeys": json.dumps(list(tkeys))})
        by_key = {row[-1]: row for row in rows}
        return [by_key[tkey] for tkey in tkeys]

    async def _matching(
        self, start: int | None, number: int, more: candidates.Needs, *, newest: bool, ranked: bool = False
    ) -> AsyncIterator[Sortable]:
        """Items that match, along the time key, until the time is over."""
        if not self.scope.left:
            return
        needs = self._needs | more
        sql = _candidates(self.plan, needs, newest=newest, ranked=ranked)
        bound = (TOP if newest else -1) if start is None else start
        while True:
            parameters = {"nodes": self.scope.numbers, "bound": bound, "number": number, **self.plan.parameters}
            rows = await self.fetcher.execute_fetchall(sql, parameters)
            for at, row in enumerate(rows):
                item = candidates.read(row, self.scope.nodes, self._instants, self._stored)
                bound = item.tkey
                if self._exact or matches(self.scope.left[row[1]], item.candidate):
                    yield item
                if at % AT_ONCE == 0:
                    await self._slices.pause()
            if len(rows) < number:
                return
            if self._clock.boottime() > self._until:
                self.unfinished = bound
                return
            number = self._limits.many
            await asyncio.sleep(0)


_AMONG = "item.node IN (SELECT value FROM json_each(:nodes))"


def _candidates(made: Plan, needs: candidates.Needs, *, newest: bool, ranked: bool) -> str:
    """The full-text table is walked first, along its rows, which are the time keys."""
    rank = "bm25(item_fts)" if ranked else "0"
    sql = f"SELECT {candidates.COLUMNS}, {rank}, {needs.columns} FROM "  # noqa: S608 (constants only)
    sql += "item_fts CROSS JOIN item ON item.tkey = item_fts.rowid" if made.wanted else "item"
    sql += f"{needs.joins} WHERE {_AMONG} AND item.tkey {'<' if newest else '>'} :bound"
    if made.wanted:
        made.parameters["wanted"] = made.wanted
        sql += f" AND item_fts MATCH :wanted AND item_fts.rowid {'<' if newest else '>'} :bound"
    for at, unwanted in enumerate(made.unwanted):
        made.parameters[f"unwanted{at}"] = unwanted
        sql += f" AND item.tkey NOT IN (SELECT rowid FROM item_fts WHERE item_fts MATCH :unwanted{at})"  # noqa: S608
    sql += "".join(f" AND {condition}" for condition in made.where)
    return f"{sql} ORDER BY item.tkey {'DESC' if newest else ''} LIMIT :number"


def select_rows(form: Format, where: str) -> str:
    """Rows as `_row` takes them; `tkey` last."""
    xml = "payload.data" if form in ("xml", "both") else "''"
    parsed = "item.json" if form in ("json", "both") else "''"
    join = " JOIN payload ON payload.item = item.number" if form in ("xml", "both") else ""
    return (
        "SELECT item.node, item.item_id, item.title, item.published, item.updated, item.publisher,"  # noqa: S608
        f" {xml}, {parsed}, item.stored, item.sequence, item.subtype, item.error, item.tkey FROM item{join}"
        f" WHERE {where}"
    )

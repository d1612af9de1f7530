# SPDX-License-Identifier: MIT
"""Questions over all nodes: search, and what changed since.

The nodes answer their part of a query first (query/scope.py); what is left is asked of the items (plan.py), along the
time key wherever the newest come first. What SQL does not decide exactly is decided row by row (query/matching.py),
until there are enough, or it has taken too long: then a cursor goes on from there.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pubkeep.clock import Clock
from pubkeep.errors import InvalidArgs
from pubkeep.model import ItemRow, NodeKey
from pubkeep.query.conditions import All, terms
from pubkeep.query.scope import NOTHING, of_node
from pubkeep.query.snippets import Looked, Pieces, better
from pubkeep.questions import Format, SearchRequest, SearchResult
from pubkeep.slices import Slices
from pubkeep.storage import sorting
from pubkeep.storage.engines import Fetcher, Readers
from pubkeep.storage.history import present
from pubkeep.storage.keys import Keys
from pubkeep.storage.nodes import VERSION, NodeMemory, Scope
from pubkeep.storage.payloads import Payloads
from pubkeep.storage.reading import extra_keys
from pubkeep.storage.sorting import Place
from pubkeep.storage.walking import Limits, Walk, select_rows
from pubkeep.uri import item_uri, parse_item_uri

TOMBSTONES = 1000
"""Looked at in one go."""
IDS_AT_ONCE = 500
"""Ids in one question."""


class _EachAlone:
    """A fetcher whose questions see a moment of their own each."""

    def __init__(self, readers: Readers) -> None:
        self._readers = readers

    async def execute_fetchall(
        self, sql: str, parameters: Mapping[str, object] | None = None
    ) -> Sequence[tuple[Any, ...]]:
        """See engines.Fetcher."""
        return await self._readers.fetch(sql, parameters or {})


@dataclass(slots=True)
class _Page:
    """What was read for an answer."""

    walk: Walk
    sequence: int
    found: Sequence[tuple[int, Place]]
    """Time key and place of each item, and of the next one where there are more."""
    rows: Sequence[Sequence[Any]]


class Finding:
    """ports.Finder."""

    limits = Limits()
    indexing = False
    """Whether words of older items are still to be indexed."""
    _keys = Keys()

    def __init__(self, readers: Readers, stored: Payloads, nodes: NodeMemory, clock: Clock) -> None:
        self._readers = readers
        self._nodes = nodes
        self._gone_sql = _GONE.format(readers.dialect.among_texts("account", "accounts"))
        self._stored = stored
        self._clock = clock

    async def search(self, request: SearchRequest, accounts: Sequence[str]) -> SearchResult:
        """See ports.Finder.search.

        Raises:
            InvalidArgs: an order that is none; a cursor of another search, or not of ours.
            CursorTooOld: `since` lies in the future of this database, or in a part of its history that is lost.
            LimitExceeded: too many items to be sorted.
        """
        orders, mark = sorting.read(request.order_by), sorting.mark(request, accounts)
        after = sorting.read_cursor(request.cursor, mark, orders) if request.cursor else None
        wanted, newest = terms(request.query), sorting.by_time(orders)
        if any(order.name == "rank" for order in orders) and not wanted:
            raise InvalidArgs("option 'order_by': there is no rank without a text that is looked for")
        indexing, keys = self.indexing, self._keys  # as they are before anything is read
        page = None
        if newest is not None and request.since is None:
            page = await self._at_once(request, accounts, after, newest=newest)
        if page is None:
            async with self._readers.snapshot() as fetcher:
                keys = keys.still_in(self._keys)  # it may have waited long for this snapshot
                sequence, start, version = await present(fetcher, request.since)
                scope = await (await self._nodes.at(fetcher, version)).scope(request.query, accounts)
                walk = self._walk(fetcher, scope, keys, indexing=indexing)
                if request.since is not None and request.since >= max(start, scope.turned):
                    changed = await self._changed(walk, request, accounts, sequence)
                    if changed is not None:
                        return changed
                if newest is None:
                    found = await walk.sorted(orders, request.limit + 1, after, wanted)
                else:
                    found = await walk.along(request.limit + 1, after[0] if after else None, newest=newest)
                tkeys = [tkey for tkey, _ in found[: request.limit]]
                rows = await walk.rows(tkeys, request.format, texts=_texts(request))
                page = _Page(walk, sequence, found, rows)
        return await self._result(request, page, mark, indexing=indexing)

    async def _at_once(
        self, request: SearchRequest, accounts: Sequence[str], after: tuple[int, Place] | None, *, newest: bool
    ) -> "_Page | None":
        """A page that SQL decides alone, in one question; None where it does not, or something changed meanwhile."""
        nodes, keys = self._nodes.latest, self._keys
        scope = await nodes.scope(request.query, accounts)
        walk = self._walk(_EachAlone(self._readers), scope, keys, indexing=self.indexing)
        start = after[0] if after else None
        read = await walk.page(request.limit + 1, start, newest=newest, form=request.format, texts=_texts(request))
        if read is None or read[1] != nodes.version or keys.still_in(self._keys) != keys:
            return None
        sequence, _, rows = read
        return _Page(walk, sequence, [(row[-1], ()) for row in rows], rows[: request.limit])

    async def _result(self, request: SearchRequest, page: "_Page", mark: str, *, indexing: bool) -> SearchResult:
        walk, found = page.walk, page.found
        kept = await self._fitting(page.rows, walk, request)
        more = len(kept) < len(found)
        last = found[len(kept) - 1] if kept else None
        if walk.unfinished and not more:
            last = walk.unfinished
        return SearchResult(
            kept,
            sequence=page.sequence,
            cursor=sorting.write_cursor(mark, *last) if last is not None and (more or walk.unfinished) else "",
            count=None if more or request.cursor or walk.unfinished else len(kept),
            reset=request.since is not None,
            unfinished=bool(walk.unfinished) and not more,
            indexing=indexing and bool(walk.plan.wanted or walk.plan.unwanted),
            nodes=walk.scope.concerned,
        )

    async def lookup(
        self, uris: Sequence[tuple[NodeKey, str]], *, format: Format, extra: bool
    ) -> tuple[list[ItemRow], list[int]]:
        """See ports.Finder.lookup."""
        found: list[ItemRow] = []
        missing: list[int] = []
        slices = Slices()
        async with self._readers.snapshot() as fetcher:
            version = (await fetcher.execute_fetchall(f"SELECT {VERSION}"))[0][0]
            nodes = await self._nodes.at(fetcher, version)
            scope = await nodes.scope(All(), sorted({key.account for key, _ in uris}))
            rows = await self._named(fetcher, scope, uris, format)
            for index, named in enumerate(uris):
                if (row := rows.get(named)) is None:
                    missing.append(index)
                else:
                    found.append(_row(row, scope, self._stored, format, extra=extra)[0])
                await slices.pause()
        return found, missing

    async def _named(
        self, fetcher: Fetcher, scope: Scope, uris: Sequence[tuple[NodeKey, str]], form: Format
    ) -> dict[tuple[NodeKey, str], Sequence[Any]]:
        """The rows of these items, node by node."""
        numbers = {key: number for number, (key, _) in scope.nodes.items()}
        ids: dict[NodeKey, list[str]] = {}
        for key, item_id in uris:
            ids.setdefault(key, []).append(item_id)
        among = self._readers.dialect.among_texts("item.item_id", "ids")
        sql = f"{select_rows(form)} WHERE item.node = :node AND {among}"
        found: dict[tuple[NodeKey, str], Sequence[Any]] = {}
        for key in ids.keys() & numbers.keys():
            for start in range(0, len(ids[key]), IDS_AT_ONCE):
                some = json.dumps(ids[key][start : start + IDS_AT_ONCE])
                rows = await fetcher.execute_fetchall(sql, {"node": numbers[key], "ids": some})
                found |= {(key, row[1]): row for row in rows}
        return found

    def _walk(self, fetcher: Fetcher, scope: Scope, keys: Keys, *, indexing: bool) -> Walk:
        return Walk(
            self._clock, self.limits, fetcher, self._readers.dialect, scope, keys, self._stored, marked=not indexing
        )

    async def _changed(
        self, walk: "Walk", request: SearchRequest, accounts: Sequence[str], sequence: int
    ) -> SearchResult | None:
        """What changed after `since`; None where that is more than a page.

        `removed` names no item that matches now (a node forgotten and taken up again), and each once.
        """
        since = {"since": request.since, "number": request.limit + 1}
        changed = await walk.changed(since)
        gone = await self._gone(walk.fetcher, request, accounts)
        if len(changed) + len(gone) > request.limit:
            return None
        tkeys = [item.tkey for item, matching in changed if matching]
        rows = await walk.rows(tkeys, request.format, texts=_texts(request))
        items = await self._fitting(rows, walk, request)
        if len(items) < len(rows):
            return None
        removed = [item_uri(item.candidate.node, item.candidate.id) for item, matching in changed if not matching]
        removed += gone
        there = {row.uri for row in items}
        removed = [uri for uri in dict.fromkeys(removed) if uri not in there]
        return SearchResult(items, tuple(removed), sequence, nodes=walk.scope.concerned)

    async def _fitting(self, rows: Sequence[Sequence[Any]], walk: Walk, request: SearchRequest) -> tuple[ItemRow, ...]:
        """As many of the rows as there is room for, one at least; no more of them are made."""
        size, kept, slices = 0, list[ItemRow](), Slices()
        for row in rows:
            made, text = _row(row, walk.scope, self._stored, request.format, extra=request.extra)
            if request.extra:
                made = replace(made, extra={**made.extra, **await _why(walk, row, text, slices)})
            size += made.octets
            if kept and size > request.max_bytes:
                break
            kept.append(made)
            await slices.pause()
        return tuple(kept)

    async def _gone(self, fetcher: Fetcher, request: SearchRequest, accounts: Sequence[str]) -> list[str]:
        """URIs of what went after `since` from nodes that the query concerns, or more of them than a page has."""
        found: list[str] = []
        concerned: dict[int, bool] = {}
        behind = request.since
        while True:
            bounds = {"since": behind, "accounts": json.dumps(list(accounts)), "number": TOMBSTONES}
            rows = await fetcher.execute_fetchall(self._gone_sql, bounds)
            for behind, node, uri, kind in rows:  # noqa: B007 (the last one is where the next rows begin)
                if node not in concerned:
                    concerned[node] = of_node(request.query, parse_item_uri(uri)[0], kind) != NOTHING
                if concerned[node]:
                    found.append(uri)
            if len(rows) < TOMBSTONES or len(found) > request.limit:
                return found


_GONE = """
SELECT sequence, node, uri, type FROM change WHERE sequence > :since AND item_id != ''
AND {} ORDER BY sequence LIMIT :number
"""


def _texts(request: SearchRequest) -> bool:
    """Whether the texts of the items are wanted, for snippets."""
    return request.extra and bool(terms(request.query))


async def _why(walk: Walk, row: Sequence[Any], text: str, slices: Slices) -> dict[str, object]:
    """The keys of `extra` that say why the item was found."""
    found: dict[str, object] = {"rank": walk.ranks[row[-1]]} if walk.ranks else {}
    pieces = Pieces()
    for pieces in better(text, Looked(terms(walk.scope.left[row[0]]))):  # noqa: B007 (the last ones are the best)
        await slices.pause()
    return {**found, "snippet": pieces} if pieces else found


def _row(row: Sequence[Any], scope: Scope, stored: Payloads, form: Format, *, extra: bool) -> tuple[ItemRow, str]:
    """A row, and the text of the item if its payload was read."""
    number, item_id, title, published, updated, publisher, data, parsed, *rest, digest, _ = row
    xml, text = stored.of_item(data, publisher, digest, number, item_id) if data != "" else ("", "")
    key, kind = scope.nodes[number]
    keys = extra_keys(rest) if extra else {}
    xml = xml if form in ("xml", "both") else ""
    made = ItemRow(item_uri(key, item_id), *key, item_id, kind, title, published, updated, publisher, xml, parsed, keys)
    return made, text

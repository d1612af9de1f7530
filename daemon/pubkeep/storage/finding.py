# SPDX-License-Identifier: MIT
"""Questions over all nodes: search, newest first along the time key, and what changed since."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from pubkeep.errors import CursorTooOld, InvalidArgs
from pubkeep.model import ItemRow, NodeKey
from pubkeep.questions import Format, SearchRequest, SearchResult
from pubkeep.storage.engines import Readers
from pubkeep.storage.reading import extra_keys
from pubkeep.storage.text import TextQuery, parse
from pubkeep.uri import item_uri, node_uri, parse_item_uri

ROW_OVERHEAD = 200
"""Bytes a row takes beside its title, XML and JSON, roughly."""


class _Fetcher(Protocol):
    async def execute_fetchall(
        self, sql: str, parameters: Mapping[str, object] | None = None
    ) -> Sequence[tuple[Any, ...]]: ...


class Finding:
    """ports.Finder."""

    def __init__(self, readers: Readers) -> None:
        self._readers = readers

    async def search(self, request: SearchRequest, accounts: Sequence[str]) -> SearchResult:
        """See ports.Finder.search.

        Raises:
            InvalidArgs: a cursor of another search, or not of ours.
            CursorTooOld: `since` lies in the future of this database.
        """
        query = parse(request.text) if request.text.strip() else None
        bottom = _read_cursor(request, accounts)
        async with self._readers.snapshot() as fetcher:
            nodes, turned = await self._nodes(fetcher, request, accounts)
            sequence, start = (await fetcher.execute_fetchall(_SEQUENCE))[0]
            if request.since is not None:
                if request.since > sequence:
                    raise CursorTooOld(f"since {request.since}: this database is at {sequence} only; read anew")
                if request.since >= max(start, turned):
                    changed = await self._changed(fetcher, request, accounts, query, nodes, sequence)
                    if changed is not None:
                        return changed
            if query is not None and not (query.wanted or query.unwanted):
                return SearchResult((), sequence=sequence, count=0, reset=request.since is not None)
            sql = _select(request.format, query) + " ORDER BY item.tkey DESC LIMIT :number"
            parameters = _parameters(query, nodes) | {"bottom": bottom, "number": request.limit + 1}
            rows = await fetcher.execute_fetchall(sql, parameters)
        kept = _fitting(rows[: request.limit], request.max_bytes)
        more = len(kept) < len(rows)
        return SearchResult(
            tuple(_row(row, extra=request.extra) for row in kept),
            sequence=sequence,
            cursor=_write_cursor(request, accounts, kept[-1][-1]) if more and kept else "",
            count=None if more or request.cursor else len(kept),
            reset=request.since is not None,
        )

    async def lookup(
        self, uris: Sequence[tuple[NodeKey, str]], *, format: Format, extra: bool
    ) -> tuple[list[ItemRow], list[int]]:
        """See ports.Finder.lookup."""
        found: list[ItemRow] = []
        missing: list[int] = []
        sql = _select(format, None) + (
            " AND node.account = :account AND node.service = :service AND node.name = :node AND item.item_id = :id"
        )
        async with self._readers.snapshot() as fetcher:
            nodes = json.dumps([n for (n,) in await fetcher.execute_fetchall(_VISIBLE)])
            for index, (key, item_id) in enumerate(uris):
                parameters = {"bottom": _TOP, "nodes": nodes, "id": item_id, **key._asdict()}
                rows = await fetcher.execute_fetchall(sql, parameters)
                if rows:
                    found.append(_row(rows[0], extra=extra))
                else:
                    missing.append(index)
        return found, missing

    async def _nodes(self, fetcher: _Fetcher, request: SearchRequest, accounts: Sequence[str]) -> tuple[str, int]:
        """The numbers of the nodes in scope, as JSON, and when one of them last vanished or came back.

        Denied and gone nodes are hidden from everybody. Their items do not change by that, so whoever noted a
        number before it has to read anew.
        """
        rows = await fetcher.execute_fetchall(_NODES, {"accounts": json.dumps(list(accounts))})
        scope = [
            (number, hidden, turned)
            for number, account, service, name, kind, hidden, turned in rows
            if (not request.types or kind in request.types) and _named(request, NodeKey(account, service, name))
        ]
        visible = [number for number, hidden, _ in scope if not hidden]
        return json.dumps(visible), max((turned for *_, turned in scope), default=0)

    async def _changed(
        self,
        fetcher: _Fetcher,
        request: SearchRequest,
        accounts: Sequence[str],
        query: TextQuery | None,
        nodes: str,
        sequence: int,
    ) -> SearchResult | None:
        """What changed after `since`; None where that is more than a page.

        `removed` names no item that matches now (a node forgotten and taken up again), and each once.
        """
        since = {"since": request.since, "number": request.limit + 1}
        sql = _select(request.format, None) + " AND item.sequence > :since ORDER BY item.sequence LIMIT :number"
        rows = await fetcher.execute_fetchall(sql, {"bottom": _TOP, "nodes": nodes} | since)
        gone = await fetcher.execute_fetchall(
            _GONE, since | {"accounts": json.dumps(list(accounts)), "types": json.dumps(list(request.types))}
        )
        if len(rows) + len(gone) > request.limit or len(_fitting(rows, request.max_bytes)) < len(rows):
            return None
        matching = {row[-1] for row in rows}
        if query is not None:
            matching = set()
            if query.wanted or query.unwanted:
                tkeys = json.dumps([row[-1] for row in rows])
                found = await fetcher.execute_fetchall(
                    _select("none", query) + _AMONG, _parameters(query, nodes) | {"bottom": _TOP, "tkeys": tkeys}
                )
                matching = {row[-1] for row in found}
        items = tuple(_row(row, extra=request.extra) for row in rows if row[-1] in matching)
        removed = [_uri(row) for row in rows if row[-1] not in matching]
        removed += [uri for (uri,) in gone if _named(request, parse_item_uri(uri)[0])]
        there = {row.uri for row in items}
        return SearchResult(items, tuple(uri for uri in dict.fromkeys(removed) if uri not in there), sequence)


_TOP = 1 << 62
_PLACE = re.compile("[0-9a-f]{1,15}")
_COLUMNS = (
    "node.account, node.service, node.name, node.type, item.item_id, item.title, item.published, item.updated,"
    " item.publisher, {xml}, {json}, item.stored, item.sequence, item.subtype, item.error, item.tkey"
)
_AMONG = " AND item.tkey IN (SELECT value FROM json_each(:tkeys))"
_SEQUENCE = """
SELECT max(coalesce((SELECT max(sequence) FROM item), 0), (SELECT max(sequence) FROM change)),
       (SELECT sequence FROM change WHERE node = 0)
"""
_VISIBLE = "SELECT number FROM node WHERE state NOT IN ('denied', 'gone')"
_NODES = """
SELECT number, account, service, name, type, state IN ('denied', 'gone'), turned FROM node
WHERE account IN (SELECT value FROM json_each(:accounts))
"""
_GONE = """
SELECT uri FROM change WHERE sequence > :since AND item_id != ''
AND account IN (SELECT value FROM json_each(:accounts))
AND (:types = '[]' OR type IN (SELECT value FROM json_each(:types)))
ORDER BY sequence LIMIT :number
"""


def _select(form: Format, query: TextQuery | None) -> str:
    """Rows with node columns; `tkey` last. The full-text table is walked first, from its newest row."""
    xml = "payload.xml" if form in ("xml", "both") else "''"
    parsed = "item.json" if form in ("json", "both") else "''"
    sql = f"SELECT {_COLUMNS.format(xml=xml, json=parsed)} FROM "  # noqa: S608 (constants only)
    sql += "item_fts CROSS JOIN item ON item.tkey = item_fts.rowid" if query and query.wanted else "item"
    sql += " CROSS JOIN node ON node.number = item.node"
    sql += " JOIN payload ON payload.item = item.number" if form in ("xml", "both") else ""
    sql += " WHERE item.tkey < :bottom AND item.node IN (SELECT value FROM json_each(:nodes))"
    if query and query.wanted:
        sql += " AND item_fts MATCH :wanted AND item_fts.rowid < :bottom"
    if query and query.unwanted:
        sql += " AND item.tkey NOT IN (SELECT rowid FROM item_fts WHERE item_fts MATCH :unwanted)"
    return sql


def _parameters(query: TextQuery | None, nodes: str) -> dict[str, object]:
    parameters: dict[str, object] = {"nodes": nodes}
    if query and query.wanted:
        parameters["wanted"] = query.wanted
    if query and query.unwanted:
        parameters["unwanted"] = query.unwanted
    return parameters


def _uri(row: Sequence[Any]) -> str:
    return item_uri(NodeKey(row[0], row[1], row[2]), row[4])


def _row(row: Sequence[Any], *, extra: bool) -> ItemRow:
    account, service, node, kind, item_id, title, published, updated, publisher, xml, parsed, *rest, _ = row
    keys = extra_keys(rest) if extra else {}
    uri = _uri(row)
    return ItemRow(uri, account, service, node, item_id, kind, title, published, updated, publisher, xml, parsed, keys)


def _fitting(rows: Sequence[Sequence[Any]], max_bytes: int) -> Sequence[Sequence[Any]]:
    size = 0
    for number, row in enumerate(rows):
        size += _octets(row[5]) + _octets(row[9]) + _octets(row[10]) + ROW_OVERHEAD
        if number and size > max_bytes:
            return rows[:number]
    return rows


def _octets(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


def _named(request: SearchRequest, key: NodeKey) -> bool:
    """Whether the node is among those that were asked for, by its name or its URI."""
    return not request.nodes or key.node in request.nodes or node_uri(key) in request.nodes


def _mark(request: SearchRequest, accounts: Sequence[str]) -> str:
    question = repr((request.text, request.types, request.nodes, sorted(accounts)))
    return hashlib.blake2b(question.encode(errors="surrogatepass"), digest_size=6).hexdigest()


def _write_cursor(request: SearchRequest, accounts: Sequence[str], tkey: int) -> str:
    return f"{tkey:x}.{_mark(request, accounts)}"


def _read_cursor(request: SearchRequest, accounts: Sequence[str]) -> int:
    if not request.cursor:
        return _TOP
    place, _, mark = request.cursor.partition(".")
    if mark != _mark(request, accounts) or not _PLACE.fullmatch(place):
        raise InvalidArgs("cursor: it is not of this search")
    return int(place, 16)

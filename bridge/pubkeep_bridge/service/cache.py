# SPDX-License-Identifier: MIT
"""im.pubkeep.Pubkeep1.Cache"""

import time
from typing import Any

from pubkeep.errors import InvalidArgs
from pubkeep.query.document import read
from pubkeep.questions import ChangesRequest, NodeFilter, SearchRequest
from pubkeep_bridge.bus import Descriptor, Variant
from pubkeep_bridge.service import options as opt
from pubkeep_bridge.service import rows
from pubkeep_bridge.service.gate import Gate
from pubkeep_bridge.service.newest import Newest
from pubkeep_bridge.service.objects import Served
from pubkeep_bridge.service.pubsub import FORMATS, check_bytes
from pubkeep_bridge.service.streams import Streams

SEARCH = {
    "limit": "u",
    "cursor": "s",
    "since": "t",
    "order_by": "as",
    "format": "s",
    "extra": "b",
    "max_bytes": "u",
    "tag": "s",
}
LOOKUP = {"format": "s", "extra": "b"}
FILTER = {
    "account": "s",
    "service": "s",
    "node": "s",
    "node_prefix": "s",
    "type": "s",
    "state": "s",
    "analyser": "s",
    "since": "t",
}
CHANGES = {key: type_ for key, type_ in FILTER.items() if key != "since"} | {"limit": "u"}
EXPORT = {"format": "s"}
GET_NODES = {"limit": "u", "cursor": "s"}
STATISTICS = {"account": "s"}
FORGET_FILTER = FILTER | {"created_before": "x", "updated_before": "x"}
FORGET = {"dry_run": "b", "everything": "b"}
MAX_LIMIT = 1000
MAX_CHANGES = 10_000


class Cache(Served):
    """What is held, over all accounts."""

    interface = "im.pubkeep.Pubkeep1.Cache"
    wants_sender = ("Search",)

    def __init__(self, gate: Gate, streams: Streams) -> None:
        self._gate = gate
        self._streams = streams
        self._newest = Newest()

    async def Search(self, query: str, options: dict[str, Any], *, sender: str) -> list[Any]:
        tag, request = search_request(query, options)
        core = await self._gate.core()
        started = time.perf_counter()
        result = await self._newest.run(sender, tag, core.cache.search(request, core.accounts.jids()))
        took_us = int((time.perf_counter() - started) * 1_000_000)
        return [rows.items(result.items), list(result.removed), rows.search_meta(result, took_us)]

    async def Lookup(self, uris: list[str], options: dict[str, Any]) -> list[Any]:
        given = opt.parse(options, LOOKUP)
        opt.choice(given, "format", FORMATS)
        core = await self._gate.core()
        form, extra = given.get("format", "json"), given.get("extra", False)
        found, missing = await core.cache.lookup(uris, core.accounts.jids(), form, extra=extra)
        return [rows.items(found), missing]

    async def GetNodes(self, filter: dict[str, Any], options: dict[str, Any]) -> list[Any]:
        where = NodeFilter(**opt.parse(filter, FILTER, "filter"))
        given = opt.parse(options, GET_NODES)
        core = await self._gate.core()
        found = core.cache.get_nodes(where, core.accounts.jids())
        start = _start(given.get("cursor", ""), found)
        end = start + (given.get("limit") or MAX_LIMIT)
        meta = {"cursor": Variant("s", "\x1f".join(found[end - 1][0].key))} if end < len(found) else {}
        return [[rows.node(record, state) for record, state in found[start:end]], meta]

    async def Changes(self, since: int, options: dict[str, Any]) -> list[Any]:
        given = opt.parse(options, CHANGES)
        limit = given.pop("limit", MAX_LIMIT)
        if not 1 <= limit <= MAX_CHANGES:
            raise InvalidArgs(f"option 'limit': {limit} is not from 1 to {MAX_CHANGES}")
        core = await self._gate.core()
        request = ChangesRequest(since, NodeFilter(**given), limit=limit)
        found = await core.cache.changes(request, core.accounts.jids())
        return [rows.changes(found.changes), found.next, found.more]

    async def Export(self, query: str, options: dict[str, Any]) -> Descriptor:
        given = opt.parse(options, EXPORT)
        opt.choice(given, "format", FORMATS)
        request = SearchRequest(read(query), format=given.get("format", "both"))
        core = await self._gate.core()
        return await self._streams.begin(core.cache.export(request, core.accounts.jids()))

    async def GetStatistics(self, options: dict[str, Any]) -> dict[str, Any]:
        given = opt.parse(options, STATISTICS)
        core = await self._gate.core()
        return rows.counts(core.cache.statistics(core.accounts.chosen(given.get("account", ""))))

    async def Forget(self, filter: dict[str, Any], options: dict[str, Any]) -> int:
        dates = opt.parse(filter, FORGET_FILTER, "filter")
        where = NodeFilter(**{key: dates.pop(key) for key in FILTER if key in dates})
        given = opt.parse(options, FORGET)
        core = await self._gate.core()
        return await core.cache.forget(where, core.accounts.jids(), **dates, **given)


def search_request(query: str, options: dict[str, Any]) -> tuple[str, SearchRequest]:
    """The tag, and the query with its other options. Raises InvalidArgs."""
    given = opt.parse(options, SEARCH)
    opt.choice(given, "format", FORMATS)
    check_bytes(given)
    if not 1 <= given.get("limit", 1) <= MAX_LIMIT:
        raise InvalidArgs(f"option 'limit': {given['limit']} is not from 1 to {MAX_LIMIT}")
    given["order_by"] = tuple(given.get("order_by", ()))
    return given.pop("tag", ""), SearchRequest(read(query), **given)


def _start(cursor: str, found: list[Any]) -> int:
    """Where a page of nodes begins: behind the node that the cursor names, be it there or not."""
    if not cursor:
        return 0
    last = tuple(cursor.split("\x1f"))
    if len(last) != 3:
        raise InvalidArgs("option 'cursor': it is not of GetNodes")
    return sum(tuple(record.key) <= last for record, _ in found)

# SPDX-License-Identifier: MIT
"""The commands about everything that is held: `pubkeep search`, `export`, `changes`, `lookup`."""

import argparse
import asyncio
import json
import os
import shlex
import sys
from collections.abc import AsyncGenerator, Mapping
from typing import Any

from pubkeep_bridge.cli import render
from pubkeep_bridge.cli.asking import query
from pubkeep_bridge.cli.items import listing
from pubkeep_bridge.cli.run import DONE, FAILED, NOTHING
from pubkeep_bridge.client import Item, Pubkeep, SearchAnswer

SHOWN = 20
"""Items where nobody says how many, and nobody goes on in a pager."""
PAGE, MOST = 100, 1000
"""Items that are fetched in one go; changes, which come in one page."""
LINE = 64 * 1024 * 1024
"""Bytes of the longest line of an export."""
INDENT = "    "


async def search(pubkeep: Pubkeep, arguments: argparse.Namespace) -> int:
    """Items that match, as far as somebody wants to see them."""
    metas: list[Mapping[str, Any]] = []
    removed: list[str] = []
    items: list[Item] = []
    number = 0
    async for page in _pages(pubkeep, arguments):
        metas.append(page.meta)
        removed += page.removed
        number += len(page.items)
        if arguments.json:
            items += page.items
        else:
            for item in page.items:
                hit(item)
        sys.stdout.flush()  # this is where it is noticed that nobody reads on
    meta = {**metas[-1], "sequence": metas[0]["sequence"]}  # who asks since then misses nothing
    if arguments.json:
        render.document({"items": items, "removed": removed, "meta": meta})
    else:
        for uri in removed:
            print(f"gone  {render.clean(uri)}")
        took = sum(each["took_us"] for each in metas) / 1000
        render.note(f"{number} found in {took:.1f} ms; {_worth(meta, reset='reset' in metas[0])}")
    return DONE if number or removed else NOTHING


async def _pages(pubkeep: Pubkeep, arguments: argparse.Namespace) -> AsyncGenerator[SearchAnswer, None]:
    """One page after the other, until there are enough or no more."""
    asked, cursor, since = query(arguments), arguments.cursor, arguments.since
    left = sys.maxsize if arguments.all else arguments.limit or (sys.maxsize if arguments.paged else SHOWN)
    while True:
        page = await pubkeep.search(
            asked,
            limit=min(left, PAGE if since is None else MOST),
            cursor=cursor,
            since=since,
            order_by=arguments.order_by,
            format="json" if arguments.json else "none",
            extra=True,
        )
        yield page
        left -= len(page.items)
        cursor, since = page.cursor, None
        if not (left and cursor):
            return


def hit(item: Item) -> None:
    """An item that was found, and why."""
    title = f"{render.date(item.published):16}  {render.clean(item.title) or '(no title)'}"
    address = f"{INDENT}{render.clean(shlex.join([item.service, item.node, item.id]))}"
    print(render.styled(render.fit(title, render.columns()), render.BOLD))
    print(render.styled(address, render.DIM))
    render.marked(item.extra.get("snippet", ()), INDENT)


def _worth(meta: Mapping[str, Any], *, reset: bool) -> str:
    """What the answer is worth, and how to go on."""
    words = f"sequence {meta['sequence']}"
    if reset:
        words += "; too much changed since then: this is everything anew"
    if "cursor" in meta:
        words += f"; there are more: --all, or --cursor {meta['cursor']}"
    if "indexing" in meta:
        words += "; older items are still being indexed"
    if incomplete := meta["incomplete"]:
        words += f"; {incomplete} {'node' if incomplete == 1 else 'nodes'} in scope not synced"
    return words


async def export(pubkeep: Pubkeep, arguments: argparse.Namespace) -> int:
    """Items as JSON Lines, one after the other as they come."""
    stream = await _reader(await pubkeep.export(query(arguments)))
    last = b""
    while line := await stream.readline():
        last = line
        _copy(line)
    sys.stdout.flush()
    end = json.loads(last) if last.endswith(b"\n") else {}
    if "end" not in end:
        render.note("the export was cut off: the log of the daemon may say why")
        return FAILED
    return DONE if end["count"] else NOTHING


async def _reader(descriptor: int) -> asyncio.StreamReader:
    stream = asyncio.StreamReader(limit=LINE)
    protocol = asyncio.StreamReaderProtocol(stream)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, os.fdopen(descriptor, "rb"))
    return stream


def _copy(line: bytes) -> None:
    """Bytes as they are, but where a terminal would obey them."""
    if sys.stdout.isatty():
        sys.stdout.write(render.harmless(line.decode()))
    else:
        sys.stdout.buffer.write(line)


async def changes(pubkeep: Pubkeep, arguments: argparse.Namespace) -> int:
    """What changed, oldest first."""
    where = {"account": arguments.account, "service": arguments.service, "node": arguments.node, "type": arguments.type}
    given = {key: value for key, value in where.items() if value}
    found, following, more = await pubkeep.changes(arguments.since, given, limit=arguments.limit)
    if arguments.json:
        render.document({"changes": found, "next": following, "more": more})
        return DONE if found else NOTHING
    if found:
        rows = [(each.sequence, each.kind, each.service, each.node, each.id or "-") for each in found]
        render.table(("SEQUENCE", "CHANGE", "SERVICE", "NODE", "ID"), rows)
    render.note(f"go on with --since {following}" + ("; there are more already" if more else ""))
    return DONE if found else NOTHING


async def lookup(pubkeep: Pubkeep, arguments: argparse.Namespace) -> int:
    """Items by their addresses."""
    found, missing = await pubkeep.lookup(arguments.uris, format="both" if arguments.json else "json")
    if arguments.json:
        render.document({"items": found, "missing": missing})
    else:
        listing(found)
        for uri in missing:
            render.note(f"not held: {uri}")
    return DONE if found else NOTHING

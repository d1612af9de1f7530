# SPDX-License-Identifier: MIT
"""The commands about everything that is held: `pubkeep search`, `export`, `changes`, `lookup`."""

import argparse
import asyncio
import json
import os
import shlex
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pubkeep_bridge.cli import render
from pubkeep_bridge.cli.asking import query
from pubkeep_bridge.cli.items import listing
from pubkeep_bridge.cli.run import DONE, FAILED, NOTHING
from pubkeep_bridge.client import Item, LoggedChange, Pubkeep, SearchAnswer
from pubkeep_bridge.client.errors import CursorTooOld

SHOWN = 20
"""Items where nobody says how many, and nobody goes on in a pager."""
PAGE, MOST = 100, 1000
"""Items that are fetched in one go; of what changed."""
LINE = 64 * 1024 * 1024
"""Bytes of the longest line of an export."""
INDENT = "    "
ANEW = "`pubkeep search --all` and `export` show all that is held, and the number to go on from"
"""What to do where changes cannot be told."""


async def search(pubkeep: Pubkeep, arguments: argparse.Namespace) -> int:
    """Items that match, as far as somebody wants to see them."""
    metas: list[Mapping[str, Any]] = []
    removed: dict[str, None] = {}
    items: dict[str, Item] = {}
    async for page in pages(pubkeep, arguments):
        metas.append(page.meta)
        if page.reset:
            removed, items = {}, {}
        for uri in page.removed:
            removed[uri] = None
            items.pop(uri, None)
        for item in page.items:
            removed.pop(item.uri, None)
            items[item.uri] = item
            if not arguments.json:
                hit(item)
        sys.stdout.flush()  # this is where it is noticed that nobody reads on
    meta = metas[-1]
    if arguments.json:
        render.document({"items": list(items.values()), "removed": list(removed), "meta": meta})
    else:
        for uri in removed:
            print(f"gone  {render.clean(uri)}")
        took = sum(each["took_us"] for each in metas) / 1000
        render.note(f"{len(items)} found in {took:.1f} ms; {_worth(meta, reset='reset' in metas[0])}")
    return DONE if items or removed else NOTHING


async def pages(pubkeep: Pubkeep, arguments: argparse.Namespace) -> AsyncGenerator[SearchAnswer, None]:
    """One page after the other, until there are enough or no more.

    Several pages are of several moments, and so their `sequence` is the smallest of theirs. Where they are all that
    there is, what changed meanwhile follows, until all is of one moment: then somebody may keep it. Or until no more is
    told than before: something is held back.
    """
    asked, cursor, since = query(arguments), arguments.cursor, arguments.since
    left = sys.maxsize if arguments.all else arguments.limit or (sys.maxsize if arguments.paged else SHOWN)
    first: int | None = None
    followed: int | None = None
    """Since when what changed was asked for already."""
    while True:
        page = await pubkeep.search(
            asked,
            limit=min(left, PAGE) if since is None else MOST,
            cursor=cursor,
            since=since,
            order_by=arguments.order_by,
            format="json" if arguments.json else "none",
            extra=True,
        )
        last = page.sequence
        first = last if first is None else min(first, last)
        yield replace(page, meta={**page.meta, "sequence": first})
        left -= len(page.items)
        cursor, since = page.cursor, None
        if cursor is None and first not in (last, followed):
            first, since, followed = None, first, first
        elif not (left > 0 and cursor):
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
    stream = await _reader(await pubkeep.export(query(arguments), format=arguments.format))
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
    """What changed, oldest first, one page after the other."""
    where = {"account": arguments.account, "service": arguments.service, "node": arguments.node, "type": arguments.type}
    given = {key: value for key, value in where.items() if value}
    found: list[LoggedChange] = []
    following, more, left = arguments.since, True, arguments.limit or sys.maxsize
    while more and left:
        try:
            page, following, more = await pubkeep.changes(following, given, limit=min(left, MOST))
        except CursorTooOld as error:
            raise CursorTooOld(error.name, f"{error}: {ANEW}") from None
        if not arguments.json:
            _logged(page, heading=not found)
            sys.stdout.flush()  # this is where it is noticed that nobody reads on
        found += page
        left -= len(page)
    if arguments.json:
        render.document({"changes": found, "next": following, "more": more})
    else:
        render.note(f"go on with --since {following}" + ("; there are more already" if more else ""))
    return DONE if found else NOTHING


def _logged(changes: Sequence[LoggedChange], *, heading: bool) -> None:
    """A page of changes: each line is by itself, since nobody knows how wide the next page is."""
    if heading and changes:
        print(render.styled(f"{'SEQUENCE':16}  {'CHANGE':14}  SERVICE NODE ID", render.BOLD))
    for each in changes:
        place = shlex.join([each.service, each.node, *([each.id] if each.id else [])])
        print(render.fit(f"{each.sequence:16}  {each.kind:14}  {render.clean(place)}", render.columns()))


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

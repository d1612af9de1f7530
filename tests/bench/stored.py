# SPDX-License-Identifier: MIT
"""The store without D-Bus: `python -m tests.bench.stored 100000`."""

import asyncio
import os
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from pubkeep.clock import Clock
from pubkeep.errors import PubkeepError
from pubkeep.model import NodeRecord
from pubkeep.query.declared import Declared
from pubkeep.query.document import read
from pubkeep.questions import SearchRequest
from pubkeep.storage.store import Store
from tests.bench.figures import line, ranked
from tests.bench.items import ACCOUNT, NODES, item, node, pages

DECLARED = Declared({("id",): frozenset(), ("rank",): frozenset()})
ROUNDS = 300
PAGE = 100


async def build(path: Path, items: int) -> list[NodeRecord]:
    """A store with so many items; the throughput is told."""
    store = await Store.open(path, Clock())
    await store.add_account(ACCOUNT, "x", uid=0, enabled=True, host="", port=0, tls="required")
    await store.declare(DECLARED)
    nodes = [await store.save_node(node(number)) for number in range(NODES)]
    spent, written = 0.0, 0
    for number, page in pages(items, PAGE):
        started = time.perf_counter()
        await store.apply(nodes[number], page)
        spent += time.perf_counter() - started
        written += len(page)
        if written % 100_000 == 0:
            print(f"  {written} items, {written / spent:.0f} items/s", flush=True)
    line(f"written in pages of {PAGE}", f"{items / spent:.0f} items/s", "5,000")
    kept = await store.nodes(ACCOUNT)
    await store.close()
    size = sum(file.stat().st_size for file in path.parent.glob(f"{path.name}*"))
    line("size of an item of 1.4 kB", f"{size / items / 1000:.2f} kB", "2.4 kB")
    return kept


async def p50(call: Callable[[], Awaitable[object]], rounds: int = ROUNDS) -> float:
    """Milliseconds."""
    for _ in range(10):
        await call()
    taken = []
    for _ in range(rounds):
        started = time.perf_counter()
        await call()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken) * 1e3


RAW_NEWEST = """
SELECT item_id, title, published, updated, publisher, '', json, stored, sequence, subtype, error, pos FROM item
WHERE node = ? ORDER BY pos DESC LIMIT 21
"""


async def reading(store: Store, path: Path, largest: NodeRecord) -> None:
    """Hot reads, beside the same SQL on sqlite3."""
    raw = sqlite3.connect(path)
    raw.execute("PRAGMA query_only=1")

    async def plain(sql: str, *parameters: Any) -> None:
        raw.execute(sql, parameters).fetchall()

    page = await store.page(largest, limit=20)
    ours = await p50(lambda: store.page(largest, limit=20, format="json"))
    theirs = await p50(lambda: plain(RAW_NEWEST, largest.number))
    line("newest 20, of raw sqlite3", f"{ours:.2f} ms {ours / theirs:.1f}x", "1.6x")
    ids = [row.id for row in page.items]
    ours = await p50(lambda: store.by_ids(largest, ids, format="json"))
    marks = ",".join("?" * len(ids))
    sql = RAW_NEWEST.partition("ORDER")[0] + f" AND item_id IN ({marks})"
    theirs = await p50(lambda: plain(sql, largest.number, *ids))
    line("20 by ids, of raw sqlite3", f"{ours:.2f} ms {ours / theirs:.1f}x", "1.6x")
    middle = (await store.page(largest, limit=1, index=largest.items // 2)).items[0].id
    ours = await p50(lambda: store.page(largest, limit=20, before=middle, format="json"), 50)
    (pos,) = raw.execute("SELECT pos FROM item WHERE node = ? AND item_id = ?", (largest.number, middle)).fetchone()
    sql = RAW_NEWEST.replace("ORDER", "AND pos < ? ORDER")
    theirs = await p50(lambda: plain(sql, largest.number, pos), 50)
    line("20 before one in the middle, of raw sqlite3", f"{ours:.2f} ms {ours / theirs:.1f}x", "1.6x")
    raw.close()


SEARCHES = {
    "everything": "{}",
    "a word in 0.1 %": "zzrarely",
    "a word in 5 %": "zzsometimes",
    "a word in 70 %": "zzmostly",
    "two words": "zzsometimes zzmostly",
    "a phrase": '"the following"',
    "a prefix": "zzsome*",
    "without a word": "zzsometimes -zzmostly",
    "a word in a small node": '{"text": "zzmostly", "nodes": ["blog/500"]}',
    "a small node": '{"nodes": ["blog/500"]}',
    "a word and a rare tag": '{"text": "zzmostly", "tags": ["tag399"]}',
    "a publisher": '{"publishers": ["juliet5@capulet.lit"]}',
    "declared key = value": '{"parsed": {"path": "/id", "value": "urn:example:77"}}',
    "declared key = absent value": '{"parsed": {"path": "/id", "value": "none"}}',
    "declared key, narrow range": '{"parsed": {"path": "/rank", "op": "between", "value": [500, 500.5]}}',
    "declared key, wide range": '{"parsed": {"path": "/rank", "op": ">", "value": 500}}',
    "undeclared key": '{"parsed": {"path": "/title", "op": "starts_with", "value": "The"}}',
}


async def searching(store: Store) -> None:
    """In the store: each beside the newest 20 of a node."""
    for name, query in SEARCHES.items():
        request = SearchRequest(read(query), limit=20)
        found = await store.search(request, [ACCOUNT])
        taken = await p50(lambda request=request: store.search(request, [ACCOUNT]), 30)  # type: ignore[misc]
        line(f"{name} ({len(found.items)}{' unfinished' if found.unfinished else ''})", f"{taken:.2f} ms", "")
        if found.cursor:
            page = SearchRequest(read(query), limit=20, cursor=found.cursor)
            taken = await p50(lambda page=page: store.search(page, [ACCOUNT]), 10)  # type: ignore[misc]
            line("  its second page", f"{taken:.2f} ms", "")
    for order in (("/rank",), ("-/rank",), ("rank",), ("updated",)):
        query = "zzsometimes" if order == ("rank",) else '{"nodes": ["blog/500"]}' if order == ("updated",) else "{}"
        request = SearchRequest(read(query), order_by=order, limit=20)
        try:
            taken = await p50(lambda request=request: store.search(request, [ACCOUNT]), 10)  # type: ignore[misc]
            line(f"ordered by {order[0]}", f"{taken:.2f} ms", "")
        except PubkeepError as error:
            line(f"ordered by {order[0]}", str(error)[:60], "")


async def living(store: Store, largest: NodeRecord, items: int) -> None:
    """One event at a time."""
    taken = []
    for number in range(items, items + 200):
        page = [item(number)]
        started = time.perf_counter()
        await store.apply(largest, page)
        taken.append(time.perf_counter() - started)
    line("one event stored, p50", f"{ranked(taken)[0] * 1e3:.2f} ms", "3x of raw")


async def main(items: int, path: Path) -> None:
    """All of it."""
    if path.exists():
        store = await Store.open(path, Clock())
        nodes = await store.nodes(ACCOUNT)
        await store.close()
    else:
        nodes = await build(path, items)
    store = await Store.open(path, Clock())
    await store.declare(DECLARED)
    largest = max(nodes, key=lambda each: each.items)
    await reading(store, path, largest)
    await searching(store)
    await living(store, largest, items)
    await store.close()


if __name__ == "__main__":
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    folder = Path(os.environ.get("PUBKEEP_BENCH", tempfile.mkdtemp(prefix="pubkeep-bench-")))
    asyncio.run(main(number, folder / f"{number}.db"))

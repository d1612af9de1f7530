# SPDX-License-Identifier: MIT
"""A store of so many items, without D-Bus and then with it: `python -m tests.bench.stored 100000 [postgresql]`."""

import asyncio
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from pubkeep.analysers import blog
from pubkeep.clock import Clock
from pubkeep.errors import PubkeepError
from pubkeep.model import NodeRecord
from pubkeep.query.declared import Declared
from pubkeep.query.document import pointer, read
from pubkeep.questions import SearchRequest
from pubkeep.storage.place import OpenedServer
from pubkeep.storage.store import Store
from tests.bench.answering import answering
from tests.bench.figures import line, ranked, timed
from tests.bench.items import ACCOUNT, NODES, item, node, pages
from tests.bench.raw import RawReader, RawWriter, raw_reader
from tests.fixtures.postgresql import postgresql

DECLARED = Declared({pointer(place): frozenset() for place in blog.ANALYSER["keys"]})
ROUNDS = 300
PAGE = 100


async def build(where: Path | str, items: int) -> None:
    """A store with so many items; the throughput is told."""
    store = await Store.open(where, Clock())
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
    if isinstance(store.opened, OpenedServer):
        await store.opened.writer.vacuum()  # which a server that is not made for tests does by itself
    await store.close()
    if isinstance(where, Path):
        line("size of an item of 1.2 kB", f"{where.stat().st_size / items / 1000:.2f} kB", "2.4 kB")


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


async def reading(store: Store, raw: RawReader, largest: NodeRecord) -> None:
    """Hot reads, beside the same SQL on the driver."""
    page = await store.page(largest, limit=20)
    ours = await p50(lambda: store.page(largest, limit=20, format="json"))
    theirs = await p50(lambda: raw.ask(RAW_NEWEST, largest.number))
    line(f"newest 20, of raw {raw.name}", f"{ours:.2f} ms {ours / theirs:.1f}x", "1.6x")
    ids = [row.id for row in page.items]
    ours = await p50(lambda: store.by_ids(largest, ids, format="json"))
    marks = ",".join("?" * len(ids))
    sql = RAW_NEWEST.partition("ORDER")[0] + f" AND item_id IN ({marks})"
    theirs = await p50(lambda: raw.ask(sql, largest.number, *ids))
    line(f"20 by ids, of raw {raw.name}", f"{ours:.2f} ms {ours / theirs:.1f}x", "1.6x")
    middle = (await store.page(largest, limit=1, index=largest.items // 2)).items[0].id
    ours = await p50(lambda: store.page(largest, limit=20, before=middle, format="json"), 50)
    ((pos,),) = await raw.ask("SELECT pos FROM item WHERE node = ? AND item_id = ?", largest.number, middle)
    sql = RAW_NEWEST.replace("ORDER", "AND pos < ? ORDER")
    theirs = await p50(lambda: raw.ask(sql, largest.number, pos), 50)
    line(f"20 before one in the middle, of raw {raw.name}", f"{ours:.2f} ms {ours / theirs:.1f}x", "1.6x")
    ours = await p50(lambda: store.count_before(largest.number, 0, 0), 20)
    line("counting all items of the node", f"{ours:.2f} ms", "")


REF = "/in_reply_to/0/ref"
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
    "declared key, narrow range": f'{{"parsed": {{"path": "{REF}", "op": "starts_with", "value": "urn:example:050"}}}}',
    "declared key, wide range": f'{{"parsed": {{"path": "{REF}", "op": ">", "value": "urn:example:05"}}}}',
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
    for order in ((REF,), (f"-{REF}",), ("rank",), ("updated",)):
        query = "zzsometimes" if order == ("rank",) else '{"nodes": ["blog/500"]}' if order == ("updated",) else "{}"
        request = SearchRequest(read(query), order_by=order, limit=20)
        try:
            taken = await p50(lambda request=request: store.search(request, [ACCOUNT]), 10)  # type: ignore[misc]
            line(f"ordered by {order[0]}", f"{taken:.2f} ms", "")
        except PubkeepError as error:
            line(f"ordered by {order[0]}", str(error)[:60], "")


async def living(store: Store, path: Path, largest: NodeRecord, items: int) -> None:
    """One event at a time, beside sqlite3 writing the same rows of another item."""
    raw = RawWriter(path, largest.number)
    ours, theirs = [], []
    for number in range(items, items + 400, 2):
        page = [item(number)]
        ours.append(await timed(lambda: store.apply(largest, page)))  # noqa: B023
        rows = raw.rows([item(number + 1)])
        started = time.perf_counter()
        raw.write(rows)
        theirs.append(time.perf_counter() - started)
    first, second = ranked(ours)[0], ranked(theirs)[0]
    line("one event stored, of raw sqlite3", f"{first * 1e3:.2f} ms {first / second:.1f}x", "3x")
    pages = [
        [item(number) for number in range(start, start + PAGE)] for start in range(items + 400, items + 4400, PAGE)
    ]
    ours, theirs = [], []
    for mine, others in zip(pages[::2], pages[1::2], strict=True):
        ours.append(await timed(lambda: store.apply(largest, mine)))  # noqa: B023
        rows = raw.rows(others)
        started = time.perf_counter()
        raw.write(rows)
        theirs.append(time.perf_counter() - started)
    rate = PAGE / ranked(ours)[0]
    line(f"pages of {PAGE} stored, of raw sqlite3", f"{rate:.0f}/s {sum(ours) / sum(theirs):.1f}x", "5,000/s")
    raw.close()


async def beside_writing(store: Store, largest: NodeRecord, other: NodeRecord, items: int) -> None:
    """What readers feel of a synchronisation."""
    alone, beside = [], []
    pages = [[item(number) for number in range(start, start + PAGE)] for start in range(items, items + 5000, PAGE)]
    for _ in range(ROUNDS):
        alone.append(await timed(lambda: store.page(largest, limit=20, format="json")))
        await asyncio.sleep(0.001)

    async def write() -> None:
        for page in pages:
            await store.apply(other, page)

    writing = asyncio.create_task(write())
    while not writing.done():
        beside.append(await timed(lambda: store.page(largest, limit=20, format="json")))
        await asyncio.sleep(0.001)
    p50, p99, _ = ranked(alone)
    line("newest 20 alone: p50, p99", f"{p50 * 1e3:.2f} {p99 * 1e3:.2f} ms", "")
    p50, p99, _ = ranked(beside)
    line("newest 20 while pages are written: p50, p99", f"{p50 * 1e3:.2f} {p99 * 1e3:.2f} ms", "p99 2 ms")


async def main(items: int, where: Path | str) -> None:
    """All of it."""
    if isinstance(where, str) or not where.exists():
        await build(where, items)
    store = await Store.open(where, Clock())
    await store.declare(DECLARED)
    nodes = await store.nodes(ACCOUNT)
    largest = max(nodes, key=lambda each: each.items)
    raw = raw_reader(where)
    await reading(store, raw, largest)
    await raw.close()
    await searching(store)
    new = int(time.time() * 1000)  # numbers that no item has, however often this is run
    if isinstance(where, Path):
        await living(store, where, largest, new)
    await beside_writing(store, largest, nodes[-1], new + 5000)
    await store.close()
    rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    line("memory of all this, at most", f"{rss / 1024:.0f} MB", "")
    if isinstance(where, Path):
        await answering(where, largest.key.node)


def run(items: int) -> None:
    """In a file of its own, or in $PUBKEEP_BENCH, where it is found again; on a server of its own with `postgresql`."""
    if "postgresql" in sys.argv:
        with postgresql() as server:
            asyncio.run(main(items, server.url(server.database())))
    elif folder := os.environ.get("PUBKEEP_BENCH"):
        asyncio.run(main(items, Path(folder) / f"{items}.db"))
    else:
        with tempfile.TemporaryDirectory(prefix="pubkeep-bench-") as made:
            asyncio.run(main(items, Path(made) / "pubkeep.db"))


if __name__ == "__main__":
    run(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)

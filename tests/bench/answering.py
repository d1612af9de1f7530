# SPDX-License-Identifier: MIT
"""Questions over everything, as frontends ask them: each over D-Bus, beside a bare echo of the same answer."""

import asyncio
import json
import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from pubkeep_bridge.bus import Bus
from pubkeep_bridge.client import connect
from tests.bench.figures import line, ranked, timed
from tests.bench.items import ACCOUNT
from tests.bench.question import Question, beside_echo
from tests.fixtures.buses import PrivateBus
from tests.fixtures.daemon import DaemonProcess
from tests.system.demo import ready

ROOT = "/im/pubkeep/Pubkeep1"
CACHE = "im.pubkeep.Pubkeep1.Cache"
ROUNDS = 200
PING = "im.pubkeep.Pubkeep1", ROOT, "org.freedesktop.DBus.Peer", "Ping"


def search(query: str, **options: tuple[str, Any]) -> Question:
    """The newest 20."""
    given = tuple((name, *value) for name, value in options.items())
    return Question(ROOT, CACHE, "Search", "sa{sv}", (query,), (("limit", "u", 20), *given))


QUESTIONS = {
    "word in 0.1 %": search("zzrarely"),
    "word in 5 %": search("zzsometimes"),
    "word in 70 %": search("zzmostly"),
    "the same, with snippets": search("zzmostly", extra=("b", True)),
    "word + small node": search('{"text": "zzmostly", "nodes": ["blog/500"]}'),
    "word + tag": search('{"text": "zzmostly", "tags": ["tag399"]}'),
    "phrase": search('"the following"'),
    "rank": search("zzsometimes", order_by=("as", ["rank"])),
    "declared key = value": search('{"parsed": {"path": "/id", "value": "urn:example:77"}}'),
    "declared key, range": search(
        '{"parsed": {"path": "/in_reply_to/0/ref", "op": "starts_with", "value": "urn:example:050"}}'
    ),
    "declared key, absent value": search('{"parsed": {"path": "/id", "value": "none"}}'),
    "undeclared key": search('{"parsed": {"path": "/title", "op": "starts_with", "value": "The"}}'),
    "order by JSON path": search("{}", order_by=("as", ["/in_reply_to/0/ref"])),
}


async def answering(database: Path, largest: str) -> None:
    """All of it, on the store that the benchmark of the store has built.

    Args:
        largest: the name of its largest node.
    """
    bus = PrivateBus()
    daemon = DaemonProcess(bus.address, storage_path=str(database))
    try:
        started = time.perf_counter()
        daemon.start()
        async with connect(bus.address) as pubkeep:
            await ready(pubkeep)
            while not (accounts := await pubkeep.accounts()):
                await asyncio.sleep(0.005)
            account = next(each.path for each in accounts if each.jid == ACCOUNT)
            line("start to the first answer", f"{time.perf_counter() - started:.2f} s", "0.45 s")
            options = (("max", "u", 20), ("freshness", "s", "cache"), ("format", "s", "json"))
            face, service = "im.pubkeep.Pubkeep1.PubSub", "pubsub.localhost"
            page = Question(account, face, "GetItems", "ssa{sv}", (service, largest), options)
            reference, ratio = await beside_echo(bus.address, page, ROUNDS)
            line("cached GetItems(20) / echo", f"{reference * 1e3:.2f} ms {ratio:.1f}x", "1.3x")
            for name, question in {**QUESTIONS, **await _late(bus.address, database)}.items():
                taken, ratio = await beside_echo(bus.address, question, ROUNDS)
                figures = f"{taken * 1e3:.2f} ms {ratio:.1f}x {taken / reference:.1f}x"
                line(f"{name}: of its echo, of GetItems", figures, "1.5x of GetItems")
            await _export(daemon, bus.address)
    finally:
        daemon.remove()
        bus.stop()


async def _late(address: str, database: Path) -> dict[str, Question]:
    """Those that need something of an earlier answer: a page far behind, and what changed lately."""
    client, cursor = await Bus.connect(address), ""
    question = Question(ROOT, CACHE, "Search", "sa{sv}", ("zzmostly",), (("limit", "u", 500), ("format", "s", "none")))
    for _ in range(20):
        _, _, meta = await question.ask(client)
        cursor = meta["cursor"].value
        more = ("cursor", "s", cursor)
        question = Question(ROOT, CACHE, "Search", "sa{sv}", ("zzmostly",), (*question.options[:2], more))
    deep = Question(ROOT, CACHE, "Search", "sa{sv}", ("zzmostly",), (("limit", "u", 500), more))
    await client.close()
    changes = Question(ROOT, CACHE, "Changes", "ta{sv}", (_since(database, 100),))
    return {"a page of 500 behind 10,000": deep, "Changes with 100 changes": changes}


def _since(database: Path, number: int) -> int:
    """After it so many items changed."""
    with closing(sqlite3.connect(database)) as raw:
        rows = raw.execute("SELECT sequence FROM item ORDER BY sequence DESC LIMIT 1 OFFSET ?", (number,)).fetchall()
    return int(rows[0][0])


async def _export(daemon: DaemonProcess, address: str) -> None:
    """Everything through a pipe, and what another call feels of it."""
    client = await Bus.connect(address, fds=True)
    (descriptor,) = await Question(ROOT, CACHE, "Export", "sa{sv}", ("{}",)).ask(client)
    other = await Bus.connect(address)
    waits: list[float] = []

    async def feel() -> None:
        while True:
            waits.append(
                await timed(lambda: other.call("im.pubkeep.Pubkeep1", ROOT, "org.freedesktop.DBus.Peer", "Ping"))
            )
            await asyncio.sleep(0.005)

    feeling = asyncio.create_task(feel())
    started = time.perf_counter()
    lines = await _count(descriptor)
    seconds = time.perf_counter() - started
    feeling.cancel()
    await asyncio.gather(feeling, return_exceptions=True)
    assert daemon.process is not None
    status = Path(f"/proc/{daemon.process.pid}/status").read_text(encoding="ascii")
    rss = next(int(each.split()[1]) for each in status.splitlines() if each.startswith("VmRSS"))
    line("Export of everything", f"{lines / seconds:.0f} items/s", "")
    line("another call meanwhile: p50, p99, longest", " ".join(f"{1e3 * each:.0f}" for each in ranked(waits)), "10 ms")
    line("memory after it", f"{rss / 1024:.0f} MB", "")
    await client.close()
    await other.close()


async def _count(descriptor: int) -> int:
    """How many items came; another process reads them, so that nobody waits for it here."""
    reader = await asyncio.create_subprocess_exec("tail", "-n", "1", stdin=descriptor, stdout=asyncio.subprocess.PIPE)
    os.close(descriptor)
    last, _ = await reader.communicate()
    return int(json.loads(last)["count"])

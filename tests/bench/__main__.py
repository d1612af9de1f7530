# SPDX-License-Identifier: MIT
"""`make bench`: timings as ratios within one run, since absolute ones say more of the machine.

Beside each figure stands the aim. Nothing here is part of the tests.
"""

import asyncio
import json
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from pubkeep_bridge.bus import LIBRARY, Bus
from pubkeep_bridge.client import Account, Pubkeep, connect
from tests.bench.catching_up import catching_up
from tests.bench.figures import line, ranked, timed
from tests.bench.latency import latency
from tests.bench.question import ECHO, Question, beside_echo, echo
from tests.fixtures.author import PUBSUB, Author
from tests.fixtures.buses import PrivateBus
from tests.fixtures.component import NODE, RSM, serving
from tests.fixtures.daemon import DaemonProcess
from tests.fixtures.flood import FLOODS
from tests.fixtures.prosody import Prosody
from tests.fixtures.servers import PASSWORD
from tests.simulation.ordinary import ordinary
from tests.system.demo import ready
from tests.system.test_paging import EXT


def page(account: Account, node: str) -> Question:
    """The newest 20 of a node."""
    face = "im.pubkeep.Pubkeep1.PubSub"
    return Question(account.path, face, "GetItems", "ssa{sv}", (EXT, node), (("max", "u", 20),))


async def in_flight(call: Callable[[], Awaitable[object]], rounds: int) -> float:
    """Calls a second with 32 under way."""

    async def worker() -> None:
        for _ in range(rounds):
            await call()

    return 32 * rounds / await timed(lambda: asyncio.gather(*(worker() for _ in range(32))))


async def reads(address: str, account: Account, node: str, size: int) -> None:
    """Cached GetItems of 20 against a bare echo of the same reply, in a process of its own."""
    client, question = await Bus.connect(address), page(account, node)
    assert (await question.ask(client))[1]["source"].value == "cache"
    first, ratio = await beside_echo(address, question, 1000)
    line(f"cached GetItems(20) / echo, {size} items, p50", f"{first * 1e3:.2f} ms {ratio:.2f}x", "1.3x")
    async with echo(address, question):
        a = await in_flight(lambda: question.ask(client), 50)
        b = await in_flight(lambda: question.ask(client, ECHO), 50)
    line(f"the same, 32 in flight, {size} items", f"{a:.0f}/s {b / a:.2f}x", "1.3x")
    await client.close()


async def many_nodes(address: str, pubkeep: Pubkeep, account: Account) -> None:
    """The first read of each of 200 nodes, so that no page lies ready, against the same echo."""
    nodes = [f"{NODE}/{number}" for number in range(200)]
    for node in nodes:
        await (await account.synchronise(EXT, node)).result()
    client, pairs = await Bus.connect(address), []
    async with echo(address, page(account, nodes[0])):
        for node in nodes[1:]:
            question = page(account, node)
            ours = await timed(lambda: question.ask(client))  # noqa: B023
            pairs.append((ours, await timed(lambda: question.ask(client, ECHO))))  # noqa: B023
    first, second = (statistics.median(column) for column in zip(*pairs, strict=True))
    line("cached GetItems(20) / echo, 200 different nodes, p50", f"{first * 1e3:.2f} ms {first / second:.2f}x", "2.0x")
    await client.close()
    await pubkeep.forget({}, everything=True)


async def bare_fetch(prosody: Prosody) -> float:
    """Seconds in which slixmpp fetches the same pages and does nothing with them."""
    async with Author(prosody, "alice", "bare") as author:
        started = time.perf_counter()
        after, number = None, 0
        while True:
            pubsub = ET.Element(f"{PUBSUB}pubsub")
            ET.SubElement(pubsub, f"{PUBSUB}items", {"node": NODE})
            rsm = ET.SubElement(pubsub, f"{RSM}set")
            ET.SubElement(rsm, f"{RSM}max").text = "100"
            if after:
                ET.SubElement(rsm, f"{RSM}after").text = after
            answer = await author.iq("get", EXT, pubsub)
            number += len(list(answer.iter(f"{PUBSUB}item")))
            after = answer.findtext(f"{PUBSUB}pubsub/{RSM}set/{RSM}last")
            if number >= int(answer.findtext(f"{PUBSUB}pubsub/{RSM}set/{RSM}count") or 0):
                return time.perf_counter() - started


async def sync(pubkeep: Pubkeep, account: Account, prosody: Prosody) -> None:
    """Sync of 10,000 items against the bare fetch, and what others feel of it."""
    bare = await bare_fetch(prosody)
    pauses: list[float] = []

    async def feel() -> None:
        while True:
            pauses.append(await timed(pubkeep.status))
            await asyncio.sleep(0.005)

    feeling = asyncio.create_task(feel())
    started = time.perf_counter()
    job = await account.synchronise(EXT, NODE)
    await job.result()
    ours = time.perf_counter() - started
    feeling.cancel()
    line("sync of 10,000 items, of the bare fetch's rate", f"{10_000 / ours:.0f}/s {bare / ours:.0%}", "70 %")
    p50, p99, longest = (f"{each * 1e3:.0f}" for each in ranked(pauses))
    line("wait of another call meanwhile: p50, p99, longest", f"{p50} {p99} {longest} ms", "2 10 20 ms")


async def start(daemon: DaemonProcess, address: str) -> None:
    """Start with 10,000 items held: the name, the first cached answer, memory."""
    daemon.stop()
    names, answers = [], []
    for _ in range(5):
        started = time.perf_counter()
        process = daemon.start()
        async with connect(address) as pubkeep:
            await ready(pubkeep)
            names.append(time.perf_counter() - started)
            (account,) = await _accounts(pubkeep)
            await account.get_items(EXT, NODE, max=20, freshness="cache")
            answers.append(time.perf_counter() - started)
        status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
        rss = next(int(each.split()[1]) for each in status.splitlines() if each.startswith("VmRSS"))
        daemon.stop()
    line("start to name owned", f"{statistics.median(names):.2f} s", "0.15 s")
    line("start to first cached answer", f"{statistics.median(answers):.2f} s", "0.45 s")
    line("memory after it", f"{rss / 1024:.0f} MB", "70 MB")


async def _accounts(pubkeep: Pubkeep) -> list[Account]:
    while not (found := await pubkeep.accounts()):
        await asyncio.sleep(0.005)
    return found


async def hostility() -> None:
    """50 MB of each kind of hostile input, each in a process of its own."""
    for kind in FLOODS:
        command = (sys.executable, "-m", "tests.fixtures.flood", kind)
        process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        output, _ = await process.communicate()
        cost = json.loads(output)
        line(f"hostile: {kind}", f"{cost['work']:.0f} ms {cost['growth']:.0f} MB", "50 ms 32 MB")


def hour() -> None:
    """Where answers come from in an hour of ordinary life, and what the services are asked for it (simulated)."""
    counted = ordinary()
    reads = sum(number for what, number in counted.items() if what.startswith("reads"))
    requests = sum(number for what, number in counted.items() if what.startswith("asks "))
    line("an ordinary hour: reads from the cache", f"{counted['reads_cache'] / reads:.0%} of {reads}", "90 %")
    line("items requests sent in it / one for each read", f"{requests} {requests / reads:.2f}x", "1x")
    line("answers to requests of any kind", f"{counted['answers']}", "-")


async def main() -> None:
    """Everything, on one bus and one Prosody."""
    print(f"{LIBRARY}, Python {sys.version.split()[0]}", flush=True)
    await hostility()
    prosody, bus = Prosody(), PrivateBus()
    daemon = DaemonProcess(bus.address, prosody)
    prosody.start()
    daemon.start()
    try:
        for size in (50, 1000, 10_000):  # the largest one stays for the start
            async with connect(bus.address) as pubkeep, serving(prosody, size) as service:
                await ready(pubkeep)
                accounts = await pubkeep.accounts()
                address: dict[str, Any] = {"host": "127.0.0.1", "port": prosody.port}
                account = (
                    accounts[0]
                    if accounts
                    else await pubkeep.add_account("alice@localhost", password=PASSWORD, **address)
                )
                await account.online()
                await pubkeep.forget({}, everything=True)
                if size == 50:
                    await many_nodes(bus.address, pubkeep, account)
                    continue
                if size == 10_000:
                    await sync(pubkeep, account, prosody)
                else:
                    await (await account.synchronise(EXT, NODE)).result()
                await reads(bus.address, account, NODE, size)
                if size == 1000:
                    await latency(pubkeep, account, prosody, service)
        await start(daemon, bus.address)
        await catching_up(prosody)
    finally:
        daemon.remove()
        bus.stop()
        prosody.remove()


if __name__ == "__main__":
    asyncio.run(main())
    hour()

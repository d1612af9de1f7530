# SPDX-License-Identifier: MIT
"""From a notification to the daemon's signal, against a bare slixmpp client that gets the same notification."""

import asyncio
import time
from xml.etree import ElementTree as ET

from slixmpp.xmlstream.handler import Callback
from slixmpp.xmlstream.matcher import MatchXPath

from pubkeep_bridge.client import Account, Pubkeep
from pubkeep_bridge.service.signals import PAUSE
from tests.bench.figures import line, ranked
from tests.fixtures.author import PUBSUB, Author
from tests.fixtures.component import NODE, Remote
from tests.fixtures.prosody import Prosody
from tests.system.test_paging import EXT

EVENTS = 60


async def latency(pubkeep: Pubkeep, account: Account, prosody: Prosody, service: Remote) -> None:
    """Of single events in a node that is synced: what follows within PAUSE is merged into one signal."""
    await account.get_items(EXT, NODE, max=1)
    async with Author(prosody, "alice", "bare") as bare:
        pubsub = ET.Element(f"{PUBSUB}pubsub")
        ET.SubElement(pubsub, f"{PUBSUB}subscribe", {"node": NODE, "jid": bare.client.boundjid.full})
        await bare.iq("set", EXT, pubsub)
        notified: asyncio.Queue[object] = asyncio.Queue()
        event = MatchXPath("{jabber:client}message/{http://jabber.org/protocol/pubsub#event}event")
        bare.client.register_handler(Callback("notifications", event, notified.put_nowait))
        signalled: dict[str, float] = {}
        arrived = asyncio.Event()

        async def watch() -> None:
            async for change in pubkeep.watch():
                for item_id in change.published:
                    signalled[item_id] = time.perf_counter()
                    arrived.set()

        watching = asyncio.create_task(watch())
        await asyncio.sleep(0.2)
        told, ours = [], []
        for number in range(EVENTS):
            name = f"told{number}"
            started = time.perf_counter()
            await service.publish(name, str(number))
            async with asyncio.timeout(10):
                await notified.get()
            told.append(time.perf_counter() - started)
            async with asyncio.timeout(10):
                while name not in signalled:
                    arrived.clear()
                    await arrived.wait()
            ours.append(signalled[name] - started)
            await asyncio.sleep(1.5 * PAUSE)
        watching.cancel()
    p50, p99, _ = ranked(ours)
    bare_p50, bare_p99, _ = ranked(told)
    line("event to signal / to a bare slixmpp client, p50", f"{p50 * 1e3:.1f} ms {p50 / bare_p50:.1f}x", "3x")
    line("the same, p99", f"{p99 * 1e3:.1f} ms {p99 / bare_p99:.1f}x", "3x")

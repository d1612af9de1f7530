# SPDX-License-Identifier: MIT
"""The mock that frontends test against serves the contract, and nothing else."""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

import pubkeep_bridge.mock
from pubkeep_bridge import contract
from pubkeep_bridge.bus import Bus
from pubkeep_bridge.client import Pubkeep

TEMPLATE = Path(pubkeep_bridge.mock.__file__).with_name("pubkeep.py")
NAMES = {
    contract.ROOT: ("Manager", "Cache", "Analysers", "Database"),
    f"{contract.ROOT}/accounts/1": ("Account", "PubSub", "Sync"),
    f"{contract.ROOT}/jobs/1": ("Job",),
}


@pytest.fixture
async def mock(private_bus: str) -> AsyncIterator[Bus]:
    """The mock, started as a frontend's tests start it (python3-dbusmock belongs to the system's Python)."""
    process = subprocess.Popen(
        ["/usr/bin/python3", "-m", "dbusmock", "--template", str(TEMPLATE)],
        env={**os.environ, "DBUS_SESSION_BUS_ADDRESS": private_bus},
        stdout=subprocess.DEVNULL,
    )
    bus = await Bus.connect(private_bus)
    owned = asyncio.Event()
    rule = {"sender": "org.freedesktop.DBus", "member": "NameOwnerChanged", "arg0": contract.BUS_NAME}
    await bus.subscribe(lambda _: owned.set(), **rule)
    daemon = ("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus")
    if not (await bus.call(*daemon, "NameHasOwner", "s", [contract.BUS_NAME]))[0]:
        await asyncio.wait_for(owned.wait(), 30)
    yield bus
    await bus.close()
    process.terminate()
    process.wait()


async def test_it_serves_every_method_and_property_of_the_contract(mock: Bus) -> None:
    for path, names in NAMES.items():
        answer = await mock.call(contract.BUS_NAME, path, "org.freedesktop.DBus.Introspectable", "Introspect")
        served = {each.get("name"): each for each in ET.fromstring(answer[0]).iterfind("interface")}
        for name in names:
            written = contract.load(f"{contract.BUS_NAME}.{name}")
            element = served[written.name]
            methods = {
                each.get("name"): (
                    "".join(arg.get("type", "") for arg in each.iterfind("arg") if arg.get("direction") == "in"),
                    "".join(arg.get("type", "") for arg in each.iterfind("arg") if arg.get("direction") == "out"),
                )
                for each in element.iterfind("method")
            }
            assert methods == {key: (m.takes, m.gives) for key, m in written.methods.items()}
            properties = {each.get("name"): each.get("type") for each in element.iterfind("property")}
            assert properties == {key: p.signature for key, p in written.properties.items()}
        ours = {name for name in served if name and name.startswith(contract.BUS_NAME)}
        assert ours == {f"{contract.BUS_NAME}.{name}" for name in names}


async def test_a_frontend_can_work_with_it(mock: Bus) -> None:
    pubkeep = Pubkeep(mock)

    account = await pubkeep.account()
    answer = await account.get_items("pubsub.capulet.example", "urn:xmpp:microblog:0")
    found = await pubkeep.search("balcony")

    assert account.properties["State"] == "online"
    assert [item.title for item in answer.items] == ["Balcony", "Orchard"]
    assert answer.meta["state"] == "synced"
    assert len(found.items) == 2
    assert await account.publish("x", "y", ["<a/>", "<b/>"]) == ["3", "4"]
    assert await account.configuration("x", "y") == {"pubsub#title": "Mock"}
    assert await account.affiliations("x", "y") == {account.jid: "owner"}
    assert [each["subscription"] for each in await account.subscriptions("x")] == ["subscribed"]
    assert (await account.discover("x")).info["title"] == "Mock"
    await account.configure("x", "y", {"pubsub#title": "Other"})
    await account.set_affiliations("x", "y", {"nurse@capulet.example": "publisher"})
    await account.purge_node("x", "y")

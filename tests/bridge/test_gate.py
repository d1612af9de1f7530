# SPDX-License-Identifier: MIT
"""The daemon before its database is open."""

import asyncio

import pytest

from pubkeep_bridge.bus import Bus, Signal
from pubkeep_bridge.contract import ROOT
from pubkeep_bridge.service.tree import Tree

pytestmark = pytest.mark.dbus


async def test_a_migration_is_told_once_a_second_however_often_it_says_how_far_it_is(private_bus: str) -> None:
    bus, listener = await Bus.connect(private_bus), await Bus.connect(private_bus)
    tree, seen = Tree(bus), asyncio.Queue[Signal]()
    await listener.subscribe(seen.put_nowait, path=ROOT, member="PropertiesChanged")
    loop = asyncio.get_running_loop()

    began = loop.time()
    for number in range(100):
        tree.migrating(f"{number} %")
    first, second = (await seen.get()).body[1], (await seen.get()).body[1]

    assert loop.time() - began >= 1.0
    assert (first["State"].value, first["StateMessage"].value) == ("migrating", "0 %")
    assert second["StateMessage"].value == "99 %"
    await tree.close()
    await bus.close()
    await listener.close()

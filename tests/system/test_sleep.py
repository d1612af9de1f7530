# SPDX-License-Identifier: MIT
"""logind says that the machine is going to sleep: an orderly goodbye, and back again."""

import os
import subprocess
from collections.abc import AsyncIterator

import pytest

from pubkeep_bridge.bus import Bus, BusError, Variant
from pubkeep_bridge.client import Account
from tests.fixtures.buses import PrivateBus
from tests.fixtures.daemon import DaemonProcess
from tests.system.conftest import World, until

pytestmark = [pytest.mark.system, pytest.mark.dbus]

LOGIND = ("org.freedesktop.login1", "/org/freedesktop/login1")
MOCK = "org.freedesktop.DBus.Mock"


@pytest.fixture
async def logind(daemon: DaemonProcess) -> AsyncIterator[Bus]:
    """python-dbusmock's logind on a private system bus, which the daemon will find."""
    private = PrivateBus("system")
    daemon.environ["DBUS_SYSTEM_BUS_ADDRESS"] = private.address
    process = subprocess.Popen(
        ["/usr/bin/python3", "-m", "dbusmock", "--system", "--template", "logind"],
        env={**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": private.address},
        stdout=subprocess.DEVNULL,
    )
    bus = await Bus.connect(private.address)

    async def answers() -> bool:
        try:
            await bus.call(*LOGIND, "org.freedesktop.DBus.Peer", "Ping")
        except BusError:
            return False
        return True

    await until(answers)
    yield bus
    await bus.close()
    process.terminate()
    process.wait()
    private.stop()


async def inhibitors(bus: Bus) -> list[list[object]]:
    """What holds the machine awake, as logind lists it."""
    return list((await bus.call(*LOGIND, "org.freedesktop.login1.Manager", "ListInhibitors"))[0])


async def prepare_for_sleep(bus: Bus, going: bool) -> None:
    body = ["org.freedesktop.login1.Manager", "PrepareForSleep", "b", [Variant("b", going)]]
    await bus.call(*LOGIND, MOCK, "EmitSignal", "sssav", body)


async def state(account: Account, wanted: str) -> bool:
    return bool((await account.refresh())["State"] == wanted)


async def test_a_suspend_disconnects_in_order_and_a_resume_connects_again(logind: Bus, world: World) -> None:
    alice = await world.add()
    awake = await inhibitors(logind)

    await prepare_for_sleep(logind, going=True)
    await until(lambda: state(alice, "offline"))

    async def released() -> bool:
        return await inhibitors(logind) == []

    await until(released)
    asleep = dict(alice.properties)
    await prepare_for_sleep(logind, going=False)
    await until(lambda: state(alice, "online"))
    await until(lambda: inhibitors(logind))

    assert [list(each[:4]) for each in awake] == [["sleep", "Pubkeep", "disconnecting in order", "delay"]]
    assert asleep["ErrorMessage"] == "the machine sleeps"
    assert "Traceback" not in world.log()

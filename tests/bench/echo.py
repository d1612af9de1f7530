# SPDX-License-Identifier: MIT
# mypy: ignore-errors
"""A bare service of the D-Bus library in use, that always gives the reply which the daemon gave once.

python -m tests.bench.echo BUS ACCOUNT SERVICE NODE
"""

import asyncio
import importlib
import sys

from pubkeep_bridge.bus import LIBRARY, Bus, Variant, _Writer

library = importlib.import_module(LIBRARY)
service = importlib.import_module(f"{LIBRARY}.service")
method = getattr(service, "dbus_method", service.method)


class Echo(service.ServiceInterface):
    """Does nothing for its answer."""

    def __init__(self, reply):
        super().__init__("org.example.Echo")
        self._reply = reply

    @method()
    def GetItems(self, service: "s", node: "s", options: "a{sv}") -> "a(sssssssxxsssa{sv})a{sv}":
        return self._reply


async def main(address, account, jid, node):
    """Ask once, then serve."""
    client = await Bus.connect(address)
    face = "im.pubkeep.Pubkeep1.PubSub"
    body = [jid, node, {"max": Variant("u", 20)}]
    rows, meta = await client.call("im.pubkeep.Pubkeep1", account, face, "GetItems", "ssa{sv}", body)
    await client.close()
    bus = await importlib.import_module(f"{LIBRARY}.aio").MessageBus(address).connect()
    bus._writer = _Writer(bus, fds=False)  # the library's own ends the connection with 32 in flight
    bus.export("/echo", Echo([[list(row) for row in rows], meta]))
    await bus.request_name("org.example.Echo")
    print("ready", flush=True)
    await bus.wait_for_disconnect()


asyncio.run(main(*sys.argv[1:]))

# SPDX-License-Identifier: MIT
"""The seam: what both libraries break on, over a real dbus-daemon."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from pubkeep.errors import NotFound
from pubkeep_bridge import contract
from pubkeep_bridge.bus import Bus, BusError, Call, Descriptor, NoBus, Signal, Variant
from pubkeep_bridge.service.objects import Objects, Served
from tests.fixtures.buses import PrivateBus

pytestmark = pytest.mark.dbus
NAME, ROOT, FACE = "org.example.Test", "/org/example/Test", "org.example.Test.Face"

XML = """<node><interface name="org.example.Test.Face">
  <!-- Echo: says it again. -->
  <method name="Echo"><arg name="text" type="s" direction="in"/><arg name="text" type="s" direction="out"/></method>
  <method name="Slow"/>
  <method name="Pipe"><arg name="end" type="h" direction="out"/></method>
  <method name="Fail"/>
  <method name="Missing"/>
  <method name="Big"><arg name="size" type="u" direction="in"/><arg name="text" type="s" direction="out"/></method>
  <signal name="Said"><arg name="text" type="s"/></signal>
  <property name="Colour" type="s" access="readwrite"/>
  <property name="Secret" type="s" access="read">
    <annotation name="org.freedesktop.DBus.Property.EmitsChangedSignal" value="false"/>
  </property>
</interface></node>"""


class Face(Served):
    """What is served."""

    interface: ClassVar[str] = FACE

    def __init__(self) -> None:
        self.colour = "red"
        self.running = 0
        self.most = 0
        self.enough = asyncio.Event()

    async def Echo(self, text: str) -> str:
        return text

    async def Slow(self) -> None:
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await self.enough.wait()
        finally:
            self.running -= 1

    async def Pipe(self) -> Descriptor:
        ours, theirs = os.pipe()
        os.write(theirs, b"words")
        os.close(theirs)
        return Descriptor(ours)

    async def Fail(self) -> None:
        raise RuntimeError("secret detail")

    async def Missing(self) -> None:
        raise NotFound("the thing: there is none")

    async def Big(self, size: int) -> str:
        return "x" * size

    @property
    def Colour(self) -> str:
        return self.colour

    async def set_Colour(self, value: str) -> None:
        self.colour = value

    @property
    def Secret(self) -> str:
        return "s"


class Server:
    """A service on the bus."""

    def __init__(self, bus: Bus) -> None:
        self.bus = bus
        self.face = Face()
        self.objects = Objects(bus, ROOT, lambda _: contract.parse(XML))
        self.objects.export(ROOT, self.face)


@pytest.fixture
async def server(private_bus: str) -> AsyncIterator[Server]:
    """A service with one object."""
    bus = await Bus.connect(private_bus, fds=True)
    assert await bus.request_name(NAME)
    server = Server(bus)
    yield server
    await server.objects.close()
    await bus.close()


@pytest.fixture
async def client(private_bus: str) -> AsyncIterator[Bus]:
    """Another connection."""
    bus = await Bus.connect(private_bus)
    yield bus
    await bus.close()


async def call(
    client: Bus, member: str, signature: str = "", *body: Any, path: str = ROOT, face: str = FACE
) -> list[Any]:
    return await client.call(NAME, path, face, member, signature, body)


async def error_of(client: Bus, *arguments: Any, **more: Any) -> tuple[str, str]:
    with pytest.raises(BusError) as caught:
        await call(client, *arguments, **more)
    return caught.value.name, str(caught.value)


async def test_a_call_is_answered(server: Server, client: Bus) -> None:
    assert await call(client, "Echo", "s", "émoji 😀") == ["émoji 😀"]


async def test_a_call_that_comes_the_moment_when_all_ends_is_answered_too(server: Server, client: Bus) -> None:
    take, ends = server.bus.on_call, list[asyncio.Task[None]]()
    assert take is not None

    def end_and_take(came: Call) -> None:
        ends.append(asyncio.create_task(server.objects.close("it goes")))  # before the call is begun
        take(came)

    server.bus.on_call = end_and_take
    async with asyncio.timeout(10):
        assert await error_of(client, "Echo", "s", "x") == ("im.pubkeep.Pubkeep1.Error.NotReady", "it goes")

    await ends[0]
    server.bus.on_call = take
    assert await call(client, "Echo", "s", "y") == ["y"]


async def test_each_mistake_has_its_standard_error(server: Server, client: Bus) -> None:
    standard = "org.freedesktop.DBus.Error."

    assert (await error_of(client, "Echo", "s", "x", path="/nowhere"))[0] == f"{standard}UnknownObject"
    assert (await error_of(client, "Echo", "s", "x", face="org.example.None"))[0] == f"{standard}UnknownInterface"
    assert (await error_of(client, "Nothing"))[0] == f"{standard}UnknownMethod"
    name, words = await error_of(client, "Echo", "i", 3)
    assert (name, words) == (f"{standard}InvalidArgs", "Echo: it takes (s), not (i)")


async def test_our_errors_have_their_names_and_others_show_nothing(server: Server, client: Bus) -> None:
    name, words = await error_of(client, "Missing")
    assert (name, words) == ("im.pubkeep.Pubkeep1.Error.NotFound", "the thing: there is none")

    name, words = await error_of(client, "Fail")
    assert name == "im.pubkeep.Pubkeep1.Error.Failed"
    assert "secret" not in words
    assert "Traceback" not in words


async def test_a_cancelled_call_is_answered(server: Server, client: Bus) -> None:
    pending = asyncio.ensure_future(error_of(client, "Slow"))
    while not server.face.running:
        await asyncio.sleep(0)

    await server.objects.close()

    assert (await pending)[0] == "im.pubkeep.Pubkeep1.Error.NotReady"


async def test_a_bounded_number_of_calls_is_worked_on_and_too_many_are_refused(server: Server, client: Bus) -> None:
    calls = [asyncio.ensure_future(call(client, "Slow")) for _ in range(1200)]
    async with asyncio.timeout(20):
        while sum(each.done() for each in calls) < 168:
            await asyncio.sleep(0.01)
    server.face.enough.set()
    results = await asyncio.gather(*calls, return_exceptions=True)

    refused = [result for result in results if isinstance(result, BusError)]
    assert server.face.most == 32
    assert len(refused) == 168
    assert {error.name for error in refused} == {"im.pubkeep.Pubkeep1.Error.LimitExceeded"}


async def test_a_burst_of_signals_fills_no_socket_for_good(server: Server, client: Bus) -> None:
    seen: list[Signal] = []
    await client.subscribe(seen.append, interface=FACE, member="Said")

    for number in range(20_000):
        server.objects.signal(ROOT, FACE, "Said", f"{number}" + "x" * 100)
    while len(seen) < 20_000:
        await asyncio.sleep(0.01)

    assert [signal.body[0].rstrip("x") for signal in seen] == [str(number) for number in range(20_000)]


async def test_large_replies_are_pipelined(server: Server, client: Bus) -> None:
    results = await asyncio.gather(*(call(client, "Big", "u", 44_000) for _ in range(256)))
    assert {len(result[0]) for result in results} == {44_000}

    results = await asyncio.gather(*(call(client, "Big", "u", 20_000_000) for _ in range(2)))
    assert {len(result[0]) for result in results} == {20_000_000}


async def test_a_reply_that_no_bus_carries_is_an_error_and_the_connection_stands(server: Server, client: Bus) -> None:
    name, _ = await error_of(client, "Big", "u", 30_000_000)

    assert name == "im.pubkeep.Pubkeep1.Error.Failed"
    assert await call(client, "Echo", "s", "still here") == ["still here"]


async def test_what_no_string_can_carry_is_replaced_in_errors(server: Server, client: Bus) -> None:
    def answer(call: Call) -> None:
        server.bus.reply_error(call, "org.example.Error", "a\0b\ud800c")

    server.bus.on_call = answer

    assert await error_of(client, "Echo", "s", "x") == ("org.example.Error", "a\ufffdb?c")


async def test_stray_file_descriptors_do_not_pile_up(server: Server, private_bus: str) -> None:
    code = (
        "import asyncio, os, sys\n"
        "from pubkeep_bridge import bus as b\n"
        "async def main():\n"
        "    bus = await b.Bus.connect(sys.argv[1], fds=True)\n"
        "    for _ in range(20):\n"
        "        read, write = os.pipe()\n"
        "        try:\n"
        f"            await bus.call({NAME!r}, {ROOT!r}, {FACE!r}, 'Echo', 's', ['x'])\n"
        f"            message = b._Message(destination={NAME!r}, path={ROOT!r}, interface={FACE!r}, member='Fd',"
        " signature='h', body=[0], unix_fds=[read])\n"
        "            await bus._bus.call(message)\n"
        "        finally:\n"
        "            os.close(write)\n"  # what is sent is closed by who sends it
        "asyncio.run(main())"
    )
    before = len(list(Path("/proc/self/fd").iterdir()))

    sender = await asyncio.create_subprocess_exec(sys.executable, "-c", code, private_bus)
    assert await sender.wait() == 0

    assert len(list(Path("/proc/self/fd").iterdir())) <= before + 1


async def test_a_file_descriptor_is_sent_and_closed_here(server: Server, private_bus: str) -> None:
    taker, refuser = [await Bus.connect(private_bus, fds=fds) for fds in (True, False)]
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(20):
        (descriptor,) = await call(taker, "Pipe")
        with os.fdopen(descriptor, "rb") as stream:
            assert stream.read() == b"words"
    refused = [asyncio.ensure_future(call(refuser, "Pipe")) for _ in range(3)]
    assert await call(taker, "Echo", "s", "x") == ["x"]
    for each in refused:  # the bus drops what a connection cannot take
        each.cancel()
    await asyncio.gather(*refused, return_exceptions=True)

    assert len(list(Path("/proc/self/fd").iterdir())) <= before
    await taker.close()
    await refuser.close()


async def test_properties_are_read_written_and_told(server: Server, client: Bus) -> None:
    properties = "org.freedesktop.DBus.Properties"
    told: list[Signal] = []
    await client.subscribe(told.append, interface=properties)

    everything = (await call(client, "GetAll", "s", FACE, face=properties))[0]
    await call(client, "Set", "ssv", FACE, "Colour", Variant("s", "blue"), face=properties)
    server.objects.changed(ROOT, FACE, "Colour", "Secret")
    colour = (await call(client, "Get", "ss", FACE, "Colour", face=properties))[0]

    assert {key: value.value for key, value in everything.items()} == {"Colour": "red", "Secret": "s"}
    assert colour.value == "blue"
    assert [(s.body[0], list(s.body[1]), s.body[2]) for s in told] == [(FACE, ["Colour"], [])]
    name, _ = await error_of(client, "Set", "ssv", FACE, "Secret", Variant("s", "x"), face=properties)
    assert name == "org.freedesktop.DBus.Error.PropertyReadOnly"
    name, _ = await error_of(client, "Set", "ssv", FACE, "Colour", Variant("u", 3), face=properties)
    assert name == "org.freedesktop.DBus.Error.InvalidArgs"
    name, _ = await error_of(client, "Get", "ss", FACE, "Smell", face=properties)
    assert name == "org.freedesktop.DBus.Error.UnknownProperty"


async def test_objects_come_and_go_from_the_managers_path(server: Server, client: Bus) -> None:
    told: list[Signal] = []
    await client.subscribe(told.append, interface="org.freedesktop.DBus.ObjectManager")

    server.objects.export(f"{ROOT}/things/1", Face())
    managed = (await call(client, "GetManagedObjects", face="org.freedesktop.DBus.ObjectManager"))[0]
    server.objects.unexport(f"{ROOT}/things/1")
    await call(client, "Echo", "s", "x")

    assert list(managed) == [f"{ROOT}/things/1"]
    assert [(s.path, s.member, s.body[0]) for s in told] == [
        (ROOT, "InterfacesAdded", f"{ROOT}/things/1"),
        (ROOT, "InterfacesRemoved", f"{ROOT}/things/1"),
    ]
    name, _ = await error_of(client, "GetManagedObjects", face="org.freedesktop.DBus.ObjectManager", path=f"{ROOT}/x")
    assert name == "org.freedesktop.DBus.Error.UnknownInterface"


async def test_introspection_is_the_written_xml_with_its_children(server: Server, client: Bus) -> None:
    server.objects.export(f"{ROOT}/things/1", Face())

    xml = (await call(client, "Introspect", face="org.freedesktop.DBus.Introspectable"))[0]
    above = (await call(client, "Introspect", face="org.freedesktop.DBus.Introspectable", path="/org"))[0]

    assert "<!-- Echo: says it again. -->" in xml
    assert 'EmitsChangedSignal" value="false"' in xml
    assert '<node name="things"/>' in xml
    assert '<node name="example"/>' in above


async def test_a_second_owner_is_told_that_the_name_is_taken(server: Server, client: Bus) -> None:
    assert not await client.request_name(NAME)


async def test_busctl_shows_the_tree_and_calls(server: Server, private_bus: str) -> None:
    async def busctl(*arguments: str) -> str:
        process = await asyncio.create_subprocess_exec(
            "busctl", f"--address={private_bus}", *arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        return (await process.communicate())[0].decode()

    assert f"─{ROOT}" in await busctl("tree", NAME)
    assert "emits-change writable" in await busctl("introspect", NAME, ROOT, FACE)
    assert await busctl("call", NAME, ROOT, FACE, "Echo", "s", "hello") == 's "hello"\n'
    assert await busctl("call", NAME, ROOT, FACE, "Missing") == "Call failed: the thing: there is none\n"


async def test_when_the_bus_dies_it_is_told() -> None:
    private = PrivateBus()
    bus = await Bus.connect(private.address)

    private.stop()

    await asyncio.wait_for(bus.disconnected, 10)
    with pytest.raises(NoBus):
        await bus.call(NAME, ROOT, FACE, "Echo", "s", ["x"])

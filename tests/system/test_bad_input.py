# SPDX-License-Identifier: MIT
"""Bad input at the borders: a clear error by name, nothing lost, and the daemon stays up."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pubkeep_bridge.bus import Bus, BusError, Variant
from pubkeep_bridge.client.errors import NotAllowed, PubkeepError
from tests.fixtures.author import Author
from tests.fixtures.daemon import DaemonProcess
from tests.fixtures.servers import PASSWORD
from tests.system.conftest import BLOG, SERVICE, World, until

pytestmark = [pytest.mark.system, pytest.mark.dbus]
NAME, ROOT = "im.pubkeep.Pubkeep1", "/im/pubkeep/Pubkeep1"


def v(signature: str, value: Any) -> Variant:
    return Variant(signature, value)


async def test_every_mistake_of_a_caller_is_named(world: World, blog: Author, private_bus: str) -> None:
    alice = await world.add()
    pubsub, manager, cache = (f"{NAME}.{face}" for face in ("PubSub", "Manager", "Cache"))
    get = (alice.path, pubsub, "GetItems", "ssa{sv}")
    mistakes: list[tuple[tuple[Any, ...], list[Any], str, str]] = [
        (
            get,
            [SERVICE, BLOG, {"maximum": v("u", 3)}],
            "InvalidArgs",
            "'maximum' is not known here; known: after, before",
        ),
        (get, [SERVICE, BLOG, {"max": v("s", "3")}], "InvalidArgs", "'max': a number is wanted"),
        (get, [SERVICE, BLOG, {"max": v("i", -1)}], "InvalidArgs", "'max': -1 is not from 0"),
        (get, [SERVICE, BLOG, {"max": v("b", True)}], "InvalidArgs", "'max': a number is wanted"),
        (get, [SERVICE, BLOG, {"freshness": v("s", "soon")}], "InvalidArgs", "'soon' is not one of auto, cache"),
        (
            get,
            [SERVICE, BLOG, {"ids": v("as", ["a"]), "max": v("u", 1)}],
            "InvalidArgs",
            "ids: cannot be combined with max",
        ),
        (get, [SERVICE, BLOG, {"before": v("s", "a"), "index": v("u", 1)}], "InvalidArgs", "index: cannot be combined"),
        (get, [SERVICE, BLOG, {"max_bytes": v("u", 0)}], "InvalidArgs", "max_bytes"),
        (get, [SERVICE, BLOG, {"order": v("s", "creation")}], "NotSupported", "does not show that it keeps this order"),
        (get, ["@", BLOG, {}], "InvalidArgs", "service '@': not a JID"),
        (get, [SERVICE, "", {}], "InvalidArgs", "node: the name is empty"),
        (get, [SERVICE, "missing", {}], "NotFound", "missing at pubsub.localhost: there is no such node"),
        (get, ["pubsub.example.org", BLOG, {}], "Unavailable", f"{BLOG} at pubsub.example.org"),
        (
            (alice.path, pubsub, "Publish", "ssasa{sv}"),
            [SERVICE, BLOG, ["<a"], {}],
            "InvalidArgs",
            "not well-formed XML",
        ),
        ((alice.path, pubsub, "Publish", "ssasa{sv}"), [SERVICE, BLOG, [], {}], "InvalidArgs", "nothing to publish"),
        ((alice.path, pubsub, "Retract", "ssasa{sv}"), [SERVICE, BLOG, ["no"], {}], "NotFound", "no such node or item"),
        ((ROOT, manager, "AddAccount", "sa{sv}"), ["no jid", {}], "InvalidArgs", "jid 'no jid'"),
        ((ROOT, manager, "AddAccount", "sa{sv}"), ["localhost", {}], "InvalidArgs", "written user@example.org"),
        ((ROOT, manager, "AddAccount", "sa{sv}"), ["alice@localhost", {}], "Conflict", "there already"),
        (
            (ROOT, manager, "AddAccount", "sa{sv}"),
            ["a@b.example", {"tls": v("s", "allow-plaintext")}],
            "InvalidArgs",
            "tls",
        ),
        ((ROOT, manager, "AddAccount", "sa{sv}"), ["a@b.example", {"port": v("u", 70000)}], "InvalidArgs", "65535"),
        (
            (ROOT, manager, "AddAccount", "sa{sv}"),
            ["a@b.example", {"remember": v("b", True)}],
            "NotSupported",
            "remember",
        ),
        ((ROOT, manager, "RemoveAccount", "oa{sv}"), ["/nothing", {}], "UnknownObject", "/nothing"),
        ((ROOT, cache, "Search", "sa{sv}"), ['{"colour": 1}', {}], "InvalidArgs", "'colour' is no key"),
        (
            (ROOT, cache, "Search", "sa{sv}"),
            ['{"types": "blog"}', {}],
            "InvalidArgs",
            "query at /types: it must be a list of strings",
        ),
        ((ROOT, cache, "Search", "sa{sv}"), ["{", {}], "InvalidArgs", "query: it is not JSON"),
        ((ROOT, cache, "Search", "sa{sv}"), ["x", {"limit": v("u", 0)}], "InvalidArgs", "'limit': 0"),
        ((ROOT, cache, "Search", "sa{sv}"), ["x", {"cursor": v("s", "forged")}], "InvalidArgs", "cursor"),
        ((ROOT, cache, "Search", "sa{sv}"), ["x", {"since": v("t", 2**60)}], "CursorTooOld", "since"),
        ((ROOT, cache, "Lookup", "asa{sv}"), [["x"], {}], "InvalidArgs", "uri 'x'"),
        ((ROOT, cache, "GetNodes", "a{sv}a{sv}"), [{"colour": v("s", "x")}, {}], "InvalidArgs", "filter 'colour'"),
        ((ROOT, f"{NAME}.Analysers", "Describe", "s"), ["nothing"], "NotFound", "analyser 'nothing'"),
    ]
    bus = await Bus.connect(private_bus)

    for (path, face, member, signature), body, leaf, words in mistakes:
        with pytest.raises(BusError) as caught:
            await bus.call(NAME, path, face, member, signature, body)
        assert caught.value.name.rpartition(".")[2] == leaf, (member, body, str(caught.value))
        assert words in str(caught.value)
        assert "Traceback" not in str(caught.value)

    await bus.close()
    assert (await world.pubkeep.status())["State"] == "ready"
    assert "Traceback" not in world.log()
    assert PASSWORD not in world.log()


async def test_a_refused_node_is_denied(world: World, blog: Author) -> None:
    carol = await world.add("carol")
    await blog.create(SERVICE, f"{BLOG}/closed", access_model="whitelist")

    with pytest.raises(NotAllowed):
        await carol.get_items(SERVICE, f"{BLOG}/closed", freshness="service")
    job = await carol.synchronise(SERVICE, f"{BLOG}/closed")
    with pytest.raises(PubkeepError) as error:
        await job.result()

    assert error.value.leaf == "NotAllowed"
    assert [node["state"] for node in await world.pubkeep.nodes(node=f"{BLOG}/closed")] == ["denied"]


async def test_a_second_daemon_says_that_the_name_is_taken(world: World) -> None:
    run = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-m", "pubkeep"], env=world.daemon.environ, capture_output=True, text=True
    )

    assert run.returncode == 1
    assert "the name im.pubkeep.Pubkeep1 is taken: another pubkeepd is running" in run.stderr


def test_a_typo_in_the_settings_stops_the_start_with_file_line_and_key(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("[daemon]\nlog_levle = 'info'\n")

    run = subprocess.run([sys.executable, "-m", "pubkeep", "--config", str(file)], capture_output=True, text=True)

    assert run.returncode == 2
    assert run.stderr.startswith(f"pubkeepd: {file}, line 2: [daemon] log_levle is not a setting")


def test_without_a_bus_it_says_so() -> None:
    environment = {**os.environ, "DBUS_SESSION_BUS_ADDRESS": "unix:path=/nowhere"}

    run = subprocess.run([sys.executable, "-m", "pubkeep"], env=environment, capture_output=True, text=True)

    assert run.returncode == 1
    assert "the message bus at unix:path=/nowhere cannot be reached" in run.stderr


async def test_a_database_that_cannot_be_opened_leaves_the_name_owned_and_says_why(
    daemon: DaemonProcess, private_bus: str
) -> None:
    mistake = daemon.folder / "diary.txt"
    mistake.write_bytes(b"this is no database" * 100)
    daemon.start("--database", str(mistake))
    bus = await Bus.connect(private_bus)
    manager = (NAME, ROOT, "org.freedesktop.DBus.Properties", "Get", "ss", [f"{NAME}.Manager", "StateMessage"])

    async def message() -> str:
        try:
            return str((await bus.call(*manager))[0].value)
        except BusError:
            return ""

    words = await until(message)
    with pytest.raises(BusError) as error:
        await bus.call(NAME, ROOT, f"{NAME}.Cache", "Search", "sa{sv}", ["x", {}])
    await bus.close()

    assert words == "the database: this file is none; choose another one with [storage] path"
    assert error.value.name == f"{NAME}.Error.NotReady"
    assert mistake.read_bytes() == b"this is no database" * 100


async def test_sigterm_ends_within_two_seconds_and_sighup_reloads(world: World) -> None:
    await world.add()
    process = world.daemon.process
    assert process is not None
    config = world.daemon.folder / "config" / "pubkeep" / "config.toml"
    config.parent.mkdir(parents=True)

    config.write_text("[daemon]\nlog_levle = 'debug'\n")
    process.send_signal(1)
    await until(lambda: _logged(world, "the settings are kept as they were"))
    config.write_text("[daemon]\nlog_level = 'debug'\n")
    process.send_signal(1)
    await until(lambda: _logged(world, "the settings were read again"))

    process.terminate()
    assert await asyncio.to_thread(process.wait, 2) == 0


async def _logged(world: World, words: str) -> bool:
    return words in world.log()

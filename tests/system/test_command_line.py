# SPDX-License-Identifier: MIT
"""`pubkeep` as people use it, on the real daemon."""

import asyncio
import json
import signal
import sys
from pathlib import Path

import pytest

from tests.fixtures.author import Author
from tests.fixtures.prosody import PASSWORD
from tests.system.conftest import BLOG, SERVICE, World, entry, until

pytestmark = [pytest.mark.system, pytest.mark.dbus]
PROGRAM = str(Path(sys.executable).with_name("pubkeep"))


class Shell:
    """Types commands."""

    def __init__(self, world: World) -> None:
        self._environ = {**world.daemon.environ, "TZ": "UTC", "COLUMNS": "200"}

    async def start(self, *words: str) -> asyncio.subprocess.Process:
        pipe = asyncio.subprocess.PIPE
        return await asyncio.create_subprocess_exec(
            PROGRAM, *words, env=self._environ, stdin=pipe, stdout=pipe, stderr=pipe
        )

    async def __call__(self, *words: str, typed: str = "") -> tuple[int, str, str]:
        """(exit status, standard output, standard error)"""
        process = await self.start(*words)
        out, errors = await process.communicate(typed.encode())
        assert process.returncode is not None
        return process.returncode, out.decode(), errors.decode()


@pytest.fixture
def pubkeep(world: World) -> Shell:
    """The command."""
    return Shell(world)


async def test_the_whole_way_of_a_post(pubkeep: Shell, world: World, blog: Author, tmp_path: Path) -> None:
    address = ["--host", "127.0.0.1", "--port", str(world.prosody.port)]
    status, out, errors = await pubkeep("account", "add", "alice@localhost", *address, typed=f"{PASSWORD}\n")
    assert (status, out) == (0, "alice@localhost: added\n"), errors
    alice = await world.pubkeep.account()
    await alice.online()
    assert "alice@localhost  online" in (await pubkeep("account", "list"))[1]

    status, out, errors = await pubkeep("get", SERVICE, BLOG, "--max", "2")
    assert status == 0
    assert [line.split() for line in out.splitlines()[1:]] == [
        ["2024-01-01", "00:00", "i18", "Title", "18"],
        ["2024-01-01", "00:00", "i19", "Title", "19"],
    ]
    assert errors.startswith("from the service, as of 2")

    assert (await pubkeep("sync", SERVICE, BLOG))[:2] == (0, "20 items are here\n")
    document = json.loads((await pubkeep("get", SERVICE, BLOG, "--json"))[1])
    assert document["meta"]["source"] == "cache"
    assert len(document["items"]) == 20

    await alice.create_node(SERVICE, f"{BLOG}/mine", {"pubsub#max_items": "10"})
    file = tmp_path / "entry.xml"
    file.write_text(entry(7, "Mine"))
    assert (await pubkeep("publish", SERVICE, f"{BLOG}/mine", str(file), "--id", "seven"))[:2] == (0, "seven\n")
    assert "Mine 7" in (await pubkeep("get", SERVICE, f"{BLOG}/mine"))[1]
    assert (await pubkeep("get", SERVICE, f"{BLOG}/mine", "--xml"))[1].count("<") > 4
    await world.synced(alice, f"{BLOG}/mine")
    assert "seven" in (await pubkeep("search", "mine"))[1]
    uri = json.loads((await pubkeep("search", "mine", "--json"))[1])["items"][0]["uri"]
    assert "Mine 7" in (await pubkeep("lookup", uri))[1]
    assert (await pubkeep("retract", SERVICE, f"{BLOG}/mine", "seven"))[0] == 0
    assert (await pubkeep("search", "mine"))[0] == 3

    assert f"{SERVICE}  {BLOG}" in (await pubkeep("nodes"))[1]
    assert "answered from the cache" in (await pubkeep("explain", SERVICE, BLOG))[1]
    assert "blog" in (await pubkeep("analysers"))[1]
    assert '"title":"Mine 7"' in (await pubkeep("analysers", "blog", "--test", str(file)))[1]
    assert (await pubkeep("forget", "--node", BLOG, "--dry-run"))[1] == "20 items would go\n"
    assert (await pubkeep("forget", "--node", BLOG))[1] == "20 items are forgotten\n"
    assert json.loads((await pubkeep("status", "--json"))[1])["State"] == "ready"
    assert (await pubkeep("account", "remove", "alice@localhost"))[1] == "alice@localhost: removed\n"
    assert (await pubkeep("account", "list"))[0] == 3


async def test_mistakes_say_what_to_do_and_have_their_status(pubkeep: Shell, world: World) -> None:
    assert (await pubkeep("nonsense"))[0] == 2
    status, _, errors = await pubkeep("get", SERVICE, BLOG)
    assert (status, errors) == (1, "pubkeep: there is no account yet: add one with `pubkeep account add JID`\n")
    await world.add()
    status, _, errors = await pubkeep("get", SERVICE, "missing")
    assert (status, errors) == (1, "pubkeep: missing at pubsub.localhost: there is no such node or item\n")
    status, _, errors = await pubkeep("get", SERVICE, BLOG, "--account", "nobody@localhost")
    assert (status, errors) == (1, "pubkeep: there is no account nobody@localhost (alice@localhost)\n")
    status, _, errors = await pubkeep("publish", SERVICE, BLOG, typed="<a")
    assert status == 1
    assert "not well-formed XML" in errors

    world.daemon.stop()
    status, _, errors = await pubkeep("status")
    assert status == 4
    assert "pubkeepd is not running: start it" in errors


async def test_watch_prints_changes_as_they_happen(pubkeep: Shell, world: World, blog: Author) -> None:
    alice = await world.add()
    await world.synced(alice)
    watch = await pubkeep.start("watch", "--type", "blog", "--json")
    assert watch.stdout is not None
    lines: list[dict[str, object]] = []

    async def told() -> bool:
        await blog.publish(SERVICE, BLOG, f"w{len(lines)}", entry(1))
        try:
            lines.append(json.loads(await asyncio.wait_for(watch.stdout.readline(), 0.5)))  # type: ignore[union-attr]
        except TimeoutError:
            return False
        return lines[-1]["what"] == "items"

    await until(told)
    watch.send_signal(signal.SIGINT)

    assert await watch.wait() == 130
    assert lines[-1]["node"] == BLOG

# SPDX-License-Identifier: MIT
"""`pubkeep` as people use it, on the real daemon."""

import asyncio
import json
import os
import signal
import sys
from itertools import count
from pathlib import Path

import pytest

from tests.fixtures.author import Author
from tests.fixtures.servers import PASSWORD
from tests.system.conftest import BLOG, SERVICE, World, entry, until

pytestmark = [pytest.mark.system, pytest.mark.dbus]
PROGRAM = str(Path(sys.executable).with_name("pubkeep"))


class Shell:
    """Types commands."""

    def __init__(self, world: World) -> None:
        self._environ = {**world.daemon.environ, "TZ": "UTC", "COLUMNS": "200"}

    async def start(self, *words: str, stdin: int = asyncio.subprocess.PIPE) -> asyncio.subprocess.Process:
        pipe = asyncio.subprocess.PIPE
        typed = ("env", "--default-signal=INT", PROGRAM, *words)  # who runs all this in the background ignores it
        return await asyncio.create_subprocess_exec(*typed, env=self._environ, stdin=stdin, stdout=pipe, stderr=pipe)

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
    address = ["--host", "127.0.0.1", "--port", str(world.server.port)]
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

    status, out, errors = await pubkeep("statistics")
    assert (status, "answers" in out) == (0, True), errors
    status, out, errors = await pubkeep("statistics", "--account", "nobody@localhost")
    assert (status, errors) == (1, "pubkeep: option 'account': there is no account nobody@localhost\n")

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
    exported = [json.loads(line) for line in (await pubkeep("export", "mine", "--type", "blog"))[1].splitlines()]
    assert [line.get("id") for line in exported] == ["seven", None]
    assert "Mine 7" in exported[0]["xml"]
    assert (await pubkeep("export", "nothing has this word"))[0] == 3
    since = str(json.loads((await pubkeep("search", "mine", "--json"))[1])["meta"]["sequence"])
    uri = json.loads((await pubkeep("search", "mine", "--json"))[1])["items"][0]["uri"]
    assert "Mine 7" in (await pubkeep("lookup", uri))[1]
    assert (await pubkeep("retract", SERVICE, f"{BLOG}/mine", "seven"))[0] == 0
    assert (await pubkeep("search", "mine"))[0] == 3
    status, out, errors = await pubkeep("changes", "--since", since, "--type", "blog")
    assert (status, "retracted" in out) == (0, True), errors
    assert errors.startswith("go on with --since ")
    status, _, errors = await pubkeep("changes", "--since", "1")
    assert (status, "read anew" in errors) == (1, True)

    assert f"{SERVICE}  {BLOG}" in (await pubkeep("nodes"))[1]
    assert "answered from the cache" in (await pubkeep("explain", SERVICE, BLOG))[1]
    await pubkeep("policy", SERVICE, "plain", "--sync", "never")
    assert f"pubkeep policy {SERVICE} plain --sync auto\n" in (await pubkeep("explain", SERVICE, "plain"))[1]
    assert "blog" in (await pubkeep("analysers"))[1]
    assert '"title":"Mine 7"' in (await pubkeep("analysers", "blog", "--test", str(file)))[1]
    assert (await pubkeep("forget", "--node", BLOG, "--dry-run"))[1] == "20 items would go\n"
    assert (await pubkeep("forget", "--node", BLOG))[1] == "20 items are forgotten\n"
    assert json.loads((await pubkeep("status", "--json"))[1])["State"] == "ready"
    assert (await pubkeep("account", "remove", "alice@localhost"))[1] == "alice@localhost: removed\n"
    assert (await pubkeep("account", "list"))[0] == 3


async def test_a_node_is_made_configured_shared_found_emptied_and_deleted(pubkeep: Shell, world: World) -> None:
    await world.add()
    node = [SERVICE, "mine"]

    assert (await pubkeep("create", *node, "title=Mine", "pubsub#max_items=50"))[:2] == (0, "mine\n")
    assert json.loads((await pubkeep("config", "get", *node, "--json"))[1])["pubsub#title"] == "Mine"
    status, out, errors = await pubkeep("config", "set", *node, "title=Ours = mine", "persist_items=yes")
    assert status == 0, errors
    shown = dict(line.split(maxsplit=1) for line in out.splitlines() if " " in line.strip())
    assert (shown["pubsub#title"], shown["pubsub#persist_items"]) == ("Ours = mine", "yes")
    assert (await pubkeep("affiliations", "set", *node, "carol@localhost=publisher"))[1].splitlines()[1:] == [
        "owner        alice@localhost",
        "publisher    carol@localhost",
    ]
    assert "carol@localhost" in (await pubkeep("affiliations", "get", *node, "--json"))[1]
    assert (await pubkeep("subscriptions", *node))[0] == 3
    assert (await pubkeep("subscribe", *node))[1] == "subscribed\n"
    assert "alice@localhost/pubkeep-" in (await pubkeep("subscriptions", SERVICE))[1]
    assert (await pubkeep("unsubscribe", *node))[1] == "unsubscribed\n"
    assert "Ours = mine" in (await pubkeep("discover", *node))[1]
    assert "mine  Ours = mine  pubsub.localhost" in (await pubkeep("discover", SERVICE))[1]

    await pubkeep("publish", *node, "--id", "one", typed=entry(1))
    status, _, errors = await pubkeep("purge", *node)
    assert (status, errors) == (2, "pubkeep: delete all items of this node? Nothing was done; say so with --yes\n")
    assert (await pubkeep("get", *node))[0] == 0
    assert (await pubkeep("purge", *node, "--yes"))[:2] == (0, "purged\n")
    assert (await pubkeep("get", *node))[0] == 3
    assert (await pubkeep("delete", *node, "--yes"))[:2] == (0, "deleted\n")
    assert "no such node" in (await pubkeep("get", *node))[2]


@pytest.mark.parametrize(("typed", "left"), [("yes\n", []), ("y\n", ["one"]), ("\4", ["one"])])
async def test_at_a_terminal_the_word_must_be_typed(
    pubkeep: Shell, world: World, bob: Author, typed: str, left: list[str]
) -> None:
    alice = await world.add()
    await bob.create(SERVICE, "mine", max_items="50")
    await alice.publish(SERVICE, "mine", [entry(1)], ids=["one"])
    terminal, inside = os.openpty()

    os.write(terminal, typed.encode())
    process = await pubkeep.start("purge", SERVICE, "mine", stdin=inside)
    out, _ = await process.communicate()
    os.close(terminal)
    os.close(inside)

    assert "Delete all items of this node, for everybody: mine at pubsub.localhost? Type yes:" in out.decode()
    assert process.returncode == (1 if left else 0)
    assert [item_id for item_id, _ in await bob.items(SERVICE, "mine")] == left


async def test_fields_that_cannot_be_meant_are_refused(pubkeep: Shell, world: World) -> None:
    alice = await world.add()
    await alice.create_node(SERVICE, "mine")

    for fields, status, words in (
        (["title"], 2, "'title' is not KEY=VALUE"),
        (["title=a", "title=b"], 1, "title: it is given 2 times, and has one value"),
        (["persist_items=maybe"], 1, "persist_items: 'maybe' is neither yes nor no"),
        (["nonsense=x"], 1, "config 'pubsub#nonsense': there is no such field"),
    ):
        found = await pubkeep("config", "set", SERVICE, "mine", *fields)
        assert found[0] == status
        assert words in found[2]
    assert "is not JID=AFFILIATION" in (await pubkeep("affiliations", "set", SERVICE, "mine", "bob"))[2]


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
    assert (await pubkeep("publish", SERVICE, BLOG, "-", typed="<a"))[2] == errors
    assert (await pubkeep("publish", SERVICE, BLOG, "no.xml"))[2] == "pubkeep: no.xml: No such file or directory\n"

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
    numbers = count()

    async def told() -> bool:
        await blog.publish(SERVICE, BLOG, f"w{next(numbers)}", entry(1))  # nobody says when it listens
        try:
            lines.append(json.loads(await asyncio.wait_for(watch.stdout.readline(), 0.5)))  # type: ignore[union-attr]
        except TimeoutError:
            return False
        return lines[-1]["what"] == "items"

    await until(told)
    watch.send_signal(signal.SIGINT)

    assert await watch.wait() == 130
    assert lines[-1]["node"] == BLOG

# SPDX-License-Identifier: MIT
"""Searches over a real bus, of a real store that takes its time; and in a terminal."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pubkeep.model import Parsed
from pubkeep.storage.engines import READERS
from pubkeep.storage.store import Store
from pubkeep.storage.walking import Limits
from pubkeep_bridge.bus import Bus, Variant
from pubkeep_bridge.cli.render import width
from pubkeep_bridge.client import Pubkeep, SearchAnswer, connect
from pubkeep_bridge.client.errors import Cancelled, NotReady, PubkeepError
from pubkeep_bridge.contract import BUS_NAME, ROOT
from pubkeep_bridge.service.cache import Cache
from pubkeep_bridge.service.gate import Core, Gate
from pubkeep_bridge.service.manager import Manager
from pubkeep_bridge.service.objects import Objects
from pubkeep_bridge.service.streams import Streams
from tests.daemon.storage.conftest import KEY, item, opened

pytestmark = pytest.mark.dbus
ITEMS = 3000
PROGRAM = str(Path(sys.executable).with_name("pubkeep"))
EVERYTHING = '{"not": {"namespaces": ["urn:x"]}}'
"""No index helps, and nothing matches."""


class Served:
    """The interface Cache over a store that is open, and how many searches go on, and were asked for."""

    def __init__(self, bus: Bus, store: Store) -> None:
        self.objects = Objects(bus, ROOT)
        self.searching = self.asked = self.sequence = 0
        self.between: Callable[[], Awaitable[object]] | None = None
        """Happens once, when the first page was read."""
        self._store = store
        gate = Gate()
        accounts = SimpleNamespace(jids=lambda: [KEY.account])
        gate.open(Core(cast(Any, accounts), cast(Any, self), *[cast(Any, None)] * 3))
        self.objects.export(ROOT, Manager(gate, bus), Cache(gate, Streams()))

    async def search(self, *arguments: Any) -> Any:
        self.searching += 1
        self.asked += 1
        try:
            return await self._store.search(*arguments)
        finally:
            self.searching -= 1
            if between := self.between:
                self.between = None
                await between()

    async def export(self, *arguments: Any) -> AsyncGenerator[Any, None]:
        yield await self.search(*arguments)

    async def changes(self, *arguments: Any) -> Any:
        self.asked += 1
        return await self._store.changes(*arguments)

    async def several(self, number: int) -> None:
        """Wait until so many searches go on."""
        async with asyncio.timeout(10):
            while self.searching != number:
                await asyncio.sleep(0.005)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """Every row is a step, and there are many."""
    store, node = await opened(tmp_path / "data" / "pubkeep.db")
    await store.apply(node, [item(f"i{n}", "onions" if n % 2 else "garden") for n in range(ITEMS)])
    store.limits = Limits(seconds=60, few=1, many=1)
    yield store
    await store.close()


@pytest.fixture
async def served(private_bus: str, store: Store) -> AsyncIterator[Served]:
    bus = await Bus.connect(private_bus, fds=True)
    await bus.request_name(BUS_NAME)
    served = Served(bus, store)
    yield served
    await served.objects.close()
    await bus.close()


@pytest.fixture
async def pubkeep(private_bus: str, served: Served) -> AsyncIterator[Pubkeep]:
    async with connect(private_bus) as pubkeep:
        yield pubkeep


async def test_a_newer_search_with_the_same_tag_ends_the_older_one_and_its_work(
    pubkeep: Pubkeep, served: Served
) -> None:
    older = [asyncio.create_task(pubkeep.search(EVERYTHING, tag="box")) for _ in range(2 * READERS)]
    await served.several(1)

    newest = await pubkeep.search("onions", limit=5, tag="box")

    ended = await asyncio.gather(*older, return_exceptions=True)
    assert len(newest.items) == 5
    assert [type(each) for each in ended] == [Cancelled] * 2 * READERS
    assert str(ended[0]) == "search: a newer one with the tag 'box' took its place"
    await served.several(0)
    found = await asyncio.gather(*[pubkeep.search("onions", limit=5) for _ in range(2 * READERS)])
    assert {len(each.items) for each in found} == {5}


async def test_what_is_written_after_a_search_was_ended_is_seen_by_all_readers(
    pubkeep: Pubkeep, served: Served, store: Store
) -> None:
    for query in [EVERYTHING] * READERS + ["onions"]:
        search = asyncio.create_task(pubkeep.search(query, tag="box"))
        await asyncio.sleep(0.05)
    await search
    (node,) = await store.nodes(KEY.account)

    await store.apply(node, [item("new", "unheard")])

    found = await asyncio.gather(*[pubkeep.search("unheard") for _ in range(2 * READERS)])
    assert [[each.id for each in answer.items] for answer in found] == [["new"]] * 2 * READERS


async def test_other_tags_other_callers_and_what_has_no_tag_go_on(
    pubkeep: Pubkeep, served: Served, private_bus: str
) -> None:
    async with connect(private_bus) as other:
        going_on = [
            asyncio.create_task(each)
            for each in (pubkeep.search(EVERYTHING, tag="other"), other.search(EVERYTHING, tag="box"))
        ]
        await served.several(2)

        await pubkeep.search("onions", tag="box")
        await pubkeep.search("onions")
        await pubkeep.search("onions", tag="")

        assert not any(each.done() for each in going_on)
        await other.search("onions", tag="box")
        await pubkeep.search("onions", tag="other")
        ended = await asyncio.gather(*going_on, return_exceptions=True)
    assert [type(each) for each in ended] == [Cancelled] * 2


async def test_a_search_under_a_tag_is_told_that_the_daemon_stops(pubkeep: Pubkeep, served: Served) -> None:
    search: asyncio.Task[SearchAnswer] = asyncio.create_task(pubkeep.search(EVERYTHING, tag="box"))
    await served.several(1)

    await served.objects.close()

    with pytest.raises(NotReady):
        await search
    assert served.searching == 0


async def test_snippets_and_ranks_cross_the_bus(pubkeep: Pubkeep) -> None:
    found = await pubkeep.search("onions", limit=2, extra=True, order_by=["rank"])

    assert [each.extra["snippet"] for each in found.items] == [["", "onions", ""]] * 2
    assert all(isinstance(each.extra["rank"], float) for each in found.items)
    with pytest.raises(PubkeepError, match="option 'tag'"):
        await pubkeep.call(ROOT, "Cache", "Search", "sa{sv}", "onions", {"tag": Variant("u", 3)})


async def in_terminal(bus: str, *words: str, **environ: str) -> tuple[int, str]:
    """Exit status of `pubkeep`, and what a terminal was sent."""
    ours, theirs = os.openpty()
    given = {"DBUS_SESSION_BUS_ADDRESS": bus, "TERM": "xterm", "COLUMNS": "60", "PAGER": "tee", **environ}
    unset = ("NO_COLOR", "LESS")
    clean = {key: value for key, value in os.environ.items() if key not in unset}
    process = await asyncio.create_subprocess_exec(
        PROGRAM, *words, env=clean | given, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    reading = asyncio.create_task(asyncio.to_thread(_all_of, ours))
    return await process.wait(), (await reading).replace("\r\n", "\n")


def _all_of(terminal: int) -> str:
    found = b""
    try:
        while part := os.read(terminal, 65536):
            found += part
    except OSError:
        pass  # the other end is closed
    os.close(terminal)
    return found.decode()


def shown(output: str) -> int:
    """Items in it."""
    return output.count(" urn:xmpp:microblog:0 i")


async def test_in_a_terminal_it_goes_on_as_far_as_somebody_reads(
    private_bus: str, served: Served, store: Store, tmp_path: Path
) -> None:
    store.limits = Limits()

    status, output = await in_terminal(private_bus, "search", PAGER=f"tee {tmp_path / 'seen'}")

    assert (status, shown(output), shown((tmp_path / "seen").read_text())) == (0, ITEMS, ITEMS)
    assert output.splitlines()[-1].startswith(f"{ITEMS} found in ")
    assert "found in" not in (tmp_path / "seen").read_text()


async def test_whoever_looks_at_the_first_screen_only_has_little_fetched(
    private_bus: str, served: Served, store: Store
) -> None:
    store.limits = Limits()

    status, output = await in_terminal(private_bus, "search", PAGER="sh -c 'head -n 10; sleep 1'")

    assert (status, shown(output)) == (0, 5)
    assert "found in" not in output
    assert served.asked * 100 < ITEMS / 2


@pytest.mark.parametrize(
    ("words", "environ", "items", "asked"),
    [
        (["--limit", "250"], {}, 250, 3),
        (["--no-pager"], {}, 20, 1),
        ([], {"PAGER": ""}, 20, 1),
        ([], {"PAGER": "cat"}, 20, 1),
        ([], {"TERM": "dumb"}, 20, 1),
        (["--all"], {"PAGER": "no-such-program"}, ITEMS, 30),
        (["--limit", "3"], {"PAGER": "no-such-program"}, 3, 1),
    ],
)
async def test_it_shows_as_many_as_are_asked_for(
    private_bus: str, served: Served, store: Store, words: list[str], environ: dict[str, str], items: int, asked: int
) -> None:
    store.limits = Limits()

    status, output = await in_terminal(private_bus, "search", *words, **environ)

    assert (status, shown(output), served.asked) == (0, items, asked)
    assert ("there are more: --all, or --cursor" in output) == (items < ITEMS)


async def test_what_was_found_is_highlighted_and_broken_into_lines(
    private_bus: str, served: Served, store: Store
) -> None:
    store.limits = Limits()
    (node,) = await store.nodes(KEY.account)
    await store.apply(node, [item("long", f"{'春' * 40} leek {'and so on ' * 20}")])

    _, output = await in_terminal(private_bus, "search", "leek")
    _, plain = await in_terminal(private_bus, "search", "leek", NO_COLOR="1")

    assert "\x1b[1;31mleek\x1b[0m" in output
    assert "\x1b" not in plain
    snippet = plain.splitlines()[2:-1]
    assert len(snippet) > 3
    assert all(line.startswith("    ") and width(line) <= 60 for line in snippet)
    assert "".join(snippet).replace(" ", "").count("春leek") == 1


async def test_nothing_from_the_network_is_obeyed_wherever_it_is_shown(
    private_bus: str, served: Served, store: Store
) -> None:
    store.limits = Limits()
    (node,) = await store.nodes(KEY.account)
    evil = "leek \u009b31m \u202e \x07"
    made = replace(item("e\x1b[2J", evil), parsed=Parsed(json.dumps({"x": evil}, ensure_ascii=False), "", evil, evil))
    await store.apply(node, [made])

    for words in (
        ["search", "leek"],
        ["search", "leek", "--json"],
        ["export", "leek"],
        ["export", "leek", "--no-pager"],
    ):
        status, output = await in_terminal(private_bus, *words, NO_COLOR="1")
        assert (status, "leek" in output) == (0, True)
        assert not {"\x1b", "\x9b", "\u202e", "\x07"} & set(output), words


async def test_the_live_view_of_a_script(private_bus: str, served: Served, store: Store) -> None:
    async def search(*words: str) -> tuple[int, str]:
        return await in_terminal(private_bus, "search", "onions", "--no-pager", *words)

    store.limits = Limits()
    (node,) = await store.nodes(KEY.account)
    since = json.loads((await search("--json"))[1])["meta"]["sequence"]

    assert (await search("--since", str(since)))[0] == 3
    await store.apply(node, [item("new", "onions")], removals=["i1"])
    status, output = await search("--since", str(since))

    assert (status, " urn:xmpp:microblog:0 new" in output) == (0, True)
    assert "gone  xmpp://alice@localhost/pubsub.localhost?;node=urn%3Axmpp%3Amicroblog%3A0;item=i1\n" in output
    assert "too much changed since then: this is everything anew" in (await search("--since", "1"))[1]


async def test_what_changes_while_pages_are_read_is_shown_before_somebody_keeps_them(
    private_bus: str, served: Served, store: Store
) -> None:
    store.limits = Limits()
    (node,) = await store.nodes(KEY.account)
    served.between = lambda: store.apply(node, [item("new", "onions"), item("i3", "leek")], removals=["i1", "i5"])

    status, output = await in_terminal(private_bus, "search", "onions", "--all", "--json")
    found = json.loads(output)

    ids = [each["id"] for each in found["items"]]
    odd = [f"i{n}" for n in range(ITEMS) if n % 2 and n not in (1, 3, 5)]
    assert (status, len(ids), set(ids)) == (0, len(set(ids)), {"new", *odd})
    assert found["meta"]["sequence"] == store.sequence
    assert {uri.rpartition("=")[2] for uri in found["removed"]} == {"i1", "i3", "i5"}

    served.between = lambda: store.apply(node, removals=["i7"])
    _, text = await in_terminal(private_bus, "search", "onions", "--all", "--no-pager")
    assert "item=i7\n" in text
    assert f"sequence {store.sequence}\n" in text

    served.between = lambda: store.apply(node, removals=["i9"])
    before = store.sequence
    _, some = await in_terminal(private_bus, "search", "onions", "--limit", "250", "--json")
    assert json.loads(some)["meta"]["sequence"] == before  # there are more: who goes on asks since then


async def test_all_that_changed_is_listed_page_by_page_or_as_much_as_is_asked_for(
    private_bus: str, served: Served, store: Store
) -> None:
    (node,) = await store.nodes(KEY.account)
    (oldest,) = (await store.page(node, limit=1, index=0, extra=True)).items
    since = int(str(oldest.extra["sequence"])) - 1
    await store.apply(node, [item("new")], removals=["i0"])

    status, output = await in_terminal(private_bus, "changes", "--since", str(since), "--no-pager", COLUMNS="200")
    lines = output.splitlines()
    assert (status, len(lines), served.asked) == (0, ITEMS + 3, 4)
    assert lines[0].endswith("CHANGE          SERVICE NODE ID\x1b[0m")
    assert lines[-2].endswith("  retracted       pubsub.localhost urn:xmpp:microblog:0 i0")
    assert lines[-3].endswith("  published       pubsub.localhost urn:xmpp:microblog:0 new")
    assert lines[-1] == f"go on with --since {store.sequence}"

    _, output = await in_terminal(private_bus, "changes", "--since", str(since), "--json")
    found = json.loads(output)
    assert (len(found["changes"]), found["next"], found["more"]) == (ITEMS + 1, store.sequence, False)
    _, output = await in_terminal(private_bus, "changes", "--since", str(since), "--limit", "1200", "--json")
    found = json.loads(output)
    assert (len(found["changes"]), found["next"], found["more"]) == (1200, found["changes"][-1]["sequence"], True)
    assert (await in_terminal(private_bus, "changes", "--since", str(store.sequence)))[0] == 3
    assert (await in_terminal(private_bus, "changes", "--since", "1", "--limit", "0"))[0] == 2


@pytest.mark.parametrize("since", [1, 1 << 52])
async def test_where_changes_cannot_be_told_it_says_what_to_do(private_bus: str, served: Served, since: int) -> None:
    status, output = await in_terminal(private_bus, "changes", "--since", str(since))

    assert (status, "read anew: `pubkeep search --all` and `export` show all" in output) == (1, True)


@pytest.mark.parametrize(
    ("words", "xml", "parsed"),
    [
        ([], True, True),
        (["both"], True, True),
        (["xml"], True, False),
        (["json"], False, True),
        (["none"], False, False),
    ],
)
async def test_an_export_has_what_is_asked_for(
    private_bus: str, served: Served, store: Store, words: list[str], xml: bool, parsed: bool
) -> None:
    store.limits = Limits()
    given = ["--format", *words] if words else []

    status, output = await in_terminal(private_bus, "export", "onions", "--id", "i1", *given, "--no-pager")

    first, last = map(json.loads, output.splitlines())
    assert (status, bool(first["xml"]), bool(first["json"]), last["count"]) == (0, xml, parsed, 1)


async def test_pages_that_take_too_long_are_gone_on_with(private_bus: str, served: Served, store: Store) -> None:
    store.limits = Limits(seconds=0.0, few=10, many=10)

    status, output = await in_terminal(
        private_bus,
        "search",
        "--query",
        '{"not": {"parsed": {"path": "/title", "op": "!=", "value": "i100"}}}',
        "--limit",
        "1",
    )

    assert (status, shown(output)) == (0, 1)
    assert served.asked > 100

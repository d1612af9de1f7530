# SPDX-License-Identifier: MIT
"""Readers that keep what a query finds, by asking for what changed, while the store changes, crashes and is put back.

Each of them crashes, too, and goes on from what it had saved. What it holds in the end is what the full query finds.
"""

import asyncio
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from pubkeep.clock import Clock
from pubkeep.errors import CursorTooOld
from pubkeep.model import Analysis, NodeKey, NodeRecord, NodeState
from pubkeep.query.document import read
from pubkeep.questions import ChangesRequest, SearchRequest
from pubkeep.storage.store import Store
from pubkeep.uri import item_uri
from tests.daemon.storage.conftest import KEY, item, opened

ALICE = [KEY.account]
OTHER = KEY._replace(node="urn:x:event")
QUERIES = (
    *("{}", "garden", "type:event", '{"node_prefix": "urn:x:"}', "-garden"),
    '{"parsed": {"path": "/title", "op": "<", "value": "i3"}}',
)
AT_ONCE = 6
"""Readers that ask during a change, at least."""
CHECKED = 500
"""Changes after which all readers catch up and are looked at."""


@dataclass
class Reader:
    """Follows a query by Search(since), or all of a type by Changes; now and then it forgets what it did last."""

    query: str
    by_changes: bool
    held: dict[str, str] = field(default_factory=dict)
    since: int | None = None
    saved: tuple[dict[str, str], int | None] = field(default_factory=lambda: ({}, None))

    def save(self) -> None:
        self.saved = dict(self.held), self.since

    def crash(self) -> None:
        self.held, self.since = dict(self.saved[0]), self.saved[1]

    async def follow(self, store: Store, limit: int) -> None:
        try:
            await (self._changes(store, limit) if self.by_changes and self.since else self._search(store, limit))
        except CursorTooOld:
            self.since, self.held = None, {}
            await self._search(store, limit)

    async def _search(self, store: Store, limit: int) -> None:
        first = last = -1
        while first != last or first < 0:
            first, last = await self._pages(store, limit)
            self.since = first  # later pages may have newer items: once more, else a crash could take those away unseen

    async def _pages(self, store: Store, limit: int) -> tuple[int, int]:
        """Read them all. Returns the numbers of the first and of the last one."""
        cursor, since, first = "", self.since, -1
        while True:
            asked = since if not cursor else None
            request = SearchRequest(read(self.query), limit=limit, since=asked, cursor=cursor, format="xml")
            found = await store.search(request, ALICE)
            if found.reset or (since is None and not cursor):
                self.held, since = {}, None
            self.held = {uri: xml for uri, xml in self.held.items() if uri not in found.removed}
            self.held |= {row.uri: row.xml for row in found.items}
            first = first if cursor else found.sequence
            if not (cursor := found.cursor):
                return first, found.sequence

    async def _changes(self, store: Store, limit: int) -> None:
        more = True
        while more:  # what is looked up is newer than the page: until nothing is named
            assert self.since is not None
            page = await store.changes(ChangesRequest(self.since, limit=limit), ALICE)
            if any(each.kind in ("shown", "hidden", "node-recreated", "node-deleted") for each in page.changes):
                self.since = None
                await self._search(store, limit)
                return
            items = [(each.node, each.item_id) for each in page.changes if each.item_id]
            assert len(items) == len(set(items))
            await self._look(store, items)
            self.since, more = page.next, page.more or bool(items)

    async def _look(self, store: Store, named: list[tuple[NodeKey, str]]) -> None:
        found, missing = await store.lookup(named, format="xml", extra=False)
        self.held |= {row.uri: row.xml for row in found}
        for index in missing:
            self.held.pop(item_uri(*named[index]), None)


class Followed:
    """A store in a file that is changed, and its readers."""

    def __init__(self, path: Path, readers: int, seed: int) -> None:
        self.chance = random.Random(seed)
        self.readers = [Reader(self.chance.choice(QUERIES), by_changes=False) for _ in range(readers * 4 // 5)]
        self.readers += [Reader("{}", by_changes=True) for _ in range(readers - len(self.readers))]
        self._path, self._copy = path, path.with_name("copy.db")
        self._nodes: dict[NodeKey, NodeRecord] = {}

    async def open(self) -> None:
        """With both nodes."""
        self.store, node = await opened(self._path)
        analysis = Analysis("event", "event")
        event = await self.store.save_node(NodeRecord(0, OTHER, NodeState.STALE, analysis=analysis))
        self._nodes = {KEY: node, OTHER: event}

    async def step(self, number: int) -> None:
        """One change, and what some of the readers do meanwhile."""
        what = self.chance.randrange(22)
        if what == 4:
            await self._restart()
        asking = self.chance.sample(self.readers, max(AT_ONCE, len(self.readers) // 50))
        await asyncio.gather(self._change(what, number), *map(self._read, asking))

    async def _change(self, what: int, number: int) -> None:
        nodes, key = self._nodes, self.chance.choice((KEY, KEY, OTHER))
        match what:
            case 0:
                nodes[key] = await self.store.save_node(replace(nodes[key], state=NodeState.DENIED))
            case 1:
                nodes[key] = await self.store.save_node(replace(nodes[key], state=NodeState.STALE))
            case 2:
                await self.store.forget_node(nodes[key].number, "forgotten")
                nodes[key] = await self.store.save_node(replace(nodes[key], number=0))
            case 3:
                await self.store.forget_node(nodes[key].number, "purged", record=nodes[key])
            case 5 | 6 | 7:
                await self.store.apply(nodes[key], removals=[f"i{self.chance.randrange(12)}"])
            case _:
                words = self.chance.choice(("garden", "onions", "garden onions"))
                await self.store.apply(nodes[key], [item(f"i{self.chance.randrange(12)}", f"{words} {number}")])

    async def _restart(self) -> None:
        """It is closed, and copied, or what was copied is put back."""
        await self.store.close()
        if self.chance.random() < 0.5:
            shutil.copy(self._path, self._copy)
        elif self._copy.exists():
            shutil.copy(self._copy, self._path)
        self.store = await Store.open(self._path, Clock())
        self._nodes = {each.key: each for each in await self.store.nodes(KEY.account)}

    async def _read(self, reader: Reader) -> None:
        if self.chance.random() < 0.2:
            reader.crash()
        await reader.follow(self.store, self.chance.choice((1, 3, 100)))
        if self.chance.random() < 0.3:
            reader.save()

    async def fault(self) -> str:
        """Let all readers catch up. Returns which of them holds something else than there is, empty if none does."""
        there: dict[str, dict[str, str]] = {}
        for query in QUERIES:
            found = await self.store.search(SearchRequest(read(query), limit=500, format="xml"), ALICE)
            there[query] = {row.uri: row.xml for row in found.items}
        for number, reader in enumerate(self.readers):
            while reader.since != self.store.sequence:
                await reader.follow(self.store, 100)
            if reader.held != there[reader.query]:
                differs = sorted(reader.held.items() ^ there[reader.query].items())
                return f"reader {number} of {reader.query!r}, by_changes={reader.by_changes}: {differs}"
        return ""


async def follow(path: Path, readers: int, changes: int, seed: int, tell: Callable[[str], None]) -> str:
    """Change a new store so many times. Returns what is wrong, empty if nothing is."""
    followed = Followed(path, readers, seed)
    await followed.open()
    try:
        for number in range(1, changes + 1):
            await followed.step(number)
            if number % CHECKED == 0 or number == changes:
                if fault := await followed.fault():
                    return f"after change {number} (seed {seed}): {fault}"
                tell(f"readers: {readers} hold what there is after {number} changes")
    finally:
        await followed.store.close()
    return ""

# SPDX-License-Identifier: MIT
"""Those who keep what is told: by Search(since), and by Changes and Lookup. O7: they have just what the table holds."""

import asyncio
import random
from collections.abc import Awaitable, Collection, Mapping
from typing import TYPE_CHECKING, TypeVar

from pubkeep.errors import CursorTooOld, NotReady
from pubkeep.model import NodeKey
from pubkeep.query.document import read
from pubkeep.questions import ChangesRequest, ChangesResult, NodeFilter, SearchRequest
from pubkeep.uri import item_uri, node_uri, parse_item_uri
from tests.simulation.users import Killed, Wrong

if TYPE_CHECKING:
    from tests.simulation.world import World

T = TypeVar("T")
ALL, SOME = 500, 20
"""Items in a page; changes in an answer."""
ROUNDS = 30
"""Answers after which who follows goes home, though there are more."""


class Follower:
    """Somebody who keeps a list of everything."""

    what = ""
    stops = False
    """Whether nothing is told from the first item on that is held back."""

    def __init__(self, world: "World", chance: random.Random) -> None:
        self._world, self._chance = world, chance
        self._accounts = list(world.networks)
        self.mirror: dict[str, str] = {}
        """URI -> title."""
        self.since: int | None = None

    async def run(self) -> None:
        """Again after a while."""
        await asyncio.sleep(self._chance.uniform(1, 4))
        await self.follow()

    async def follow(self) -> None:
        """Take in what changed."""
        since = self.since
        try:
            await self._follow()
        except CursorTooOld:
            if self.since == since:  # another file
                self.mirror, self.since = {}, None
        except (Killed, NotReady):
            return

    async def _follow(self) -> None:
        raise NotImplementedError

    async def _call(self, work: Awaitable[T]) -> T:
        return await self._world.daemon.call(work)

    def _compare(self, sequence: int, commits: int) -> None:
        """What is kept, at a number that was told when so many transactions were committed, is what is held.

        But for nodes that are refused as far as the process knows: as long as that is not stored they are held back,
        and the number is one from before them. Search tells the rest, Changes stops there.
        """
        ledger = self._world.daemon.disk.ledger
        if ledger.commits != commits:
            return
        places = {(NodeKey(*place[:3]), place[3]): title for place, title in ledger.table().items()}
        table = {item_uri(*place): title for place, title in places.items()}
        refused = {key for key in {key for key, _ in places} if self._refused(key)}
        if sequence < ledger.sequence and not refused:
            raise Wrong(f"O7: {self.what} stops at {sequence}, there are changes until {ledger.sequence}")
        if sequence < ledger.sequence and self.stops:
            return
        self._world.seen[f"{self.what} compared"] += 1
        kept, held = (_without(rows, refused) if refused else rows for rows in (self.mirror, table))
        if kept != held:
            raise Wrong(f"O7: {self.what} tells {kept}, held is {held}")

    def _refused(self, key: NodeKey) -> bool:
        return self._world.cache.explain(key)["state"] in ("denied", "gone")


class BySearch(Follower):
    """By Search(since)."""

    what = "Search"

    def __init__(self, world: "World", chance: random.Random) -> None:
        super().__init__(world, chance)
        self._concerned: Collection[NodeKey] = ()
        """The nodes that the last search concerned."""

    async def _follow(self) -> None:
        world, since, commits = self._world, self.since, self._world.daemon.disk.ledger.commits
        found = await self._call(world.cache.search(SearchRequest(since=since, limit=ALL), self._accounts))
        self._concerned = found.nodes
        if self.since != since:
            return  # another file was put in its place meanwhile
        if found.reset or since is None:
            self.mirror = {}
        for uri in found.removed:
            self.mirror.pop(uri, None)
        self.mirror |= {row.uri: row.title for row in found.items}
        if since is not None and found.sequence < since and not (found.reset and not found.sequence):
            raise Wrong(f"O3: Search goes from {since} back to {found.sequence}")
        self.since = found.sequence
        self._compare(found.sequence, commits)

    def look(self) -> None:
        """What is remembered of how many nodes are doubtful is what is counted."""
        cache = self._world.cache
        if (kept := cache.census.remembered(self._concerned)) is None:  # type: ignore[arg-type]
            return
        self._world.seen["doubtful nodes remembered"] += 1
        there = [
            (state, record.items)
            for record, state in cache.get_nodes(NodeFilter(), self._accounts)
            if record.key in self._concerned and state not in ("synced", "denied", "gone")
        ]
        stale = sum(state in ("stale", "error", "syncing") and items > 0 for state, items in there)
        if kept != (len(there), stale):
            raise Wrong(f"O7: {kept} are told to be doubtful, {there} are")


class ByChanges(Follower):
    """By Changes, and a Lookup of what they name."""

    what = "Changes"
    stops = True

    async def _follow(self) -> None:
        cache = self._world.cache
        if self.since is None:
            found = await self._call(cache.search(SearchRequest(limit=ALL), self._accounts))
            self.mirror, self.since = {row.uri: row.title for row in found.items}, found.sequence
        for _ in range(ROUNDS):
            since, commits = self.since, self._world.daemon.disk.ledger.commits
            told = await self._call(cache.changes(ChangesRequest(since, limit=SOME), self._accounts))
            await self._take(told)
            if self.since != since:
                return  # another file was put in its place meanwhile
            self.since = told.next
            if not told.more and not any(change.item_id for change in told.changes):
                self._compare(told.next, commits)
                return

    async def _take(self, told: ChangesResult) -> None:
        named = list[str]()
        for change in told.changes:
            uri = item_uri(change.node, change.item_id)
            match change.kind:
                case "published" | "parsed":
                    named.append(uri)
                case "hidden" | "shown":
                    self.mirror = _without(self.mirror, {change.node})
                    if change.kind == "shown":
                        named += await self._anew(change.node)
                case _ if change.item_id:
                    self.mirror.pop(uri, None)
        rows, missing = await self._call(self._world.cache.lookup(named, self._accounts, "none", extra=False))
        self.mirror |= {row.uri: row.title for row in rows}
        for uri in missing:
            self.mirror.pop(uri, None)

    async def _anew(self, node: NodeKey) -> list[str]:
        """The items of a node."""
        query = read(f'{{"nodes": ["{node_uri(node)}"]}}')
        found = await self._call(self._world.cache.search(SearchRequest(query, limit=ALL), self._accounts))
        return [row.uri for row in found.items]


def _node(uri: str) -> NodeKey:
    return parse_item_uri(uri)[0]


def _without(rows: Mapping[str, str], nodes: Collection[NodeKey]) -> dict[str, str]:
    return {uri: title for uri, title in rows.items() if _node(uri) not in nodes}

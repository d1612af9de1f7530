# SPDX-License-Identifier: MIT
"""What frontends ask over all that is held: nobody else is asked for it."""

from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace

from pubkeep.cache.census import Census
from pubkeep.cache.chosen import matches
from pubkeep.cache.healing import Healer
from pubkeep.cache.parts import Part, Tools
from pubkeep.errors import DamagedItem
from pubkeep.model import ItemRow, NodeKey, NodeRecord, NodeState
from pubkeep.questions import ChangesRequest, ChangesResult, Format, NodeFilter, SearchRequest, SearchResult
from pubkeep.uri import parse_item_uri

EXPORTED = 200
"""Items in a page of an export."""


class Overview(Part):
    """Search, Lookup, Changes, Export, GetNodes, GetStatistics."""

    def __init__(self, tools: Tools, healer: Healer) -> None:
        super().__init__(tools)
        self._healer = healer
        self.census = Census(tools.known, tools.clock)

    async def search(self, request: SearchRequest, accounts: Sequence[str]) -> SearchResult:
        """Items of these accounts that match (DBUS-API, Search)."""
        result = await self._healer.reading(lambda: self._store.search(request, accounts))
        incomplete, stale = await self.census.doubtful(result.nodes)
        return self._shown(replace(result, incomplete=incomplete, stale=stale), request)

    async def lookup(
        self, uris: Sequence[str], accounts: Sequence[str], form: Format, *, extra: bool
    ) -> tuple[list[ItemRow], list[str]]:
        """The items held, and the URIs of those that are not (or that are of nobody's account here)."""
        asked = [each for each in map(parse_item_uri, uris) if each[0].account in accounts]
        rows, _ = await self._healer.reading(lambda: self._store.lookup(asked, format=form, extra=extra))
        shown = [row for row in rows if self._readable(row)]
        there = {row.uri for row in shown}
        return shown, [uri for uri in uris if uri not in there]

    def get_nodes(self, where: NodeFilter, accounts: Sequence[str]) -> list[tuple[NodeRecord, NodeState]]:
        """The nodes that are kept, with their state at this moment."""
        return [
            (node.record, state)
            for node in self._known.nodes()
            if node.key.account in accounts and matches(where, node, state := self._known.state(node))
        ]

    async def export(self, request: SearchRequest, accounts: Sequence[str]) -> AsyncGenerator[SearchResult, None]:
        """All pages of a search. What changes meanwhile may be in them or not: the first one says since when.

        Raises:
            DamagedItem: one was met. The next export goes on without it until it was fetched again.
        """
        request = replace(request, limit=EXPORTED)
        while True:
            try:
                page = self._shown(await self._store.search(request, accounts), request)
            except DamagedItem as error:  # nothing in the stream could say that one is missing
                await self._healer.heal(error.node)
                raise
            yield page
            if not page.cursor:
                return
            request = replace(request, cursor=page.cursor)

    async def changes(self, request: ChangesRequest, accounts: Sequence[str]) -> ChangesResult:
        """What changed in nodes of these accounts (DBUS-API, Changes). A state, or an analyser, is that of now."""
        if request.where.state or request.where.analyser:
            kept = self.get_nodes(replace(request.where, since=0), accounts)
            request = replace(request, among=frozenset(record.key for record, _ in kept))
        result = await self._store.changes(request, accounts)
        for at, change in enumerate(result.changes):
            if change.kind in ("published", "parsed", "shown") and self._hidden(change.node):
                # its refusal is not stored yet (see _shown): no lookup shows it, and nothing may say that it is back
                behind = result.changes[at - 1].sequence if at else request.since
                return ChangesResult(result.changes[:at], behind, more=False)
        return result

    def statistics(self, accounts: Sequence[str]) -> dict[str, int]:
        """What happened to these accounts since the start, and how many of their nodes are in which state."""
        total: Counter[str] = Counter()
        for account in accounts:
            total += self._known.counts(account)
            total += Counter(f"nodes_{self._known.state(node)}" for node in self._known.nodes(account))
        return dict(sorted(total.items()))

    def _shown(self, result: SearchResult, request: SearchRequest) -> SearchResult:
        """Without what was refused meanwhile.

        That is not stored yet, and perhaps never will be, where the process dies: then nothing says that the items are
        back when access is. So the answer's number is one from before them, and who goes on from there is told of them
        when they are shown; after a reset, in which older ones are missing too, that is none.
        """
        items = tuple(row for row in result.items if self._readable(row))
        if not (refused := len(result.items) - len(items)):
            return result
        count = None if result.count is None else result.count - refused
        return replace(result, items=items, count=count, sequence=0 if result.reset else request.since or 0)

    def _readable(self, row: ItemRow) -> bool:
        return not self._hidden(NodeKey(row.account, row.service, row.node))

    def _hidden(self, key: NodeKey) -> bool:
        """Whether its rows may not be shown; the store hides them when that is committed."""
        node = self._known.node(key)
        return node is not None and node.hidden

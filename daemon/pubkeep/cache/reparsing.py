# SPDX-License-Identifier: MIT
"""What an analyser makes of items that are held already: derived data of another version is made anew.

It runs behind everything else, a batch a transaction. Each row carries the analyser and the version that it was parsed
by, and the node carries the new ones when all of its rows do: who is interrupted begins again and writes what is left.
"""

import logging
from collections.abc import Collection
from dataclasses import replace
from functools import partial

from pubkeep import payload
from pubkeep.cache.applying import Applier
from pubkeep.cache.conversion import parse
from pubkeep.cache.healing import Healer
from pubkeep.cache.parts import Part, Tools
from pubkeep.cache.wanted import Node
from pubkeep.errors import PubkeepError
from pubkeep.model import Analysis, Applied, NewItem, NodeRecord
from pubkeep.protocol import WireItem
from pubkeep.slices import Slices

log = logging.getLogger(__name__)

BATCH = 50
"""Items parsed for one transaction."""


class Reparser(Part):
    """Parses again what another analyser, or another version of it, parsed."""

    def __init__(self, tools: Tools, applier: Applier, healer: Healer) -> None:
        super().__init__(tools)
        self._healer = healer
        self._applier = applier

    async def run(self, outdated: Collection[tuple[Node, Analysis]]) -> None:
        """Parse the items of these nodes anew; where that fails, the next start tries it again."""
        for node, analysis in outdated:
            try:
                await self._healer.reading(partial(self._node, node, analysis))
            except PubkeepError as error:
                key = node.key
                log.warning("%s at %s: not parsed anew, the next start tries again: %s", key.node, key.service, error)

    async def _node(self, node: Node, analysis: Analysis) -> None:
        same, after, slices = node.unended(), -1, Slices()
        number = node.record.number
        while same():
            rows = await self._store.raw_items(number, after, BATCH)
            if not rows:
                await self._applier.save(node, same, analysis=analysis)
                return
            after = rows[-1][0]
            items: list[NewItem] = []
            for _, item_id, publisher, xml, digest in rows:
                if xml:  # one that was refused has none
                    element = payload.item(item_id, payload.parse(xml), publisher)
                    parsed = await parse(self._analysers, node.key, analysis, WireItem(item_id, publisher, element))
                    items.append(NewItem(item_id, publisher, xml, digest, parsed))
                await slices.pause()
            await self._store_batch(node, analysis, items)

    async def _store_batch(self, node: Node, analysis: Analysis, items: Collection[NewItem]) -> None:
        async def store(record: NodeRecord) -> Applied:
            now = await self._store.digests(record.number, [item.id for item in items])
            unchanged = [item for item in items if now.get(item.id) == item.digest]  # else it was parsed as it came
            return await self._store.apply(replace(record, analysis=analysis), unchanged)

        applied = await self._applier.commit(node, node.unended(), store)
        if applied is not None and applied.published:
            self._applier.tell(node, "parsed", applied)

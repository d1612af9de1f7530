# SPDX-License-Identifier: MIT
"""Items as services send them, into items as they are stored."""

from collections.abc import Sequence

from pubkeep import payload
from pubkeep.cache.wanted import Node
from pubkeep.model import Analysis, NewItem, NodeKey, Parsed
from pubkeep.ports import Analysers
from pubkeep.protocol import WireItem
from pubkeep.slices import Slices


async def convert(
    analysers: Analysers, node: Node, items: Sequence[WireItem], held: dict[str, bytes]
) -> tuple[list[NewItem], dict[str, bytes]]:
    """Serialise and parse what differs from what is held. Returns that, and the digests of all."""
    changed: list[NewItem] = []
    digests: dict[str, bytes] = {}
    analysis = node.record.analysis
    slices = Slices()
    for item in items:
        xml, mark = payload.of_item(item.element)
        digests[item.id] = mark
        if held.get(item.id) != mark:
            parsed = await parse(analysers, node.key, analysis, item)
            changed.append(NewItem(item.id, item.publisher, xml, mark, parsed))
        await slices.pause()
    return changed, digests


async def parse(analysers: Analysers, key: NodeKey, analysis: Analysis | None, item: WireItem) -> Parsed:
    """What the node's analyser makes of an item; only its words where nobody knows more."""
    if trouble := payload.refusal(item.element):
        return Parsed(error=trouble)
    if analysis is None:
        return Parsed(text=payload.character_data(payload.first_child(item.element)))
    return await analysers.parse(key, analysis, item)

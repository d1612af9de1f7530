# SPDX-License-Identifier: MIT
"""Items with all that a query or an order may ask of them, read no wider than it is needed."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pubkeep import payload
from pubkeep.model import NodeKey
from pubkeep.query.conditions import All, Condition, Moment, Name, Not, OneOf, Parsed, Path, Text
from pubkeep.query.conditions import Any as AnyOf
from pubkeep.query.matching import Candidate
from pubkeep.query.values import MISSING
from pubkeep.storage.sorting import Order, Sortable

COLUMNS = (
    "item.tkey, item.node, item.item_id, item.publisher, item.subtype, item.analyser, item.published, item.updated,"
    " item.created, item.stored, item.sequence"
)
"""What every one has. Behind it: rank, text, json, xml."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What has to be read beside the columns of an item."""

    text: bool = False
    document: bool = False
    xml: bool = False

    def __or__(self, other: "Needs") -> "Needs":
        return Needs(self.text or other.text, self.document or other.document, self.xml or other.xml)

    @property
    def columns(self) -> str:
        """For a SELECT."""
        named = (self.text, "item_text.text"), (self.document, "item.json"), (self.xml, "payload.xml")
        return ", ".join(column if wanted else "''" for wanted, column in named)

    @property
    def joins(self) -> str:
        """For its FROM."""
        text = " JOIN item_text ON item_text.tkey = item.tkey" if self.text else ""
        return text + (" JOIN payload ON payload.item = item.number" if self.xml else "")


def needs(condition: Condition) -> Needs:
    """What a condition asks."""
    match condition:
        case Text():
            return Needs(text=True)
        case Parsed() | OneOf(Name.TAG, _):
            return Needs(document=True)
        case OneOf(Name.NAMESPACE, _):
            return Needs(xml=True)
        case All(parts) | AnyOf(parts):
            found = Needs()
            for part in parts:
                found |= needs(part)
            return found
        case Not(part):
            return needs(part)
        case _:
            return Needs()


def needs_of(orders: Sequence[Order]) -> Needs:
    """What an order asks."""
    return Needs(document=any(not order.name for order in orders))


def read(
    row: Sequence[Any], nodes: Mapping[int, tuple[NodeKey, str]], instants: Mapping[str, frozenset[Path]]
) -> Sortable:
    """A row of COLUMNS and what is behind them.

    Args:
        nodes: number -> (key, type).
        instants: by the name of an analyser, the places where it declares dates.
    """
    tkey, number, item_id, publisher, subtype, analyser, published, updated, created, stored, sequence, *rest = row
    rank, text, document, xml = rest
    key, kind = nodes[number]
    parsed = json.loads(document) if document else MISSING
    tags = parsed.get("tags") if isinstance(parsed, dict) else None
    dates = {
        Moment.PUBLISHED: published,
        Moment.UPDATED: updated,
        Moment.CREATED: created,
        Moment.STORED: stored,
    }
    candidate = Candidate(
        key,
        item_id,
        publisher,
        kind,
        subtype,
        payload.namespace(payload.parse(xml)) if xml else "",
        analyser,
        tuple(tag for tag in tags if isinstance(tag, str)) if isinstance(tags, list) else (),
        dates,
        text,
        parsed,
        instants.get(analyser, frozenset()),
    )
    return Sortable(candidate, tkey, sequence, rank or 0.0, (published, updated, created, stored))

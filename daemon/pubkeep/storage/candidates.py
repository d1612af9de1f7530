# SPDX-License-Identifier: MIT
"""Items with all that a query or an order may ask of them, read no wider than it is needed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pubkeep.errors import DamagedItem
from pubkeep.markup import root_namespace
from pubkeep.model import NodeKey
from pubkeep.query.conditions import All, Condition, Moment, Name, Not, OneOf, Parsed, Text
from pubkeep.query.conditions import Any as AnyOf
from pubkeep.query.declared import Declared
from pubkeep.query.matching import Candidate
from pubkeep.storage.indexing import document_of
from pubkeep.storage.marks import tags_of
from pubkeep.storage.payloads import Payloads
from pubkeep.storage.sorting import Order, Sortable

COLUMNS = (
    "item.tkey, item.node, item.item_id, item.publisher, item.subtype, item.analyser, item.published, item.updated,"
    " item.created, item.stored, item.sequence, item.digest"
)
"""What every one has. Behind it: payload, json."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What has to be read beside the columns of an item."""

    payload: bool = False
    document: bool = False

    def __or__(self, other: "Needs") -> "Needs":
        return Needs(self.payload or other.payload, self.document or other.document)

    @property
    def columns(self) -> str:
        """For a SELECT."""
        named = (self.payload, "payload.data"), (self.document, "item.json")
        return ", ".join(column if wanted else "''" for wanted, column in named)

    @property
    def joins(self) -> str:
        """For its FROM."""
        return " JOIN payload ON payload.item = item.number" if self.payload else ""


def needs(condition: Condition) -> Needs:
    """What a condition asks."""
    match condition:
        case Text() | OneOf(Name.NAMESPACE, _):
            return Needs(payload=True)
        case Parsed() | OneOf(Name.TAG, _):
            return Needs(document=True)
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
    return Needs(any(order.name == "rank" for order in orders), any(not order.name for order in orders))


def read(
    row: Sequence[Any],
    nodes: Mapping[int, tuple[NodeKey, str]],
    declared: Declared,
    stored: Payloads,
) -> Sortable:
    """A row of COLUMNS and what is behind them.

    Args:
        nodes: number -> (key, type).
    """
    tkey, number, item_id, publisher, subtype, analyser, published, updated, created, since, sequence, *rest = row
    digest, data, document = rest
    xml, text = stored.of_item(data, publisher, digest, number, item_id) if data != "" else ("", "")
    key, kind = nodes[number]
    try:
        parsed = document_of(document)
    except ValueError as error:
        raise DamagedItem(number, item_id) from error
    dates = {
        Moment.PUBLISHED: published,
        Moment.UPDATED: updated,
        Moment.CREATED: created,
        Moment.STORED: since,
    }
    candidate = Candidate(
        key,
        item_id,
        publisher,
        kind,
        subtype,
        root_namespace(xml) if xml else "",
        analyser,
        tags_of(parsed),
        dates,
        text,
        parsed,
        declared.dates(analyser),
    )
    return Sortable(candidate, tkey, sequence, moments=(published, updated, created, since))

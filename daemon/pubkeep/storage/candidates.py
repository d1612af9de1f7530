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

_COLUMNS = (
    "item.tkey, item.node, item.item_id, item.publisher, item.subtype, item.analyser, item.published, item.updated,"
    " item.created, item.stored, item.sequence, item.digest"
)
"""What every one has."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What has to be read beside the columns of an item."""

    payload: bool = False
    document: bool = False

    def __or__(self, other: "Needs") -> "Needs":
        return Needs(self.payload or other.payload, self.document or other.document)


def select(needs: Needs, tables: str = "item", *more: str) -> str:
    """SELECT and FROM of rows that `read` takes; `more` columns stand behind them."""
    data = "payload.data" if needs.payload else "''"
    document = "item.json" if needs.document else "''"
    columns = ", ".join((_COLUMNS, data, document, *more))
    join = " LEFT JOIN payload ON payload.item = item.number" if needs.payload else ""
    return f"SELECT {columns} FROM {tables}{join}"  # noqa: S608 (constants only)


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
    """A row of `select`.

    Args:
        nodes: number -> (key, type).
    """
    tkey, number, item_id, publisher, subtype, analyser, published, updated, created, since, sequence, *rest = row
    digest, data, document, *_ = rest
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

# SPDX-License-Identifier: MIT
"""Values of the model as D-Bus values. The types of all keys stand here, once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from pubkeep.model import ItemRow, NodeRecord, NodeState, Policy
from pubkeep.protocol import FieldValue, Subscription
from pubkeep.questions import Answer, Change, SearchResult
from pubkeep_bridge.bus import Variant
from pubkeep_bridge.service.errors import full_name

if TYPE_CHECKING:
    from pubkeep.cache.nodes import Discovery

CHANGE = {"type": "s"}
EXTRA = {"stored": "x", "sequence": "t", "subtype": "s", "error": "s"}
FOUND = {"snippet": "as", "rank": "d"}
"""Beside them, of a search."""
NODE = {
    "account": "s",
    "service": "s",
    "node": "s",
    "type": "s",
    "state": "s",
    "analyser": "s",
    "subtype": "s",
    "title": "s",
    "items": "t",
    "newest": "x",
    "synced_at": "x",
    "sequence": "t",
    "error": "s",
    "message": "s",
}
ANALYSER = {
    "name": "s",
    "type": "s",
    "node": "s",
    "namespace": "s",
    "to_sync": "b",
    "version": "u",
    "source": "s",
    "matched": "u",
    "parse_errors": "u",
    "last_error": "s",
    "schema": "s",
}
EXPLANATION = {
    "words": "s",
    "state": "s",
    "doubt": "s",
    "tried": "as",
    "reasons": "as",
    "policy": "s",
    "connected": "b",
    "analyser": "s",
    "wanted_by": "s",
    "subscription": "s",
    "items": "t",
    "verified_at": "x",
    "epoch": "t",
    "order": "s",
    "untold": "as",
    "proved_by": "as",
    "shown": "as",
    "distrusted": "as",
    "failures": "u",
    "dropped_events": "u",
    "damaged": "u",
    "account_dropped": "as",
    "last_error": "s",
    "last_message": "s",
    "next_attempt": "x",
}
SUBSCRIPTION = {"node": "s", "jid": "s", "subscription": "s", "subid": "s"}
DISCOVERY = {"identities": "as", "features": "as", "refused": "s", "more": "b"}
ENTRY = {"jid": "s", "node": "s", "name": "s"}
SEVERAL = ("pubsub#owner", "pubsub#publisher", "pubsub#contact")
"""Meta-data that is `as` also where the service does not declare it (XEP-0060 16.4.3)."""
ENTRY_BYTES = 60
"""What an entry costs in an answer, beside its texts."""
DATABASE = {bool: "b", int: "t", str: "s"}
"""Types of Database.GetStatistics."""
RESULT = {"items": "t", "missing": "as", "extra": "as", "different": "as"} | {
    "problems": "as",
    **dict.fromkeys(("bytes", "before", "after", "rows"), "t"),
}
"""What a job's result may hold."""


def variants(values: Mapping[str, object], types: Mapping[str, str]) -> dict[str, Any]:
    """A mapping as a{sv}; a tuple is an array."""
    return {
        key: Variant(types[key], list(value) if isinstance(value, tuple) else value) for key, value in values.items()
    }


def items(rows: Iterable[ItemRow]) -> list[list[Any]]:
    """Rows as a(sssssssxxsssa{sv})."""
    return [
        [
            row.uri,
            row.account,
            row.service,
            row.node,
            row.id,
            row.type,
            row.title,
            row.published,
            row.updated,
            row.publisher,
            row.xml,
            row.json,
            variants(row.extra, EXTRA | FOUND) if row.extra else {},
        ]
        for row in rows
    ]


def changes(found: Iterable[Change]) -> list[list[Any]]:
    """Changes as a(tsssssa{sv})."""
    return [
        [each.sequence, each.kind, *each.node, each.item_id, variants({"type": each.type}, CHANGE)] for each in found
    ]


def answer_meta(answer: Answer) -> dict[str, Any]:
    """The meta of GetItems."""
    page = answer.page
    meta = {
        "source": Variant("s", answer.source),
        "state": Variant("s", answer.state.value),
        "stale": Variant("b", answer.stale),
        "complete": Variant("b", page.complete),
        "more": Variant("b", page.more),
        "as_of": Variant("x", answer.as_of),
        "verified_at": Variant("x", answer.verified_at),
        "sequence": Variant("t", page.sequence),
        "first": Variant("s", page.first),
        "last": Variant("s", page.last),
    }
    if answer.untold:
        meta["untold"] = Variant("as", list(answer.untold))
    if answer.reason:
        meta["reason"] = Variant("s", answer.reason)
    if page.unknown:
        meta["unknown"] = Variant("as", list(page.unknown))
    if page.index is not None:
        meta["index"] = Variant("u", page.index)
    if page.count is not None:
        meta["count"] = Variant("u", page.count)
    return meta


def fields(form: Mapping[str, FieldValue]) -> dict[str, Any]:
    """The fields of a form as a{sv}: b, s or as."""
    types = {bool: "b", str: "s", tuple: "as"}
    return {
        key: Variant(types[type(value)], list(value) if isinstance(value, tuple) else value)
        for key, value in form.items()
    }


def subscriptions(found: Iterable[Subscription]) -> list[dict[str, Any]]:
    """Rows of GetSubscriptions."""
    return [variants(dict(zip(SUBSCRIPTION, each, strict=True)), SUBSCRIPTION) for each in found]


def discovery(found: Discovery, max_bytes: int) -> list[Any]:
    """Info and entries of Discover; entries are cut off where the answer would become too long."""
    info: dict[str, Any] = {}
    for name, value in found.info.fields.items():
        text, several = found.info.metadata[name], isinstance(value, tuple) or name in SEVERAL
        lines = list(value) if isinstance(value, tuple) else [text]
        info[name.removeprefix("pubsub#")] = Variant("as", lines) if several else Variant("s", text)
    identities = ["/".join(part for part in identity if part) for identity in found.info.identities]
    info |= variants({"identities": identities, "features": sorted(found.info.features)}, DISCOVERY)
    if found.refused:
        info["refused"] = Variant("s", found.refused)
    entries: list[dict[str, Any]] = []
    for each in found.entries:
        max_bytes -= sum(map(len, each)) + ENTRY_BYTES
        if max_bytes < 0 and entries:
            info["more"] = Variant("b", True)
            break
        entries.append(variants(each._asdict(), ENTRY))
    return [info, entries]


def search_meta(result: SearchResult, took_us: int) -> dict[str, Any]:
    """The meta of Search."""
    meta = {
        "sequence": Variant("t", result.sequence),
        "took_us": Variant("u", took_us),
        "incomplete": Variant("u", result.incomplete),
        "stale": Variant("u", result.stale),
    }
    if result.cursor:
        meta["cursor"] = Variant("s", result.cursor)
    if result.count is not None:
        meta["count"] = Variant("t", result.count)
    for name in ("reset", "unfinished", "indexing"):
        if getattr(result, name):
            meta[name] = Variant("b", True)
    return meta


def counts(found: Mapping[str, int]) -> dict[str, Any]:
    """The result of GetStatistics."""
    return {what: Variant("t", number) for what, number in found.items()}


def statistics(found: Mapping[str, int | str | bool]) -> dict[str, Any]:
    """The result of Database.GetStatistics."""
    return {key: Variant(DATABASE[type(value)], value) for key, value in found.items()}


def policy(decided: Policy) -> dict[str, Any]:
    """The result of GetPolicy."""
    values = {"sync": decided.sync, "max_items": decided.max_items, "max_age": decided.max_age}
    return variants(values, {"sync": "s", "max_items": "u", "max_age": "u"})


def node(record: NodeRecord, state: NodeState) -> dict[str, Any]:
    """A row of GetNodes."""
    analysis = record.analysis
    values = {
        "account": record.key.account,
        "service": record.key.service,
        "node": record.key.node,
        "type": analysis.type if analysis else "",
        "state": state.value,
        "analyser": analysis.name if analysis else "",
        "subtype": analysis.subtype if analysis else "",
        "title": record.title,
        "items": record.items,
        "newest": record.newest,
        "synced_at": record.verified_at,
        "sequence": record.sequence,
        "error": full_name(record.error),
        "message": record.reason,
    }
    return variants(values, NODE)

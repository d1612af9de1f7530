# SPDX-License-Identifier: MIT
"""A condition on items as SQL that finds all candidates, and whether it finds nothing else.

Whatever is not exact is decided by the query's own meaning (query/matching.py), row by row.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from pubkeep.query.conditions import All, Any, Condition, Dated, Moment, Name, Not, OneOf, Parsed, Term, Text
from pubkeep.storage.marks import of_publisher, of_tag

_COLUMNS = {
    Name.SUBTYPE: "item.subtype",
    Name.ANALYSER: "item.analyser",
    Name.ID: "item.item_id",
}
_DATES = {
    Moment.PUBLISHED: "item.published",
    Moment.UPDATED: "item.updated",
    Moment.CREATED: "item.created",
    Moment.STORED: "item.stored",
}


@dataclass(slots=True)
class Plan:
    """How a database finds the items."""

    wanted: str = ""
    """A full-text expression that all of them match; empty: any text."""
    unwanted: list[str] = field(default_factory=list)
    """Full-text expressions that none of them matches."""
    where: list[str] = field(default_factory=list)
    """Conditions on columns."""
    parameters: dict[str, object] = field(default_factory=dict)
    keyed: list[Parsed] = field(default_factory=list)
    """Comparisons that an index of declared keys may decide."""
    exact: bool = True
    """Whether all this, `keyed` included, matches all that was asked."""


def plan(condition: Condition, *, marked: bool) -> Plan:
    """Find the items of a condition of which the nodes have had their part (query/scope.py).

    Args:
        marked: all items have their marks in the index (marks.py).
    """
    made = Plan()
    wanted: list[str] = []
    for part in condition.parts if isinstance(condition, All) else (condition,):
        if (expression := _text(part, marked)) is not None:
            wanted.append(expression)
        elif isinstance(part, Text):
            wanted += [_group(group) for group in part.groups]
            made.unwanted += [_term(term) for term in part.unwanted]
        elif isinstance(part, Not) and (expression := _text(part.part, marked)) is not None:
            made.unwanted.append(expression)
        elif isinstance(part, Parsed):
            made.keyed.append(part)
        elif (sql := _where(part, made.parameters)) is not None:
            made.where.append(sql)
        else:
            made.exact = False
    made.wanted = " AND ".join(wanted)
    return made


def _text(condition: Condition, marked: bool) -> str | None:
    """A condition on nothing but words and marks that stand there, as one full-text expression."""
    match condition:
        case OneOf(Name.TAG, values) if marked and values:
            return any_mark([of_tag(value) for value in values])
        case OneOf(Name.PUBLISHER, values) if marked and values and "" not in values:
            return any_mark([of_publisher(value) for value in values])
        case Text(groups, ()) if groups:
            return "(" + " AND ".join(map(_group, groups)) + ")"
        case All(parts) | Any(parts) if parts:
            expressions = [_text(part, marked) for part in parts]
            if None not in expressions:
                return "(" + (" AND " if isinstance(condition, All) else " OR ").join(map(str, expressions)) + ")"
    return None


def _group(terms: tuple[Term, ...]) -> str:
    return "(" + " OR ".join(map(_term, terms)) + ")"


def _term(term: Term) -> str:
    """Words have nothing but letters and digits in them: nothing of the index's own syntax can be reached."""
    return 'words : "' + " ".join(term.words) + '"' + " *" * term.prefix


def any_mark(marks: Sequence[str]) -> str:
    """A full-text expression for items with one of these marks."""
    return "(" + " OR ".join(f'marks : "{mark}"' for mark in marks) + ")"


def _where(condition: Condition, parameters: dict[str, object]) -> str | None:
    """The condition as SQL, just that; None where there is none."""
    match condition:
        case OneOf(name, values) if name in _COLUMNS:
            among = _bound(parameters, json.dumps(values))
            return f"{_COLUMNS[name]} IN (SELECT value FROM json_each({among}))"  # noqa: S608 (constants only)
        case Dated(moment, after, before):
            column = _DATES[moment]
            ends = [f"{column} >= {_bound(parameters, after)}"] if after is not None else []
            ends += [f"{column} < {_bound(parameters, before)}"] if before is not None else []
            return "(" + " AND ".join([f"{column} != 0", *ends]) + ")"
        case Not(part):
            inner = _where(part, parameters)
            return None if inner is None else f"NOT ({inner})"
        case All(parts) | Any(parts):
            found = [_where(part, parameters) for part in parts]
            if None in found:
                return None
            word, empty = (" AND ", "1") if isinstance(condition, All) else (" OR ", "0")
            return "(" + (word.join(map(str, found)) or empty) + ")"
    return None


def _bound(parameters: dict[str, object], value: object) -> str:
    name = f"q{len(parameters)}"
    parameters[name] = value
    return f":{name}"

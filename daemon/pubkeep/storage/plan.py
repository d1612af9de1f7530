# SPDX-License-Identifier: MIT
"""A condition on items as SQL that finds all candidates, and whether it finds nothing else.

Whatever is not exact is decided by the query's own meaning (query/matching.py), row by row.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field

from pubkeep.query.conditions import All, Any, Condition, Dated, Moment, Name, Not, OneOf, Parsed, Term, Text
from pubkeep.storage.dialect import Dialect, Expression, FullText
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

    wanted: Expression | None = None
    """A full-text expression that all of them match."""
    unwanted: list[Expression] = field(default_factory=list)
    """Full-text expressions that none of them matches."""
    where: list[str] = field(default_factory=list)
    """Conditions on columns."""
    parameters: dict[str, object] = field(default_factory=dict)
    keyed: list[Parsed] = field(default_factory=list)
    """Comparisons that an index of declared keys may decide."""
    exact: bool = True
    """Whether all this, `keyed` included, matches all that was asked."""

    def forbid(self, expressions: Iterable[Expression]) -> None:
        """None of them matches these; where that is not sure, it is left to be decided row by row."""
        for expression in expressions:
            if expression.sure:
                self.unwanted.append(expression)
            else:
                self.exact = False


def plan(condition: Condition, dialect: Dialect, *, marked: bool) -> Plan:
    """Find the items of a condition of which the nodes have had their part (query/scope.py).

    Args:
        marked: all items have their marks in the index (marks.py).
    """
    made = Plan()
    index = dialect.full_text
    wanted: list[Expression] = []
    for part in condition.parts if isinstance(condition, All) else (condition,):
        if (expression := _text(part, index, marked)) is not None:
            wanted.append(expression)
        elif isinstance(part, Text):
            wanted += [_group(group, index) for group in part.groups]
            made.forbid(_term(term, index) for term in part.unwanted)
        elif isinstance(part, Not) and (expression := _text(part.part, index, marked)) is not None:
            made.forbid([expression])
        elif isinstance(part, Parsed):
            made.keyed.append(part)
        elif (sql := _where(part, dialect, made.parameters)) is not None:
            made.where.append(sql)
        else:
            made.exact = False
    if wanted:
        made.wanted = index.every(wanted)
    if wanted or made.unwanted:
        made.exact &= index.exact
    return made


def _text(condition: Condition, index: FullText, marked: bool) -> Expression | None:
    """A condition on nothing but words and marks that stand there, as one full-text expression."""
    match condition:
        case OneOf(Name.TAG, values) if marked and values:
            return index.either([index.mark(of_tag(value)) for value in values])
        case OneOf(Name.PUBLISHER, values) if marked and values and "" not in values:
            return index.either([index.mark(of_publisher(value)) for value in values])
        case Text(groups, ()) if groups:
            return index.every([_group(group, index) for group in groups])
        case All(parts) | Any(parts) if parts:
            expressions = [each for part in parts if (each := _text(part, index, marked)) is not None]
            if len(expressions) == len(parts):
                return index.every(expressions) if isinstance(condition, All) else index.either(expressions)
    return None


def _group(terms: tuple[Term, ...], index: FullText) -> Expression:
    return index.either([_term(term, index) for term in terms])


def _term(term: Term, index: FullText) -> Expression:
    return index.term(term.words, prefix=term.prefix)


def _where(condition: Condition, dialect: Dialect, parameters: dict[str, object]) -> str | None:
    """The condition as SQL, just that; None where there is none."""
    match condition:
        case OneOf(name, values) if name in _COLUMNS:
            return dialect.among_texts(_COLUMNS[name], _bound(parameters, json.dumps(values)))
        case Dated(moment, after, before):
            column = _DATES[moment]
            ends = [f"{column} >= :{_bound(parameters, after)}"] if after is not None else []
            ends += [f"{column} < :{_bound(parameters, before)}"] if before is not None else []
            return "(" + " AND ".join([f"{column} != 0", *ends]) + ")"
        case Not(part):
            inner = _where(part, dialect, parameters)
            return None if inner is None else f"NOT ({inner})"
        case All(parts) | Any(parts):
            found = [_where(part, dialect, parameters) for part in parts]
            if None in found:
                return None
            word, empty = (" AND ", "TRUE") if isinstance(condition, All) else (" OR ", "FALSE")
            return "(" + (word.join(map(str, found)) or empty) + ")"
    return None


def _bound(parameters: dict[str, object], value: object) -> str:
    name = f"q{len(parameters)}"
    parameters[name] = value
    return name

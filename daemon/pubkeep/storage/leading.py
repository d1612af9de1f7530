# SPDX-License-Identifier: MIT
"""Which index leads the way through the items of a search.

Each of them ends with the time key, so that the newest come first without sorting: the words and marks of the full-text
index, a value of a declared key, and the time key itself. A range of values has its items in the order of the values:
it leads only where they are few, and are sorted.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from pubkeep.storage.dialect import Dialect, Expression
from pubkeep.storage.engines import Fetcher
from pubkeep.storage.keys import Key, Keys, Range, ranges
from pubkeep.storage.plan import Plan

FEW, FEW_BESIDE = 20_000, 2000
"""Items of a range that are sorted, in 7 ms: along the time, 20 of so many are not met sooner. Fewer where there is an
index of words: each item of the range would be looked through for them."""


@dataclass(slots=True)
class Lead:
    """The first part of a SELECT."""

    tables: str = "item"
    time: str = "item.tkey"
    """The time key, where the order is along it for nothing."""
    where: list[str] = field(default_factory=list)
    parameters: dict[str, object] = field(default_factory=dict)
    exact: bool = True
    """Whether nothing is left to be decided row by row."""


async def lead(
    fetcher: Fetcher, dialect: Dialect, plan: Plan, keys: Keys, marks: Expression | None, *, ranked: bool
) -> Lead:
    """Choose it.

    Args:
        marks: an expression for the nodes in scope; None where they are too many.
    """
    usable = [
        (index, found)
        for each in plan.keyed
        if (index := keys.ready(each.path)) and (found := ranges(each, bool(index.dated))) is not None
    ]
    if not all(found for _, found in usable):
        return Lead(where=["FALSE"])
    text = dialect.full_text
    each = [part for part in (plan.wanted, marks) if part is not None]
    wanted = text.every(each) if each else None
    if usable and not ranked:
        key, found = min(usable, key=lambda each: len(each[1]))
        point = len(found) == 1 and found[0][1] == found[0][0] + b"\0"
        if (point and not wanted) or await _few(fetcher, key, found, FEW_BESIDE if wanted else FEW):
            made = _by_value(key, found[0][0], dialect) if point else _by_ranges(key, found)
            made.exact = plan.exact and len(plan.keyed) == 1 and not plan.wanted and not plan.unwanted
            return made
    if wanted:
        made = _by_words(text.without(wanted, plan.unwanted) if plan.unwanted else wanted, dialect)
    elif plan.unwanted:
        matching = f"SELECT {text.time} FROM item_fts WHERE {text.matching('unwanted')}"  # noqa: S608 (constants only)
        made = Lead(where=[f"item.tkey NOT IN ({matching})"], parameters={"unwanted": text.either(plan.unwanted).text})
    else:
        made = Lead()
    made.exact = plan.exact and not plan.keyed
    return made


async def _few(fetcher: Fetcher, key: Key, found: Sequence[Range], most: int) -> bool:
    parameters: dict[str, object] = {"number": most + 1}
    sql = f"SELECT count(*) FROM ({_union(key, found, parameters)} LIMIT :number) AS few"  # noqa: S608 (constants only)
    number: int = (await fetcher.execute_fetchall(sql, parameters))[0][0]
    return number <= most


def _by_value(key: Key, value: bytes, dialect: Dialect) -> Lead:
    return Lead(
        f"item_key {dialect.first} item ON item.tkey = item_key.tkey",
        "item_key.tkey",
        ["item_key.key = :led", "item_key.value = :led_value"],
        {"led": key.number, "led_value": value},
    )


def _by_ranges(key: Key, found: Sequence[Range]) -> Lead:
    """SQLite goes through such a list in the order of the time key: no item is read before its turn."""
    made = Lead()
    made.where.append(f"item.tkey IN ({_union(key, found, made.parameters)})")
    return made


def _union(key: Key, found: Sequence[Range], parameters: dict[str, object]) -> str:
    """The time keys of all items in these ranges, which have none in common."""
    parts = []
    parameters["led"] = key.number
    for at, (start, end) in enumerate(found):
        parameters |= {f"led{at}": start, f"led{at}_end": end}
        parts.append(f"SELECT tkey FROM item_key WHERE key = :led AND value >= :led{at} AND value < :led{at}_end")  # noqa: S608
    return " UNION ALL ".join(parts)


def _by_words(wanted: Expression, dialect: Dialect) -> Lead:
    index = dialect.full_text
    made = Lead(f"item_fts {dialect.first} item ON item.tkey = {index.time}", index.time)
    made.where.append(index.matching("wanted"))
    made.parameters["wanted"] = index.wanted(wanted)
    return made

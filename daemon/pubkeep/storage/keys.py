# SPDX-License-Identifier: MIT
"""Places of the JSON that analysers declare, indexed by what stands there (query/values.sort_key).

An item has a row for each of them where it has something, whoever made its JSON. What is declared may change with the
program, or while it runs: then the place is indexed anew, under another number, while everything goes on, and it is not
used before that is done. All but `Keys` and `ranges` runs in the writer's thread.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, insert, select, text, update

from pubkeep.query.conditions import Json, Parsed, Path
from pubkeep.query.declared import Declared
from pubkeep.query.document import pointer, pointer_of
from pubkeep.query.values import MAX_STRING, Missing, at, kind, sort_key
from pubkeep.storage import tables
from pubkeep.storage.compiled import many
from pubkeep.storage.counter import Counter
from pubkeep.storage.dialect import Dialect
from pubkeep.storage.indexing import Indexed, document_of

VERSION = 1
"""Of what is made of a value; indexes of another version are made anew."""
FILLED = 500
"""Items, or rows, in one transaction."""
Range = tuple[bytes, bytes]
"""From one key to before another."""

_Key, _ItemKey, _Item = tables.KeyRow, tables.ItemKeyRow, tables.ItemRow
_ADD = text("INSERT INTO item_key (key, value, tkey) VALUES (:key, :value, :tkey) ON CONFLICT DO NOTHING")
_REMOVE = delete(_ItemKey).where(
    _ItemKey.key == bindparam("b_key"), _ItemKey.value == bindparam("b_value"), _ItemKey.tkey == bindparam("b_tkey")
)
_NEXT = (
    select(_Item.number, _Item.tkey, _Item.analyser, _Item.json)
    .where(_Item.number <= bindparam("behind"))
    .order_by(_Item.number.desc())
    .limit(FILLED)
)
_SOME = select(_ItemKey.value, _ItemKey.tkey).where(_ItemKey.key == bindparam("some")).limit(FILLED)


@dataclass(frozen=True, slots=True)
class Key:
    """A place that is indexed."""

    number: int
    path: Path
    dated: frozenset[str]
    """Analysers for which dates stand there."""
    ready: bool
    """Whether all items are in."""


@dataclass(slots=True)
class Keys:
    """Those that there are."""

    declared: Declared = field(default_factory=Declared)
    each: Mapping[Path, Key] = field(default_factory=dict)

    def ready(self, path: Path) -> Key | None:
        """The index of this place, if it is of use."""
        key = self.each.get(path)
        return key if key is not None and key.ready else None

    def filled(self, numbers: frozenset[int]) -> "Keys":
        """Those with these numbers are of use from now on."""
        each = {path: replace(key, ready=key.ready or key.number in numbers) for path, key in self.each.items()}
        return Keys(self.declared, each)

    def within(self, declared: Declared) -> "Keys":
        """Those that are as is declared now."""
        return Keys(declared, {path: key for path, key in self.each.items() if declared.places.get(path) == key.dated})

    def still_in(self, later: "Keys") -> "Keys":
        """Those that are later declared as they are now: of the others, rows may be gone."""
        numbers = {key.number for key in later.each.values()}
        return Keys(self.declared, {path: key for path, key in self.each.items() if key.number in numbers})


# -- asking -------------------------------------------------------------------------------------------------


def ranges(condition: Parsed, dated: bool) -> list[Range] | None:
    """What the index has of all items that match, and of no others; None where it cannot tell.

    Args:
        dated: dates may stand there.
    """
    value = condition.value
    if condition.fold:
        return None
    match condition.operator:
        case "exists":
            return [(b"", b"\xff")]
        case "==":
            return _equal([value], dated)
        case "in":
            return _equal(value, dated) if isinstance(value, list) else None
        case "starts_with" if isinstance(value, str) and not dated and _short(value):
            return [(sort_key(value), sort_key(value) + b"\xff")]
        case ">" | ">=" | "<" | "<=" if _ordered(value):
            found = []
            for key in _keys(value, dated):
                start, end = key[:1], bytes((key[0] + 1,))
                found.append(
                    {
                        ">": (key + b"\0", end),
                        ">=": (key, end),
                        "<": (start, key),
                        "<=": (start, key + b"\0"),
                    }[condition.operator]
                )
            return found
        case "between" if isinstance(value, list) and all(map(_ordered, value)):
            both = zip(*(_keys(each, dated) for each in value), strict=False)
            return [(low, high + b"\0") for low, high in both if low[0] == high[0]]
    return None


def _equal(values: Iterable[Json], dated: bool) -> list[Range] | None:
    found: list[Range] = []
    for value in values:
        if isinstance(value, (list, dict)) or (isinstance(value, str) and not _short(value)):
            return None
        found += [(key, key + b"\0") for key in _keys(value, dated)]
    return sorted(set(found))


def _keys(value: Json, dated: bool) -> list[bytes]:
    """What may stand in the index for it."""
    return list(dict.fromkeys((sort_key(value), sort_key(value, dated=True)))) if dated else [sort_key(value)]


def _ordered(value: Json) -> bool:
    """Whether it can be compared, and its key says all of it."""
    if isinstance(value, str):
        return _short(value)
    return kind(value) == kind(0)


def _short(value: str) -> bool:
    return len(value.encode(errors="surrogatepass")) < MAX_STRING


# -- keeping ------------------------------------------------------------------------------------------------


def held(connection: Connection) -> Keys:
    """Those of an earlier run, as far as this version of the program can read them."""
    rows = connection.execute(select(_Key.__table__).where(_Key.place != "")).all()
    each = {
        path: Key(row.number, path, frozenset(names), not row.behind)
        for row in rows
        for path, (version, *names) in ((pointer(row.place), json.loads(row.made_by)),)
        if version == VERSION
    }
    return Keys(Declared({path: key.dated for path, key in each.items()}), each)


def numbers(connection: Connection) -> Counter:
    """Where numbers of indexes come from. They are none of the sequence: nothing that is told changes with them."""
    return Counter(connection.execute(select(func.max(_Key.number))).scalar() or 0)


def declare(connection: Connection, declared: Declared, counter: Counter, *, anew: bool = False) -> Keys:
    """Begin an index for each place that has none yet, and take leave of the others.

    Args:
        counter: of `numbers`.
        anew: take leave of all.
    """
    newest = connection.execute(select(func.max(_Item.number))).scalar() or 0
    held = {row.place: row for row in connection.execute(select(_Key.__table__).where(_Key.place != "")).all()}
    found: dict[Path, Key] = {}
    for path, names in declared.places.items():
        place, made_by = pointer_of(path), json.dumps([VERSION, *sorted(names)])
        row = held.get(place)
        if row is not None and row.made_by == made_by and not anew:
            del held[place]
            found[path] = Key(row.number, path, names, not row.behind)
        else:
            number = counter.next()
            values = {"number": number, "place": place, "made_by": made_by, "behind": newest}
            found[path] = Key(number, path, names, not newest)
            if row is not None:
                connection.execute(update(_Key).where(_Key.number == row.number).values(place=""))
                del held[place]
            connection.execute(insert(_Key).values(values))
    for row in held.values():
        connection.execute(update(_Key).where(_Key.number == row.number).values(place=""))
    return Keys(declared, found)


def fill(connection: Connection, keys: Keys) -> tuple[bool, frozenset[int]]:
    """Take in the next items, or drop the next rows. Returns whether there is more to do, and which are filled now."""
    rows = connection.execute(select(_Key.__table__)).all()
    if dropped := [row.number for row in rows if not row.place]:
        found = connection.execute(_SOME, {"some": dropped[0]}).all()
        if found:
            names = ("b_key", "b_value", "b_tkey")
            many(connection, _REMOVE, [dict(zip(names, (dropped[0], *row), strict=True)) for row in found])
        else:
            connection.execute(delete(_Key).where(_Key.number == dropped[0]))
        return True, frozenset()
    behind = max((row.behind for row in rows), default=0)
    if not behind:
        return False, frozenset()
    numbers = frozenset(row.number for row in rows if row.behind == behind)
    filling = [key for key in keys.each.values() if key.number in numbers]
    items = connection.execute(_NEXT, {"behind": behind}).all()
    made = [_rows(filling, row.tkey, row.analyser, document_of(row.json), "") for row in items]
    many(connection, _ADD, [row for of_item in made for row in of_item])
    left = items[-1].number - 1 if len(items) == FILLED else 0
    connection.execute(update(_Key).where(_Key.number.in_(numbers)).values(behind=left))
    return True, frozenset() if left else numbers


def add(connection: Connection, keys: Keys, items: Sequence[Indexed]) -> None:
    """Take in items."""
    _change(connection, keys, _ADD, items, "")


def remove(connection: Connection, keys: Keys, items: Sequence[Indexed]) -> None:
    """Forget items, as they were."""
    _change(connection, keys, _REMOVE, items, "b_")


def drop(connection: Connection, dialect: Dialect, tkeys: Sequence[int]) -> None:
    """Forget items of which nobody knows any more what they were; all rows are looked at."""
    among = dialect.among_numbers("tkey", "some")
    connection.execute(text(f"DELETE FROM item_key WHERE {among}"), {"some": json.dumps(list(tkeys))})  # noqa: S608


def _change(connection: Connection, keys: Keys, statement: Any, items: Sequence[Indexed], prefix: str) -> None:
    each = list(keys.each.values())
    rows = [row for item in items for row in _rows(each, item.tkey, item.analyser, item.document, prefix)]
    many(connection, statement, rows)


def _rows(keys: Iterable[Key], tkey: int, analyser: str, document: Json | Missing, prefix: str) -> list[dict[str, Any]]:
    found = []
    for key in keys:
        value = at(document, key.path)
        if not isinstance(value, Missing):
            made = sort_key(value, dated=analyser in key.dated)
            found.append({f"{prefix}key": key.number, f"{prefix}value": made, f"{prefix}tkey": tkey})
    return found

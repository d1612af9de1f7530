# SPDX-License-Identifier: MIT
"""Whether a database is whole: its pages, what hangs together, and its indexes, which hold just what the items have.

All of it is seen at one moment, on a connection of its own; nobody is kept from writing. The indexes are not looked up
item by item, which would take a day: both sides are added up, in any order, and the sums compared. What another version
of the program made is passed over: it is made anew.
"""

import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping

from pubkeep.query.conditions import Json, Path
from pubkeep.query.document import pointer
from pubkeep.query.values import MISSING, Missing, at, sort_key
from pubkeep.storage import keys
from pubkeep.storage.indexing import NAME, VERSION, Indexed, document_of
from pubkeep.storage.payloads import Payloads
from pubkeep.storage.trouble import is_damage
from pubkeep.upkeep import Findings

AT_ONCE = 500
"""Rows between two looks whether to go on."""
ROWS = 20_000
"""Of an index."""
NAMED = 20
"""Problems of one kind that are named."""
MANY = 1000
"""Damaged items that are no accident any more: then no other item is believed."""

Turn = Callable[[int, int], None]
"""Called with (done, total) where others may have their turn; raises where it is to end."""

HANGING = {
    "items have no payload": "SELECT count(*) FROM item WHERE number NOT IN (SELECT item FROM payload)",
    "payloads have no item": "SELECT count(*) FROM payload WHERE item NOT IN (SELECT number FROM item)",
    "places in a node are taken twice": (
        "SELECT count(*) FROM (SELECT 1 FROM item GROUP BY node, pos HAVING count(*) > 1) AS twice"
    ),
    "numbers of changes were given twice": (
        "SELECT count(*) FROM (SELECT 1 FROM (SELECT sequence FROM item UNION ALL SELECT sequence FROM change) AS every"
        " GROUP BY sequence HAVING count(*) > 1) AS twice"
    ),
}
"""What must not be, in any database: words -> how often it is."""
HARMED = "SELECT DISTINCT node FROM item WHERE number NOT IN (SELECT item FROM payload)"
"""Nodes with items of which there is nothing to show."""
_HANGING = HANGING | {
    "rows belong to nothing": "SELECT count(*) FROM pragma_foreign_key_check",
    "items have no readable JSON": "SELECT count(*) FROM item WHERE json != '' AND NOT json_valid(json)",
}
_KINDS = {
    **dict.fromkeys(("tkey", "item.node"), "integer"),
    **dict.fromkeys(("publisher", "analyser", "json", "item_id"), "text"),
    **dict.fromkeys(("digest", "data"), "blob"),
}
_HARMED = f"{HARMED} UNION SELECT node FROM item WHERE json != '' AND NOT json_valid(json)"  # noqa: S608 (constants only)
_OTHER = " OR ".join(f"typeof({column}) != '{kind}'" for column, kind in _KINDS.items())
_OTHER_KINDS = f"SELECT count(*) FROM item JOIN payload ON payload.item = item.number WHERE {_OTHER}"  # noqa: S608
"""SQLite holds any type anywhere, and so does a damaged page that it can still make sense of."""
COUNTERS = (
    "SELECT name, service, items, found FROM"
    " (SELECT *, (SELECT count(*) FROM item WHERE item.node = node.number) AS found FROM node) AS counted"
    " WHERE items != found LIMIT :named"
)
FILLED = "SELECT number, place, made_by FROM key WHERE place != '' AND behind = 0"
"""For `places`."""
_ITEMS = (
    "SELECT item.number, tkey, item.node, publisher, analyser, json, digest, item_id, data FROM item"
    " JOIN payload ON payload.item = item.number ORDER BY item.number"
)


def check(raw: sqlite3.Connection, turn: Turn) -> Findings:
    """Look at all of it.

    Args:
        raw: outside a transaction, and not used for anything else.
        turn: is given the items, done and all.
    """
    raw.execute("CREATE VIRTUAL TABLE temp.instance USING fts5vocab(main, item_fts, instance)")
    raw.execute("PRAGMA query_only=1")
    raw.execute("BEGIN")
    found = Findings()
    try:
        _check(raw, turn, found)
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        if not is_damage(error):
            raise
        found.problems.append(f"the file is damaged: {error}")
        found.damaged = True
    return found


def _check(raw: sqlite3.Connection, turn: Turn, found: Findings) -> None:
    whole = [str(row[0]) for row in raw.execute(f"PRAGMA integrity_check({NAMED})")]
    if whole != ["ok"]:
        found.problems += [f"the file is damaged: {words}" for words in whole]
        found.damaged = True
        return
    if number := raw.execute(_OTHER_KINDS).fetchone()[0]:
        found.problems.append(f"the file is damaged: {number} items have values of another kind")
        found.damaged = True
        return
    for words, question in _HANGING.items():
        if number := raw.execute(question).fetchone()[0]:
            found.problems.append(f"{number} {words}")
    if found.problems:
        found.harmed.update(node for (node,) in raw.execute(_HARMED))
    for name, service, counted, there in raw.execute(COUNTERS, {"named": NAMED}):
        found.problems.append(miscounted(name, service, counted, there))
    _items(raw, turn, found)


def miscounted(name: str, service: str, counted: int, there: int) -> str:
    """What is said of a row of COUNTERS."""
    return f"{name} at {service}: {counted} items are counted, and {there} are there"


def payload_is_damaged(item_id: str) -> str:
    """What is said of an item."""
    return f"{item_id}: its payload is damaged"


def _items(raw: sqlite3.Connection, turn: Turn, found: Findings) -> None:
    (total,) = raw.execute("SELECT count(*) FROM item").fetchone()
    stored = Payloads(dict(raw.execute("SELECT number, data FROM dictionary")))
    row = raw.execute("SELECT version, behind FROM derived WHERE name = ?", (NAME,)).fetchone()
    made_by, behind = row or ("", 0)  # none is there between a migration and the first transaction after it
    filled, words, sums, damaged = places(raw.execute(FILLED)), 0, Counter[int](), 0
    for number, tkey, node, publisher, analyser, document, digest, item_id, data in raw.execute(_ITEMS):
        whole = stored.whole(data, publisher, digest)
        if whole is None:
            found.harmed.add(node)
            damaged += 1
            if damaged <= NAMED:
                found.problems.append(payload_is_damaged(item_id))
        item = Indexed(tkey, node, publisher, analyser, _document(document), whole[1] if whole else "")
        if number > behind:
            words += sum(map(hash, _words(item)))
        for key, (place, names) in filled.items():
            value = at(item.document, place)
            if not isinstance(value, Missing):
                sums[key] += hash((sort_key(value, dated=analyser in names), tkey))
        found.items += 1
        if found.items % AT_ONCE == 0:
            turn(found.items, total)
    if damaged > MANY:
        found.problems.append(f"the file is damaged: {damaged} items are")
        found.damaged = True
    if found.harmed:  # the indexes have what these items had
        return
    if made_by == VERSION and words != _added(
        raw, "SELECT doc, col, offset, term FROM temp.instance", (), lambda: turn(total, total)
    ):
        found.misindexed = True
        found.problems.append("the full-text index has other words than the items")
    for key in filled:
        indexed = "SELECT value, tkey FROM item_key WHERE key = ?"
        if sums[key] != _added(raw, indexed, (key,), lambda: turn(total, total)):
            found.misindexed = True
            found.problems.append("the index of a place in the JSON has something else than the items")


def places(rows: Iterable[tuple[int, str, str]]) -> Mapping[int, tuple[Path, frozenset[str]]]:
    """The indexes of places in the JSON that are filled: number -> (place, analysers for which dates stand there)."""
    made = [(number, pointer(place), json.loads(made_by)) for number, place, made_by in rows]
    return {number: (place, frozenset(names)) for number, place, (version, *names) in made if version == keys.VERSION}


def _document(stored: str) -> Json | Missing:
    """The JSON of an item; what cannot be read was counted already."""
    try:
        return document_of(stored)
    except ValueError:
        return MISSING


def _words(item: Indexed) -> Iterator[tuple[int, str, int, str]]:
    """What the full-text index has of an item, as fts5vocab shows it."""
    for column, each in (("words", item.words()), ("marks", item.marks())):
        for offset, word in enumerate(each):
            yield item.tkey, column, offset, word


def _added(raw: sqlite3.Connection, question: str, values: tuple[int, ...], turn: Callable[[], None]) -> int:
    found = 0
    for number, row in enumerate(raw.execute(question, values)):
        found += hash(row)
        if number % ROWS == 0:
            turn()
    return found

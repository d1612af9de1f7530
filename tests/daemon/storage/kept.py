# SPDX-License-Identifier: MIT
"""A store that one test after the other fills, and what it is filled with."""

import asyncio
import json
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar
from xml.sax.saxutils import escape

from hypothesis import strategies as st

from pubkeep import payload
from pubkeep.clock import Clock
from pubkeep.model import Analysis, NewItem, NodeKey, NodeRecord, NodeState, Parsed
from pubkeep.query import declared
from pubkeep.query.document import pointer
from pubkeep.storage.walking import Limits
from tests.daemon.storage import walks
from tests.daemon.storage.conftest import opened
from tests.daemon.storage.walks import BOB, NODES, NOON, SECOND, Content

T = TypeVar("T")

NOTHING = object()
LONG = "x" * 300
NUMBERS = [NOTHING, None, True, 0, 1, 1.0, 2.5, -3, 2**53 + 1, 2**53 + 2, "", "a", "ab", "ä", LONG, LONG + "b", [1], {}]
STARTS = [NOTHING, "2026-07-01T00:00:00Z", "2026-07-01T02:00:00+02:00", "2026-06-30T23:59:59Z", "soon", 5]
PUBLISHED = [0, 1, NOON - 1, NOON - 2, NOON - 3, NOON - 9, NOON + 9 * walks.DAY]
"""Seconds; 0 and the last ones say nothing."""
DATES = st.sampled_from([0, NOON * SECOND - 5, NOON * SECOND - 3, NOON * SECOND])
PLACES = st.fixed_dictionaries(
    {
        "n": st.sampled_from(NUMBERS),
        "m": st.sampled_from([NOTHING, 1, 2]),
        "start": st.sampled_from(STARTS),
        "tags": st.sampled_from([NOTHING, ["Red"], ["blue", "RED"], ["blue"]]),
    }
)
PARTS: dict[str, st.SearchStrategy[Any]] = {
    "text": st.sampled_from(["apple", "pear", "plum apple", "pear plum pear", "plum plum", ""]),
    "json": PLACES.map(lambda each: json.dumps({key: value for key, value in each.items() if value is not NOTHING})),
    "publisher": st.sampled_from(["", "juliet@capulet.lit/home", "romeo@montague.lit"]),
    "published": st.sampled_from(PUBLISHED).map(lambda second: second * SECOND),
    "updated": DATES,
    "created": DATES,
}
CONTENTS = st.builds(Content, **PARTS)
IDS = st.sampled_from([f"{letter}{number}" for letter in "ab" for number in range(8)] + [f"i{LONG}", f"i{LONG}b"])
ONE = st.integers(0, len(NODES) - 1)
ORDERS: list[tuple[str, ...]] = [
    *((), ("published",), ("-published",), ("-updated",), ("updated",), ("creation",), ("-creation",)),
    *(("modification",), ("-modification",), ("id",), ("-id",), ("rank",), ("-rank", "/n")),
    *(("/n", "-id"), ("-/m", "/n", "updated"), ("/start", "-published"), ("/m", "modification")),
]
DECLARABLE = [("/n",), ("-/n",), ("/start",), ("-/start",), ("/m",), ("-/m",)]
DECLARED = [
    walks.Declared(places)
    for places in (
        *((), (("/n", False),), (("/n", False), ("/start", True))),
        *((("/start", False), ("/n", True)), (("/m", False), ("/n", False), ("/start", True))),
    )
]
LIMITS = [
    *(Limits(), Limits(few=1, many=1), Limits(few=2, many=3), Limits(few_sorted=4, few=2, many=2)),
    *(Limits(few_sorted=0, few=1, many=1), Limits(few_sorted=0, few=1, many=2), Limits(few_sorted=0, few=3, many=3)),
]


class Hands(Clock):
    """Set by hand; a slow one is too late whenever it is looked at."""

    now = NOON * SECOND
    slow = False
    _boottime = 0.0

    def wall(self) -> int:
        return self.now

    def boottime(self) -> float:
        self._boottime += 10.0 if self.slow else 0.0
        return self._boottime


class Kept:
    """The store that all machines use, one after the other."""

    def __init__(self, where: Path | str) -> None:
        self.where, self.clock, self.runner = where, Hands(), asyncio.Runner()
        self.pages = self.ended = 0
        self.open()
        add = self.store.add_account(BOB, "x", uid=0, enabled=True, host="", port=0, tls="required")
        self.run(add)

    def open(self) -> None:
        self.store, _ = self.run(opened(self.where, clock=self.clock))

    async def declare(self, places: walks.Declared) -> None:
        """Declare them."""
        found = {pointer(path): frozenset({"event"} if dated else ()) for path, dated in places.places}
        await self.store.declare(declared.Declared(found))

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    def close(self) -> None:
        self.run(self.store.close())
        self.runner.close()

    def emptied(self) -> list[NodeRecord]:
        """All nodes, without items."""
        self.clock.now, self.clock.slow, self.store.limits = NOON * SECOND, False, Limits()
        for account in (walks.ALICE, BOB):
            for node in self.run(self.store.nodes(account)):
                self.run(self.store.forget_node(node.number, "forgotten"))
        self.run(self.declare(walks.Declared()))
        return [self.taken_up(at) for at in range(len(NODES))]

    def taken_up(self, at: int) -> NodeRecord:
        account, service, name, kind = NODES[at]
        record = NodeRecord(0, NodeKey(account, service, name), NodeState.STALE, analysis=Analysis(kind, kind))
        return self.run(self.store.save_node(record))


def new(item_id: str, content: Content) -> NewItem:
    """As it comes from a service; the payload is another one whenever anything of it is."""
    xml = f"<entry>{escape(repr(content))}</entry>"
    parsed = Parsed(content.json, text=content.text, published=content.published, updated=content.updated)
    digest = payload.digest(xml, content.publisher)
    return NewItem(item_id, content.publisher, xml, digest, parsed, content.created)

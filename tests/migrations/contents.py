# SPDX-License-Identifier: MIT
"""What is in the databases that are kept of each revision (keep.py): what to write, and what must be found again.

They were written by the programs of their time, so nothing here is ever changed: what a later revision can hold is
added behind it, for that revision and those after it. The oldest programs have to understand all that is imported.
"""

import json
from dataclasses import replace
from typing import Any
from xml.sax.saxutils import escape

from pubkeep import model, payload
from pubkeep.clock import Clock
from pubkeep.model import Analysis, Copy, NewItem, NodeKey, NodeRecord, NodeState, Parsed
from pubkeep.storage.migrate import HEAD
from pubkeep.storage.store import Store

THEN = 1_782_864_000_000_000
"""When it was written: 2026-07-01."""
ALICE, BOB, SERVICE = "alice@localhost", "bob@example.org", "pubsub.localhost"
BLOG = NodeKey(ALICE, SERVICE, "urn:xmpp:microblog:0")
EVENTS = NodeKey(ALICE, "events.localhost", "Größe/東京?;node=x&y #1")
CLOSED = NodeKey(ALICE, SERVICE, "urn:xmpp:microblog:0:closed")
GONE = NodeKey(ALICE, SERVICE, "urn:xmpp:microblog:0:gone")
FORGOTTEN = NodeKey(ALICE, SERVICE, "urn:x:forgotten")
PEP = NodeKey(BOB, BOB, "urn:xmpp:microblog:0")
TEXTS = {
    "plain": "spring onions in the garden",
    "cjk": "私は東京駅にいる",
    "emoji": "👩‍👩‍👧‍👦 smiling 😀",
    "umlauts": "Größe und Straße, Äpfel",
    "right to left": "שָׁלוֹם مُحَمَّد",
    "combining": "cafe\u0301 crème",
    "quotes": '\'; DROP TABLE item; -- "quoted" <b>&amp;</b>',
    "long": "lorem ipsum " * 2000 + "finally",
    "empty": "",
    "i/?;item=%20'\"\\": "odd id",
}
WORDS = {
    "garden": ["plain"],
    "東京駅": ["cjk"],
    "smil*": ["emoji"],
    "STRASSE": ["umlauts"],
    "שלום": ["right to left"],
    "cafe": ["combining"],
    "drop table": ["quotes"],
    "finally": ["long"],
    "odd": ["i/?;item=%20'\"\\"],
    "hidden": [],
    "before": [],
    "concert": ["e0", "e1", "e2"],
    "bob": ["own"],
}
"""What is typed, and what it finds."""
QUERIES: dict[str, list[str]] = {
    '{"tags": ["GARDEN"]}': ["plain", "umlauts"],
    '{"publishers": ["juliet"]}': ["plain"],
    '{"types": ["event"]}': ["e0", "e1", "e2"],
    '{"parsed": {"path": "/start", "op": ">=", "value": "2026-07-02T00:00:00Z"}}': ["e1", "e2"],
    '{"parsed": {"path": "/n", "value": 1}}': ["e1"],
}


class Then(Clock):
    """The clock of that time: what was deleted is remembered for a month."""

    def wall(self) -> int:
        return THEN


def _node(key: NodeKey, kind: str, state: NodeState, **more: Any) -> NodeRecord:
    analysis = Analysis(kind, kind, "comment", to_sync=True, version=3, namespace="urn:x", extra='{"a": "ä"}')
    return NodeRecord(0, key, state, analysis=analysis, wanted_by="analyser", **more)


NODES = [
    _node(BLOG, "blog", NodeState.STALE, copy=Copy.WHOLE, verified_at=THEN, subscribed=True, title="Größe 😀"),
    _node(EVENTS, "event", NodeState.ERROR, reason="it 'failed'", error="TimedOut"),
    _node(CLOSED, "blog", NodeState.DENIED, error="NotAllowed"),
    _node(GONE, "blog", NodeState.GONE),
    _node(PEP, "blog", NodeState.STALE),
]


def _item(item_id: str, text: str, publisher: str = "", published: int = 0, **document: Any) -> NewItem:
    xml = f"<entry xmlns='urn:x'>{escape(text)}</entry>"
    made = Parsed(json.dumps({"title": item_id, **document}), title=item_id, text=text, published=published)
    own = (publisher,) if HEAD >= "0003" else ()  # before that, a digest was of the payload alone
    return NewItem(item_id, publisher, xml, payload.digest(xml, *own), made, created=published)


TAGS: dict[str, dict[str, Any]] = {"plain": {"tags": ["Garden"]}, "umlauts": {"tags": ["garden", "Größe"]}}
ITEMS = {
    BLOG: [
        _item(name, text, "juliet@capulet.lit/home" * (name == "plain"), THEN - at * 1_000_000, **TAGS.get(name, {}))
        for at, (name, text) in enumerate(TEXTS.items())
    ],
    EVENTS: [_item(f"e{n}", f"concert {n}", start=f"2026-07-0{n + 1}T02:00:00+02:00", n=n) for n in (2, 0, 1)],
    CLOSED: [_item("secret", "hidden")],
    GONE: [],
    PEP: [_item("own", "of bob")],
}
"""In the order of the service."""
DECLARED = {"start": ["event"], "n": []}
"""Places of the JSON that are declared, and for whom dates stand there."""
SAID = {("retracted", BLOG, "retracted"), ("node-deleted", GONE, "last"), ("forgotten", FORGOTTEN, "f")}
"""Of items that are not there any more."""
POLICIES = {BLOG: ("always", 7, 60), NodeKey(ALICE, SERVICE, "not kept"): ("never", 0, 0)}
LEFT = NodeKey(ALICE, SERVICE, "left behind")


async def write(store: Store, revision: str) -> None:
    """Fill an empty store of this revision."""
    for account in (ALICE, BOB):
        await store.add_account(account, f"pubkeep-{account}", uid=7, enabled=False, host="h", port=1, tls="direct")
    for record in NODES:
        shown = replace(record, state=NodeState.STALE) if record.key in (CLOSED, GONE) else record
        saved = await store.save_node(shown)
        await store.apply(saved, [_item(item.id, "before") for item in ITEMS[record.key]])
        await store.apply(saved, ITEMS[record.key], moves=True)
        if record.key == BLOG:
            await store.apply(saved, [_item("retracted", "before")])
            await store.apply(saved, removals=["retracted"])
        if record.key == EVENTS:
            await store.apply(saved, order=[item.id for item in ITEMS[EVENTS]])
        if record.key == CLOSED:
            await store.save_node(replace(record, number=saved.number))
        if record.key == GONE:
            await store.apply(saved, [_item("last", "before")])
            await store.forget_node(saved.number, "node-deleted")
            await store.save_node(replace(record, number=saved.number))
    forgotten = await store.save_node(_node(FORGOTTEN, "event", NodeState.STALE))
    await store.apply(forgotten, [_item("f", "before")])
    await store.forget_node(forgotten.number, "forgotten")
    if revision >= "0003":
        for key, policy in POLICIES.items():
            await store.save_policy(key, model.Policy(*policy))  # type: ignore[arg-type]
        await store.save_traits(ALICE, SERVICE, traits(revision))
    if revision >= "0004":
        await store.save_leftover(LEFT, left=True)
    if revision >= "0008":
        await declare(store)


def traits(revision: str) -> Any:
    """What a service showed, as far as this revision has room for it."""
    more = {"shown": frozenset({"pages", "order-by:1"}), "distrusted": frozenset({"ids"})} if revision >= "0005" else {}
    return model.Traits("publish", False, None, 0.25, frozenset({"retract", "purge"}), **more)


async def declare(store: Store) -> None:
    """As the analysers do when the program starts."""
    from pubkeep.query.declared import Declared  # the oldest have none

    await store.declare(Declared({(place,): frozenset(dated) for place, dated in DECLARED.items()}))

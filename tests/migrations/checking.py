# SPDX-License-Identifier: MIT
"""Whether all that a kept database had is there (contents.py), for today's program."""

import asyncio
from dataclasses import replace

from pubkeep.model import NodeKey, NodeRecord, Policy
from pubkeep.query.document import read
from pubkeep.questions import ChangesRequest, SearchRequest
from pubkeep.storage.migrate import HEAD
from pubkeep.storage.store import Store
from tests.fixtures.places import File, Place
from tests.migrations import contents
from tests.migrations.contents import ALICE, BLOG, BOB, CLOSED, ITEMS, LEFT, NODES, POLICIES, QUERIES, SAID, WORDS, Then

BOTH = [ALICE, BOB]
FILLED = "SELECT (SELECT coalesce(sum(behind), 0) FROM derived), (SELECT coalesce(sum(behind), 0) FROM key)"


async def check(place: Place, revision: str) -> None:
    """Open it, look at everything, close it, and look at what lies there."""
    start = place.rows("SELECT sequence FROM change WHERE node = 0")[0][0]
    store = await Store.open(place.where, Then())
    try:
        nodes = await _nodes(store)
        await _items(store, nodes)  # whether its words are indexed by now or not
        await _decided(store, revision)
        await _said(store, start)
        await contents.declare(store)
        await filled(place)
        for typed, ids in (WORDS | QUERIES).items():
            result = await store.search(SearchRequest(read(typed)), BOTH)
            assert sorted(row.id for row in result.items) == sorted(ids), typed
            assert not result.indexing
        await _items(store, nodes)
    finally:
        await store.close()
    assert place.rows("SELECT version_num FROM alembic_version") == [(HEAD,)]
    if isinstance(place, File):
        assert place.rows("PRAGMA integrity_check") == [("ok",)]
        assert place.rows("PRAGMA foreign_key_check") == []
    assert place.fault() == ""


async def _nodes(store: Store) -> dict[NodeKey, NodeRecord]:
    accounts = await store.accounts()
    assert [(each.jid, each.resource, each.uid, each.enabled, each.port) for each in accounts] == [
        (jid, f"pubkeep-{jid}", 7, False, 1) for jid in BOTH
    ]
    nodes = {record.key: record for account in BOTH for record in await store.nodes(account)}
    assert set(nodes) == {record.key for record in NODES}
    for record in NODES:
        found = nodes[record.key]
        assert found.items == len(ITEMS[record.key])
        assert replace(found, number=0, sequence=0, newest=0, items=0) == record
    return nodes


async def _items(store: Store, nodes: dict[NodeKey, NodeRecord]) -> None:
    """The lists of all nodes, as GetItems has them, and what a search without words finds."""
    for key, items in ITEMS.items():
        page = await store.page(nodes[key], limit=100, format="both")
        assert [(row.id, row.xml, row.json, row.publisher, row.published) for row in page.items] == [
            (item.id, item.xml, item.parsed.json, item.publisher, item.parsed.published) for item in items
        ]
    found = await store.search(SearchRequest(format="xml"), BOTH)
    shown = {(key, item.id): item.xml for key, items in ITEMS.items() for item in items if key != CLOSED}
    assert {(NodeKey(row.account, row.service, row.node), row.id): row.xml for row in found.items} == shown


async def _decided(store: Store, revision: str) -> None:
    """Policies, what services showed, and subscriptions that are left behind."""
    policies = {key: Policy(*each) for key, each in POLICIES.items()}  # type: ignore[arg-type]
    assert await store.policies(ALICE) == (policies if revision >= "0003" else {})
    traits = {BLOG.service: contents.traits(revision)}
    assert await store.traits(ALICE) == (traits if revision >= "0003" else {})
    assert await store.leftovers(ALICE) == ([LEFT] if revision >= "0004" else [])
    assert (await store.policies(BOB), await store.traits(BOB), await store.leftovers(BOB)) == ({}, {}, [])


async def _said(store: Store, start: int) -> None:
    """What is told of items, from the beginning of the history."""
    found = await store.changes(ChangesRequest(start), BOTH)
    items = {(each.kind, each.node, each.item_id) for each in found.changes if each.item_id}
    there = {("published", key, item.id) for key, items in ITEMS.items() for item in items if key != CLOSED}
    assert items == there | SAID


async def filled(place: Place) -> None:
    """Until all that is derived is made."""
    async with asyncio.timeout(30):
        while place.rows(FILLED) != [(0, 0)]:
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)  # the thread that committed it has to say so yet

# SPDX-License-Identifier: MIT
"""The nodes are kept in memory: whatever happens to one of them, the next question knows it."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from pubkeep.model import Analysis, NodeRecord, NodeState
from pubkeep.query.document import read
from pubkeep.questions import ChangesRequest, SearchRequest
from pubkeep.storage.history import drop_old
from pubkeep.storage.nodes import VERSION
from pubkeep.storage.store import Store
from tests.daemon.storage.conftest import KEY, item
from tests.fixtures.places import Place

OTHER = KEY._replace(node="other")


async def new_node(store: Store, node: NodeRecord) -> None:
    other = await store.save_node(replace(node, number=0, key=OTHER))
    await store.apply(other, [item("o")])


async def hidden(store: Store, node: NodeRecord) -> None:
    await store.save_node(replace(node, state=NodeState.DENIED))


async def shown(store: Store, node: NodeRecord) -> None:
    await hidden(store, node)
    assert await found(store, "{}") == set()
    await store.save_node(replace(node, state=NodeState.STALE))


async def forgotten(store: Store, node: NodeRecord) -> None:
    await store.forget_node(node.number, "forgotten")


async def account_removed(store: Store, node: NodeRecord) -> None:
    (account,) = await store.accounts()
    await store.remove_account(account.number)


async def another_type(store: Store, node: NodeRecord) -> None:
    await store.apply(node, [], record=replace(node, analysis=Analysis("event", "event", to_sync=True)))


HAPPENINGS: list[tuple[Callable[[Store, NodeRecord], Awaitable[None]], str, set[str]]] = [
    (new_node, "{}", {"i", "o"}),
    (new_node, '{"nodes": ["other"]}', {"o"}),
    (hidden, "{}", set()),
    (shown, "{}", {"i"}),
    (forgotten, "{}", set()),
    (account_removed, "{}", set()),
    (another_type, '{"types": ["event"]}', {"i"}),
    (another_type, '{"types": ["blog"]}', set()),
]


async def found(store: Store, query: str, cursor: str = "") -> set[str]:
    answer = await store.search(SearchRequest(read(query), cursor=cursor), [KEY.account])
    return {row.id for row in answer.items}


@pytest.mark.parametrize(("happening", "query", "ids"), HAPPENINGS)
async def test_whatever_happens_to_a_node_the_next_question_knows_it(
    store: Store,
    node: NodeRecord,
    happening: Callable[[Store, NodeRecord], Awaitable[None]],
    query: str,
    ids: set[str],
) -> None:
    await store.apply(node, [item("i")])
    await found(store, query)
    await store.changes(ChangesRequest(store.sequence), [KEY.account])

    await happening(store, node)

    assert await found(store, query) == ids


async def test_an_event_leaves_them_in_memory(store: Store, node: NodeRecord) -> None:
    await store.apply(node, [item("i")])
    await found(store, "{}")
    nodes = store._nodes.latest

    await store.apply(node, [item("j")])

    assert await found(store, "{}") == {"i", "j"}
    assert store._nodes.latest is nodes


async def test_their_version_never_falls(place: Place, store: Store, node: NodeRecord) -> None:
    await store.save_node(replace(node, number=0, key=OTHER))
    before = place.rows(f"SELECT {VERSION}")[0][0]

    while await store._write("drop old", lambda c: drop_old(c, 1 << 62)):
        pass

    assert place.rows("SELECT count(*) FROM change")[0][0] == 1
    assert place.rows(f"SELECT {VERSION}")[0][0] >= before

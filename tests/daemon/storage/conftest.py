# SPDX-License-Identifier: MIT
"""A store on disk; the contract suite runs on every engine that this fixture offers."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from pubkeep import payload
from pubkeep.clock import Clock
from pubkeep.model import Analysis, NewItem, NodeKey, NodeRecord, NodeState, Parsed
from pubkeep.storage.store import Store
from tests.fixtures.places import Databases, File, Place, databases

KEY = NodeKey("alice@localhost", "pubsub.localhost", "urn:xmpp:microblog:0")


def item(item_id: str, text: str = "", published: int = 0) -> NewItem:
    """An item whose payload is its text."""
    xml = f"<entry xmlns='urn:x'>{text or item_id}</entry>"
    parsed = Parsed(json=f'{{"title":"{item_id}"}}', title=item_id, text=text or item_id, published=published)
    return NewItem(item_id, "", xml, payload.digest(xml), parsed)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Databases]:
    """A server, started when the first test needs it."""
    yield from databases()


def place_of(request: pytest.FixtureRequest, folder: Path) -> Place:
    """A place of the kind that a fixture is asked for."""
    if request.param == "sqlite":
        return File(folder / "data" / "pubkeep.db")
    server: Databases = request.getfixturevalue("postgresql")
    return server.made()


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Where a store is kept: what the contract says holds on both."""
    return place_of(request, tmp_path)


@pytest.fixture
async def store(place: Place) -> AsyncIterator[Store]:
    """An empty store with the account alice@localhost."""
    store = await Store.open(place.where, Clock())
    await store.add_account("alice@localhost", "pubkeep-1", uid=0, enabled=True, host="", port=0, tls="required")
    yield store
    await store.close()


@pytest.fixture
async def node(store: Store) -> NodeRecord:
    """A stored blog."""
    return await store.save_node(NodeRecord(0, KEY, NodeState.STALE, analysis=Analysis("blog", "blog", to_sync=True)))


async def opened(where: Path | str, kind: str = "blog", clock: Clock | None = None) -> tuple[Store, NodeRecord]:
    """A store there, and its one node; both are made where there is none yet."""
    store = await Store.open(where, clock or Clock())
    if not await store.accounts():
        await store.add_account(KEY.account, "x", uid=0, enabled=True, host="", port=0, tls="required")
        await store.save_node(NodeRecord(0, KEY, NodeState.STALE, analysis=Analysis(kind, kind, to_sync=True)))
    node, *_ = [each for each in await store.nodes(KEY.account) if each.key == KEY]
    return store, node

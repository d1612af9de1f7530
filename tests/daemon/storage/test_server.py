# SPDX-License-Identifier: MIT
"""A PostgreSQL server that stops, is killed, takes too long, is in use by another daemon, or is a standby."""

import asyncio
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from pubkeep.clock import Clock
from pubkeep.errors import PubkeepError, ReadOnly, Unavailable
from pubkeep.query.document import read
from pubkeep.questions import SearchRequest
from pubkeep.storage.place import open_server
from pubkeep.storage.postgresql import LOOK_AGAIN, Patience
from pubkeep.storage.progress import Report
from pubkeep.storage.store import Store
from tests.daemon.storage.conftest import KEY, item, opened
from tests.fixtures.places import Database
from tests.fixtures.postgresql import PostgreSQL, postgresql


@pytest.fixture
def server() -> Iterator[PostgreSQL]:
    """One of its own: it is stopped and killed."""
    with postgresql() as made:
        yield made


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
async def test_while_it_is_away_it_is_said_and_when_it_is_back_all_goes_on(
    server: PostgreSQL, how: signal.Signals
) -> None:
    store, node = await opened(Database(server).where)
    await store.apply(node, [item("a", "apple")])

    await asyncio.to_thread(server.stop, how)
    with pytest.raises(Unavailable, match="cannot be reached"):
        await store.apply(node, [item("b")])
    with pytest.raises(Unavailable, match="cannot be reached"):
        await store.page(node, limit=5)
    with pytest.raises(Unavailable, match="cannot be reached"):
        await store.search(SearchRequest(), [KEY.account])
    await asyncio.to_thread(server.start)
    applied = await store.apply(node, [item("b")])

    assert applied.items == 2
    for _ in range(5):  # each of the readers
        found = await store.search(SearchRequest(read("apple")), [KEY.account])
        assert [row.id for row in found.items] == ["a"]
        assert [row.id for row in (await store.page(node, limit=5)).items] == ["a", "b"]
    await store.close()


async def impatient(where: str, patience: Patience) -> Store:
    """A store that waits no longer than that."""
    found = await open_server(where, Clock(), patience, Report())
    return Store(found.writer, found.readers, found.found, Clock())


async def test_a_server_that_does_not_answer_is_waited_for_so_long_and_no_longer(server: PostgreSQL) -> None:
    where = Database(server).where
    await (await opened(where))[0].close()
    store = await impatient(where, Patience(answering=1.0))
    (node,) = await store.nodes(KEY.account)
    await store.apply(node, [item("a")])
    assert server.server is not None
    group = await asyncio.to_thread(children, server.server.pid)

    for process in group:
        os.kill(process, signal.SIGSTOP)
    try:
        for ask in (store.page(node, limit=5), store.apply(node, [item("b")])):
            async with asyncio.timeout(20):
                with pytest.raises(PubkeepError):
                    await ask
    finally:
        for process in group:
            os.kill(process, signal.SIGCONT)

    assert (await store.apply(node, [item("c")])).items >= 2
    assert len((await store.page(node, limit=5)).items) >= 2
    await store.close()


def children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


async def test_a_second_daemon_is_told_so_and_comes_up_when_the_first_has_ended(server: PostgreSQL) -> None:
    where = Database(server).where
    first, _ = await opened(where)

    with pytest.raises(Unavailable, match="another daemon keeps its accounts in it"):
        await impatient(where, Patience(locked=0.5))
    await first.close()
    second = await Store.open(where, Clock())

    assert len(await second.accounts()) == 1
    await second.close()


async def test_a_standby_is_read_and_opened_anew_when_it_is_promoted(server: PostgreSQL) -> None:
    where = Database(server).where
    store, node = await opened(where)
    await store.apply(node, [item("a", "apple")])
    await store.close()
    await asyncio.to_thread(server.stop)
    shutil.copy(Path(server.data) / "PG_VERSION", Path(server.data) / "standby.signal")  # it waits for what never comes
    await asyncio.to_thread(server.start)

    store, node = await opened(where)
    assert "it is a standby" in store.read_only
    for _ in range(LOOK_AGAIN**2):
        assert await store.policies(KEY.account) == {}
    found = await store.search(SearchRequest(read("apple")), [KEY.account])
    assert [row.id for row in found.items] == ["a"]
    with pytest.raises(ReadOnly):
        await store.apply(node, [item("b")])

    await asyncio.to_thread(server.sql, "SELECT pg_promote()")
    async with asyncio.timeout(30):
        await store.expired()
    await store.close()
    store, node = await opened(where)
    assert (store.read_only, (await store.apply(node, [item("b")])).items) == ("", 2)
    await store.close()

# SPDX-License-Identifier: MIT
"""How the cache does, counted since the start."""

import pytest

from pubkeep.errors import NotFound
from tests.daemon.cache.conftest import Bench
from tests.daemon.cache.service import KEY, wire


async def counted(bench: Bench) -> dict[str, int]:
    """The numbers of the only account."""
    return bench.cache.statistics([KEY.account])


async def test_reads_are_counted_by_their_source(bench: Bench) -> None:
    before = await counted(bench)

    await bench.read()
    await bench.read(freshness="service")
    bench.service.online = False
    bench.cache.session_lost(KEY.account)
    await bench.read(freshness="cache")
    with pytest.raises(NotFound):
        await bench.read(before="nothing", freshness="cache")
    after = await counted(bench)

    for name in ("reads_cache", "reads_service", "reads_stale", "reads_refused"):
        assert after.get(name, 0) - before.get(name, 0) == 1, name


async def test_notifications_holes_and_proofs_are_counted(bench: Bench) -> None:
    before = await counted(bench)

    bench.service.publish_elsewhere("new", "4")
    bench.store.fail = True
    bench.service.tell(wire("lost", "5"))
    await bench.service.drained(KEY)
    during = await counted(bench)
    await bench.settled()
    after = await counted(bench)

    assert (during["events"] - before.get("events", 0), during["holes"] - before.get("holes", 0)) == (2, 1)
    assert "nodes_synced" not in during
    assert (after["proofs"] > before["proofs"], after["nodes_synced"]) == (True, 1)


async def test_of_other_accounts_nothing_is_counted(bench: Bench) -> None:
    assert bench.cache.statistics(["romeo@localhost"]) == {}

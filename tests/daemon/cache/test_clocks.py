# SPDX-License-Identifier: MIT
"""Clocks that jump: ages go by the one that counts suspend and that nobody sets."""

import pytest

from pubkeep.model import NodeState
from tests.daemon.cache.conftest import Bench
from tests.daemon.cache.service import KEY

HOUR, DAY, LEASE = 3600.0, 86_400.0, 60.0


async def test_after_a_suspend_of_hours_nothing_is_vouched_for_before_the_service_was_asked(bench: Bench) -> None:
    bench.clock.forward += 8 * HOUR
    bench.service.items_held["d"] = "while we slept"
    bench.service.online = False

    held = await bench.read(freshness="cache")
    quick = await bench.read(freshness="quick")
    auto = await bench.read()
    bench.service.online = True

    for answer in (held, quick, auto):
        assert (answer.source, answer.stale, len(answer.page.items)) == ("cache", True, 3)
        assert bench.clock.wall() - answer.as_of > 8 * HOUR * 1_000_000
    await bench.settled()
    assert bench.clock.wall() - (await bench.read()).as_of < 60 * 1_000_000


@pytest.mark.parametrize("seconds", [DAY, -DAY, 400 * DAY, -400 * DAY])
async def test_who_sets_the_wall_clock_makes_no_copy_older_or_younger(bench: Bench, seconds: float) -> None:
    before, asked = await bench.read(), len(bench.service.asked)

    bench.clock.shifted += seconds
    after = await bench.read()

    assert (before.source, before.state) == (after.source, after.state) == ("cache", NodeState.SYNCED)
    assert len(bench.service.asked) == asked
    assert 0 <= bench.clock.wall() - after.as_of < 60 * 1_000_000
    assert after.as_of >= after.verified_at


@pytest.mark.parametrize("seconds", [DAY, -DAY])
async def test_changes_have_their_order_whatever_the_wall_clock_says(bench: Bench, seconds: float) -> None:
    sequence = bench.cache.sequence
    bench.clock.shifted += seconds

    bench.service.publish_elsewhere("d", "4")
    await bench.settled()

    assert bench.cache.sequence > sequence
    assert [row.id for row in (await bench.read()).page.items] == ["a", "b", "c", "d"]


@pytest.mark.parametrize(("slept", "shifted", "enough"), [(HOUR, -HOUR, False), (0.0, DAY, True), (0.0, -DAY, True)])
async def test_max_age_is_counted_in_time_that_passed(bench: Bench, slept: float, shifted: float, enough: bool) -> None:
    bench.cache.session_lost(KEY.account)
    bench.clock.forward += slept
    bench.clock.shifted += shifted
    asked = len(bench.service.asked)

    await bench.read(max_age=600)

    assert (len(bench.service.asked) == asked) is enough


async def test_a_link_that_swallows_all_leaves_nothing_synced_after_the_lease(bench: Bench) -> None:
    synced = await bench.read(freshness="cache")
    bench.service.online = False

    bench.clock.forward += LEASE - (bench.clock.wall() - synced.as_of) / 1_000_000 - 5
    within = await bench.read(freshness="cache")
    bench.clock.forward += 5
    after = await bench.read(freshness="cache")

    assert (synced.stale, within.stale, after.stale) == (False, False, True)
    assert after.reason == "the service was not heard of for a while"

# SPDX-License-Identifier: MIT
"""What each freshness returns in each state, as data: one test for each cell."""

import asyncio

import pytest

from pubkeep.errors import Unavailable
from pubkeep.questions import Freshness
from tests.daemon.cache.service import KEY
from tests.daemon.cache.stage import AT_ONCE, OTHER, QUIET, Stage, play

WAYS = ("auto", "auto, offline", "auto, unreachable", "auto, mute", "cache", "service")
"""Freshness, and what the service does: it answers; no session; an error says that nobody is there; nothing."""

TABLE: dict[str, tuple[str, dict[str, object], str]] = {
    "synced": ("synced", {}, "copy stale copy copy copy asked"),
    "synced, the id is settled": ("unsettled", {"ids": ("a",)}, "copy stale copy copy copy asked"),
    "synced, the id is unsettled": ("unsettled", {"ids": ("z",)}, "asked part part part part asked"),
    "synced, the list is unsettled": ("unsettled", {}, "asked stale stale stale stale asked"),
    "syncing": ("syncing", {}, "copy stale stale stale stale asked"),
    "stale": ("stale", {}, "asked stale stale stale stale asked"),
    "error": ("error", {}, "asked stale stale stale stale asked"),
    "partial, inside": ("partial", {"max": 2}, "copy stale copy copy copy asked"),
    "partial, outside": ("partial", {"max": 3}, "asked part part part part asked"),
    "partial, an id of the others": ("partial", {"ids": ("a",)}, "asked part part part part asked"),
    "unknown": ("unknown", {}, "asked Unavailable Unavailable TimedOut Unavailable asked"),
    "ignored": ("ignored", {}, "asked Unavailable Unavailable TimedOut Unavailable asked"),
    "denied": ("denied", {}, "NotAllowed NotAllowed NotAllowed NotAllowed NotAllowed asked"),
    "denied, not asked for a minute": ("denied", {}, "asked Unavailable Unavailable TimedOut NotAllowed asked"),
    "gone": ("gone", {}, "NotFound NotFound NotFound NotFound NotFound asked"),
    "gone, not asked for a minute": ("gone", {}, "asked Unavailable Unavailable TimedOut NotFound asked"),
}
"""Situation -> (state, options of the read, what comes in each way).

An error cannot say that it is old: of what was denied or gone a minute ago, nobody says so who could not ask.
`copy`: not marked; `stale`: marked; `part`: marked, and not complete; `asked`: what the service says; or an error.
"""
SECONDS = {"stale": 5.0, "part": 5.0, "TimedOut": 20.0, "NotAllowed": 20.0, "NotFound": 20.0}
"""How long it takes at most where the service is mute."""


async def bring_about(stage: Stage, situation: str, state: str) -> None:
    """A node in this situation, and a service that has it."""
    await stage.enter("synced" if state == "unsettled" else state)
    if state == "unsettled":
        stage.service.items_held["z"] = "new"
        stage.service.notify(items=(stage.service.item("z", "new"),), delayed=True)
        await asyncio.sleep(AT_ONCE)
    if state in ("denied", "gone"):
        await stage.answer()
    if "minute" in situation:
        stage.clock.slept += 61
    stage.service.error = None


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("situation", TABLE)
def test_what_a_freshness_returns(situation: str, way: str) -> None:
    state, options, words = TABLE[situation]
    expected = words.split()[WAYS.index(way)]
    name, _, service = way.partition(", ")
    freshness: Freshness = "cache" if name == "cache" else "service" if name == "service" else "auto"

    async def scene() -> None:
        stage = Stage(OTHER if state == "ignored" else KEY)
        await bring_about(stage, situation, state)
        if service == "offline":
            stage.cut()
        stage.service.error = Unavailable("nobody answers at this address") if service == "unreachable" else None
        stage.service.mute = service == "mute"
        stage.service.sent.clear()
        began = stage.clock.boottime()

        got = await stage.answer(freshness, **options)

        took = stage.clock.boottime() - began
        assert got == expected
        assert took <= (SECONDS.get(expected, 0.0) + 1 if service == "mute" else QUIET)
        if freshness == "cache" or service == "offline":
            assert not [each for each in stage.service.sent if each.startswith(("ids", "newest"))]
        if expected == "asked" and situation == "synced, the id is unsettled":
            assert "ids z" in stage.service.sent  # the id, not the node
        await stage.close()

    play(scene)

# SPDX-License-Identifier: MIT
"""What a run of three hundred seeds must have hit, so that it proves anything."""

from collections import Counter
from collections.abc import Mapping

from pubkeep.sync.proofs import Way
from tests.simulation.cells import REQUIRED as CELLS
from tests.simulation.faults import FAULTS, TRANSIENT, interrupted, name_of
from tests.simulation.users import DECISIONS

TIMES = 20
SEEDS = 300
"""In so many seeds each is hit so often."""
STATES = ("unknown", "ignored", "syncing", "stale", "error", "partial", "synced")
"""Of answers; denied and gone are refusals: no answer has these states."""
WORKS = ("event", "swap", "save node", "forget node")
"""Transactions at which the process dies, before and after; the others are too rare here, and have
tests/system/test_crash_points.py."""
REQUIRED = (
    *(f"cell {cell}" for cell in CELLS),
    *(f"fault {name_of(fault)}" for fault in (*FAULTS, interrupted)),
    *(f"proved by {way}" for way in Way),
    "edits may hide",
    *(f"condition {name}" for name in TRANSIENT),
    *(f"decides {name}" for name in DECISIONS),
    *(f"state {name}" for name in STATES),
    *(f"killed {side} {work}" for side in ("before", "after") for work in ("event", "swap")),
    *(f"commit fails: {work}" for work in WORKS),
    *(f"asks {what}" for what in ("ids", "newest", "list")),
    *(f"change {what}" for what in ("put", "put untold", "del", "del untold", "purge", "purge untold", "gone")),
    *(f"change {what} untold" for what in ("gone", "made", "deny", "allow")),
    *(f"notification {what}" for what in ("lost", "old", "payload-less", "redirect")),
    *(f"read {what}" for what in ("cache", "cache stale", "service", "service stale")),
    *(f"reader {what}" for what in ("NotFound", "NotAllowed", "NotSupported", "Unavailable", "TimedOut")),
    *(f"signal {what}" for what in ("items", "state", "deleted", "purged", "configured")),
    *("write confirmed", "write without answer", "write NotFound", "write NotAllowed", "write Unavailable"),
    *(
        "answer lost",
        "answer too late",
        "Search compared",
        "Changes compared",
        "doubtful nodes remembered",
        "parser raises",
        "parser gives rubbish",
    ),
)
FLOORS: Mapping[str, tuple[str, str, float]] = {
    "reads near a change": ("reads near a change", "reads", 0.30),
    "reads while a list is open": ("reads while a list is open", "reads", 0.20),
    "calm reads from the cache": ("auto calm from the cache", "auto calm", 0.90),
    "faulty reads from the cache": ("auto faulty from the cache", "auto faulty", 0.30),
}
"""A program that always asks, or reads that meet nothing, would be right and prove nothing."""


def floors(seen: Counter[str]) -> list[str]:
    """The shares, in words."""
    return [
        f"{seen[some] / max(seen[of], 1):9.3f} {name} (at least {least})" for name, (some, of, least) in FLOORS.items()
    ]


def lacking(seen: Counter[str], seeds: int) -> list[str]:
    """What was hit too seldom in so many seeds."""
    times = TIMES * min(1.0, seeds / SEEDS)
    rare = [f"{what}: {seen[what]} times" for what in REQUIRED if seen[what] < times]
    low = [name for name, (some, of, least) in FLOORS.items() if seen[some] < least * seen[of]]
    return rare + low

# SPDX-License-Identifier: MIT
"""As many histories as fit; `python -m tests.simulation` runs more of them, and shows one."""

import os
from collections import Counter
from pathlib import Path

import pytest

from tests.simulation.__main__ import run_seed
from tests.simulation.store import template

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::ResourceWarning")]
SEEDS = int(os.environ.get("PUBKEEP_SEEDS", "200"))
HAPPENS = (
    *("put", "del", "purge", "gone", "deny", "put untold", "del untold", "gone untold", "purge untold"),
    *("fault cut and resume", "fault cut for good", "fault unreachable", "fault suspend", "fault restart"),
    *("fault disk full", "fault lost event", "asks list", "asks newest", "asks ids"),
    *("write confirmed", "write without answer", "read cache", "read cache stale", "read service"),
    *("state synced", "state syncing", "state stale", "state error", "reader NotFound", "reader NotAllowed"),
)
"""What must have happened twenty times, or the run shows little."""


@pytest.fixture(scope="module")
def blank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database."""
    return template(tmp_path_factory.mktemp("simulation"))


def test_no_answer_is_wrong_in_any_history(blank: Path) -> None:
    seen: Counter[str] = Counter()

    for seed in range(SEEDS):
        world, wrong = run_seed(seed, blank.parent, blank)
        assert not wrong, f"python -m tests.simulation --seed {seed}: {wrong}"
        seen += world.seen

    assert {what: seen[what] for what in HAPPENS if seen[what] < 20} == {}


def test_the_same_seed_gives_the_same_history(blank: Path) -> None:
    for seed in range(20):
        first, second = (run_seed(seed, blank.parent, blank)[0].trace for _ in range(2))

        assert first == second

# SPDX-License-Identifier: MIT
"""The simulation itself: `python -m tests.simulation` (or `make soak`) runs histories, and shows one."""

import ast
import json
import os
import time
from collections import Counter
from itertools import count
from pathlib import Path

import pytest

from tests.simulation.coverage import REQUIRED, lacking
from tests.simulation.runner import ROOT, Campaign, limited, replay, run_seed, sources

SOAK = ROOT / "tests" / "simulation" / "soak.json"
"""What `make soak` wrote last, where it was committed."""
SAME = 8
"""Seeds that are run twice."""
OWN_TIME = {"clock.py", "notify.py", "sqlite.py", "stream.py"}
"""The clock itself; systemd's; waiting for another process at the start; slices of parsing, which no history has."""


@pytest.mark.slow
def test_the_same_seed_gives_the_same_history_whatever_the_hash_seed() -> None:
    runs = []
    for hash_seed in ("0", "1"):
        campaign = Campaign(start=0, least=SAME)
        campaign.run(environ={**os.environ, "PYTHONHASHSEED": hash_seed})
        runs.append(campaign.digests)

    assert sorted(runs[0]) == list(range(SAME))
    assert runs[0] == runs[1]


@pytest.mark.slow
def test_as_many_histories_as_there_is_time_for_are_right_and_leave_nothing_out() -> None:
    campaign = Campaign(start=0, least=300, seconds=150.0)
    campaign.run()

    print(f"{campaign.ran} histories in {campaign.took:.0f} s")
    assert campaign.ran >= 300
    assert campaign.failures == []
    assert campaign.lacking() == []


@pytest.mark.slow
def test_what_a_long_run_kept_is_right_still_and_the_same_where_nothing_changed() -> None:
    kept = [json.loads(path.read_text(encoding="utf-8")) for path in [SOAK] if path.exists()]

    assert [wrong for each in kept for wrong in replay(each)] == []


def test_a_kept_history_that_went_otherwise_is_told() -> None:
    right = run_seed(0).digest
    kept = {"sources": sources(), "failures": [], "replayed": {"0": right}}

    assert replay(kept) == []
    assert replay(kept | {"replayed": {"0": "another"}}) == [f"seed 0 is another history: {right}, not another"]
    assert replay(kept | {"replayed": {"0": "another"}, "sources": "others"}) == []


def test_a_long_run_that_was_interrupted_goes_on_where_it_was(tmp_path: Path) -> None:
    kept, told = tmp_path / "soak.json", list[str]()
    Campaign(start=1, least=1, processes=1).soak(kept, told.append)
    first = json.loads(kept.read_text(encoding="utf-8"))
    more = Campaign(start=1, least=2, processes=1)

    more.soak(kept, told.append)

    both = json.loads(kept.read_text(encoding="utf-8"))
    assert (first["seeds"], both["seeds"], more.ran) == ([1, 1], [1, 2], 2)
    assert both["replayed"] == first["replayed"] == {"1": run_seed(1).digest}
    assert both["counters"]["reads"] > first["counters"]["reads"]
    assert [words.partition(",")[0] for words in told] == ["1 histories", "2 histories"]


def test_a_long_run_begins_anew_where_the_sources_are_others(tmp_path: Path) -> None:
    kept = tmp_path / "soak.json"
    Campaign(start=1, least=1, processes=1).soak(kept, lambda _: None)
    other = json.loads(kept.read_text(encoding="utf-8")) | {"sources": "others", "seeds": [1, 400]}
    kept.write_text(json.dumps(other), encoding="utf-8")

    Campaign(start=1, least=1, processes=1).soak(kept, lambda _: None)

    assert json.loads(kept.read_text(encoding="utf-8"))["seeds"] == [1, 1]


def test_a_history_is_too_long_where_it_computes_not_where_it_was_stopped() -> None:
    with limited(0.1):
        time.sleep(0.3)

    with pytest.raises(RuntimeError, match=r"more than 0\.1 s"), limited(0.1):
        any(number < 0 for number in count())


def test_time_and_chance_come_from_the_clock_only() -> None:
    found = []
    for path in sorted((ROOT / "daemon" / "pubkeep").rglob("*.py")):
        if path.name in OWN_TIME:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            found += [f"{path.name}: {name}" for name in names if name in ("time", "random", "secrets", "uuid")]

    assert found == []


def test_a_run_that_hits_something_too_seldom_says_what() -> None:
    seen = Counter(dict.fromkeys(REQUIRED, 20) | {"reads": 10, "reads near a change": 9})
    seen["fault killed"] = 19

    seen["cell purge x denied"] = 0

    few = lacking(seen, seeds=300)

    assert few == ["cell purge x denied: 0 times", "fault killed: 19 times", "reads while a list is open"]


def test_the_simulation_needs_no_file(tmp_path: Path) -> None:
    campaign = Campaign(start=0, least=1, processes=1)

    campaign.run(environ={**os.environ, "HOME": str(tmp_path)})

    assert (campaign.ran, campaign.failures, list(tmp_path.iterdir())) == (1, [], [])

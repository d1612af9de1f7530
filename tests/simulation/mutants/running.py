# SPDX-License-Identifier: MIT
"""Seeds on a copy of the tree, in a process of its own."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.simulation.mutants.planting import Mutant, copy_tree, plant

SEEDS = 300
"""Within so many a bug must die."""
AT_ONCE = 2
"""Processes side by side."""
UNCHANGED = Mutant("unchanged", "Nothing.", "daemon/pubkeep/cache/cache.py", "", "")


@dataclass(frozen=True, slots=True)
class Death:
    """How a bug was found."""

    seed: int | None
    """None: it lives."""
    wrong: str
    seconds: float


def kill(mutant: Mutant, seeds: Sequence[int] | None = None) -> Death:
    """Run seeds on a copy with this bug until one fails: by default the one that killed it last, then all.

    Raises:
        Misplaced: its line is not there exactly once.
        AssertionError: the copy was not what ran, or a history did not end.
    """
    began = time.perf_counter()
    if seeds is None:
        first = [] if mutant.killed_by is None else [mutant.killed_by]
        seeds = list(dict.fromkeys([*first, *range(SEEDS)]))
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        root = Path(folder)
        copy_tree(root)
        if mutant is not UNCHANGED:
            plant(mutant, root)
        said = _run(mutant, root, seeds)
        assert said["file"] == str(root / mutant.file), f"{mutant.name}: {said['file']} was run instead of the copy"
    return Death(said["seed"], said["wrong"], time.perf_counter() - began)


def _run(mutant: Mutant, root: Path, seeds: Sequence[int]) -> dict[str, Any]:
    path = os.pathsep.join((str(root), str(root / "daemon"), str(root / "migrations")))
    done = subprocess.run(
        [sys.executable, "-m", "tests.simulation.mutants.child", mutant.module, *map(str, seeds)],
        cwd=root,
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{mutant.name}: it does not run, or does not end: {done.stderr[-2000:]}"
    said = json.loads(done.stdout.splitlines()[-1])
    assert isinstance(said, dict)
    return said

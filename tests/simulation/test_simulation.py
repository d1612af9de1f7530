# SPDX-License-Identifier: MIT
"""The simulation itself: `python -m tests.simulation` (or `make soak`) runs histories, and shows one."""

from pathlib import Path

import pytest

from tests.simulation.__main__ import run_seed
from tests.simulation.store import template

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::ResourceWarning")]


@pytest.fixture(scope="module")
def blank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database."""
    return template(tmp_path_factory.mktemp("simulation"))


def test_the_same_seed_gives_the_same_history(blank: Path) -> None:
    for seed in range(20):
        first, second = (run_seed(seed, blank.parent, blank)[0].trace for _ in range(2))

        assert first == second

# SPDX-License-Identifier: MIT
"""Fixtures of all tests: real servers, each in a temporary folder, on free ports."""

import pytest

pytest_plugins = ["tests.fixtures.buses", "tests.fixtures.every_server", "tests.fixtures.daemon"]
LONG = (
    "tests/simulation/test_simulation.py",
    "tests/system/test_crashes.py",
    "tests/system/test_losses.py",
    "tests/system/test_liars.py",
    "tests/system/test_main_job.py",
    "tests/simulation/test_mutants.py",
    "tests/system/test_both_paths.py",
    "tests/system/test_catching_up.py",
    "tests/system/test_truth.py",
)
"""Files that take more than a minute: they begin first, or all would wait for one of them in the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long files first; where several run at a time, they are handed out in this order."""
    places = {name: place for place, name in enumerate(LONG)}
    items.sort(key=lambda item: places.get(item.nodeid.partition("::")[0], len(LONG)))

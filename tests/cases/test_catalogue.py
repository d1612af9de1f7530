# SPDX-License-Identifier: MIT
"""The catalogue names tests that exist and run."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cases.case import Case
from tests.cases.catalogue import CASES
from tests.cases.libervia import LIBERVIA

ROOT = Path(__file__).parent.parent.parent
GIVING_UP = re.compile(r"\bpytest\.(skip|xfail|importorskip)\(")


@pytest.fixture(scope="module")
def collected() -> frozenset[str]:
    """Node ids, without parameters, of the tests that run in the files that the catalogue names."""
    files = sorted({f"tests/{test.partition('::')[0]}" for case in CASES for test in case.tests})
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"]
    run = subprocess.run(
        [*command, "-m", "not skip and not skipif and not xfail", *files], cwd=ROOT, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return frozenset(line.partition("[")[0].removeprefix("tests/") for line in run.stdout.splitlines() if "::" in line)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.row)
def test_a_case_names_tests_that_run_or_what_it_waits_for(case: Case, collected: frozenset[str]) -> None:
    assert bool(case.tests) != bool(case.waits_for)
    assert [test for test in case.tests if test not in collected] == []


def test_each_case_stands_once_and_none_is_left_out() -> None:
    rows = [case.row for case in CASES]

    assert len(set(rows)) == len(rows)
    assert [case.row for case in LIBERVIA] == [f"L{number}" for number in range(1, 25)]


def test_no_test_gives_up_by_itself() -> None:
    tests = [path for path in (ROOT / "tests").rglob("test_*.py") if path != Path(__file__)]

    assert [path.name for path in tests if GIVING_UP.search(path.read_text(encoding="utf-8"))] == []

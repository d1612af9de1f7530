# SPDX-License-Identifier: MIT
"""The simulation sees bugs: each one of `mutants/`, planted in a copy of the program, dies within 300 seeds."""

from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from tests.simulation.mutants.planting import ROOT, Misplaced, Mutant, load, planted
from tests.simulation.mutants.running import AT_ONCE, UNCHANGED, Death, kill

MUTANTS = load()
FEWEST = 28
NAMES = [mutant.name for mutant in MUTANTS]


@pytest.fixture(scope="module")
def deaths(request: pytest.FixtureRequest) -> Iterator[Mapping[str, Future[Death]]]:
    """How each bug dies that is asked for: all are tried side by side, so many at once as there is room for."""
    chosen = {item.callspec.params.get("mutant") for item in request.session.items if hasattr(item, "callspec")}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {mutant.name: pool.submit(kill, mutant) for mutant in MUTANTS if mutant in chosen}
        pool.shutdown(cancel_futures=True)


def test_there_are_bugs_enough_and_none_is_there_twice() -> None:
    assert len(MUTANTS) >= FEWEST
    assert len({(mutant.file, mutant.old, mutant.new) for mutant in MUTANTS}) == len(MUTANTS)


@pytest.mark.parametrize("name", NAMES)
def test_the_line_of_each_bug_is_there_exactly_once(name: str) -> None:
    mutant = MUTANTS[NAMES.index(name)]

    text = planted((ROOT / mutant.file).read_text(), mutant)

    assert text != (ROOT / mutant.file).read_text()
    compile(text, mutant.file, "exec")


def test_a_bug_whose_line_is_not_there_once_is_refused() -> None:
    mutant = Mutant("moved", "", "daemon/x.py", "a = 1", "a = 2")

    for text in ("b = 1\n", "a = 1\nif b:\n    a = 1\n"):
        with pytest.raises(Misplaced, match=r"moved: in daemon/x\.py this line stands [02] times, not once: a = 1"):
            planted(text, mutant)


def test_a_line_that_stands_twice_is_told_by_its_function() -> None:
    text = "def one(\n    b: int,\n) -> int:\n    a = 1\n    return a\n\n\ndef two() -> int:\n    a = 1\n    return a\n"

    first, second = (planted(text, Mutant("m", "", "x.py", "a = 1", "a = 2", within)) for within in ("one", "two"))

    assert first == text.replace("a = 1", "a = 2", 1)
    assert second == text[::-1].replace("1 = a", "2 = a", 1)[::-1]


@pytest.mark.slow
@pytest.mark.parametrize("mutant", MUTANTS, ids=NAMES)
def test_each_bug_dies(mutant: Mutant, deaths: Mapping[str, Future[Death]]) -> None:
    death = deaths[mutant.name].result()

    print(f"{mutant.name}: seed {death.seed}, {death.seconds:.1f} s: {death.wrong[:200]}")
    assert death.seed is not None, f"{mutant.name} lives: {mutant.what}"


@pytest.mark.slow
def test_without_a_bug_the_same_seeds_live(deaths: Mapping[str, Future[Death]]) -> None:
    fatal = {death.result().seed for death in deaths.values()} | {mutant.killed_by for mutant in MUTANTS}
    seeds = sorted(seed for seed in fatal if seed is not None)

    death = kill(UNCHANGED, seeds)

    assert death.seed is None, death.wrong

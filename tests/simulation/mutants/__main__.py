# SPDX-License-Identifier: MIT
"""`python -m tests.simulation.mutants --all` finds the seed of each bug anew and writes it down; or NAME... of some."""

import argparse
import sys
from concurrent.futures import ThreadPoolExecutor

from tests.simulation.mutants.planting import Misplaced, Mutant, load, note
from tests.simulation.mutants.running import AT_ONCE, SEEDS, UNCHANGED, kill


def find(mutant: Mutant, number: int) -> bool:
    """Find the first seed that kills it, and nothing but it. Returns whether there is one."""
    seeds = range(number)
    try:
        death = kill(mutant, seeds)
        while death.seed is not None and kill(UNCHANGED, [death.seed]).seed is not None:
            seeds = range(death.seed + 1, number)  # the program itself fails there: it proves nothing
            death = kill(mutant, seeds)
    except (AssertionError, Misplaced) as error:
        print(f"{mutant.name:36} FAILED {str(error)[-1500:]}", flush=True)
        return False
    note(mutant, death.seed)
    how = "LIVES" if death.seed is None else death.wrong
    print(f"{mutant.name:36} {death.seconds:6.1f} s  {how[:220]}", flush=True)
    return death.seed is not None


def main() -> int:
    """Find what was asked for."""
    parser = argparse.ArgumentParser("tests.simulation.mutants", description=__doc__)
    parser.add_argument("--all", action="store_true", help="all of them")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="try so many at most")
    parser.add_argument("names", nargs="*", help="these, by the name of the file")
    given = parser.parse_args()
    chosen = [mutant for mutant in load() if given.all or mutant.name in given.names]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        died = list(pool.map(lambda mutant: find(mutant, given.seeds), chosen))
    print(f"{len(chosen)} bugs, {died.count(False)} live")
    return 0 if chosen and all(died) else 1


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: MIT
"""`python -m tests.simulation --seeds 300`, or `--seed 17 --trace` for one of them."""

import argparse
import asyncio
import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path

from tests.simulation.loop import VirtualLoop
from tests.simulation.store import template
from tests.simulation.world import World


def run_seed(seed: int, folder: Path, blank: Path) -> tuple[World, str]:
    """Run one. Returns the world, and what was wrong, if anything."""
    made: list[World] = []

    async def work() -> None:
        made.append(World(seed, folder, blank))
        await made[0].run()

    loop = VirtualLoop()
    asyncio.set_event_loop(loop)
    wrong = ""
    try:
        loop.run_until_complete(work())
    except Exception as error:  # noqa: BLE001 (whatever it is, the seed failed)
        wrong = f"{type(error).__name__}: {error}"
    finally:
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
    return made[0], wrong


def main() -> int:
    """Run what was asked for."""
    parser = argparse.ArgumentParser("tests.simulation")
    parser.add_argument("--seeds", type=int, default=300)
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--trace", action="store_true")
    given = parser.parse_args()
    seeds = [given.seed] if given.seed is not None else range(given.start, given.start + given.seeds)
    seen: Counter[str] = Counter()
    failed = 0
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        blank = template(Path(folder))
        for seed in seeds:
            world, wrong = run_seed(seed, Path(folder), blank)
            seen += world.seen
            if wrong:
                failed += 1
                print(f"seed {seed} ({world.service.profile.name}): {wrong[:1500]}")
            if given.trace or (wrong and given.seed is not None):
                print("\n".join(world.trace))
    for what, number in sorted(seen.items()):
        print(f"{number:8} {what}")
    print(f"{len(seeds)} seeds, {failed} failed, {time.perf_counter() - began:.1f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    warnings.simplefilter("ignore", ResourceWarning)
    sys.exit(main())

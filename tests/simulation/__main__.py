# SPDX-License-Identifier: MIT
"""`python -m tests.simulation --seeds 300`, or `--seed 17 --trace` for one of them.

--seconds N   go on after the seeds, until so long is over
--result F    keep what came out, as JSON; where it holds some of them already, go on after those
"""

import argparse
import sys
from pathlib import Path

from tests.simulation.coverage import floors
from tests.simulation.runner import Campaign, run_seed, work


def main() -> int:
    """Run what was asked for. Returns 1 where a seed failed, or where too little was hit."""
    parser = argparse.ArgumentParser("tests.simulation")
    parser.add_argument("--seeds", type=int, default=300)
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=0.0)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--result", type=Path)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--trace", action="store_true")
    parser.add_argument("--worker", nargs=5, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        at, start, least, seconds, processes = given.worker
        work(int(at), int(start), int(least), float(seconds), int(processes))
        return 0
    if given.seed is not None:
        run = run_seed(given.seed)
        print("\n".join(run.trace if given.trace else []))
        print(f"seed {run.seed} ({run.service}): {run.wrong or 'right'} {run.digest}")
        return bool(run.wrong)
    campaign = Campaign(given.start, given.seeds, given.seconds, given.processes)
    if given.result:
        campaign.soak(given.result)
    else:
        campaign.run()
    for what, number in sorted(campaign.seen.items()):
        print(f"{number:9} {what}")
    for words in floors(campaign.seen):
        print(words)
    for words in campaign.lacking():
        print(f"lacking: {words}")
    print(f"{campaign.ran} seeds, {len(campaign.failures)} failed, {campaign.took:.1f} s")
    return bool(campaign.failures) or (campaign.ran >= 300 and bool(campaign.lacking()))


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: MIT
"""Runs seeds on the tree in which it stands, until one fails.

`python -m tests.simulation.mutants.child MODULE SEED...`, where MODULE is the one that has the bug. The last line of
the output is a JSON object: where MODULE was imported from, the seed that failed (null: none did), and what was wrong.
"""

import contextlib
import faulthandler
import importlib
import io
import json
import sys

from tests.simulation.__main__ import main

PATIENCE = 120
"""Seconds for one seed: a history that does not end is not one that was found wrong."""


def run(module: str, seeds: list[int]) -> dict[str, object]:
    """Run them."""
    result: dict[str, object] = {"file": importlib.import_module(module).__file__, "seed": None, "wrong": ""}
    for seed in seeds:
        sys.argv[1:] = ["--seed", str(seed)]
        output = io.StringIO()
        faulthandler.dump_traceback_later(PATIENCE, exit=True)
        with contextlib.redirect_stdout(output):
            failed = main()
        faulthandler.cancel_dump_traceback_later()
        if failed:
            said = [line for line in output.getvalue().splitlines() if line.startswith(f"seed {seed} ")]
            return result | {"seed": seed, "wrong": said[0] if said else "it failed without a word"}
    return result


if __name__ == "__main__":
    print(json.dumps(run(sys.argv[1], [int(seed) for seed in sys.argv[2:]])))

# SPDX-License-Identifier: MIT
"""`python -m tests.soak`: what `make test` does in small, done at length.

It ends with 1 at the first thing that is wrong.

--kills N     starts that are killed while they migrate (tests/migrations/killing.py)
--pairs N     started together on an old database
--readers N   that follow a store which crashes and is put back (tests/daemon/storage/readers.py)
--changes N   of that store
--seed N      of all that is left to chance
"""

import argparse
import asyncio
import sys
import tempfile
from functools import partial
from pathlib import Path

from tests.daemon.storage.readers import follow
from tests.migrations.killing import kill, pair


def main() -> int:
    """Run what was asked for. Returns 1 where something is wrong."""
    parser = argparse.ArgumentParser("tests.soak")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--pairs", type=int, default=50)
    parser.add_argument("--readers", type=int, default=1000)
    parser.add_argument("--changes", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=5)
    given = parser.parse_args()
    tell = partial(print, flush=True)
    fault = kill(given.kills, given.seed, tell) or pair(given.pairs, tell)
    if given.readers and not fault:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "pubkeep.db"
            fault = asyncio.run(follow(path, given.readers, given.changes, given.seed, tell))
    print(fault or "all is right")
    return bool(fault)


if __name__ == "__main__":
    sys.exit(main())

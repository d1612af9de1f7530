# SPDX-License-Identifier: MIT
"""`python -m tests.soak`: what `make test` does in small, done at length.

It ends with 1 at the first thing that is wrong.

--kills N          starts that are killed while they migrate a file (tests/migrations/killing.py)
--pairs N          started together on an old file
--server-kills N   the same with databases of a PostgreSQL server
--server-pairs N
--readers N        that follow a store which crashes and is put back (tests/daemon/storage/readers.py)
--changes N        of that store
--seed N           of all that is left to chance
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.daemon.storage.readers import follow
from tests.fixtures.places import Databases
from tests.fixtures.postgresql import postgresql
from tests.migrations.earlier import EarlierFiles, EarlierOnServer
from tests.migrations.killing import kill, pair


def main() -> int:
    """Run what was asked for. Returns 1 where something is wrong."""
    parser = argparse.ArgumentParser("tests.soak")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--pairs", type=int, default=50)
    parser.add_argument("--server-kills", type=int, default=50)
    parser.add_argument("--server-pairs", type=int, default=20)
    parser.add_argument("--readers", type=int, default=1000)
    parser.add_argument("--changes", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=5)
    given = parser.parse_args()
    tell = partial(print, flush=True)
    fault = _migrations(given, tell)
    if given.readers and not fault:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "pubkeep.db"
            fault = asyncio.run(follow(path, given.readers, given.changes, given.seed, tell))
    print(fault or "all is right")
    return bool(fault)


def _migrations(given: argparse.Namespace, tell: Callable[[str], None]) -> str:
    """What is wrong after those that were killed, and those that came together."""
    fault = ""
    if given.kills or given.pairs:
        with tempfile.TemporaryDirectory() as folder:
            files = EarlierFiles(Path(folder))
            fault = kill(files, given.kills, given.seed, tell) or pair(files, given.pairs, tell)
    if not fault and (given.server_kills or given.server_pairs):
        tell("on PostgreSQL:")
        with postgresql() as server:
            earlier = EarlierOnServer(Databases(server))
            fault = kill(earlier, given.server_kills, given.seed, tell) or pair(earlier, given.server_pairs, tell)
    return fault


if __name__ == "__main__":
    sys.exit(main())

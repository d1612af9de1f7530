# SPDX-License-Identifier: MIT
"""`python -m tests.golden [--write]`: record each server, and show what is not as it was (or keep it as it is)."""

import asyncio
import sys
import time

from tests.fixtures.every_server import MAKERS
from tests.fixtures.servers import running
from tests.golden.comparing import differences, merged
from tests.golden.recording import ATOMIC, Recording, load, path, record


def main(write: bool) -> int:
    """0 where nothing differs."""
    different = 0
    for name, make in MAKERS.items():
        with running(make()) as server:
            began = time.monotonic()
            now = asyncio.run(record(server))
        print(f"{name}: {len(now.steps)} steps in {time.monotonic() - began:.1f} s", file=sys.stderr)
        held = load(name) if path(name).exists() else Recording(now.head)
        if write:
            path(name).write_text(merged(held, now, racing=name not in ATOMIC).text())
        elif found := differences(held, now, racing=name not in ATOMIC):
            different = 1
            print(name, *found, sep="\n")
    return different


if __name__ == "__main__":
    sys.exit(main("--write" in sys.argv))

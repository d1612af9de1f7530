# SPDX-License-Identifier: MIT
"""Places to die at, so that tests can show that nothing is lost there.

Each transaction has two: with its work done and not committed, and committed but told to nobody. The variable
PUBKEEP_CRASH names one (`before swap`, `after swap`); without it nothing happens.
"""

import os
import signal

WORKS = (
    *("add account", "enable account", "remove account", "save node", "forget node", "event", "swap"),
    *(
        "save policy",
        "save traits",
        "save leftover",
        "fill index",
        "save dictionary",
        "declare keys",
        "fill keys",
        "drop old",
    ),
)
"""The transactions."""
POINTS = tuple(f"{side} {work}" for work in WORKS for side in ("before", "after"))
_CHOSEN = os.environ.get("PUBKEEP_CRASH", "")


def crash(point: str) -> None:
    """Die as by kill -9, if this is the chosen place."""
    if point == _CHOSEN:
        os.kill(os.getpid(), signal.SIGKILL)

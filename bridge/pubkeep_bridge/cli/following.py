# SPDX-License-Identifier: MIT
"""Long work of the daemon, followed to its end."""

import sys
from typing import Any

from pubkeep_bridge.client import Job

BAR = 40
"""Columns of a progress bar."""


async def followed(job: Job) -> dict[str, Any]:
    """The result of a job, its progress shown in a terminal; interrupting cancels it."""
    begun = done = total = 0
    try:
        async for done, total in job.progress():
            begun = 1
            _show(done, total)
    except BaseException as error:
        if not isinstance(error, Exception):
            await job.cancel()
        if sys.stderr.isatty():
            print(file=sys.stderr)
        raise
    result: dict[str, Any] = {**await job.result()}
    if begun and sys.stderr.isatty():
        whole = result.get("items", total)
        _show(whole, whole)
        print(file=sys.stderr)
    return result


def _show(done: int, total: int) -> None:
    """A bar in a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        return
    filled = BAR * done // total if total else 0
    words = f"{done} of {total}" if total else f"{done}"
    print(f"\r[{'#' * filled}{'.' * (BAR - filled)}] {words} ", end="", file=sys.stderr, flush=True)

# SPDX-License-Identifier: MIT
"""Long work of the daemon, followed to its end."""

import asyncio
import shutil
import sys
from contextlib import aclosing
from typing import Any

from pubkeep_bridge.cli import render
from pubkeep_bridge.client import Job, Pubkeep
from pubkeep_bridge.client.client import OPEN, not_ready
from pubkeep_bridge.client.values import Status

BAR = 40
"""Columns of a progress bar."""
PATIENCE = 5.0
"""Seconds that a command waits for the database where nobody sees what it waits for; as long as the daemon has a call
wait."""


async def opened(pubkeep: Pubkeep) -> None:
    """Wait until the database is open: in a terminal as long as it is migrated, and it is shown how far that is.

    Raises:
        NotReady: it takes longer and this is no terminal, or it cannot be opened.
    """
    state = await pubkeep.status()
    if state["State"] in OPEN:
        return
    shown = sys.stderr.isatty()
    try:
        async with asyncio.timeout(None if shown else PATIENCE), aclosing(pubkeep.states()) as states:
            async for state in states:
                if state["State"] in OPEN:
                    return
                if not _opening(state):
                    break
                if shown:
                    _rewrite(state["StateMessage"] or f"pubkeepd is {state['State']}")
    except TimeoutError:
        pass  # the last state says why
    finally:
        if shown:
            _rewrite("")
    raise not_ready(state)


def _opening(state: Status) -> bool:
    """Whether there is something to wait for: a message of one that is starting says why it cannot."""
    return state["State"] == "migrating" or (state["State"] == "starting" and not state["StateMessage"])


def _rewrite(words: str) -> None:
    """Words in the place of those that stand in this line of the terminal."""
    room = shutil.get_terminal_size().columns - 1
    print(f"\r{render.fit(render.clean(words), room):{room}}", end="" if words else "\r", file=sys.stderr, flush=True)


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

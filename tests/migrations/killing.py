# SPDX-License-Identifier: MIT
"""Starts that are killed while they migrate, and what the next starts find.

One process loads the program and forks it for each start. A child opens one of the earlier databases (earlier.py) and
dies as by kill -9, at a step of Alembic or at any moment until all that is derived is made. Then the database is opened
twice, and everything must be there each time, and nothing beside it. Pairs are started together on one old database.
"""

import asyncio
import os
import random
import signal
import time
import traceback
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any

from sqlalchemy import Engine, event

from pubkeep.storage.migrate import HEAD, refuse_newer
from pubkeep.storage.store import Store
from tests.fixtures.places import Place
from tests.migrations.checking import check, filled
from tests.migrations.contents import Then
from tests.migrations.earlier import EARLIER, Earlier

FIRST = len(EARLIER)
"""So many of the kills are at the steps from the oldest revision on, one after the other."""


def kill(earlier: Earlier, kills: int, seed: int, tell: Callable[[str], None]) -> str:
    """Kill so many starts. Returns what is wrong, empty if nothing is."""
    chance, died = random.Random(seed), Counter[str]()
    refuse_newer(HEAD)  # so that Alembic is loaded, once
    lasts = _lasts(earlier.of(EARLIER[0]))
    for number in range(kills):
        revision, step = (EARLIER[0], number + 1) if number < FIRST else _chosen(chance)
        moment = chance.uniform(0, lasts)
        place = earlier.of(revision)
        status = _killed(place, step, moment)
        if os.waitstatus_to_exitcode(status) not in (0, -signal.SIGKILL):
            return f"kill {number}: a start from {revision} fails"
        where = f"step {step}" if step else f"{moment:.3f} s"
        migrated = place.rows("SELECT version_num FROM alembic_version") == [(HEAD,)]
        died["later" if migrated else "while it migrated"] += 1
        for start in (1, 2):
            if _forked(check, place, revision):
                return f"kill {number} ({revision}, {where}): start {start} after it finds something else"
        if beside := earlier.left(place):
            return f"kill {number} ({revision}, {where}): {beside} is left"
        earlier.drop(place)
        if number % 10 == 9 or number == kills - 1:
            tell(f"migrations: {number + 1} killed, {dict(died)}")
    return ""


def pair(earlier: Earlier, pairs: int, tell: Callable[[str], None]) -> str:
    """Start so many pairs on old databases. Returns what is wrong, empty if nothing is."""
    for number in range(pairs):
        revision = EARLIER[number % FIRST]
        place = earlier.of(revision)
        both = [_fork(_start, place) for _ in range(2)]
        ends = [os.waitpid(child, 0)[1] for child in both]
        if any(ends):
            return f"of two starts together from {revision} one fails"
        if _forked(check, place, revision):
            return f"after two starts together from {revision} something else is found"
        earlier.drop(place)
    tell(f"migrations: {pairs} pairs started together")
    return ""


def _chosen(chance: random.Random) -> tuple[str, int]:
    """From where, and at which step; 0: at any moment."""
    revision = chance.choice(EARLIER)
    return revision, chance.randint(1, FIRST - EARLIER.index(revision)) if chance.random() < 0.3 else 0


def _lasts(place: Place) -> float:
    """Seconds that a start takes, until all is made."""
    began = time.monotonic()
    assert not _forked(_start, place)
    return time.monotonic() - began


def _killed(place: Place, step: int, moment: float) -> int:
    """The wait status of a start that was killed, or had ended before."""
    child = _fork(_start, place, step)
    if not step:
        time.sleep(moment)
        os.kill(child, signal.SIGKILL)
    return os.waitpid(child, 0)[1]


async def _start(place: Place, step: int = 0) -> None:
    """As the daemon starts; with a step it dies there."""
    left = step

    def count(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        nonlocal left
        left -= statement.startswith("UPDATE alembic_version")
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)

    if step:
        event.listen(Engine, "after_cursor_execute", count)
    store = await Store.open(place.where, Then())
    await filled(place)
    await store.close()


def _forked(work: Callable[..., Coroutine[Any, Any, None]], *arguments: object) -> int:
    """The wait status of a child that did this."""
    return os.waitpid(_fork(work, *arguments), 0)[1]


def _fork(work: Callable[..., Coroutine[Any, Any, None]], *arguments: object) -> int:
    child = os.fork()
    if child:
        return child
    try:
        asyncio.run(work(*arguments))
    except BaseException:  # noqa: BLE001 (whatever it is, this is no second copy of the campaign)
        traceback.print_exc()
        os._exit(1)
    os._exit(0)

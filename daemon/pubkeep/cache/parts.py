# SPDX-License-Identifier: MIT
"""What all parts of the cache work with."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from pubkeep.cache.known import Known
from pubkeep.clock import Clock
from pubkeep.config import CacheSettings
from pubkeep.errors import TimedOut
from pubkeep.model import NodeKey
from pubkeep.ports import Analysers, Sessions, Store
from pubkeep.protocol import Listing

ANSWER_TIME = 20.0
"""Seconds that a caller waits at most, however many requests are made for it (DBUS-API, Conventions)."""


@dataclass(frozen=True, slots=True)
class Tools:
    """Plugged in once, in cache.py."""

    known: Known
    store: Store
    sessions: Sessions
    analysers: Analysers
    clock: Clock
    settings: CacheSettings


class Part:
    """A part that uses them."""

    def __init__(self, tools: Tools) -> None:
        self._known = tools.known
        self._store = tools.store
        self._sessions = tools.sessions
        self._analysers = tools.analysers
        self._clock = tools.clock
        self._settings = tools.settings


@contextlib.asynccontextmanager
async def in_time(key: NodeKey) -> AsyncIterator[None]:
    """A call that makes more than one request.

    Raises:
        TimedOut: together they took too long; what was sent last may have happened.
    """
    try:
        async with asyncio.timeout(ANSWER_TIME):
            yield
    except TimeoutError:
        raise TimedOut(f"{words(key)}: no answer within {ANSWER_TIME:g} s") from None


def words(key: NodeKey) -> str:
    """What a message about a node, or about a service as such, begins with."""
    return f"{key.node} at {key.service}" if key.node else key.service


async def as_it_is(listing: Listing) -> Listing:
    """What to do with an answer that is only looked at."""
    return listing

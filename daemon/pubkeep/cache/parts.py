# SPDX-License-Identifier: MIT
"""What all parts of the cache work with."""

from dataclasses import dataclass

from pubkeep.cache.known import Known
from pubkeep.clock import Clock
from pubkeep.config import CacheSettings
from pubkeep.ports import Analysers, Sessions, Store


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

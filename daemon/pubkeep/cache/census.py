# SPDX-License-Identifier: MIT
"""How many of the nodes that a search concerns are not synced: told with each answer, and counted anew seldom.

To look at each of a thousand nodes takes longer than the search itself. A count stands until anything is set that
states are computed from, or one of them may have changed by the mere passing of time.
"""

import math
from collections import OrderedDict
from collections.abc import Sequence
from typing import NamedTuple

from pubkeep.cache.known import Known
from pubkeep.cache.watched import Watched
from pubkeep.clock import Clock
from pubkeep.model import NodeKey, NodeState
from pubkeep.slices import Slices

AT_ONCE = 200
"""Nodes whose states are looked at before others may have their turn."""
REMEMBERED = 16
"""Lists of nodes whose counts are remembered: as many as the store remembers questions."""
_DOUBTFUL = (NodeState.STALE, NodeState.ERROR, NodeState.SYNCING)


class Doubtful(NamedTuple):
    """Counts of nodes."""

    incomplete: int
    """Not synced."""
    stale: int
    """What is held of them may be old."""


class _Count(NamedTuple):
    keys: Sequence[NodeKey]
    changes: int
    until: float
    found: Doubtful


class Census:
    """Counts nodes by their states."""

    def __init__(self, known: Known, clock: Clock) -> None:
        self._known = known
        self._clock = clock
        self._counts: OrderedDict[int, _Count] = OrderedDict()

    async def doubtful(self, keys: Sequence[NodeKey]) -> Doubtful:
        """How many of these nodes are so now. The same list, which nobody changes, is counted once."""
        if (found := self.remembered(keys)) is not None:
            return found
        changes, until, slices = Watched.changes, math.inf, Slices()
        incomplete = stale = 0
        for start in range(0, len(keys), AT_ONCE):
            now = self._clock.boottime()
            for node in map(self._known.node, keys[start : start + AT_ONCE]):
                if node is None or node.hidden:
                    continue
                until = min(until, self._known.stands_until(node, now))
                if (state := self._known.state(node)) is not NodeState.SYNCED:
                    incomplete += 1
                    stale += state in _DOUBTFUL and node.record.items > 0
            await slices.pause()
        count = _Count(keys, changes, until, Doubtful(incomplete, stale))
        self._counts[id(keys)] = count
        while len(self._counts) > REMEMBERED:
            self._counts.popitem(last=False)
        return count.found

    def remembered(self, keys: Sequence[NodeKey]) -> Doubtful | None:
        """What was counted, where it stands still."""
        count = self._counts.get(id(keys))
        if count is None or count.keys is not keys:
            return None
        stands = count.changes == Watched.changes and self._clock.boottime() < count.until
        return count.found if stands else None

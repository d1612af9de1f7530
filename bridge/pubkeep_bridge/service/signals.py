# SPDX-License-Identifier: MIT
"""Signals, merged: the first at once, then five a second for one node or job (DBUS-API, Conventions)."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

from pubkeep.model import NodeChange, NodeKey

PAUSE = 0.2
"""Seconds between two signals about the same thing."""
MAX_IDS = 100
"""Ids in one signal; with more, both lists are empty."""
CROWD = 50
"""Nodes of a type within a second; with more, one signal names none of them."""


class Pacer:
    """Calls back at once, then at most every so many seconds while more comes."""

    def __init__(self, pause: float = PAUSE) -> None:
        self._pause = pause
        self._due: dict[object, Callable[[], None] | None] = {}

    def call(self, key: object, callback: Callable[[], None]) -> None:
        """Call back now, or when the pause is over; of several callbacks of one key the last is called."""
        if key in self._due:
            self._due[key] = callback
            return
        self._due[key] = None
        asyncio.get_running_loop().call_later(self._pause, self._over, key)
        callback()

    def _over(self, key: object) -> None:
        callback = self._due.pop(key)
        if callback is not None:
            self.call(key, callback)


@dataclass(slots=True)
class _Crowd:
    since: float
    nodes: set[NodeKey]
    last: NodeChange


class NodeChanges:
    """Merges what the cache tells into NodeChanged signals."""

    def __init__(self, emit: Callable[[NodeChange], None]) -> None:
        self._emit = emit
        self._pacer = Pacer()
        self._pending: dict[tuple[NodeKey, str], NodeChange] = {}
        self._crowds: dict[str, _Crowd] = {}

    def tell(self, change: NodeChange) -> None:
        """A change was committed."""
        if self._crowded(change):
            return
        key = (change.key, change.what)
        before = self._pending.get(key)
        self._pending[key] = change if before is None else _merged(before, change)
        self._pacer.call(key, lambda: self._send(key))

    def _send(self, key: tuple[NodeKey, str]) -> None:
        change = self._pending.pop(key)
        if len(change.published) + len(change.retracted) > MAX_IDS:
            change = replace(change, published=(), retracted=())
        self._emit(change)

    def _crowded(self, change: NodeChange) -> bool:
        """A reconnect changes hundreds of nodes: one signal a second says so for all of a type."""
        now = asyncio.get_running_loop().time()
        crowd = self._crowds.get(change.type)
        if crowd is None or (now - crowd.since > 1.0 and len(crowd.nodes) <= CROWD):
            self._crowds[change.type] = _Crowd(now, {change.key}, change)
            return False
        crowd.nodes.add(change.key)
        crowd.last = change
        if len(crowd.nodes) <= CROWD:
            return False
        if len(crowd.nodes) == CROWD + 1:
            asyncio.get_running_loop().call_later(max(0.0, crowd.since + 1.0 - now), self._disperse, change.type)
        return True

    def _disperse(self, kind: str) -> None:
        last = self._crowds.pop(kind).last
        nobody = NodeKey(last.key.account, "", "")
        self._emit(replace(last, key=nobody, published=(), retracted=()))


def _merged(before: NodeChange, after: NodeChange) -> NodeChange:
    """Two changes as one; ids that are gone again, or back again, stand in the later list."""
    published = dict.fromkeys(i for i in before.published if i not in after.retracted) | dict.fromkeys(after.published)
    retracted = dict.fromkeys(i for i in before.retracted if i not in after.published) | dict.fromkeys(after.retracted)
    return replace(after, published=tuple(published), retracted=tuple(retracted))

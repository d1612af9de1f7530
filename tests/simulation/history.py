# SPDX-License-Identifier: MIT
"""What really happened to a node at its service, and all that it may look like to who was not told everything."""

from bisect import bisect_right
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Literal

MOST_WORLDS = 4096
"""An answer that so many states may explain is not judged, and counted."""


@dataclass(slots=True)
class Change:
    """One change of a node.

    put ID TEXT, del ID..., purge, keep (a purge that keeps the last item), gone, made, deny, allow, off (nothing is
    stored any more), on.
    """

    at: float
    op: tuple[str, ...]
    told: bool
    """Whether the account hears of it."""


@dataclass(frozen=True, slots=True)
class State:
    """What a node is; items oldest first."""

    items: tuple[tuple[str, str], ...] = ()
    exists: bool = True
    allowed: bool = True
    stored: bool = True
    """Whether it keeps items (pubsub#persist_items)."""

    @property
    def shown(self) -> bool:
        """Whether the account can read it."""
        return self.exists and self.allowed and self.stored


@dataclass(slots=True)
class History:
    """All that ever happened to a node as one account sees it, in the order in which its service committed it."""

    order: str
    overtaking: bool = False
    """Whether notifications may overtake each other."""
    changes: list[Change] = field(default_factory=list)
    states: list[State] = field(default_factory=lambda: [State()])
    """After each number of changes."""
    places: dict[tuple[str, str], int] = field(default_factory=dict)
    """(id, text) -> number of the change that published it, the last time: an item may be published again as it is, or
    edited; then its text was never used before."""
    _times: list[float] = field(default_factory=list)

    def commit(self, change: Change) -> int:
        """It happens. Returns how many changes there are now."""
        self.changes.append(change)
        self._times.append(change.at)
        self.states.append(after(self.states[-1], change.op, self.order))
        if change.op[0] == "put":
            self.places[change.op[1], change.op[2]] = len(self.changes)
        return len(self.changes)

    def state(self) -> State:
        """As it is now."""
        return self.states[-1]

    def number(self, moment: float) -> int:
        """How many changes there were then."""
        return bisect_right(self._times, moment)

    def between(self, start: float, end: float) -> range:
        """The numbers of the states that were current at some moment in between."""
        return range(self.number(start), self.number(end) + 1)

    def ordered(self, number: int, field: Literal["creation", "modification"]) -> tuple[tuple[str, str], ...]:
        """The items of the state after so many changes, the one first that was created, or modified, first."""
        items = self.states[number].items
        since = dict.fromkeys(dict(items), 1)
        if field == "modification":
            since |= {op[1]: at for at, op in enumerate(each.op for each in self.changes[:number]) if op[0] == "put"}
            return tuple(sorted(items, key=lambda item: since[item[0]]))
        looked_for = set(since)
        for before in range(number - 1, 0, -1):
            for item_id in looked_for.difference(dict(self.states[before].items)):
                since[item_id] = before + 1
            looked_for &= dict(self.states[before].items).keys()
        return tuple(sorted(items, key=lambda item: since[item[0]]))

    def unhidden(
        self, rows: tuple[tuple[str, str], ...], state: State, since: float, until: float
    ) -> tuple[tuple[str, str], ...]:
        """The rows as this state has them, where they lack no more than edits made after `since` and until `until`."""
        there = dict(state.items)
        return tuple(
            (item_id, there[item_id]) if self._edited(item_id, text, there.get(item_id, text), since, until) else each
            for each in rows
            for item_id, text in (each,)
        )

    def _edited(self, item_id: str, text: str, other: str, since: float, until: float) -> bool:
        """Whether the text of an item was current after `since`, and this other one until `until` in its place."""
        if text == other or (item_id, text) not in self.places:
            return False
        number = self.places[item_id, other]
        shown = any((item_id, text) in state.items for state in self.states[self.number(since) : number])
        return shown and self.changes[number - 1].at <= until

    def last(self, op: str, before: int) -> int:
        """The number of the last such change among the first `before`; 0 if there was none."""
        return next((n for n in range(before, 0, -1) if self.changes[n - 1].op[0] == op), 0)

    def loose(self, verified_at: float, as_of: float, end: float) -> frozenset[int]:
        """Changes (from 0) of which nobody knows whether an answer shows them.

        Those of which nobody was told since `verified_at`; and, where notifications overtake each other,
        those since `as_of`, since a later one may have come first.
        """
        first = self.number(min(verified_at, as_of) - 1e-6)
        return frozenset(
            i
            for i in range(first, self.number(end))
            if ((change := self.changes[i]).at > verified_at - 1e-6 and not change.told)
            or (self.overtaking and change.at > as_of - 1e-6)
        )

    def worlds(self, numbers: range, loose: frozenset[int]) -> list[Collection[State]] | None:
        """For each number the states that may be, each loose change being in or out. None: too many."""
        if not loose:
            return [(self.states[number],) for number in numbers]
        start = min(*loose, numbers.start)
        reached = {self.states[start]: None}
        result: list[Collection[State]] = []
        for number in range(start, numbers.stop):
            if number >= numbers.start:
                result.append(tuple(reached))
            if number + 1 == numbers.stop:
                break
            op = self.changes[number].op
            following = {after(state, op, self.order): None for state in reached}
            reached = (reached | following) if number in loose else following
            if len(reached) > MOST_WORLDS:
                return None
        return result


def after(state: State, op: Sequence[str], order: str) -> State:
    """The state after an operation."""
    items = state.items
    match op:
        case ["put", _, _] if not state.stored:
            return state
        case ["put", item_id, text]:
            if order == "creation" and any(each[0] == item_id for each in items):
                items = tuple((each, text if each == item_id else held) for each, held in items)
            else:
                items = (*(each for each in items if each[0] != item_id), (item_id, text))
        case ["del", *gone]:
            items = tuple(each for each in items if each[0] not in gone)
        case ["purge"]:
            items = ()
        case ["keep"]:
            items = items[-1:]
        case ["gone"]:
            return State((), exists=False)
        case ["made"]:
            return State()
        case ["deny"]:
            return State(items, state.exists, False, state.stored)
        case ["allow"]:
            return State(items, state.exists, True, state.stored)
        case ["off"]:
            return State((), state.exists, state.allowed, stored=False)
        case ["on"]:
            return State(items, state.exists, state.allowed, stored=True)
    return State(items, state.exists, state.allowed, state.stored)

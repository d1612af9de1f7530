# SPDX-License-Identifier: MIT
"""What every answer must be, from what the services really held. It knows nothing of the cache."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from pubkeep.questions import Answer, ItemsRequest

MOST_UNTOLD = 8
"""Changes that may be in or out; an answer with more is not judged, and counted."""
DEFAULT_MAX = 50
LEASE = 61.0
"""Seconds by which an answer may be behind the last sign of life, and a second for its own way."""


@dataclass(frozen=True, slots=True)
class Change:
    """One change of a node: put ID TEXT, del ID, purge, gone, made, deny, allow."""

    at: float
    op: tuple[str, ...]
    told: bool


@dataclass(frozen=True, slots=True)
class State:
    """What a node is; items oldest first."""

    items: tuple[tuple[str, str], ...] = ()
    exists: bool = True
    allowed: bool = True


@dataclass(slots=True)
class History:
    """All that ever happened to a node, in the order in which its service committed it."""

    order: str
    overtaking: bool = False
    """Whether notifications may overtake each other."""
    changes: list[Change] = field(default_factory=list)
    own: dict[tuple[str, ...], int] = field(default_factory=dict)
    """What we wrote: ids -> number of the change."""
    floor: int = 0
    """Answers may not go back behind this many changes."""
    states: list[State] = field(default_factory=lambda: [State()])
    """After each number of changes."""

    def commit(self, change: Change) -> int:
        """It happens. Returns how many changes there are now."""
        self.changes.append(change)
        self.states.append(after(self.states[-1], change.op, self.order))
        return len(self.changes)

    def state(self) -> State:
        """As it is now."""
        return self.states[-1]

    def between(self, start: float, end: float) -> range:
        """The numbers of the states that were current at some moment in between."""
        first = sum(change.at <= start for change in self.changes)
        last = sum(change.at <= end for change in self.changes)
        return range(first, last + 1)

    def worlds(self, number: int, loose: Sequence[int]) -> Iterator[State]:
        """State `number`, each of the loose changes being in or out."""
        if not loose:
            yield self.states[number]
            return
        firm = [i for i in range(number) if i not in loose]
        for size in range(len(loose) + 1):
            for chosen in combinations(loose, size):
                state = State()
                for i in sorted([*firm, *chosen]):
                    state = after(state, self.changes[i].op, self.order)
                yield state

    def loose(self, verified_at: float, as_of: float, end: float) -> list[int]:
        """Changes of which nobody knows whether an answer shows them.

        Those that nobody was told of since `verified_at`; and, where notifications overtake each other, those
        since `as_of`, since a later one may have come first.
        """
        return [
            i
            for i, change in enumerate(self.changes)
            if change.at <= end
            and (change.at > verified_at - 1e-6 if not change.told else self.overtaking and change.at > as_of - 1e-6)
        ]


def after(state: State, op: Sequence[str], order: str) -> State:
    """The state after an operation."""
    items = list(state.items)
    match op:
        case ["put", item_id, text] if order == "creation" and item_id in dict(items):
            items = [(each, text if each == item_id else held) for each, held in items]
        case ["put", item_id, text]:
            items = [each for each in items if each[0] != item_id] + [(item_id, text)]
        case ["del", item_id]:
            items = [each for each in items if each[0] != item_id]
        case ["purge"]:
            items = []
        case ["gone"]:
            return State((), exists=False, allowed=True)
        case ["made"]:
            return State()
        case ["deny"]:
            return State(state.items, state.exists, allowed=False)
        case ["allow"]:
            return State(state.items, state.exists, allowed=True)
    return State(tuple(items), state.exists, state.allowed)


def part(items: Sequence[tuple[str, str]], request: ItemsRequest) -> list[tuple[str, str]] | None:
    """The part of a list that a request names; None where it names an item to count from that is not there."""
    held, ids = dict(items), [item_id for item_id, _ in items]
    number = DEFAULT_MAX if request.max is None else request.max
    if request.ids is not None:
        return [(item_id, held[item_id]) for item_id in dict.fromkeys(request.ids) if item_id in held]
    for anchor in (request.before, request.after):
        if anchor and anchor not in held:
            return None
    if request.after:
        start = ids.index(request.after) + 1
        return list(items[start : start + number])
    if request.index is not None:
        return list(items[request.index : request.index + number])
    end = ids.index(request.before) if request.before else len(ids)
    return list(items[max(0, end - number) : end])


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the oracle says of an answer."""

    wrong: str = ""
    earliest: int = 0
    """The answer shows at least so many changes."""
    judged: bool = True


def judge(
    history: History,
    request: ItemsRequest,
    answer: Answer,
    begun: float,
    ended: float,
    floor: int,
    moment: Callable[[int], float],
) -> Verdict:
    """Whether this answer may be.

    Args:
        begun, ended: when the call came and returned, in boottime seconds.
        floor: answers given before it came, and our own writes, show so many changes.
        moment: the boottime of a wall time in an answer.
    """
    rows = [(row.id, row.title) for row in answer.page.items]
    if answer.stale:
        ever = {item for state in history.states for item in state.items}
        wrong = [row for row in rows if row not in ever]
        return Verdict(f"stale rows that were never there: {wrong}" if wrong else "")
    numbers, loose = history.between(begun, ended), list[int]()
    if answer.source == "cache":
        as_of, verified_at = moment(answer.as_of), moment(answer.verified_at)
        if begun - as_of > LEASE:
            return Verdict(f"as_of is {begun - as_of:.0f} s old")
        numbers = history.between(as_of, ended)
        loose = history.loose(verified_at, as_of, ended)
        if len(loose) > MOST_UNTOLD:
            return Verdict(judged=False)
    fitting = [
        number
        for number in numbers
        if any(
            state.exists and state.allowed and part(state.items, request) == rows
            for state in history.worlds(number, loose)
        )
    ]
    if not fitting:
        those = [part(history.states[number].items, request) for number in numbers]
        return Verdict(f"{answer.source}: {rows} was never the answer; it was {those}")
    if max(fitting) < floor:
        return Verdict(f"{answer.source}: {rows} goes back to {max(fitting)} of {floor} changes")
    return Verdict(earliest=min(fitting))

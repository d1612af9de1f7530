# SPDX-License-Identifier: MIT
"""What every answer must be, from what the services really held. It knows nothing of the cache but its answers.

* O1  an answer is the part of one state that the request names, its numbers included, current at some moment since
      `as_of`; changes of which the account was not told since `verified_at` may be in or out;
      where `edit` is untold, texts may be older by edits made between `verified_at` and the last interruption
* O2  `as_of` is not above the moment at which the service worked on the last request that it answered in this epoch,
      and at most 60 s old; `verified_at` is not older than max_age where anything is untold
* O3  nothing goes back: not the changes shown, not one item, not the sequence that a signal named
* O4  what we wrote and was confirmed is shown
* O5  NotFound and NotAllowed were so, lately enough to be remembered
* stale answers show rows that were there and that this account could read, in this incarnation, none after the end of
      it, or the refusal, was learnt; they do not claim to be complete where something named is unknown

O6 (all ends well without help) is in world.py, O7 (what the database holds) in ledger.py.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from pubkeep.errors import NotFound, PubkeepError
from pubkeep.questions import Answer, ItemsRequest, Page
from tests.simulation.history import History, State

DEFAULT_MAX = 50
Rows = tuple[tuple[str, str], ...]
"""(id, text); what could not be parsed may lack the text."""
LEASE = 60.0
ROUNDING = 1e-5
"""Seconds by which moments in answers (microseconds) and ours may differ."""
ASKED_AGAIN = 60.0
"""Seconds for which a denied or gone node is not asked for again, beside the time that an answer takes."""
ANSWER_TIME = 20.0
ANCHOR = "to count from"
HIDDEN = "edit"
"""Untold where edits hid when the node was proved from little."""
KEPT = {"creation": "creation", "modification": "publish"}
"""Order that is asked for -> that of the services whose lists have it."""


@dataclass(frozen=True, slots=True)
class Piece:
    """The part of a list that a request names."""

    rows: tuple[tuple[str, str], ...]
    more: bool
    index: int | None
    count: int | None


def piece(items: Sequence[tuple[str, str]], request: ItemsRequest) -> Piece | None:
    """None where the request names an item to count from that is not there."""
    ids = [item_id for item_id, _ in items]
    number = DEFAULT_MAX if request.max is None else request.max
    if request.ids is not None:
        held = dict(items)
        named = dict.fromkeys(request.ids)
        return Piece(tuple((item_id, held[item_id]) for item_id in named if item_id in held), False, None, None)
    if (request.before and request.before not in ids) or (request.after and request.after not in ids):
        return None
    if request.after or request.index is not None:
        start = ids.index(request.after) + 1 if request.after else request.index or 0
        end = start + number
        more = end < len(items)
    else:
        end = ids.index(request.before) if request.before else len(ids)
        start = max(0, end - number)
        more = start > 0
    return Piece(tuple(items[start:end]), more, start, len(items))


def text_of(title: str, xml: str) -> str:
    """What a row says; empty where nothing of it was parsed, and its XML was not asked for."""
    return title or xml.partition("title>")[2].partition("<")[0]


def alike(rows: Rows, others: Rows) -> bool:
    """Whether these are the same, as far as they say anything."""
    return len(rows) == len(others) and all(
        row == other or (row[0] == other[0] and not row[1]) for row, other in zip(rows, others, strict=True)
    )


def part(items: Sequence[tuple[str, str]], request: ItemsRequest) -> list[tuple[str, str]] | None:
    """Its rows."""
    found = piece(items, request)
    return None if found is None else list(found.rows)


def shows(page: Page, rows: tuple[tuple[str, str], ...], state: State, request: ItemsRequest) -> bool:
    """Whether a page is just what the request names of this state."""
    named = piece(state.items, request)
    if named is None:
        return False
    if not alike(rows, named.rows):
        forwards = request.ids is not None or request.after or request.index is not None
        cut = named.rows[: len(rows)] if forwards else named.rows[len(named.rows) - len(rows) :]
        if page.complete or not page.more or not rows or not alike(rows, cut):
            return False
        start = None if named.index is None else named.index + (0 if forwards else len(named.rows) - len(rows))
        return page.index in (None, start) and page.count in (None, named.count)
    return (
        page.complete
        and page.more == named.more
        and page.index in (None, named.index)
        and page.count
        in (
            None,
            named.count,
        )
    )


@dataclass(slots=True)
class Sight:
    """What one account has been shown of one node; answers may not go back behind it."""

    account: str
    history: History
    floor: int = 0
    """Answers show so many changes."""
    items: dict[str, int] = field(default_factory=dict)
    """id -> number of the change of it that was shown."""
    sequence: int = 0
    """The last that a signal named."""
    gone: int = 0
    """Number of the last deletion that was learnt."""
    joined: int = 0
    """Number of the last change before the account was added anew."""
    refused_at: float = float("-inf")
    """When the service gave the last refusal that has reached us, whatever was asked for."""
    readable_at: float = float("-inf")
    """When it made the last list that has reached us."""
    max_age: float = 900.0
    own: set[int] = field(default_factory=set)
    """Numbers of our own changes that were confirmed."""

    def now(self) -> "Begun":
        """What holds for an answer to a call that comes now."""
        own = frozenset(number - 1 for number in self.own)
        return Begun(self.floor, dict(self.items), self.sequence, self.gone, self.refused_at, own)

    def shown(self, item_id: str, number: int) -> None:
        """An answer showed this change of it."""
        self.items[item_id] = max(number, self.items.get(item_id, 0))

    def deleted(self, moment: float) -> None:
        """It was told that the node is gone."""
        self.gone = max(self.gone, self.history.last("gone", self.history.number(moment)))


@dataclass(frozen=True, slots=True)
class Begun:
    """What had been shown when a call came."""

    floor: int
    items: dict[str, int]
    sequence: int
    gone: int
    refused_at: float
    own: frozenset[int] = frozenset()
    """Our own changes (from 0): nobody need tell us."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the oracle says of an answer."""

    wrong: str = ""
    earliest: int = 0
    """The answer shows at least so many changes."""
    judged: bool = True


def judge(
    sight: Sight,
    request: ItemsRequest,
    answer: Answer,
    begun: float,
    ended: float,
    before: Begun,
    heard: float | None,
    moment: Callable[[int], float],
    interrupted: float = float("-inf"),
) -> Verdict:
    """Whether this answer may be.

    Args:
        begun, ended: when the call came and returned, in boottime seconds.
        before: what had been shown when it came.
        heard: when the service worked on the last request that it answered in this epoch; None if it answered none.
        moment: the boottime of a wall time in an answer.
        interrupted: when the epoch began.
    """
    page = answer.page
    rows = tuple((row.id, text_of(row.title, row.xml)) for row in page.items)
    ids = tuple(row.id for row in page.items)
    if (page.first, page.last) != ((ids[0], ids[-1]) if ids else ("", "")):
        return Verdict(f"first and last are {page.first!r} and {page.last!r} of {ids}")
    if answer.source == "cache" and page.sequence < before.sequence:
        return Verdict(f"O3: sequence {page.sequence} after a signal of {before.sequence}")
    if answer.stale:
        return Verdict(_stale(sight, request, page, rows, begun, before))
    if page.unknown or not (page.complete or page.more):
        return Verdict(f"not stale, and yet unknown {page.unknown}, complete {page.complete}")
    as_of, verified_at = moment(answer.as_of), moment(answer.verified_at)
    numbers, loose = sight.history.between(begun, ended), frozenset[int]()
    if answer.source == "cache":
        if wrong := _ages(sight, answer, begun, as_of, verified_at, heard):
            return Verdict(f"O2: {wrong}")
        numbers = sight.history.between(as_of, ended)
        loose = sight.history.loose(verified_at, as_of, ended) - before.own
    elif not begun - ROUNDING <= as_of <= ended + ROUNDING:
        return Verdict(f"O2: asked at {as_of:.3f}, called from {begun:.3f} to {ended:.3f}")
    worlds = sight.history.worlds(numbers, loose)
    if worlds is None:
        return Verdict(judged=False)
    if request.order != "service" and KEPT[request.order] != sight.history.order:
        if loose:
            return Verdict(f"O1: {answer.source}: nobody knows the order of {request.order} of these")
        worlds = [
            (replace(sight.history.states[number], items=sight.history.ordered(number, request.order)),)
            for number in numbers
        ]

    def seen(state: State) -> Rows:
        if answer.source == "cache" and HIDDEN in answer.untold:
            return sight.history.unhidden(rows, state, verified_at, interrupted)
        return rows

    fitting = [
        number
        for number, states in zip(numbers, worlds, strict=True)
        if any(state.shown and shows(page, seen(state), state, request) for state in states)
    ]
    if not fitting:
        those = [piece(sight.history.states[number].items, request) for number in numbers]
        meta = f"more {page.more}, index {page.index}, count {page.count}"
        return Verdict(f"O1: {answer.source}: {rows} ({meta}) was never the answer; it was {those}")
    if max(fitting) < before.floor:
        return Verdict(f"O3: {answer.source}: {rows} goes back to {max(fitting)} of {before.floor} changes")
    if wrong := _items_go_back(sight, request, rows, before):
        return Verdict(f"O3: {wrong}")
    return Verdict(earliest=min(fitting))


def _ages(sight: Sight, answer: Answer, begun: float, as_of: float, verified_at: float, heard: float | None) -> str:
    if heard is None:
        return "nothing was heard of the service in this epoch"
    if as_of > heard + ROUNDING:
        return f"as_of is {as_of - heard:.3f} s above the last sign of life"
    if begun - as_of > LEASE + ROUNDING:
        return f"as_of is {begun - as_of:.3f} s old"
    if answer.untold and begun - verified_at > sight.max_age + ROUNDING:
        return f"verified_at is {begun - verified_at:.3f} s old"
    if verified_at > as_of + ANSWER_TIME:
        return "verified later than heard"
    return ""


def _stale(
    sight: Sight, request: ItemsRequest, page: Page, rows: tuple[tuple[str, str], ...], begun: float, before: Begun
) -> str:
    """Why a stale answer may not be, or empty."""
    history = sight.history
    for row in rows:
        if not row[1]:
            continue
        number = history.places.get(row, 0)
        if not number:
            return f"stale row that was never there: {row}"
        if number < sight.joined and not any(row in state.items for state in history.states[sight.joined :]):
            return f"stale row of before the account was removed: {row}"
        if number < before.gone:
            return f"stale row of an earlier incarnation: {row}"
        visible = (state.allowed for state in history.states[number:] if row in state.items)
        told = history.changes[number - 1].told or number in sight.own
        if not (any(visible) or told):  # services go on telling whom they refuse, and confirm what they do not store
            return f"stale row that this account could never read: {row}"
    if rows and before.refused_at > sight.readable_at:
        return f"stale rows {rows} after access was refused"
    if page.unknown and page.complete:
        return f"complete, and yet unknown: {page.unknown}"
    if request.ids is not None and page.complete and {*request.ids} - {row[0] for row in rows}:
        return "complete, and yet not all that was asked for"
    if page.index is not None or page.count is not None:
        return "a position in a list that is not vouched for"
    return ""


def _items_go_back(sight: Sight, request: ItemsRequest, rows: tuple[tuple[str, str], ...], before: Begun) -> str:
    """Whether an item is older than it was shown already."""
    for row in rows:
        if not row[1]:
            continue
        number = sight.history.places[row]
        if number < before.items.get(row[0], 0):
            return f"{row} was overwritten or removed in an earlier answer"
        sight.shown(row[0], number)
    there = {row[0] for row in rows}
    for item_id in request.ids or ():
        if item_id not in there and item_id in before.items:
            removed = next(
                (
                    number
                    for number in range(before.items[item_id], len(sight.history.states))
                    if all(each[0] != item_id for each in sight.history.states[number].items)
                ),
                0,
            )
            if not removed:
                return f"{item_id} was shown, never removed, and is lacking"
            sight.shown(item_id, removed)
    return ""


def judge_refusal(
    sight: Sight, request: ItemsRequest, error: PubkeepError, begun: float, ended: float, *, known: bool
) -> str:
    """Why NotFound or NotAllowed may not be the answer (O5), or empty.

    Args:
        known: the node is kept, so that a refusal may be a minute old; else 5 s.
    """
    remembered = 0.0 if request.freshness == "service" else ASKED_AGAIN if known else 5.0
    anchored = isinstance(error, NotFound) and ANCHOR in str(error)
    if request.freshness == "cache" or (anchored and known and request.freshness != "service"):
        remembered = begun  # errors cannot say how old they are, nor what nobody told
    numbers = sight.history.between(begun - remembered - (ANSWER_TIME if remembered else 0.0), ended)
    states = [sight.history.states[number] for number in numbers]
    anchor = request.before or request.after
    if anchored:
        fair = any(anchor not in dict(state.items) for state in states)
    elif isinstance(error, NotFound):
        fair = any(not state.exists for state in states)
    else:
        fair = any(not state.allowed for state in states)
    return "" if fair else f"O5: {type(error).__name__}: {error}"

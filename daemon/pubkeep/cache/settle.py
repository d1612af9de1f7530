# SPDX-License-Identifier: MIT
"""The settle rule: events and answers of a service are not in order.

ejabberd, and every service with an asynchronous database, reads the table, then queues the answer
behind notifications that other processes queued meanwhile: a listing may come after the event of an
item that it does not contain, and of two overwrites the last event may not be the stored value.

An id is *unsettled* when an event names it in the window of an answer that covers it and shows another value, when
two different events name it of which the later one may tell the earlier change, when its event has no payload or is
delayed, or when our own write met another event or no answer. The window of a request is from `fan_out` before it was
sent until `fan_out` after its result. Unsettled ids keep their newest value, but no answer that would contain (or lack)
them is `synced`. When nothing named such an id for `fan_out`, it is asked for by id, and that
answer stands if no event names the id in its window.

The order is unsettled when two ids took a place at the end, of which the later one may have taken it first, or in a
window, until one quiet listing of the newest shows it. An event gives an id its place even where its payload is not
believed (sampling.py): the answer by id shows what the item is, not where it stands.

How old a change may be that an event tells is not seen from when it came: what is told late by `fan_out` may be held up
on the way as well (Link.committed_since). That decides between events. After an answer it is left aside: a value that
was overwritten before it, and is told only after the way grew longer, stands until the later event comes; to doubt all
that is told within some seconds after a list costs every twentieth answer from the cache.

All times are boottime seconds given by the caller: nothing here waits or looks at a clock.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import NamedTuple

from pubkeep.cache.order import Lesson
from pubkeep.cache.watched import Watched
from pubkeep.protocol import REMEMBERED, Listing

MAX_ATTEMPTS = 5
"""So often an id is asked for; then it stays unsettled until the node is listed whole."""


@dataclass(slots=True)
class _Doubt:
    named_at: float
    attempts: int = 0
    shown_at: float | None = None
    """When the last answer was asked for that had it and did not decide about it."""


class Said(NamedTuple):
    """What an event said of an id."""

    at: float
    digest: bytes | None
    """None: it was retracted; empty: it was published, with a payload or value that nobody knows."""
    placed: bool
    """It put the id at the end of the order."""
    news: bool = True
    """It may be of now: not delayed for longer than the copy is verified."""


@dataclass(slots=True)
class Settle(Watched):
    """What is in doubt about one node."""

    fan_out: float
    """D: how much later than it can be read a change may be told, in seconds."""
    _doubts: dict[str, _Doubt] = field(default_factory=dict)
    _named: dict[str, Said] = field(default_factory=dict)
    """id -> what its last event said, oldest first."""
    _covered: list[tuple[float, frozenset[str] | None]] = field(default_factory=list)
    """(taken_at, ids; None for all) of recent answers."""
    _watched: list[float] = field(default_factory=list)
    _placed_at: float = float("-inf")
    _placed_id: str = ""
    lesson: Lesson = field(default_factory=Lesson)
    order_ids: dict[str, None] = field(default_factory=dict)
    """Ids whose place at the end of the order is in doubt, in the order of their events."""
    _looked_for: set[str] = field(default_factory=set)
    """Ids that a listing of the newest, asked for the order, lacked or had otherwise."""
    _newest: tuple[float, tuple[str, ...], bool] = (float("-inf"), (), False)
    """(sent_at, ids, whether there are no others) of the last answer that a caller got of the newest, as it came."""
    _told: dict[str, tuple[float, bytes | None]] = field(default_factory=dict)
    """id -> (taken_at, digest; None: it was not there) of what callers got while the node was listed."""
    _told_all: tuple[float, frozenset[str]] | None = None
    """(taken_at, ids) of the last list of all that a caller got while the node was listed."""

    # -- what happened ---------------------------------------------------------------------------

    def event(
        self,
        item_id: str,
        digest: bytes | None,
        at: float,
        *,
        since: float | None = None,
        usable: bool = True,
        placed: bool = False,
        same: bool = False,
        own: bool = False,
        news: bool = True,
    ) -> None:
        """An event named this id.

        Args:
            digest: of its payload, empty where it showed none, None for a retraction.
            since: when it was made at the earliest (Link.committed_since); None: `fan_out` before.
            usable: it has a payload and is neither delayed nor wrapped.
            placed: it puts the id at the end of the order (a new id, or an overwrite that moves).
            same: it says what is held already: it cannot contradict an answer.
            news: it may be of now; else nothing follows where the item is not there.
            own: it is our confirmed write, of which is known when it was sent: the caller says which answers it met.
        """
        since = at - self.fan_out if since is None else since
        if not (same and item_id == self.lesson.overwrote):  # told twice, or published again, it stands where it stood
            self.lesson.forget(since + self.fan_out, self.fan_out)
        before = self._named.pop(item_id, None)
        self._named[item_id] = Said(at, digest, placed, news)
        self._forget_before(at)
        covered = not own and self.covered_since(item_id, at - self.fan_out)
        doubtful = (
            not usable
            or (before is not None and since < before.at and before.digest != digest)
            or item_id in self._doubts
            or (not same and covered)
        )
        if doubtful:
            self.doubt(item_id, at)
        if placed:
            if self._placed_id and self._placed_id != item_id and since < self._placed_at:
                self.order_ids.setdefault(self._placed_id)
                self.order_ids.setdefault(item_id)
            elif doubtful or covered:  # the answer may show where it stood after others came behind it
                self.order_ids.setdefault(item_id)
            self._placed_at, self._placed_id = at, item_id
        elif digest is None:
            self.order_ids.pop(item_id, None)
        self.touched()

    def doubt(self, item_id: str, at: float) -> None:
        """The id is unsettled from now on, whatever an event said."""
        known = self._doubts.setdefault(item_id, _Doubt(at))
        known.named_at = at
        self.touched()

    def overwritten(self, item_id: str, behind: Iterable[str], since: float) -> None:
        """The last event gave a held item another payload: where it stands now shows the order of the service.

        Args:
            behind: what is held behind it; what was named since `since`, or is in doubt, may have come later.
        """
        later = self.named_since(since) | self._doubts.keys() | self.order_ids.keys()
        self.lesson.overwritten(item_id, frozenset(each for each in behind if each not in later))
        self.doubt_order(item_id)

    def doubt_order(self, item_id: str) -> None:
        """Nobody knows where this id stands now."""
        self.order_ids.setdefault(item_id)
        self.touched()

    def answered(
        self, sent_at: float, taken_at: float, ids: Collection[str] | None, shown: Mapping[str, bytes]
    ) -> frozenset[str]:
        """A request was answered that covers these ids (None: all of the node).

        Args:
            shown: id -> digest of the items in the answer. One that shows what the event said (or lacks what
                the event retracted) agrees with it: the service held just that when it answered.

        Returns:
            The ids that this answer does not decide about; they are unsettled now.
        """
        start = sent_at - self.fan_out
        racing = {
            item_id
            for item_id, said in self._named.items()
            if start <= said.at <= taken_at
            and (ids is None or item_id in ids)
            and (item_id in self._doubts or shown.get(item_id) != said.digest)
        }
        for item_id in racing:
            self.doubt(item_id, self._named[item_id].at)
            if item_id in shown:
                self._doubts[item_id].shown_at = sent_at
        self._covered = [entry for entry in self._covered if taken_at - entry[0] < REMEMBERED]
        if self.fan_out:
            self._covered.append((taken_at, None if ids is None else frozenset(ids)))
        return frozenset(racing)

    def told(
        self,
        listing: Listing,
        ids: Collection[str] | None,
        everything: Collection[str] | None,
        shown: Mapping[str, bytes],
    ) -> None:
        """A caller got this answer: a listing that began before it must not end with something older.

        Args:
            ids, everything: see Applier.feed.
            shown: the digests of its items.
        """
        if ids is None:
            cut = listing.rsm is not None and (listing.rsm.count or 0) > len(shown)
            all_of_it = len(listing.items) < (listing.query.max_items or 0) and not cut
            self._newest = listing.sent_at, tuple(item.id for item in listing.items), all_of_it
        if not self._watched:
            return
        self._told |= {item_id: (listing.taken_at, digest) for item_id, digest in shown.items()}
        self._told |= {item_id: (listing.taken_at, None) for item_id in ids or () if item_id not in shown}
        if everything is not None:
            self._told_all = listing.taken_at, frozenset(everything)

    def contradicts(self, order: Sequence[str], since: float, *, turned: bool, newest: bool = False) -> bool:
        """Whether a caller was shown others as the newest, or in another order, when asked for later than `since`.

        Args:
            order: oldest first, as a listing has it that began at `since`.
            turned: the newest come first in answers of the newest.
            newest: `order` has the newest only.
        """
        sent_at, ids, all_of_it = self._newest
        if sent_at <= since:
            return False
        named, listed = self.named_since(since - self.fan_out), set(order)
        shown = [item_id for item_id in ids[:: -1 if turned else 1] if item_id not in named]
        if newest:
            ours = [item_id for item_id in order if item_id not in named]
            number = min(len(ours), len(shown))
            return ours[len(ours) - number :] != shown[len(shown) - number :]
        first = next((order.index(item_id) for item_id in shown if item_id in listed), len(order))
        ours = [item_id for item_id in order[0 if all_of_it else first :] if item_id not in named]
        return shown != ours

    def denies(self, listed: Mapping[str, bytes], since: float) -> bool:
        """Whether a caller got something else than a listing shows that began at `since`, and no event said why.

        Args:
            listed: all ids with their digests.
        """
        named = self.named_since(since - self.fan_out)
        told = ((item_id, digest) for item_id, (at, digest) in self._told.items() if at > since)
        if any(listed.get(item_id) != digest for item_id, digest in told if item_id not in named):
            return True
        if self._told_all is None or self._told_all[0] <= since:
            return False
        return not (self._told_all[1] ^ listed.keys()) <= named

    def shown_otherwise(self, ids: Iterable[str], shown: Mapping[str, bytes], since: float) -> frozenset[str]:
        """Which ids a caller was shown otherwise than this answer does that was asked for at `since`.

        Args:
            shown: the digests of its items.
        """
        return frozenset(
            item_id
            for item_id in ids
            if item_id in self._told and self._told[item_id][0] > since and self._told[item_id][1] != shown.get(item_id)
        )

    def settled(self, ids: Iterable[str]) -> None:
        """An answer in a quiet window decided about these."""
        for item_id in ids:
            self._doubts.pop(item_id, None)
        self.touched()

    def tried(self, ids: Iterable[str]) -> None:
        """These were asked for and an event raced the answer."""
        for item_id in ids:
            if item_id in self._doubts:
                self._doubts[item_id].attempts += 1

    def order_settled(self) -> None:
        """A quiet listing of the newest showed the order."""
        self.order_ids.clear()
        self._looked_for.clear()
        self.touched()

    def looked_for(self, ids: Collection[str]) -> bool:
        """Whether all of these were looked for already, by id, since the order was settled; now they are."""
        before = self._looked_for.issuperset(ids)
        self._looked_for.update(ids)
        return before

    def clear(self, keep: Collection[str] = ()) -> None:
        """A whole listing decided about everything but `keep`."""
        self._doubts = {item_id: doubt for item_id, doubt in self._doubts.items() if item_id in keep}
        self.order_ids = {item_id: None for item_id in self.order_ids if item_id in keep}
        self._looked_for.clear()

    # -- what is known ---------------------------------------------------------------------------

    def unsettled(self, ids: Iterable[str] | None = None) -> bool:
        """Whether an answer about these ids (None: about the list) is in doubt."""
        if ids is None:
            return bool(self._doubts or self.order_ids)
        return bool(self._doubts) and any(item_id in self._doubts for item_id in ids)

    def last_event(self, item_id: str) -> Said | None:
        """What the last event said of the id; None if none came lately."""
        return self._named.get(item_id)

    def expects(self, item_id: str, *, held: bool) -> bool:
        """Whether an item is thought to be there: held, shown or told, and not retracted since by any event."""
        last, doubt = self._named.get(item_id), self._doubts.get(item_id)
        shown_at = None if doubt is None else doubt.shown_at
        if last is None:
            return held or shown_at is not None
        if last.digest is None:  # an answer that was asked for after it may have had the item all the same
            return shown_at is not None and shown_at > last.at
        return held or shown_at is not None or last.news

    def named_since(self, moment: float) -> frozenset[str]:
        """The ids that events named at or after this moment."""
        return frozenset(item_id for item_id, said in self._named.items() if said.at >= moment)

    def placed_ids(self, moment: float) -> frozenset[str]:
        """The ids that events put at the end of the order at or after this moment."""
        return frozenset(item_id for item_id, said in self._named.items() if said.at >= moment and said.placed)

    def due(self, now: float) -> list[str]:
        """The ids to be asked for now, at most 100."""
        return [
            item_id
            for item_id, doubt in self._doubts.items()
            if doubt.attempts < MAX_ATTEMPTS and doubt.named_at + self.fan_out <= now
        ][:100]

    @property
    def exhausted(self) -> bool:
        """Whether an id was asked for so often that only a listing of the whole node can decide about it."""
        return any(doubt.attempts >= MAX_ATTEMPTS for doubt in self._doubts.values())

    def order_due(self, now: float) -> list[str]:
        """The ids whose order a listing of the newest can show now: no id is in doubt and all is quiet."""
        quiet = self._placed_at + self.fan_out <= now and not self._doubts
        return list(self.order_ids) if quiet else []

    def next_due(self, now: float) -> float | None:
        """When `due` or `order_due` will next have something; None if never."""
        moments = [doubt.named_at + self.fan_out for doubt in self._doubts.values() if doubt.attempts < MAX_ATTEMPTS]
        if self.order_ids and not self._doubts:
            moments.append(self._placed_at + self.fan_out)
        if (due := self.lesson.due(self.fan_out)) is not None:
            moments.append(due)
        return max(min(moments), now) if moments else None

    def covered_since(self, item_id: str, moment: float) -> bool:
        """Whether an answer about the id was taken after this moment, of a service that is late."""
        recent = takewhile(lambda entry: entry[0] > moment, reversed(self._covered))
        return any(ids is None or item_id in ids for _, ids in recent)

    def placed_since(self, moment: float) -> bool:
        """Whether an id took a place at the end at or after this moment, at a service that is late."""
        return self.fan_out > 0 and self._placed_at >= moment

    def watch(self, since: float) -> None:
        """A listing began, which may take long: what is told from now on is remembered until `unwatch`."""
        self._watched.append(since)

    def unwatch(self, since: float) -> None:
        """It ended."""
        self._watched.remove(since)
        if not self._watched:
            self._told.clear()
            self._told_all = None

    def _forget_before(self, now: float) -> None:
        limit = min([now - REMEMBERED, *self._watched]) - self.fan_out
        for item_id in list(self._named):
            if self._named[item_id].at >= limit:
                break
            del self._named[item_id]

# SPDX-License-Identifier: MIT
"""Which cells of the table of states (tests/daemon/cache/states.py) a history hits; it changes nothing."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from xml.etree.ElementTree import Element

from pubkeep.cache.cache import Cache
from pubkeep.errors import NotAllowed, NotFound, PubkeepError, StorageFull, TimedOut, Unavailable
from pubkeep.model import NodeKey
from pubkeep.payload import first_child, refusal
from pubkeep.protocol import EventKind, NodeEvent
from pubkeep.questions import NodeFilter
from pubkeep.sync.jobs import Job
from tests.daemon.cache.states import CELLS, cell_of
from tests.simulation.watcher import Watcher

EVENTS = {
    EventKind.PURGE: "purge",
    EventKind.DELETE: "delete",
    EventKind.CONFIGURATION: "configuration",
}
SPOILS = ("new session", "hole")
"""What spoils a listing that is under way."""
UNREACHED: Mapping[str, str] = {
    "emptied": "that a long list goes without a word is too rare here",
    "forget some": "simulated posts have no dates",
    "retract x unknown": "of what is not kept nothing is held",
}
"""Trigger, or cell, that no history reaches -> why. All others must be hit."""
REQUIRED = tuple(cell for cell in CELLS if not {cell, cell.partition(" x ")[0]} & UNREACHED.keys())


def usable(item: Element) -> bool:
    """Whether it says what the item is: with its payload, or that this is more than we take."""
    return first_child(item) is not None or bool(refusal(item))


class Cells(Watcher):
    """Counts them. A node that is listed stands in two columns: `syncing`, and where it was when that began."""

    def __init__(
        self,
        seen: Counter[str],
        cache: Callable[[], Cache],
        keys: Sequence[NodeKey],
        held: Callable[[NodeKey], set[str]],
    ) -> None:
        self._seen, self._cache, self._keys, self._held = seen, cache, keys, held
        self._rest: dict[NodeKey, str] = {}
        """What a node was when it was last seen and not syncing."""
        self._verified: dict[NodeKey, int] = {}
        self._at_cut: dict[NodeKey, str] = {}
        self._subscribed: set[NodeKey] = set()
        self._verifying: list[tuple[Job, str]] = []
        self._proofs: dict[NodeKey, tuple[object, ...]] = {}

    # -- looking -------------------------------------------------------------------------------------

    def states(self, account: str) -> dict[NodeKey, str]:
        """Of all nodes that are kept."""
        found = {record.key: str(state) for record, state in self._cache().get_nodes(NodeFilter(), [account])}
        self._rest |= {key: state for key, state in found.items() if state != "syncing"}
        return found

    def state(self, key: NodeKey) -> str:
        """What a node is now."""
        return self.states(key.account).get(key) or str(self._cache().explain(key)["state"])

    def hit(self, trigger: str, state: str) -> None:
        """It happens to a node in this state."""
        if cell := trigger and cell_of(state, trigger):
            self._seen[f"cell {cell}"] += 1
        if trigger in SPOILS and state == "syncing":
            self._seen["cell spoiled x syncing"] += 1

    def _hit_listed(self, trigger: str, key: NodeKey) -> None:
        state = self.state(key)
        self.hit(trigger, state)
        if state == "syncing":
            self.hit(trigger, self._rest.get(key, "syncing"))

    # -- what happens on the way ---------------------------------------------------------------------

    def happened(self, trigger: str, key: NodeKey) -> None:
        self._hit_listed(trigger, key)

    def linked(self, account: str, trigger: str) -> None:
        states = self.states(account)
        if trigger == "cut":
            self._at_cut |= states
        if trigger == "new session":
            states |= {key: self.state(key) for key in self._keys if key.account == account and key not in states}
        for key, state in states.items():
            self.hit(trigger, self._at_cut.get(key, state) if trigger == "resumed" else state)

    def path_lost(self, account: str, service: str) -> None:
        for key, state in self.states(account).items():
            if key.service == service and state == "syncing":
                self._seen["cell spoiled x syncing"] += 1

    def told(self, event: NodeEvent) -> None:
        key = event.node
        state = self.state(key)
        if event.kind is EventKind.SUBSCRIPTION:
            self.hit("pending" if event.subscription == "pending" else "unsubscribed", state)
        elif trigger := EVENTS.get(event.kind):
            self.hit(trigger, state)
        for item in event.items:
            self.hit("event unsettled" if event.delayed or not usable(item.element) else "event", state)
        for item_id in event.retracted:
            self.hit("retract" if item_id in self._held(key) else "odd retract", state)

    def subscriptions(self, key: NodeKey, states: tuple[str, ...]) -> None:
        if "subscribed" in states:
            self._subscribed.add(key)
        elif key in self._subscribed:
            self._subscribed.discard(key)
            self.happened("unsubscribed", key)

    def asked(self, key: NodeKey) -> None:
        self._verified[key] = self._proved(key)

    def listed(self, key: NodeKey, error: PubkeepError | None, *, exists: bool) -> None:
        match error:
            case None if self._proved(key) != self._verified.get(key):
                self.hit("proved", "syncing")
                self.hit("proved", self._rest.get(key, "syncing"))
                self._count_ways(key)
            case None:
                self._count_ways(key)
            case NotFound() if not exists:
                self._hit_listed("absent", key)
            case NotAllowed():
                self._hit_listed("refused", key)
            case Unavailable() | TimedOut():
                self._hit_listed("unreachable", key)

    def _count_ways(self, key: NodeKey) -> None:
        """By which ways of asking the node was proved, where it was proved anew."""
        found = self._cache().explain(key)
        by = found.get("proved_by")
        proof = (found.get("epoch"), found.get("verified_at"), by)
        if isinstance(by, list) and by and proof != self._proofs.get(key):
            self._proofs[key] = proof
            if str(found["doubt"]).startswith("contents"):
                self._seen["proved but for contents"] += 1
            else:
                self._seen.update(f"proved by {way}" for way in by)

    def _proved(self, key: NodeKey) -> int:
        found = self._cache().get_nodes(NodeFilter(key.account, key.service, key.node), [key.account])
        return found[0][0].verified_at if found else 0

    # -- what the daemon says, and what people do ------------------------------------------------------

    def logged(self, key: NodeKey, error: object) -> None:
        """It could not do something for a node."""
        if isinstance(error, StorageFull) or "another program keeps it locked" in str(error):
            self._hit_listed("hole", key)

    def verifies(self, job: Job, state: str) -> None:
        """Somebody compares a node."""
        self._verifying.append((job, state))

    def compared(self) -> None:
        """Count what came of it, where it is over."""
        for job, state in [each for each in self._verifying if each[0].ended]:
            self._verifying.remove((job, state))
            if job.state == "done":
                named = any(job.result.get(each) for each in ("missing", "extra", "different"))
                self.hit("verified other" if named else "verified same", state)

    def ends(self, accounts: list[str]) -> None:
        """The process ends, and will start again."""
        for account in accounts:
            for state in self.states(account).values():
                self.hit("start", state)

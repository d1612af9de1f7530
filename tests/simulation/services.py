# SPDX-License-Identifier: MIT
"""What simulated PubSub services hold and answer, truthful or lying as their profile says; network.py carries it.

A service is seen from one account, a plain subscriber; everybody else is a name. Prosody and ejabberd are held
against recordings of the real ones (tests/golden/test_simulated.py), whose words for each of these quirks they are.
"""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal
from xml.etree import ElementTree as ET

from pubkeep import payload
from pubkeep.protocol import ArchivePage, DiscoItem, ItemsQuery, Rsm, ServiceInfo, WireItem
from tests.simulation import paging
from tests.simulation.archives import Archive, Archiving
from tests.simulation.history import Change, History, State
from tests.simulation.loop import EPOCH
from tests.simulation.refusals import FORBIDDEN, NOT_FOUND, Refusal

PUBSUB = "{http://jabber.org/protocol/pubsub}"
ATOM = "{http://www.w3.org/2005/Atom}"
LARGE = "large "
"""How the text of an item begins that is longer than what we take."""
RSM = "http://jabber.org/protocol/rsm"
MAM = "urn:xmpp:mam:2"
ORDERED = "urn:xmpp:order-by:{}@http://jabber.org/protocol/pubsub"

Notice = tuple[str, ...]
"""What the account is told: put ID TEXT, late ID TEXT (the last item, sent again), del ID, purge, gone, config."""


@dataclass(frozen=True, slots=True)
class Profile:
    """How a service behaves."""

    name: str
    kind: Literal["", "prosody", "ejabberd", "ejabberd-sql"] = ""
    """Which real one it is; empty: one that pages by item ids, if at all."""
    order: Literal["publish", "creation"] = "publish"
    fan_out: float = 0.0
    """Answers and events may be late by so many seconds, and overtake each other."""
    page: int = 0
    """Pages of so many at most; 0: RSM is ignored."""
    cut: int = 0
    """Lists of everything are cut here, with a `<set/>` that says so."""
    silent: frozenset[str] = frozenset()
    """Operations of which nobody is told."""
    last_item: Literal["", "late", "put"] = ""
    """Whether the last item is sent at a subscription, with a `<delay/>` or without."""
    orders: Literal["", "0", "1", "ignored"] = ""
    """Which version of XEP-0413 it honours; or it says that it honours one, and does not."""
    archive: Archiving = ""
    archives_late: float = 0.0
    """Seconds from a publication until its archive shows it."""

    @property
    def prosody(self) -> bool:
        """Whether it is Prosody."""
        return self.kind == "prosody"

    @property
    def ejabberd(self) -> bool:
        """Whether it is ejabberd, with whatever it stores in."""
        return self.kind.startswith("ejabberd")

    @property
    def sql(self) -> bool:
        """Whether it is ejabberd with SQL."""
        return self.kind == "ejabberd-sql"


PROSODY = Profile("prosody", "prosody")
_GONE = frozenset({"gone"})
EJABBERD = Profile("ejabberd", "ejabberd", order="creation", fan_out=1.9, silent=_GONE, last_item="late")
EJABBERD_SQL = Profile("ejabberd-sql", "ejabberd-sql", order="creation", fan_out=0.4, silent=_GONE, last_item="late")
EJABBERD_PEP = Profile("ejabberd-pep", "ejabberd", order="creation", fan_out=1.9, silent=frozenset({"purge", "gone"}))
PROSODY_PEP = Profile("prosody-pep", "prosody", last_item="put")
PROFILES = (
    PROSODY,
    EJABBERD,
    EJABBERD_SQL,
    EJABBERD_PEP,
    Profile("pages", fan_out=1.0, page=3),
    Profile("cuts", fan_out=0.2, cut=4, page=4),
    Profile("keeps-silent", fan_out=0.5, silent=frozenset({"del", "purge", "gone"})),
)
LONG_PROFILES = (
    PROSODY,
    Profile("counts", fan_out=0.3, page=15, orders="ignored"),
    Profile("archives", order="creation", fan_out=0.5, archive="all", archives_late=1.9),
    Profile("orders", order="creation", fan_out=0.4, page=12, orders="1", archive="empty"),
    Profile("orders-long-ago", order="creation", page=25, orders="0"),
    Profile("loses", order="creation", fan_out=0.2, page=12, archive="loses"),
    EJABBERD_SQL,
)
"""Those with long lists: what they offer may save that all of it is listed."""


@lru_cache(4096)
def wire(item_id: str, text: str) -> WireItem:
    """An `<item/>` with a post; one that is too large as our parser leaves it (pubkeep.xmpp.stanzas)."""
    element = ET.Element(f"{PUBSUB}item", {"id": item_id})
    ET.SubElement(ET.SubElement(element, f"{ATOM}entry"), f"{ATOM}title").text = text
    if text.startswith(LARGE):
        payload.refuse(element, "it is too large")
    return WireItem(item_id, "", element)


@dataclass(slots=True)
class Rules:
    """The configuration of a node, as far as it shows."""

    max_items: int = 0
    """0: as many as there come."""
    payloads: bool = True
    muted: bool = False
    stored: bool = True
    notify_retract: bool = True
    notify_delete: bool | None = None
    """None: as the profile has it."""
    notify_config: bool = False


@dataclass(slots=True)
class Holding:
    """What a service knows of a node beside its list."""

    rules: Rules = field(default_factory=Rules)
    created: dict[str, int] = field(default_factory=dict)
    modified: dict[str, int] = field(default_factory=dict)
    publishers: dict[str, str] = field(default_factory=dict)
    strangers: set[str] = field(default_factory=set)
    """Publishers who are neither affiliated nor subscribed: where everybody may publish."""
    refusal: tuple[str, ...] = FORBIDDEN
    """How it refuses the account that may not read."""
    subscription: str = "subscribed"
    """What a new subscription is."""


@dataclass(slots=True)
class Service:
    """One service; its nodes by name."""

    jid: str
    profile: Profile
    nodes: dict[str, History] = field(default_factory=dict)
    subscribed: set[str] = field(default_factory=set)
    ghosts: set[str] = field(default_factory=set)
    """Subscriptions that Prosody goes on listing when their node was deleted, also when there is a new one."""
    archives: dict[str, Archive] = field(default_factory=dict)
    _holdings: dict[str, Holding] = field(default_factory=dict)
    _ticks: int = 0

    # -- what is asked -------------------------------------------------------------------------------

    def holding(self, node: str) -> Holding:
        """What is known of a node beside its list; its rules may be changed."""
        return self._holdings.setdefault(node, Holding())

    def there(self, node: str) -> State:
        """What the node is now, whoever may read it. Raises Refusal."""
        if node not in self.nodes or not self.nodes[node].state().exists:
            raise Refusal(*NOT_FOUND)
        return self.nodes[node].state()

    def admitted(self, node: str) -> State:
        """What the node is now, whether it stores anything or not. Raises Refusal."""
        state = self.there(node)
        if not state.allowed:
            raise Refusal(*self.holding(node).refusal)
        return state

    def readable(self, node: str) -> State:
        """What the node is now. Raises Refusal."""
        state = self.admitted(node)
        if not self.profile.ejabberd and not self.holding(node).rules.stored:
            raise Refusal("cancel", "feature-not-implemented", "persistent-items")
        return state

    def items(self, node: str, query: ItemsQuery) -> tuple[list[tuple[str, str]], Rsm | None]:
        """The answer to one `<items/>` request of the daemon (XEP-0060 6.5). Raises Refusal."""
        found, rsm = self.part(node, paging.asked(query))
        return [(item.id, item.text) for item in found], rsm

    def part(self, node: str, request: paging.Asked) -> paging.Part:
        """The answer to any. Raises Refusal."""
        state, created = self.readable(node), self.holding(node).created
        held = [paging.Held(item_id, text, _stamp(created.get(item_id, 0))) for item_id, text in state.items]
        if request.order is not None and request.order.version == self.profile.orders:
            ticks = created if request.order.field == "creation" else self.holding(node).modified
            held.sort(key=lambda item: ticks[item.id], reverse=True)
        if self.profile.prosody:
            return paging.prosody(held, request)
        if self.profile.ejabberd:
            return paging.ejabberd(held, request, sql=self.profile.sql)
        return paging.by_ids(held, request, page=self.profile.page, cut=self.profile.cut)

    def info(self, node: str = "") -> ServiceInfo:
        """disco#info of the service or of a node. Raises Refusal."""
        if node:
            self.there(node)
            if self.profile.ejabberd and "!" in node:
                raise Refusal(*NOT_FOUND)
        names = (("pubsub", "service", "Prosody PubSub Service"),) if self.profile.prosody else ()
        pages = self.profile.sql or (self.profile.page and not self.profile.cut)
        features = {RSM} if pages else set()
        if self.profile.orders:
            features.add(ORDERED.format("0" if self.profile.orders == "0" else "1"))
        if self.profile.archive:
            features.add(MAM)
        return ServiceInfo(names, frozenset(features), {})

    def archived(self, node: str, at: float, number: int, before: str) -> ArchivePage:
        """The last so many publications before a cursor, empty: of all, as shown at that moment. Raises Refusal."""
        self.readable(node)
        if not self.profile.archive:
            raise Refusal("cancel", "feature-not-implemented")
        until = EPOCH + int((at - self.profile.archives_late) * 1_000_000)
        return self.archives.setdefault(node, Archive()).page(number, before, wire, until)

    def listed(self, node: str) -> tuple[DiscoItem, ...]:
        """disco#items of a node. Raises Refusal; ejabberd does not, and lists nothing."""
        if self.profile.ejabberd and (not self.there(node).allowed or "!" in node):
            return ()
        ids = [item_id for item_id, _ in self.readable(node).items]
        return tuple(DiscoItem(self.jid, "", each) for each in (ids[::-1] if self.profile.prosody else ids))

    # -- subscriptions -------------------------------------------------------------------------------

    def subscribe(self, node: str) -> list[Notice]:
        """The account subscribes. Returns what it is told at once. Raises Refusal."""
        self.there(node)
        if self.holding(node).subscription == "subscribed":
            self.admitted(node)
            self.subscribed.add(node)
            return self.last(node, self.profile.last_item) if self.profile.last_item else []
        return []

    def last(self, node: str, how: str) -> list[Notice]:
        """What is told of the item that was published last, if there is one: `late` or `put`."""
        modified = self.holding(node).modified
        newest = sorted(self.nodes[node].state().items, key=lambda item: modified.get(item[0], 0))[-1:]
        return [(how, *item) for item in newest]

    def unsubscribe(self, node: str) -> None:
        """The account unsubscribes. Raises Refusal."""
        self.there(node)
        if node not in self.subscribed and node not in self.ghosts:
            raise Refusal("modify" if self.profile.prosody else "wait", "unexpected-request", "not-subscribed")
        self.subscribed.discard(node)
        self.ghosts.discard(node)

    def subscriptions(self, node: str) -> tuple[str, ...]:
        """What the account's subscriptions to a node are said to be. Raises Refusal."""
        if not self.profile.ejabberd:
            self.there(node)
        return ("subscribed",) if node in self.subscribed or node in self.ghosts else ()

    # -- changes -------------------------------------------------------------------------------------

    def change(self, node: str, at: float, *op: str, by: str = "", notify: bool = True) -> tuple[int, list[Notice]]:
        """Somebody changes a node: put ID TEXT, del ID, purge, gone, made, deny, close, allow, limit NUMBER, off, on.

        `deny` makes the account an outcast, `close` lets in only those who are on a list.

        Args:
            by: who publishes.
            notify: whether a retraction asks that subscribers be told.

        Returns:
            The number of the change in the node's history, and what the account is told of it, in order.

        Raises:
            Refusal: nothing changed.
        """
        history = self.nodes[node]
        match op:
            case ["put", item_id, text]:
                return self._put(node, at, item_id, text, by)
            case ["del", item_id]:
                if item_id not in dict(self.there(node).items):
                    raise Refusal(*NOT_FOUND)
                return self._tell(node, at, op, told=self._tells_retract(node, notify))
            case ["purge"]:
                return self._purge(node, at)
            case ["gone"]:
                silent = self.holding(node).rules.notify_delete
                done = self._tell(node, at, op, told="gone" not in self.profile.silent if silent is None else silent)
                self.forget(node)
                return done
            case ["close"]:
                return self._close(node, at)
            case ["limit", number]:
                return self._limit(node, at, int(number))
            case ["off" | "on"]:
                return self._persist(node, at, on=op[0] == "on")
        return history.commit(Change(at, op, told=False)), []

    def hears(self, node: str) -> bool:
        """Whether the account is told of anything; also when it may not read any more."""
        return node in self.subscribed and not self.holding(node).rules.muted

    def _tell(self, node: str, at: float, op: tuple[str, ...], *, told: bool = True) -> tuple[int, list[Notice]]:
        told = told and self.hears(node) and op[0] not in self.profile.silent - {"gone"}
        return self.nodes[node].commit(Change(at, op, told)), [op] if told else []

    def _tells_retract(self, node: str, notify: bool) -> bool:
        always = self.holding(node).rules.notify_retract
        return (notify and always) if self.profile.prosody else (notify or always)

    def _put(self, node: str, at: float, item_id: str, text: str, by: str) -> tuple[int, list[Notice]]:
        holding = self.holding(node)
        if self.profile.ejabberd and holding.publishers.get(item_id, by) != by:
            raise Refusal(*FORBIDDEN)
        self._ticks += 1
        known = {each for each, _ in self.there(node).items}
        holding.modified[item_id] = self._ticks
        if item_id not in known:
            holding.created[item_id] = self._ticks
        holding.publishers[item_id] = by
        if holding.rules.stored:
            stamp = EPOCH + int(at * 1_000_000)
            self.archives.setdefault(node, Archive()).add(self.profile.archive, stamp, item_id, text)
        if not holding.rules.stored:
            return self._pass_on(node, at, item_id, text)
        number, notices = self._tell(node, at, ("put", item_id, text))
        return number, [*(self._without_payload(node, each) for each in notices), *self._trim(node, at, by)]

    def _without_payload(self, node: str, notice: Notice) -> Notice:
        return notice if self.holding(node).rules.payloads else (*notice[:2], "")

    def _pass_on(self, node: str, at: float, item_id: str, text: str) -> tuple[int, list[Notice]]:
        """A node that stores nothing: on ejabberd its last item stays all the same, and only that."""
        number = len(self.nodes[node].changes)
        if not self.nodes[node].state().stored:  # who does not know that takes it for a change
            number = self.nodes[node].commit(Change(at, ("put", item_id, text), told=self.hears(node)))
        if self.profile.ejabberd:
            for each, _ in self.there(node).items:
                self.nodes[node].commit(Change(at, ("del", each), told=False))
            number = self.nodes[node].commit(Change(at, ("put", item_id, text), told=self.hears(node)))
        return number, [("put", item_id, text)] if self.hears(node) else []

    def _trim(self, node: str, at: float, by: str) -> list[Notice]:
        """The oldest go: in Prosody in silence, in ejabberd of this publisher, with one name for all of them."""
        holding, limit = self.holding(node), self.holding(node).rules.max_items
        ids = [each for each, _ in self.there(node).items]
        if self.profile.ejabberd:
            order = holding.modified if self.profile.sql else holding.created
            ids = sorted((each for each in ids if holding.publishers.get(each) == by), key=lambda each: order[each])
        over = ids[:-limit] if limit else []
        told = self.profile.ejabberd and self.hears(node)
        for each in over:
            self.nodes[node].commit(Change(at, ("del", each), told and len(over) == 1))
        return [("del", "".join(reversed(over)))] if over and told else []

    def _limit(self, node: str, at: float, number: int) -> tuple[int, list[Notice]]:
        """Prosody trims at once, ejabberd when something is published."""
        self.holding(node).rules.max_items = number
        if not self.profile.ejabberd:
            self._trim(node, at, "")
        return len(self.nodes[node].changes), []

    def _persist(self, node: str, at: float, *, on: bool) -> tuple[int, list[Notice]]:
        """What was stored goes when nothing is stored any more (Prosody); on ejabberd it stays until the next item."""
        self.there(node)
        rules, number = self.holding(node).rules, len(self.nodes[node].changes)
        if rules.stored == on:
            return number, []
        rules.stored, told = on, rules.notify_config and self.hears(node)
        if not self.profile.ejabberd:
            number = self.nodes[node].commit(Change(at, ("on" if on else "off",), told))
        return number, [("config",)] if told else []

    def wipe(self, at: float) -> None:
        """It loses all that it knew."""
        for node, history in self.nodes.items():
            if history.state().exists:
                history.commit(Change(at, ("gone",), told=False))
            self.forget(node)
        self.ghosts.clear()

    def _purge(self, node: str, at: float) -> tuple[int, list[Notice]]:
        """ejabberd with SQL keeps what came from those who are neither affiliated nor subscribed."""
        holding = self.holding(node)
        ids = [each for each, _ in self.there(node).items]
        stays = [each for each in ids if self.profile.sql and holding.publishers.get(each) in holding.strangers]
        if not stays:
            return self._tell(node, at, ("purge",))
        told = self.hears(node) and "purge" not in self.profile.silent
        for each in ids:
            if each not in stays:
                self.nodes[node].commit(Change(at, ("del", each), told))
        return len(self.nodes[node].changes), [("purge",)] if told else []

    def _close(self, node: str, at: float) -> tuple[int, list[Notice]]:
        """Prosody ends the subscriptions of those outside, without a word; ejabberd lets subscribers stay and read."""
        if self.profile.ejabberd and node in self.subscribed:
            return len(self.nodes[node].changes), []
        self.subscribed.discard(node)
        return self.nodes[node].commit(Change(at, ("deny",), told=False)), []

    def forget(self, node: str) -> None:
        """The node is deleted, and what was known of it."""
        if self.profile.prosody and node in self.subscribed:
            self.ghosts.add(node)
        self.subscribed.discard(node)
        self._holdings.pop(node, None)
        self.archives.pop(node, None)


def _stamp(tick: int) -> str:
    """A moment, as ejabberd writes it."""
    return f"2000-01-01T00:{tick // 60_000_000:02}:{tick // 1_000_000 % 60:02}.{tick % 1_000_000:06}Z"

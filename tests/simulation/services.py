# SPDX-License-Identifier: MIT
"""What simulated PubSub services hold and answer, truthful or lying as their profile says; network.py carries it."""

from dataclasses import dataclass, field
from xml.etree import ElementTree as ET

from pubkeep.errors import NotAllowed, NotFound
from pubkeep.model import DiscoItem, ItemsQuery, Rsm, ServiceInfo, WireItem
from tests.simulation.oracle import History, State

PUBSUB = "{http://jabber.org/protocol/pubsub}"
ATOM = "{http://www.w3.org/2005/Atom}"


@dataclass(frozen=True, slots=True)
class Profile:
    """How a service behaves."""

    name: str
    order: str = "publish"
    fan_out: float = 0.0
    """Answers and events may be late by so many seconds, and overtake each other."""
    page: int = 0
    """Pages of so many at most; 0: RSM is ignored."""
    cut: int = 0
    """Lists of everything are cut here, with a `<set/>` that says so."""
    reversed: bool = False
    prosody: bool = False
    silent: frozenset[str] = frozenset()
    """Operations of which nobody is told."""
    empty_when_refused: bool = False
    """disco#items lists nothing instead of refusing."""


PROFILES = (
    Profile("prosody", prosody=True),
    Profile("ejabberd", order="creation", fan_out=1.9, silent=frozenset({"purge", "gone"}), empty_when_refused=True),
    Profile("ejabberd-sql", order="creation", fan_out=0.4, page=100, reversed=True, silent=frozenset({"gone"})),
    Profile("pages", fan_out=1.0, page=3),
    Profile("cuts", fan_out=0.2, cut=4, page=4),
    Profile("keeps-silent", fan_out=0.5, silent=frozenset({"del", "purge", "gone"})),
)


def wire(item_id: str, text: str) -> WireItem:
    """An `<item/>` with a post."""
    element = ET.Element(f"{PUBSUB}item", {"id": item_id})
    ET.SubElement(ET.SubElement(element, f"{ATOM}entry"), f"{ATOM}title").text = text
    return WireItem(item_id, "", element)


@dataclass(slots=True)
class Service:
    """One service; its nodes by name."""

    jid: str
    profile: Profile
    nodes: dict[str, History] = field(default_factory=dict)
    subscribed: set[str] = field(default_factory=set)
    unreachable: bool = False
    last_event: float = 0.0

    def readable(self, node: str) -> State:
        """What the node is now. Raises NotFound, NotAllowed."""
        state = self.nodes[node].state()
        if not state.exists:
            raise NotFound("there is no such node")
        if not state.allowed:
            raise NotAllowed("access is not allowed")
        return state

    def items(self, node: str, query: ItemsQuery) -> tuple[list[tuple[str, str]], Rsm | None]:
        """The answer to one `<items/>` request (XEP-0060 6.5). Raises NotFound, NotAllowed."""
        profile, state = self.profile, self.readable(node)
        everything = list(state.items)
        if query.ids:
            held = dict(everything)
            return [(item_id, held[item_id]) for item_id in query.ids if item_id in held], None
        if query.max_items is not None:
            newest = everything[-query.max_items :] if query.max_items else []
            return newest[:: -1 if profile.reversed else 1], None
        size = min(query.rsm_max or profile.cut or len(everything), profile.cut or len(everything) or 1)
        if query.rsm_max and profile.page:
            size = min(query.rsm_max, profile.page)
        elif query.rsm_max or not profile.cut:
            return everything, None
        ids = [item_id for item_id, _ in everything]
        if query.rsm_after is not None and query.rsm_after not in ids:
            raise NotFound("there is no such item to go on after")
        start = ids.index(query.rsm_after) + 1 if query.rsm_after is not None else 0
        page = everything[start : start + size]
        return page, Rsm(page[0][0] if page else None, page[-1][0] if page else None, start, len(everything))

    def info(self) -> ServiceInfo:
        """disco#info of the service."""
        names = (("pubsub", "service", "Prosody PubSub Service"),) if self.profile.prosody else ()
        features = {"http://jabber.org/protocol/rsm"} if self.profile.page and not self.profile.cut else set()
        return ServiceInfo(names, frozenset(features), {})

    def listed(self, node: str) -> tuple[DiscoItem, ...]:
        """disco#items of a node."""
        if not self.nodes[node].state().allowed and self.profile.empty_when_refused:
            return ()
        ids = [item_id for item_id, _ in self.readable(node).items]
        return tuple(DiscoItem(self.jid, "", each) for each in (ids[::-1] if self.profile.prosody else ids))

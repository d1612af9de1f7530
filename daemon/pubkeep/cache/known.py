# SPDX-License-Identifier: MIT
"""What is known in memory of the way to each service, and of each node that somebody wants.

`synced` is computed from this at each read and stored nowhere: after a crash, a cut or a suspend it
is false by itself.
"""

import asyncio
import math
from collections import Counter
from collections.abc import Iterator, Sequence

from pubkeep.cache.harm import RESTS
from pubkeep.cache.links import Link
from pubkeep.cache.settle import Settle
from pubkeep.cache.wanted import Node, Proof
from pubkeep.cache.watched import Watched
from pubkeep.clock import Clock
from pubkeep.config import CacheSettings
from pubkeep.errors import UnknownObject
from pubkeep.model import Copy, NodeKey, NodeRecord, NodeState, Policy

DROPPED = "events_dropped_"
"""How the counts of events that were not taken begin."""


class Known:
    """All links and nodes, by account."""

    def __init__(self, settings: CacheSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._links: dict[tuple[str, str], Link] = {}
        self._nodes: dict[NodeKey, Node] = {}
        self._ordered: tuple[Node, ...] = ()
        """All of them by their keys; empty after one came or went."""
        self._live: set[str] = set()
        self._policies: dict[NodeKey, Policy] = {}
        self.keeping = asyncio.Lock()
        """Held while a node is taken up or given up: it and its row come and go together."""
        self.contacts: dict[str, frozenset[str]] = {}
        """By account: whose PEP events are wanted."""
        self._counts: dict[str, Counter[str]] = {}
        self._closed: set[str] = set()

    def live(self, account: str) -> bool:
        """Whether the session is up, and nothing that it carried is missing."""
        return account in self._live

    def counts(self, account: str) -> Counter[str]:
        """What happened to an account since the start; count it here (DBUS-API, GetStatistics)."""
        return self._counts.setdefault(account, Counter())

    def dropped(self, account: str, why: str) -> None:
        """An event was not taken: nobody wants the node, or it is not from who may say it."""
        self.counts(account)[f"{DROPPED}{why}"] += 1

    def dropped_events(self, account: str) -> dict[str, int]:
        """How many events of an account were not taken since the start, by the reason."""
        counts = sorted(self.counts(account).items())
        return {what.removeprefix(DROPPED): number for what, number in counts if what.startswith(DROPPED)}

    def has_link(self, account: str, service: str) -> bool:
        """Whether anything is known of the way to a service."""
        return (account, service) in self._links

    def link(self, account: str, service: str) -> Link:
        """The link, made at the first question."""
        return self._links.setdefault((account, service), Link(self._settings))

    def notifies(self, key: NodeKey) -> bool:
        """Whether an event for the node may come unasked: it is a contact's, or the account's own (XEP-0163 4.3)."""
        return key.is_own_pep or key.service in self.contacts.get(key.account, ())

    def policy(self, key: NodeKey) -> Policy:
        """What a person decided about the node."""
        return self._policies.get(key, Policy())

    def set_policy(self, key: NodeKey, policy: Policy) -> None:
        """Remember it."""
        self._policies[key] = policy
        if policy == Policy():
            del self._policies[key]
        if (node := self._nodes.get(key)) is not None:
            node.policy = policy
            node.changed()

    def open_account(self, account: str) -> None:
        """Its nodes may be kept."""
        self._closed.discard(account)

    def close_account(self, account: str) -> None:
        """It goes: from now on no node of it is taken up."""
        self._closed.add(account)

    def check_open(self, account: str) -> None:
        """Raise UnknownObject where the account was removed."""
        if account in self._closed:
            raise UnknownObject(f"{account}: the account was removed")

    def forget_account(self, account: str) -> None:
        """The account goes, with all that was known of it."""
        for key in [key for key in self._policies if key.account == account]:
            del self._policies[key]
        for place in [place for place in self._links if place[0] == account]:
            del self._links[place]
        self._counts.pop(account, None)
        self.contacts.pop(account, None)

    def links(self, account: str) -> Iterator[Link]:
        """All links of an account."""
        return (link for (owner, _), link in self._links.items() if owner == account)

    def node(self, key: NodeKey) -> Node | None:
        """The node, if anybody wants it."""
        return self._nodes.get(key)

    def nodes(self, account: str = "") -> Sequence[Node]:
        """The nodes of an account, or all, in the order of their keys."""
        if len(self._ordered) != len(self._nodes):
            self._ordered = tuple(self._nodes[key] for key in sorted(self._nodes))
        return [node for node in self._ordered if node.key.account == account] if account else self._ordered

    def add(self, record: NodeRecord) -> Node:
        """Remember a stored node."""
        link = self.link(record.key.account, record.key.service)
        counts = self.counts(record.key.account)
        node = Node(record, link, Settle(link.fan_out), counts, policy=self.policy(record.key))
        self._nodes[record.key], self._ordered = node, ()
        return node

    def drop(self, node: Node) -> None:
        """Nobody wants it any more."""
        if self._nodes.get(node.key) is node:
            del self._nodes[node.key]
            self._ordered = ()
            node.incarnation += 1
            node.changed()

    def session(self, account: str, *, live: bool, fresh: bool = False) -> None:
        """The session came, went, or (fresh) is another one than before."""
        (self._live.add if live else self._live.discard)(account)
        Watched.touched()
        if fresh:
            for link in self.links(account):
                self.new_epoch(link)

    def new_epoch(self, link: Link) -> None:
        """What was proved before proves nothing now."""
        link.new_epoch(self._clock.boottime())
        for node in self._nodes.values():
            if node.link is link:
                node.settle.lesson.drop()

    def answered(self, account: str, service: str, sent_at: float) -> None:
        """The service answered a request sent then (Link.answered)."""
        self.counts(account)["answers"] += 1
        self.link(account, service).answered(sent_at, self._clock.boottime())

    def max_age(self, node: Node) -> float:
        """Seconds a proof holds: the policy, or the setting up to 1,000 items, growing with the size to 24 hours."""
        if node.policy.max_age:
            return node.policy.max_age
        return min(86400.0, self._settings.max_age * max(1.0, node.record.items / 1000))

    def max_items(self, node: Node) -> int:
        """How many items of it are kept at most."""
        return node.policy.max_items or self._settings.max_items

    def needs_proof(self, node: Node) -> bool:
        """Whether a listing of the whole node is needed; not where a service is merely deaf or late."""
        proof = node.proof
        if node.record.state is NodeState.IGNORED or node.orphaned:
            return False
        if node.record.copy is Copy.NONE or node.hidden or node.hole or proof is None:
            return True
        return self._too_old(node, proof, self._clock.boottime()) or proof.epoch != node.link.epoch

    def certain(self, node: Node) -> bool:
        """Whether the copy, doubts apart, is what the service had and told until now."""
        return not self.needs_proof(node) and node.subscribed_epoch == node.link.epoch

    def grows_old(self, node: Node, seconds: float) -> bool:
        """Whether its proof, which holds now, will have become too old in so many seconds."""
        proof, now = node.proof, self._clock.boottime()
        return proof is not None and not self.needs_proof(node) and self._too_old(node, proof, now + seconds)

    def stands_until(self, node: Node, now: float) -> float:
        """When its state may become another one though nothing happens: as the lease ends, or the proof grows old."""
        ends = []
        if node.link.as_of is not None:
            ends.append(node.link.as_of + self._settings.lease)
        if node.proof is not None:
            ends.append(node.proof.verified_at + self.max_age(node))
        return min((end for end in ends if end >= now), default=math.inf)

    def _too_old(self, node: Node, proof: Proof, now: float) -> bool:
        """A proof grows old where changes of some kind may be kept to itself by the service."""
        return now - proof.verified_at > self.max_age(node) and bool(node.untold)

    def doubts(self, node: Node, ids: tuple[str, ...] | None, now: float) -> str:
        """Why the copy cannot be vouched for now, for an answer about these ids (None: the list).

        Empty where it is synced: the copy is whole, proved in this epoch, the subscription seen in it, the
        service heard within the lease, the proof younger than max_age, no hole and nothing unsettled in scope.
        """
        link = node.link
        if node.hidden or node.record.state is NodeState.IGNORED:
            return node.record.reason or str(node.record.state)
        if node.orphaned:
            name = node.record.analysis.name if node.record.analysis else ""
            return f"the analyser {name} that wanted it is missing, so it is kept as it was and not synchronised"
        if node.record.copy is Copy.NONE:
            return RESTS if now < node.harm.rests_until else "not fetched whole yet"
        if not self.live(node.key.account):
            return "not connected"
        if node.proof is None or node.proof.epoch != link.epoch:
            return "not verified since the connection was made"
        if node.subscribed_epoch != link.epoch:
            return f"not subscribed ({node.subscription})"
        if node.hole:
            return node.hole
        if self._too_old(node, node.proof, now):
            return "verified too long ago"
        if node.settle.unsettled(ids):
            return "changes are still being settled"
        if link.as_of is None or now - link.as_of > self._settings.lease:
            return LEASE
        return ""

    def state(self, node: Node) -> NodeState:
        """What to call it."""
        if node.hidden:
            return node.record.state
        if not self.doubts(node, None, self._clock.boottime()):
            return NodeState.SYNCED if node.record.copy is Copy.WHOLE else NodeState.PARTIAL
        return NodeState.SYNCING if node.syncing else node.record.state


LEASE = "the service was not heard of for a while"
"""The one doubt that a single round trip can end."""

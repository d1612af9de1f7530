# SPDX-License-Identifier: MIT
"""The nodes, kept in memory as long as none of them changes, and those that a query concerns.

Reading a thousand of them for each question took longer than the question itself. Each change of a node (not of its
items) leaves a row in the log, so the greatest number among those is the version of them all; it never falls, since the
row that says where the history begins follows what is dropped.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from pubkeep.model import HIDDEN, NodeKey, NodeState
from pubkeep.query.conditions import All, Condition
from pubkeep.query.scope import NOTHING, asks_node, of_node
from pubkeep.slices import Slices
from pubkeep.storage.dialect import Dialect, Expression
from pubkeep.storage.engines import Fetcher
from pubkeep.storage.marks import of_node as mark_of_node

VERSION = "(SELECT max(sequence) FROM change WHERE item_id = '')"
"""Their version, in the snapshot of a question."""
LAST = "(SELECT max(sequence) FROM item) AS items, (SELECT max(sequence) FROM change) AS others"
"""The last number is the greater one of these; an item there need not be."""
MANY_NODES = 50
"""More of them are looked at one by one, not looked up by their marks."""
SCOPES = 16
"""Questions of which it is remembered which nodes they concern."""
_READ = f"SELECT number, account, service, name, type, state, turned, items, {VERSION} FROM node"  # noqa: S608


class KnownNode(NamedTuple):
    """What questions ask of a node."""

    key: NodeKey
    type: str
    state: str = ""
    turned: int = 0
    """When its items were last hidden or shown."""
    items: int = 0
    """So many it had when it last changed itself: an estimate."""

    @property
    def hidden(self) -> bool:
        """Denied and gone nodes are hidden from everybody; their items do not change by that."""
        return self.state in HIDDEN

    @property
    def shown(self) -> str:
        """How it is since it turned, whatever came after that: a kind of change."""
        if self.hidden:
            return "hidden" if self.state == NodeState.DENIED else "node-deleted"
        return "shown"


@dataclass(slots=True)
class Scope:
    """The nodes that a query concerns."""

    nodes: dict[int, tuple[NodeKey, str]] = field(default_factory=dict)
    """number -> (key, type), of those that are shown."""
    left: dict[int, Condition] = field(default_factory=dict)
    """number -> what is left of the query for its items."""
    others: list[int] = field(default_factory=list)
    """Numbers of the nodes that are not among them."""
    concerned: list[NodeKey] = field(default_factory=list)
    """Those that are shown, and those that would be if nobody had hidden them."""
    items: int = 0
    """So many they have, about."""
    turned: int = 0
    """When one of them last vanished or came back: whoever noted a number before it has to read anew."""
    rest: Condition = field(default_factory=All)
    """What all of them have left in common."""
    alike: bool = True
    """Whether that is all they have left."""

    @property
    def all_left(self) -> Condition:
        """All that any of them has left, to see what it asks."""
        return self.rest if self.alike else All(tuple(self.left.values()))

    def marks(self, dialect: Dialect) -> Expression | None:
        """A full-text expression for them where they are few of many."""
        restricts = self.others and 0 < len(self.left) <= MANY_NODES
        index = dialect.full_text
        return index.either([index.mark(mark_of_node(number)) for number in self.left]) if restricts else None

    def among(self, dialect: Dialect) -> str:
        """The condition that an item is of one of them; `numbers` is its parameter `nodes`."""
        if not self.others:
            return "TRUE"
        listed = dialect.among_numbers("item.node", "nodes")
        return f"NOT {listed}" if self._shorter else listed

    @property
    def numbers(self) -> str:
        """See `among`."""
        return json.dumps(self.others if self._shorter else list(self.left))

    @property
    def _shorter(self) -> bool:
        """Whether it is shorter to name the others."""
        return len(self.others) < len(self.left)


@dataclass(frozen=True, slots=True)
class Nodes:
    """All of them, at one version."""

    version: int = 0
    each: Mapping[int, KnownNode] = field(default_factory=dict)
    _scopes: dict[tuple[str, tuple[str, ...]], Scope] = field(default_factory=dict)

    async def scope(self, query: Condition, accounts: Sequence[str]) -> Scope:
        """Those of these accounts that a query concerns."""
        asked = repr(query), tuple(sorted(accounts))
        if (scope := self._scopes.pop(asked, None)) is None:
            scope = await self._scope(query, frozenset(accounts))
        self._scopes[asked] = scope
        while len(self._scopes) > SCOPES:
            self._scopes.pop(next(iter(self._scopes)), None)
        return scope

    async def _scope(self, query: Condition, accounts: frozenset[str]) -> Scope:
        scope, slices = Scope(), Slices()
        each_its_own = asks_node(query)
        different: list[Condition] = []
        for number, node in self.each.items():
            left: Condition = NOTHING
            if node.key.account in accounts:
                left = of_node(query, node.key, node.type) if each_its_own or not different else different[0]
            if left != NOTHING:
                scope.turned = max(scope.turned, node.turned)
                scope.concerned.append(node.key)
            if left == NOTHING or node.hidden:
                scope.others.append(number)
                continue
            scope.nodes[number], scope.left[number] = (node.key, node.type), left
            scope.items += node.items
            if left not in different:
                different.append(left)
            await slices.pause()
        scope.rest, scope.alike = _common(different), len(different) == 1
        return scope


def _common(different: Sequence[Condition]) -> Condition:
    if len(different) == 1:
        return different[0]
    parts = [each.parts if isinstance(each, All) else (each,) for each in different]
    return All(tuple(part for part in parts[0] if all(part in others for others in parts[1:])) if parts else ())


class NodeMemory:
    """Those that were read last."""

    def __init__(self) -> None:
        self.latest = Nodes()

    async def at(self, fetcher: Fetcher, version: int) -> Nodes:
        """Those of this version, which is that of the connection's snapshot."""
        nodes = self.latest
        if nodes.version != version:
            nodes = self.latest = await _read(fetcher)
        return nodes


async def _read(fetcher: Fetcher) -> Nodes:
    slices, each, version = Slices(), dict[int, KnownNode](), 0
    for number, account, service, name, kind, state, turned, items, now in await fetcher.execute_fetchall(_READ):
        each[number], version = KnownNode(NodeKey(account, service, name), kind, state, turned, items), now
        await slices.pause()
    return Nodes(version, each)

# SPDX-License-Identifier: MIT
"""What is left of a query for the items of one node, once the node has answered its part."""

from pubkeep.model import NodeKey
from pubkeep.query.conditions import EVERYTHING, All, Any, Condition, Name, NodePrefix, Not, OneOf, Text
from pubkeep.uri import node_uri

NOTHING = Any()


def of_node(condition: Condition, node: NodeKey, kind: str) -> Condition:
    """The condition without what the node decides; EVERYTHING or NOTHING where that decides all.

    Args:
        kind: the node's type.
    """
    match condition:
        case OneOf(Name.ACCOUNT, values):
            return _known(node.account in values)
        case OneOf(Name.SERVICE, values):
            return _known(node.service in values)
        case OneOf(Name.NODE, values):
            return _known(node.node in values or node_uri(node) in values)
        case OneOf(Name.TYPE, values):
            return _known(kind in values)
        case NodePrefix(prefixes):
            return _known(node.node.startswith(prefixes))
        case OneOf(_, ()) | Text((), ()):
            return NOTHING
        case All(parts):
            return conjunction([of_node(part, node, kind) for part in parts])
        case Any(parts):
            return _disjunction([of_node(part, node, kind) for part in parts])
        case Not(part):
            return _negation(of_node(part, node, kind))
        case _:
            return condition


def asks_node(condition: Condition) -> bool:
    """Whether what is left of it may differ from node to node."""
    match condition:
        case OneOf(Name.ACCOUNT | Name.SERVICE | Name.NODE | Name.TYPE) | NodePrefix():
            return True
        case All(parts) | Any(parts):
            return any(map(asks_node, parts))
        case Not(part):
            return asks_node(part)
        case _:
            return False


def conjunction(parts: list[Condition]) -> Condition:
    """All of them, flat."""
    flat = [each for part in parts for each in (part.parts if isinstance(part, All) else (part,))]
    if NOTHING in flat:
        return NOTHING
    return flat[0] if len(flat) == 1 else All(tuple(flat))


def _disjunction(parts: list[Condition]) -> Condition:
    flat = [each for part in parts for each in (part.parts if isinstance(part, Any) else (part,))]
    if EVERYTHING in flat:
        return EVERYTHING
    return flat[0] if len(flat) == 1 else Any(tuple(flat))


def _negation(part: Condition) -> Condition:
    if part == NOTHING:
        return EVERYTHING
    return NOTHING if part == EVERYTHING else Not(part)


def _known(value: bool) -> Condition:
    return EVERYTHING if value else NOTHING

# SPDX-License-Identifier: MIT
"""Which nodes a filter chooses."""

from pubkeep.cache.wanted import Node
from pubkeep.model import Analysis, NodeState
from pubkeep.questions import NodeFilter


def _analysis(node: Node) -> Analysis:
    return node.record.analysis or Analysis("", "")


def type_of(node: Node) -> str:
    """What its analyser calls it; empty where none matched."""
    return _analysis(node).type


def analyser_of(node: Node) -> str:
    """The name of its analyser; empty where none matched."""
    return _analysis(node).name


def matches(where: NodeFilter, node: Node, state: NodeState) -> bool:
    """Whether a node that is in this state now is chosen."""
    return (
        where.fits(node.key, type_of(node))
        and where.state in ("", state)
        and where.analyser in ("", analyser_of(node))
        and (not where.since or node.record.sequence > where.since)
    )

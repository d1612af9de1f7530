# SPDX-License-Identifier: MIT
"""Signals are merged: the first at once, then five a second."""

import asyncio

from pubkeep.model import NodeChange, NodeKey
from pubkeep_bridge.service.signals import CROWD, PAUSE, NodeChanges


def change(
    node: str = "n", sequence: int = 1, published: tuple[str, ...] = (), retracted: tuple[str, ...] = ()
) -> NodeChange:
    return NodeChange("blog", NodeKey("a", "s", node), "items", sequence, published, retracted)


async def test_the_first_comes_at_once_and_the_next_are_merged() -> None:
    told: list[NodeChange] = []
    changes = NodeChanges(told.append)

    changes.tell(change(sequence=1, published=("a",)))
    changes.tell(change(sequence=2, published=("b", "c")))
    changes.tell(change(sequence=3, retracted=("b",)))
    at_once = list(told)
    while len(told) < 2:
        await asyncio.sleep(PAUSE / 10)

    assert [each.published for each in at_once] == [("a",)]
    assert (told[1].sequence, told[1].published, told[1].retracted) == (3, ("c",), ("b",))


async def test_more_than_a_hundred_ids_are_not_listed() -> None:
    told: list[NodeChange] = []

    NodeChanges(told.append).tell(change(published=tuple(map(str, range(101)))))

    assert told[0].published == ()


async def test_a_crowd_of_nodes_gives_one_signal_without_a_name() -> None:
    told: list[NodeChange] = []
    changes = NodeChanges(told.append)

    for number in range(500):
        changes.tell(change(f"n{number}", sequence=number))
    while told[-1].key.node:
        await asyncio.sleep(0.02)

    assert len(told) == CROWD + 1
    assert (told[-1].type, told[-1].key.node, told[-1].sequence) == ("blog", "", 499)

# SPDX-License-Identifier: MIT
"""One FIFO a node."""

import asyncio

from pubkeep.model import NodeKey
from pubkeep.xmpp.inbox import Inbox

A, B = NodeKey("x", "y", "a"), NodeKey("x", "y", "b")


async def test_work_of_one_node_is_done_in_order_and_of_two_side_by_side() -> None:
    inbox, done, gate = Inbox(), [], asyncio.Event()

    async def slow() -> None:
        await gate.wait()
        done.append("slow")

    async def quick(name: str) -> None:
        done.append(name)

    inbox.put(A, slow)
    inbox.put(A, lambda: quick("behind it"))
    inbox.put(B, lambda: quick("elsewhere"))
    await inbox.drained(B)
    assert done == ["elsewhere"]

    gate.set()
    await inbox.drained(A)
    assert done == ["elsewhere", "slow", "behind it"]


async def test_trouble_with_one_thing_does_not_stop_the_next() -> None:
    inbox, done = Inbox(), []

    async def broken() -> None:
        raise RuntimeError("broken")

    async def works() -> None:
        done.append(1)

    inbox.put(A, broken)
    inbox.put(A, works)
    await inbox.drained(A)

    assert done == [1]


async def test_drained_returns_at_once_where_nothing_waits() -> None:
    await asyncio.wait_for(Inbox().drained(A), 1)

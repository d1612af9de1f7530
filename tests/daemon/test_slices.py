# SPDX-License-Identifier: MIT
"""Long work, in turn with everybody else."""

import asyncio

from pubkeep.slices import STEP, Slices


async def test_what_is_picked_of_very_many_keeps_its_order_and_others_run_meanwhile() -> None:
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    running = asyncio.create_task(others())
    picked = await Slices().pick(range(300 * STEP), lambda number: number % 3 == 0)
    running.cancel()

    assert picked == list(range(0, 300 * STEP, 3))
    assert turns > 1


async def test_nothing_is_picked_of_nothing() -> None:
    assert await Slices().pick([], bool) == []

# SPDX-License-Identifier: MIT
"""Each cell of the state table: a node in a state, something happens to it, and what must hold then."""

import asyncio
from collections.abc import Iterator

import pytest

from tests.daemon.cache import cells_answered, cells_lived, cells_told, cells_wished
from tests.daemon.cache.cells import Then
from tests.daemon.cache.service import KEY
from tests.daemon.cache.stage import AT_ONCE, OTHER, Stage, play
from tests.daemon.cache.states import CELLS, COLUMNS, TRIGGERS, cell_of
from tests.daemon.cache.triggers import FIRED

TABLE = cells_answered.CELLS | cells_lived.CELLS | cells_told.CELLS | cells_wished.CELLS
HALF_A_MINUTE = 30.0


def rows() -> Iterator[tuple[str, str, Then]]:
    for trigger, states in TABLE.items():
        for state, then in states.items():
            yield trigger, state, then


async def happened(stage: Stage, trigger: str, state: str) -> None:
    """It happens to a node in this state."""
    await stage.enter(state)
    stage.service.sent.clear()
    await FIRED[trigger](stage)
    await asyncio.sleep(AT_ONCE)


@pytest.mark.parametrize(
    ("trigger", "state", "then"), [pytest.param(*row, id=f"{row[0]} x {row[1]}".replace(" ", "-")) for row in rows()]
)
def test_what_happens_to_a_node_in_a_state(trigger: str, state: str, then: Then) -> None:
    key, items = OTHER if state == "ignored" else KEY, 12 if trigger == "emptied" else 3

    async def nobody_reads() -> None:
        stage = Stage(key, items=items)
        await happened(stage, trigger, state)

        explained = stage.explained()
        assert (explained["state"], explained.get("doubt", "")) == (then.state, then.why)
        assert await stage.held() == then.held
        assert await stage.found() == ("" if then.hidden else "".join(sorted(then.held)))

        await asyncio.sleep(HALF_A_MINUTE)
        explained = stage.explained()
        assert stage.sent() == then.sent
        assert explained["state"] == (then.later or then.state)
        why = "" if then.later else then.why
        assert explained.get("doubt", "") == (why if then.later_why is None else then.later_why)
        assert await stage.held() == (then.held if then.later_held is None else then.later_held)
        await stage.close()

    async def all_read_at_once() -> None:
        stage = Stage(key, items=items)
        await happened(stage, trigger, state)

        reads = await asyncio.gather(*(stage.answer(freshness) for freshness in ("cache", "quick", "auto", "service")))

        assert " ".join(reads) == then.reads
        await stage.close()

    play(nobody_reads)
    play(all_read_at_once)


def test_each_cell_that_means_something_is_written_down() -> None:
    written = {cell_of(state, trigger) for trigger, state, _ in rows()}

    assert written == set(CELLS)
    assert list(FIRED) == list(TRIGGERS)
    assert all(list(states) == [s for c in TRIGGERS[t][1] for s in COLUMNS[c]] for t, states in TABLE.items())

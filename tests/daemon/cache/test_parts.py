# SPDX-License-Identifier: MIT
"""However many requests a call makes, its caller has an answer in time."""

import asyncio
import selectors

import pytest

from pubkeep.cache.parts import ANSWER_TIME, in_time, words
from pubkeep.errors import TimedOut
from tests.daemon.cache.service import KEY


class Jumping(selectors.DefaultSelector):
    """Does not wait: time jumps to where the next timer is."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.now += timeout or 0.0
        return super().select(0)


class Loop(asyncio.SelectorEventLoop):
    """A loop on which waiting takes no time."""

    def __init__(self) -> None:
        self._jumping = Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now


def test_requests_that_together_take_too_long_end_in_time() -> None:
    done: list[int] = []

    async def slow() -> None:
        async with in_time(KEY):
            for number in range(10):
                await asyncio.sleep(0.4 * ANSWER_TIME)
                done.append(number)

    with asyncio.Runner(loop_factory=Loop) as runner, pytest.raises(TimedOut, match="no answer within 20 s"):
        runner.run(slow())

    assert done == [0, 1]


def test_a_service_as_such_is_named_without_a_node() -> None:
    assert words(KEY) == "urn:xmpp:microblog:0 at pubsub.localhost"
    assert words(KEY._replace(node="")) == "pubsub.localhost"

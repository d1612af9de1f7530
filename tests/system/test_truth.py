# SPDX-License-Identifier: MIT
"""Random work of many writers and readers on real servers: each answer is true, and in the end all is equal.

The accounts of the daemon are plain subscribers. PUBKEEP_STEPS=20000 makes it a long run, for people.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from pubkeep.config import CacheSettings
from pubkeep.model import Policy
from pubkeep.questions import ItemsRequest
from tests.fixtures.author import Author
from tests.fixtures.backend import Backend
from tests.fixtures.every_server import MAKERS, Lender
from tests.fixtures.life import ALL, IDS, Life, Reader
from tests.fixtures.proxy import Proxy
from tests.fixtures.servers import Server

pytestmark = [pytest.mark.system, pytest.mark.slow]
STEPS_A_RUN = 50
STEPS = int(os.environ.get("PUBKEEP_STEPS", "300"))
WRITERS = 3
READERS = ("carol", "alice")
PARTS = {
    "all": ItemsRequest(max=ALL, format="json"),
    "newest": ItemsRequest(max=2, format="json"),
    "oldest": ItemsRequest(index=0, max=2, format="json"),
    "ids": ItemsRequest(ids=IDS[:4], format="json"),
}
WAYS: dict[str, dict[str, Any]] = {
    "": {},
    "up to date": {"max_age": 0},  # else the copy vouches for nothing after the last answer of the service
    "quick": {"freshness": "quick"},
    "asked": {"freshness": "service"},
}
POLICIES = (Policy("never"), Policy("always"), Policy(max_items=2), Policy(max_items=5), Policy(max_age=2), Policy())
READER = st.integers(0, len(READERS) - 1)
ITEM = st.sampled_from(IDS)
REQUEST = st.builds(
    lambda part, way: replace(PARTS[part], **WAYS[way]),
    st.sampled_from(list(PARTS)),
    st.sampled_from([*WAYS, "up to date", "up to date"]),
)


class Machine(RuleBasedStateMachine):
    """The rules; each step runs the loop for as long as it needs."""

    def __init__(self, runner: asyncio.Runner, life: Life, failures: list[Exception]) -> None:
        super().__init__()
        self._runner = runner
        self._life = life
        self._failures = failures
        self._run(self._life.create())
        for which in range(len(READERS)):
            self._run(self._life.read(which, PARTS["all"]))

    @rule(writes=st.lists(st.tuples(st.integers(0, WRITERS - 1), st.booleans(), ITEM), max_size=5))
    def write(self, writes: list[tuple[int, bool, str]]) -> None:
        self._run(self._life.work(writes))

    @rule(writer=st.integers(0, WRITERS - 1), item_id=ITEM, retract=st.booleans(), reader=READER, request=REQUEST)
    def write_and_read(self, writer: int, item_id: str, retract: bool, reader: int, request: ItemsRequest) -> None:
        self._run(self._life.work([(writer, retract, item_id)]))
        self._run(self._life.written())
        self._run(self._life.read(reader, request))

    @rule(item_id=ITEM, retract=st.booleans(), reader=READER, request=REQUEST)
    def write_own(self, item_id: str, retract: bool, reader: int, request: ItemsRequest) -> None:
        work = self._life.retract_own if retract else self._life.publish_own
        self._run(work(reader, item_id))
        self._run(self._life.read(reader, request))

    @rule(reader=READER, request=REQUEST, seconds=st.sampled_from([0.0, 0.05, 0.5]))
    def read(self, reader: int, request: ItemsRequest, seconds: float) -> None:
        self._run(asyncio.sleep(seconds))
        self._run(self._life.read(reader, request))

    @rule(reads=st.lists(st.tuples(READER, REQUEST), min_size=2, max_size=6))
    def read_together(self, reads: list[tuple[int, ItemsRequest]]) -> None:
        self._run(self._life.read_together(reads))

    @rule(chance=st.integers(0, 9), reader=READER)
    def upset(self, chance: int, reader: int) -> None:
        match chance:
            case 0:
                self._run(self._life.recreate())
            case 1:
                self._run(self._life.reconnect(reader))
            case 2 | 3:
                self._run(self._life.cut(reader))
            case 4:
                self._run(self._life.purge())
            case 5 | 6:
                self._run(self._life.quiet())
            case 7:
                self._run(self._life.unsubscribe_elsewhere(reader))
            case _:
                self._run(self._life.written())

    @rule(chance=st.integers(0, 7), reader=READER, policy=st.sampled_from(POLICIES), item_id=ITEM, request=REQUEST)
    def decide(self, chance: int, reader: int, policy: Policy, item_id: str, request: ItemsRequest) -> None:
        match chance:
            case 0 | 1:
                self._run(self._life.decide(reader, policy))
            case 2:
                self._run(self._life.forget(reader))
            case 3 | 4:
                self._run(self._life.verify(reader, repair=chance == 3))
            case 5:
                self._run(self._life.resubscribe(reader, item_id))
            case _:
                self._run(self._life.decide(reader, Policy()))
        self._run(self._life.read(reader, request))

    def teardown(self) -> None:
        if not self._failures:
            self._run(self._life.equal_in_the_end())

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            self._runner.run(work)
        except Exception as error:
            self._failures.append(error)
            raise


@asynccontextmanager
async def company(server: Server) -> AsyncIterator[tuple[list[Author], list[Reader]]]:
    """Some writers and the readers, who are nobody special there; a link of theirs can be cut."""
    async with AsyncExitStack() as stack:
        writers = [await stack.enter_async_context(Author(server, "bob", f"writer{n}")) for n in range(WRITERS)]
        readers = []
        for user in READERS:
            proxy = await stack.enter_async_context(Proxy(server.port))
            elsewhere = await stack.enter_async_context(Author(server, user, "elsewhere"))
            reading = Backend(server, user, CacheSettings(max_age=10.0, fan_out=1.0), proxy.port)
            readers.append(Reader(await stack.enter_async_context(reading), proxy, elsewhere))
        yield writers, readers


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    """A loop that runs step by step."""
    with asyncio.Runner() as runner:
        yield runner


@pytest.mark.parametrize("kind", MAKERS)
def test_answers_are_true_whatever_happens_at_the_service(kind: str, lender: Lender, runner: asyncio.Runner) -> None:
    with lender.lend(kind) as server:
        stack, failures = AsyncExitStack(), list[Exception]()
        writers, readers = runner.run(stack.enter_async_context(company(server)))
        chosen = settings(
            max_examples=STEPS // STEPS_A_RUN,
            stateful_step_count=STEPS_A_RUN,
            deadline=None,
            phases=(Phase.generate,),  # the same steps do not happen twice the same way
            suppress_health_check=list(HealthCheck),
        )
        try:
            run_state_machine_as_test(
                lambda: Machine(runner, Life(kind, writers, readers), failures),  # type: ignore[arg-type]  # any callable will do
                settings=chosen,
            )
        except Exception:
            if failures:  # hypothesis tries again, and would tell how the second time differed
                raise failures[0] from None
            raise
        finally:
            runner.run(stack.aclose())

# SPDX-License-Identifier: MIT
"""Random work of many writers and one reader on real servers: each answer is true, and in the end all is equal.

The account of the daemon is a plain subscriber. PUBKEEP_STEPS=20000 makes it a long run, for people.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test
from slixmpp.exceptions import IqError

from pubkeep.config import CacheSettings
from pubkeep.errors import NotAllowed, NotFound
from pubkeep.model import AccountState
from pubkeep.questions import Answer, ItemsRequest
from tests.fixtures.author import Author
from tests.fixtures.backend import Backend
from tests.fixtures.every_server import MAKERS
from tests.fixtures.history import History, Write, now
from tests.fixtures.servers import Server, running
from tests.system.conftest import BLOG, SERVICE, until

pytestmark = [pytest.mark.system, pytest.mark.slow]
STEPS_A_RUN = 50
STEPS = int(os.environ.get("PUBKEEP_STEPS", "300"))
IDS = tuple(f"i{n}" for n in range(8))
WRITERS = 3
MINUTE = 60_000_000
"""Microseconds for which a node that was gone may be called gone (CACHE.md; it is asked for once a minute)."""
PARTS = {
    "all": ItemsRequest(max=1000, format="json"),
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
REQUESTS = st.builds(
    lambda part, way: replace(PARTS[part], **WAYS[way]),
    st.sampled_from(list(PARTS)),
    st.sampled_from([*WAYS, "up to date", "up to date"]),
)
NODES = count()


class Life:
    """One node and those who work with it."""

    def __init__(self, kind: str, writers: list[Author], reader: Backend) -> None:
        self.node = f"{BLOG}/{next(NODES)}"
        self._silent = kind != "prosody"
        """Whether the service tells nobody that the node is deleted."""
        self._forgetful = kind == "ejabberd"
        """Whether it leaves items behind: Mnesia keeps a list for each publisher, and loses some of what he publishes
        several at once; what is not in the list survives a purge, and even the node."""
        self._recreated = False
        self._writers = writers
        self._reader = reader
        self._history = History()
        self._under_way: set[asyncio.Task[None]] = set()
        self._numbers = count(1)

    async def create(self) -> None:
        """Everybody may publish; the notifications are those of the server's defaults."""
        await self._writers[0].create(SERVICE, self.node, access_model="open", publish_model="open", max_items="1000")

    # -- writes ----------------------------------------------------------------------------------

    async def work(self, writes: list[tuple[int, bool, str]]) -> None:
        """Each of these writers publishes an item, or retracts it; nobody waits for the answers."""
        for number, retract, item_id in writes:
            writer = self._writers[number]
            if retract:
                self._start(Write((item_id,), None), writer.retract(SERVICE, self.node, item_id))
            else:
                value = f"value {next(self._numbers)}"
                self._start(Write((item_id,), value), writer.publish(SERVICE, self.node, item_id, entry(value)))

    async def purge(self) -> None:
        """The owner purges."""
        write = Write(None, None, thorough=not self._forgetful)
        self._start(write, self._writers[0].owner(SERVICE, self.node, "purge"))

    async def publish_own(self, item_id: str) -> None:
        """The reader's own account publishes, and waits for the confirmation."""
        value = f"value {next(self._numbers)}"
        key = self._reader.key(SERVICE, self.node)
        write = self._history.begin(Write((item_id,), value, own=True))
        try:
            await self._reader.cache.writer.publish(key, [entry(value)], ids=[item_id])
        except NotAllowed:  # as above
            self._history.end(write, done=False)
        else:
            self._history.end(write)

    async def recreate(self) -> None:
        """The owner deletes the node and makes it anew; what ejabberd tells nobody by default."""
        if self._silent and self._recreated:
            return  # a subscription that vanishes twice is not made again for an hour: it looks like somebody's will
        self._recreated = True
        await self.written()
        write = self._history.begin(Write(None, None, silent=self._silent, thorough=not self._forgetful))
        await self._writers[0].owner(SERVICE, self.node, "delete")
        await self.create()
        self._history.end(write)

    async def reconnect(self) -> None:
        """The reader gets another session; what happened in between, nobody tells it."""
        await self._reader.sessions.suspend()
        await self._reader.sessions.wake()
        await self._reader.becomes(AccountState.ONLINE)

    async def written(self) -> None:
        """All writes were answered."""
        await asyncio.gather(*self._under_way)

    async def quiet(self) -> None:
        """Nobody writes until the copy is vouched for."""
        await self.written()
        await self._reader.read(SERVICE, self.node, freshness="service")  # if it was gone, it is back
        await self._reader.synced(SERVICE, self.node)

    def _start(self, write: Write, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(self._write(write, work))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _write(self, write: Write, work: Coroutine[Any, Any, None]) -> None:
        self._history.begin(write)
        try:
            await work
        except IqError as error:
            if error.condition not in ("item-not-found", "forbidden"):
                raise  # else there is nothing to retract, or ejabberd does not let one overwrite what another published
            self._history.end(write, done=False)
        else:
            self._history.end(write)

    # -- reads -----------------------------------------------------------------------------------

    async def read(self, request: ItemsRequest) -> None:
        """Read, and check what the answer says."""
        asked_at = now()
        try:
            answer = await self._reader.cache.get_items(self._reader.key(SERVICE, self.node), request)
        except NotFound:
            assert self._history.deleted_since(asked_at - MINUTE)
            return
        self._check(request, answer, asked_at, now())

    def _check(self, request: ItemsRequest, answer: Answer, asked_at: int, until: int) -> None:
        shown = {row.id: row.title for row in answer.page.items}
        asked = request.ids or (IDS if request.max == 1000 else shown)
        for item_id in asked:
            if answer.stale:
                allowed = self._history.values(item_id, lambda _: 0, until)
            else:
                seen = self._history.known(answer.as_of, answer.verified_at, asked_at)
                allowed = self._history.values(item_id, seen, until)
            if (item_id in shown or not answer.stale) and shown.get(item_id) not in allowed:
                about = f"{item_id} is {shown.get(item_id)} and may be {allowed}; asked at {asked_at}, told at {until}"
                meta = f"{answer.source}, stale={answer.stale}, as of {answer.as_of}, verified at {answer.verified_at}"
                raise AssertionError("\n".join([about, meta, str(request), *map(str, self._history.of(item_id))]))

    async def equal_in_the_end(self) -> None:
        """Nobody writes any more: soon the copy is what the service has, in its order."""
        await self.written()
        theirs: list[tuple[str, str]] = []

        async def equal() -> bool:
            ours = await self._reader.synced(SERVICE, self.node)
            return [(row.id, row.title) for row in ours.page.items] == theirs

        for item_id, payload in await self._writers[0].items(SERVICE, self.node):
            theirs.append((item_id, payload.findtext("{http://www.w3.org/2005/Atom}title") or ""))
        await self._reader.read(SERVICE, self.node, freshness="service")
        await until(equal, 60)


def entry(value: str) -> str:
    """A post with this title."""
    return f"<entry xmlns='http://www.w3.org/2005/Atom'><title>{value}</title></entry>"


class Machine(RuleBasedStateMachine):
    """The rules; each step runs the loop for as long as it needs."""

    def __init__(self, runner: asyncio.Runner, life: Life, failures: list[Exception]) -> None:
        super().__init__()
        self._runner = runner
        self._life = life
        self._failures = failures
        self._run(self._life.create())
        self._run(self._life.read(PARTS["all"]))

    @rule(writes=st.lists(st.tuples(st.integers(0, WRITERS - 1), st.booleans(), st.sampled_from(IDS)), max_size=5))
    def write(self, writes: list[tuple[int, bool, str]]) -> None:
        self._run(self._life.work(writes))

    @rule(writer=st.integers(0, WRITERS - 1), item_id=st.sampled_from(IDS), retract=st.booleans(), request=REQUESTS)
    def write_and_read(self, writer: int, item_id: str, retract: bool, request: ItemsRequest) -> None:
        self._run(self._life.work([(writer, retract, item_id)]))
        self._run(self._life.written())
        self._run(self._life.read(request))

    @rule(item_id=st.sampled_from(IDS), request=REQUESTS)
    def publish_own(self, item_id: str, request: ItemsRequest) -> None:
        self._run(self._life.publish_own(item_id))
        self._run(self._life.read(request))

    @rule(request=REQUESTS, seconds=st.sampled_from([0.0, 0.05, 0.5]))
    def read(self, request: ItemsRequest, seconds: float) -> None:
        self._run(asyncio.sleep(seconds))
        self._run(self._life.read(request))

    @rule(chance=st.integers(0, 9))
    def upset(self, chance: int) -> None:
        match chance:
            case 0:
                self._run(self._life.recreate())
            case 1 | 2:
                self._run(self._life.reconnect())
            case 3 | 4:
                self._run(self._life.purge())
            case 5 | 6:
                self._run(self._life.quiet())
            case _:
                self._run(self._life.written())

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
async def company(server: Server) -> AsyncIterator[tuple[list[Author], Backend]]:
    """Some writers and the reader, who is nobody special there."""
    async with AsyncExitStack() as stack:
        writers = [await stack.enter_async_context(Author(server, "bob", f"writer{n}")) for n in range(WRITERS)]
        reading = Backend(server, "carol", CacheSettings(max_age=10.0, fan_out=1.0))
        yield writers, await stack.enter_async_context(reading)


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    """A loop that runs step by step."""
    with asyncio.Runner() as runner:
        yield runner


@pytest.mark.parametrize("kind", MAKERS)
def test_answers_are_true_whatever_happens_at_the_service(kind: str, runner: asyncio.Runner) -> None:
    with running(MAKERS[kind]()) as server:
        stack, failures = AsyncExitStack(), list[Exception]()
        writers, reader = runner.run(stack.enter_async_context(company(server)))
        chosen = settings(
            max_examples=STEPS // STEPS_A_RUN,
            stateful_step_count=STEPS_A_RUN,
            deadline=None,
            phases=(Phase.generate,),  # the same steps do not happen twice the same way
            suppress_health_check=list(HealthCheck),
        )
        try:
            run_state_machine_as_test(
                lambda: Machine(runner, Life(kind, writers, reader), failures),  # type: ignore[arg-type]  # any callable will do
                settings=chosen,
            )
        except Exception:
            if failures:  # hypothesis tries again, and would tell how the second time differed
                raise failures[0] from None
            raise
        finally:
            runner.run(stack.aclose())

# SPDX-License-Identifier: MIT
"""A call of the daemon, beside the same call of a bare echo that always gives the daemon's reply."""

import asyncio
import json
import statistics
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import astuple, dataclass
from typing import Any

from pubkeep_bridge.bus import Bus, Variant
from tests.bench.figures import timed

ECHO = "org.example.Echo"
Call = Callable[[], Awaitable[object]]


@dataclass(frozen=True)
class Question:
    """A method call whose last argument are options."""

    path: str
    interface: str
    member: str
    signature: str
    arguments: tuple[Any, ...]
    options: tuple[tuple[str, str, Any], ...] = ()
    """(name, signature, value)"""

    @property
    def body(self) -> list[Any]:
        """As it is sent."""
        return [*self.arguments, {name: Variant(signature, value) for name, signature, value in self.options}]

    @property
    def message(self) -> dict[str, Any]:
        """For a library's Message."""
        where = {"path": self.path, "interface": self.interface, "member": self.member}
        return {**where, "signature": self.signature, "body": self.body}

    async def ask(self, client: Bus, whom: str = "im.pubkeep.Pubkeep1") -> list[Any]:
        """Call it."""
        return await client.call(whom, self.path, self.interface, self.member, self.signature, self.body)

    def write(self) -> str:
        """As an argument of a program."""
        return json.dumps(astuple(self))

    @classmethod
    def read(cls, text: str) -> "Question":
        """The same again."""
        path, interface, member, signature, arguments, options = json.loads(text)
        return cls(path, interface, member, signature, tuple(arguments), tuple(map(tuple, options)))


@asynccontextmanager
async def echo(address: str, question: Question) -> AsyncIterator[None]:
    """A process that gives the daemon's present answer."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.bench.echo", address, question.write()), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        assert await process.stdout.readline()
        yield
    finally:
        process.kill()
        await process.wait()


async def compare(ours: Call, theirs: Call, rounds: int) -> tuple[float, float]:
    """(our p50, its ratio to theirs), one after the other so that the machine's moods hit both."""
    for _ in range(rounds // 10):
        await ours()
        await theirs()
    pairs = [(await timed(ours), await timed(theirs)) for _ in range(rounds)]
    first, second = (statistics.median(column) for column in zip(*pairs, strict=True))
    return first, first / second


async def beside_echo(address: str, question: Question, rounds: int) -> tuple[float, float]:
    """(p50 in seconds, its ratio to the echo's)"""
    client = await Bus.connect(address)
    async with echo(address, question):
        figures = await compare(lambda: question.ask(client), lambda: question.ask(client, ECHO), rounds)
    await client.close()
    return figures

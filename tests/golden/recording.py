# SPDX-License-Identifier: MIT
"""A recorded conversation: how it is made, kept as text and read again."""

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from tests.fixtures.servers import Server
from tests.golden.client import Client
from tests.golden.script import STEPS
from tests.golden.steps import FIRST, LAST, SUBID, Step

FOLDER = Path(__file__).parent
USERS = ("alice", "bob", "carol")
SENT, GOT = ">", "<"
ATOMIC = ("prosody",)
"""Servers that do one thing at a time: what they say comes in one order, at each run."""
_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_SUBID = re.compile(r"""subid=(["'])(.+?)\1""")
_MESSAGE_ID = re.compile(r"""^(<message\b[^>]*? )id=(["']).*?\2""")
_STREAM_ID = re.compile(r""" id=(["']).*?\1""")
_EDGE = re.compile(r"<(first|last)\b[^>]*>([^<]*)</")


@dataclass(frozen=True, slots=True)
class Line:
    """One stanza: who sent (`>`) or received (`<`) it."""

    who: str
    way: str
    stanza: str


@dataclass(slots=True)
class Recording:
    """What was said, by the words of the steps."""

    head: str
    """The tag that opened the stream; its namespaces hold for all that was received."""
    steps: dict[str, list[Line]] = field(default_factory=dict)

    def sent(self, words: str) -> str:
        """What began this step."""
        return next(line.stanza for line in self.steps[words] if line.way == SENT)

    def got(self, words: str, who: str) -> list[str]:
        """What somebody received in this step, in order."""
        return [line.stanza for line in self.steps[words] if (line.way, line.who) == (GOT, who)]

    def text(self) -> str:
        """As it is kept: a line a stanza."""
        return "\n".join([self.head, *self._lines()]) + "\n"

    def _lines(self) -> Iterator[str]:
        for words, lines in self.steps.items():
            yield f"\n# {words}"
            yield from (f"{line.who:5} {line.way} {line.stanza}" for line in lines)


def path(server: str) -> Path:
    """Where the conversation with a server is kept."""
    return FOLDER / f"{server}.txt"


def load(server: str) -> Recording:
    """The committed conversation."""
    recording, lines = Recording(""), list[Line]()
    for text in path(server).read_text().split("\n"):
        if text.startswith("# "):
            lines = recording.steps[text[2:]] = []
        elif text.startswith("<"):
            recording.head = text
        elif text:
            lines.append(Line(text[:5].rstrip(), text[6], text[8:]))
    return recording


class _Plain:
    """Puts the same thing for what is another at each run."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}

    def __call__(self, stanza: str) -> str:
        for found in _SUBID.finditer(stanza):
            self._known.setdefault(found[2], f"subid-{len(self._known)}")
        for made, name in self._known.items():
            stanza = stanza.replace(made, name)
        stanza = _STAMP.sub(self._stamp, _MESSAGE_ID.sub(r"\1id='*'", stanza))
        return stanza.replace("\n", "&#10;")

    def _stamp(self, found: re.Match[str]) -> str:
        """A cursor stays the cursor that it is; a date is any date."""
        if not found[1]:
            return "2000-01-01T00:00:00Z"
        number = len(self._known)
        return self._known.setdefault(found[0], f"2000-01-01T{number // 60:02}:{number % 60:02}:00.000001Z")


class _Talk:
    """The clients of one conversation."""

    def __init__(self, server: Server, stack: AsyncExitStack) -> None:
        self._server, self._stack, self._plain = server, stack, _Plain()
        self.clients: dict[str, Client] = {}
        self._stacks: dict[str, AsyncExitStack] = {}
        self._known = {FIRST: "no-cursor", LAST: "no-cursor", SUBID: "no-subid"}

    async def enter(self, who: str) -> None:
        self._stacks[who] = await self._stack.enter_async_context(AsyncExitStack())
        self.clients[who] = await self._stacks[who].enter_async_context(Client(self._server, who))

    async def leave(self, who: str) -> None:
        await self._stacks[who].aclose()
        del self.clients[who]

    async def step(self, step: Step) -> list[Line]:
        sent = step.stanza
        if sent == "enter":
            await self.enter(step.who)
        elif sent == "leave":
            await self.leave(step.who)
        else:
            for name, value in self._known.items():
                sent = sent.replace(name, value)
            sent = sent.replace("<iq ", f"<iq id='{step.words}' ", 1)
            self.clients[step.who].send(sent)
            if sent.startswith("<iq"):
                await self.clients[step.who].answered(step.words)
        return [Line(step.who, SENT, self._plain(sent)), *[line async for line in self._received(step)]]

    async def _received(self, step: Step) -> AsyncIterator[Line]:
        for _ in range(2):
            for client in self.clients.values():
                await client.fence()
        for who in USERS:
            if who not in self.clients:
                continue
            received, self.clients[who].received = self.clients[who].received, []
            for stanza in received:
                if who == "carol":
                    self._learn(stanza)
                if stanza.startswith("<message") or f"id='{step.words}'" in stanza or f'id="{step.words}"' in stanza:
                    yield Line(who, GOT, self._plain(stanza))

    def _learn(self, stanza: str) -> None:
        for found in _EDGE.finditer(stanza):
            self._known["{" + found[1] + "}"] = found[2]
        for found in _SUBID.finditer(stanza):
            self._known[SUBID] = found[2]


async def record(server: Server) -> Recording:
    """The whole script, told to a server that is started and empty."""
    async with AsyncExitStack() as stack:
        talk = _Talk(server, stack)
        for who in USERS:
            await talk.enter(who)
        recording = Recording(_STREAM_ID.sub(" id='*'", talk.clients["bob"].head))
        for step in STEPS:
            recording.steps[step.words] = await talk.step(step)
        return recording

# SPDX-License-Identifier: MIT
"""IQs at a cut, with a stream that only records what is sent."""

import asyncio
from xml.etree.ElementTree import Element

import pytest

from pubkeep.clock import Clock
from pubkeep.errors import TimedOut, Unavailable
from pubkeep.xmpp.requests import IN_FLIGHT, Request, Requests


class Wire:
    """The other side."""

    def __init__(self, timeout: float = 20.0) -> None:
        self.sent: list[Element] = []
        self.refusals: list[float] = []
        """When each request that was refused was sent at the latest."""
        self.requests = Requests(self._send, Clock(), timeout)

    def _send(self, iq: Element) -> None:
        self.sent.append(Element("iq", dict(iq.attrib)))

    def ask(self, kind: str = "get") -> "asyncio.Future[str]":
        future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        iq = Element("iq", {"type": kind, "to": "service"})

        def refused(_: Element, sent_at: float) -> None:
            self.refusals.append(sent_at)
            future.set_result("no")

        self.requests.submit(Request(iq, "node", lambda *_: future.set_result("ok"), refused, future))
        return future

    def answer(self, number: int, kind: str = "result", sender: str = "service") -> bool:
        stanza = Element("{jabber:client}iq", {"id": self.sent[number].get("id", ""), "type": kind, "from": sender})
        if wanted := self.requests.wants(stanza):
            self.requests.take(stanza)
        return wanted


async def test_a_refusal_comes_with_the_latest_moment_at_which_it_may_have_been_asked_for() -> None:
    wire, clock = Wire(), Clock()
    wire.requests.session_started()
    began = clock.boottime()
    first, second = wire.ask(), wire.ask()
    asked = clock.boottime()

    wire.answer(0, "error")
    wire.requests.cut()
    await asyncio.sleep(0.01)
    wire.requests.session_resumed()  # the stream sends again what was not acknowledged
    wire.answer(1, "error")

    assert (await first, await second) == ("no", "no")
    assert began <= wire.refusals[0] <= asked
    assert asked + 0.01 <= wire.refusals[1] <= clock.boottime()


async def test_a_bounded_number_is_in_flight() -> None:
    wire = Wire()
    wire.requests.session_started()

    futures = [wire.ask() for _ in range(IN_FLIGHT + 5)]
    before = len(wire.sent)
    wire.answer(0)

    assert before == IN_FLIGHT
    assert len(wire.sent) == IN_FLIGHT + 1
    assert await futures[0] == "ok"


async def test_an_answer_from_somebody_else_is_none() -> None:
    wire = Wire()
    wire.requests.session_started()
    future = wire.ask()

    assert not wire.answer(0, sender="mallory")
    assert not future.done()
    assert wire.answer(0, kind="error")
    assert await future == "no"


async def test_a_pending_request_survives_a_resumed_stream() -> None:
    wire = Wire()
    wire.requests.session_started()
    future = wire.ask("set")

    wire.requests.cut()
    wire.requests.session_resumed()
    wire.answer(0)
    wire.requests.barrier_passed()

    assert await future == "ok"
    assert len(wire.sent) == 1


async def test_what_is_open_after_the_barrier_is_lost_gets_are_asked_again_and_writes_fail() -> None:
    wire = Wire()
    wire.requests.session_started()
    read, write = wire.ask("get"), wire.ask("set")

    wire.requests.cut()
    wire.requests.session_resumed()
    late = wire.ask("get")
    wire.requests.barrier_passed()

    with pytest.raises(TimedOut, match="it may have happened"):
        await write
    assert [iq.get("type") for iq in wire.sent] == ["get", "set", "get", "get"]
    wire.answer(3)
    wire.answer(2)
    assert (await read, await late) == ("ok", "ok")


async def test_a_new_session_asks_again_what_the_old_one_left_open() -> None:
    wire = Wire()
    wire.requests.session_started()
    future = wire.ask()

    wire.requests.cut()
    wire.requests.session_started()
    assert not wire.answer(0)
    wire.answer(1)

    assert await future == "ok"


async def test_a_caller_waits_no_longer_than_the_limit() -> None:
    wire = Wire(timeout=0.01)
    wire.requests.session_started()
    sent = wire.ask()
    wire.requests.cut()
    unsent = wire.ask()

    with pytest.raises(TimedOut):
        await sent
    with pytest.raises(Unavailable):
        await unsent


async def test_when_the_session_is_over_all_fail() -> None:
    wire = Wire()
    wire.requests.session_started()
    futures = [wire.ask() for _ in range(IN_FLIGHT + 2)]

    wire.requests.fail_all("the session is over")

    for future in futures:
        with pytest.raises(Unavailable):
            await future

# SPDX-License-Identifier: MIT
"""IQs of one account: a bounded number in flight, and what becomes of them at a cut.

slixmpp matches answers linearly, leaves requests of a dead session to their time-out and silently drops what
was sent in the instant of a cut. Here: at most 32 are in flight; what was sent before a cut and is still open
at the first ping after the resume is lost: gets are asked again, writes fail with TimedOut. When the session
is over, so are its requests. Nobody waits longer than 20 s.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import Element

from pubkeep.clock import Clock
from pubkeep.errors import PubkeepError, TimedOut, Unavailable

IN_FLIGHT = 32

Read = Callable[[Element, float, float], None]
"""Takes the result stanza, when its request was sent, and when it was taken (boottime)."""


@dataclass(slots=True, eq=False)
class Request:
    """One IQ that somebody waits for."""

    iq: Element
    """Without id; `type` says whether it may be asked again."""
    what: str
    """In words, for error messages."""
    answered: Read
    refused: Callable[[Element, float], None]
    """Is given the error, and when the request was sent at the latest."""
    future: "asyncio.Future[Any]"
    sent_at: float = 0.0
    sent_again_at: float = 0.0
    """When the stream may have sent it again, since it was resumed (XEP-0198 5)."""
    urgent: bool = False
    """A ping, which shows what has become of the others: it does not wait for their room."""
    id: str = ""
    tries: int = 0
    timer: asyncio.TimerHandle | None = None

    @property
    def repeatable(self) -> bool:
        """Whether asking twice does nothing twice."""
        return self.iq.get("type") == "get"


class Requests:
    """Sends IQs and takes their answers."""

    def __init__(self, send: Callable[[Element], None], clock: Clock, timeout: float) -> None:
        self._send = send
        self._clock = clock
        self._timeout = timeout
        self._waiting: deque[Request] = deque()
        self._open: dict[str, Request] = {}
        self._live = False
        self._suspects: set[str] = set()

    # -- for callers -----------------------------------------------------------------------------

    def submit(self, request: Request) -> None:
        """Send it when there is room; its future is done within the time-out, whatever happens."""
        request.timer = asyncio.get_running_loop().call_later(self._timeout, self._expired, request)
        if request.urgent and self._live:
            self._transmit(request)
        else:
            self._waiting.append(request)
            self._pump()

    def wants(self, stanza: Element) -> bool:
        """Whether this stanza is an answer to one of ours."""
        request = self._open.get(stanza.get("id", "")) if stanza.tag == "{jabber:client}iq" else None
        return (
            request is not None
            and stanza.get("type") in ("result", "error")
            and stanza.get("from", request.iq.get("to")) == request.iq.get("to")
        )

    def take(self, stanza: Element) -> None:
        """Take an answer; called in the stanza callback."""
        request = self._close(stanza.get("id", ""))
        if request is None:
            return
        if stanza.get("type") == "result":
            request.answered(stanza, request.sent_at, self._clock.boottime())
        else:
            request.refused(stanza, max(request.sent_at, request.sent_again_at))
        self._pump()

    # -- for the session -------------------------------------------------------------------------

    def session_started(self) -> None:
        """A new session: what the old one asked is asked again or fails."""
        self._live = True
        self._lost(list(self._open))

    def session_resumed(self) -> None:
        """The old session goes on; what was sent before the cut may be lost."""
        self._live = True
        self._suspects = set(self._open)
        for request in self._open.values():
            request.sent_again_at = self._clock.boottime()
        self._pump()

    def barrier_passed(self) -> None:
        """A ping sent after the resume was answered: what is still open from before is lost."""
        self._lost([each for each in self._suspects if each in self._open])
        self._suspects = set()

    def cut(self) -> None:
        """Nothing can be sent for now."""
        self._live = False

    def fail_all(self, words: str) -> None:
        """The session is over, and no other follows soon; `words` say why."""
        self._live = False
        left = [*self._open.values(), *self._waiting]
        self._open.clear()
        self._waiting.clear()
        for request in left:
            if request.tries and not request.repeatable:
                self._fail(request, TimedOut(f"{request.what}: {words}; it may have happened"))
            else:
                self._fail(request, Unavailable(f"{request.what}: {words}"))

    # -- inside ----------------------------------------------------------------------------------

    def _pump(self) -> None:
        while self._live and self._waiting and len(self._open) < IN_FLIGHT:
            request = self._waiting.popleft()
            if request.future.done():
                self._stop(request)
            else:
                self._transmit(request)

    def _transmit(self, request: Request) -> None:
        request.id = f"pk{self._clock.token(6)}"
        request.iq.set("id", request.id)
        request.tries += 1
        request.sent_at = self._clock.boottime()
        self._open[request.id] = request
        self._send(request.iq)

    def _lost(self, ids: list[str]) -> None:
        again = []
        for each in ids:
            request = self._close(each, keep_timer=True)
            if request is None:
                continue
            if request.repeatable:
                again.append(request)
            else:
                self._fail(request, TimedOut(f"{request.what}: the connection was cut; it may have happened"))
        self._waiting.extendleft(reversed(again))
        self._pump()

    def _close(self, each: str, *, keep_timer: bool = False) -> Request | None:
        request = self._open.pop(each, None)
        if request is not None and not keep_timer:
            self._stop(request)
        return request

    def _expired(self, request: Request) -> None:
        self._open.pop(request.id, None)
        if request in self._waiting:
            self._waiting.remove(request)
        if request.tries:
            self._fail(request, TimedOut(f"{request.what}: no answer within {self._timeout:g} s"))
        else:
            self._fail(request, Unavailable(f"{request.what}: it could not be sent within {self._timeout:g} s"))
        self._pump()

    def _fail(self, request: Request, error: PubkeepError) -> None:
        self._stop(request)
        if not request.future.done():
            request.future.set_exception(error)

    @staticmethod
    def _stop(request: Request) -> None:
        if request.timer is not None:
            request.timer.cancel()

# SPDX-License-Identifier: MIT
"""The life of one account: connect, resume, back off, give up.

slixmpp does not reconnect, has no negotiation time-out, and a handler that reconnects at once makes thousands
of connections in seconds where a server accepts and resets. So the delay is ours, grows with each attempt that
did not reach a session, and falls back when one did.
"""

import asyncio
import contextlib
import logging
import ssl
from collections.abc import Callable, Iterable
from enum import Enum
from typing import Any
from xml.etree import ElementTree as ET

from pubkeep.clock import Clock
from pubkeep.config import XmppSection
from pubkeep.errors import PubkeepError
from pubkeep.model import Account, AccountState
from pubkeep.ports import SessionListener, SessionStatus
from pubkeep.xmpp import events
from pubkeep.xmpp.inbox import Inbox
from pubkeep.xmpp.presence import Presence
from pubkeep.xmpp.pubsub import PubSub
from pubkeep.xmpp.requests import Request, Requests
from pubkeep.xmpp.stream import CLIENT, Stream

log = logging.getLogger(__name__)

FIRST_DELAY = 1.0
"""Seconds, doubled after each attempt that reached no session that lasted, or that we had to end."""
LASTING = 5.0
"""Seconds after which a session counts: a server that ends each one at once is not to be asked every second."""
CLOSE_WAIT = 1.0
"""Seconds the server has to close its side of the stream."""
PATIENCE = 3.0
"""Seconds of silence that are believed when somebody asks to connect now; else the time-outs hold."""
PING = "{urn:xmpp:ping}ping"


class _End(Enum):
    """How an attempt, or a session, ended."""

    LOST = "lost"
    AUTH = "auth"
    CONFLICT = "conflict"


class Session:
    """One account's session, over all its connections."""

    def __init__(
        self,
        account: Account,
        password: str,
        inbox: Inbox,
        listener: SessionListener,
        tell: Callable[[str, SessionStatus], None],
        settings: XmppSection,
        clock: Clock,
        interests: Iterable[str],
    ) -> None:
        self.account = account
        self._inbox = inbox
        self._listener = listener
        self._tell = tell
        self._settings = settings
        self._clock = clock
        self._ended: asyncio.Future[tuple[_End, str]] | None = None
        self._up: asyncio.Future[None] | None = None
        self._hurry = asyncio.Event()
        self._stopping = False
        self._barriers = 0
        self._refusals: set[str] = set()
        self._trouble = ""
        self.online = False
        """Requests can be made: connected, or about to resume."""
        full_jid = f"{account.jid}/{account.resource}"
        self._stream = Stream(
            full_jid,
            password,
            account.tls,
            ca_certs=settings.ca_certs,
            has_address=bool(account.host),
            max_stanza=settings.max_stanza,
            max_item=settings.max_item,
        )
        self._requests = Requests(self._stream.send_element, clock, settings.reply_timeout)
        self.pubsub = PubSub(account.jid, full_jid, self._requests, inbox, listener)
        self._presence = Presence(self._stream, interests, self._know)
        self._announcing: asyncio.Task[None] | None = None
        self._connect_handlers()
        self._life = asyncio.create_task(self._run())

    # -- for the owner ---------------------------------------------------------------------------

    def connect_now(self) -> None:
        """Do not wait out the delay; nor what says nothing any more, if that is an attempt or a link.

        Who asks for it may know of a loss before we do: the wish holds until a session is reached, or shown to live.
        """
        self._hurry.set()
        if self._up is not None and not self._up.done():
            asyncio.get_running_loop().call_later(self._patience, self._lose_patience, self._up, self._stream.received)

    async def interested(self, interests: frozenset[str]) -> None:
        """Be notified of these nodes from now on, instead of those named before."""
        await self._presence.interested(interests, online=self.online)

    async def stop(self) -> None:
        """Disconnect in order; what is open fails."""
        self._stopping = True
        was_online, self.online = self.online, False
        self._requests.fail_all("the account was disconnected meanwhile")
        if was_online:
            self._listener.session_lost(self.account.jid)
        ending = [task for task in (self._life, self._announcing) if task is not None]
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)
        self._stream.cancel_connection_attempt()
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_WAIT + 0.5):
                    await self._stream.disconnect(wait=CLOSE_WAIT, ignore_send_queue=True)
        finally:
            self._stream.close()

    # -- life ------------------------------------------------------------------------------------

    async def _run(self) -> None:
        short, unreached = 0, 0
        while True:
            self._say(AccountState.CONNECTING)
            await self._stream.trust()
            end, words, lasted = await self._connection()
            if end is not _End.LOST:
                self._refused(end, words)
                return
            useful = lasted is not None and lasted >= LASTING and not self._stream.overrun
            self._stream.overrun = False
            short = 0 if useful else short + 1
            unreached = 0 if lasted is not None else unreached + 1
            if unreached > 1:
                self._give_up_waiting(words)
            delay = min(self._settings.max_delay, FIRST_DELAY * 2**short)
            delay = self._clock.jitter(delay / 4, delay)
            self._say(AccountState.WAITING, "Unavailable", f"{words}; the next attempt follows in {delay:.0f} s")
            if await self._hurried(delay):
                self._hurry.clear()
                short = unreached = 0

    async def _hurried(self, seconds: float) -> bool:
        """Wait so long, time in suspend included, or until somebody is in a hurry; whether somebody is."""
        end = self._clock.boottime() + seconds
        while not self._hurry.is_set() and (left := end - self._clock.boottime()) > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(left, self._clock.tick)):
                    await self._hurry.wait()
        return self._hurry.is_set()

    async def _connection(self) -> tuple[_End, str, float | None]:
        """One connection, from its first packet to its end.

        Returns how it ended, the same in words, and how many seconds its session lasted, None if it reached none.
        """
        loop = asyncio.get_running_loop()
        self._ended, self._up = loop.create_future(), loop.create_future()
        self._refusals, self._trouble = set(), ""
        port = self.account.port or (5223 if self.account.tls == "direct" else 5222)
        address = (self.account.host, port) if self.account.host else (None, None)
        self._stream.connect(*address)
        limit = self._settings.negotiation_timeout
        either: set[asyncio.Future[Any]] = {self._up, self._ended}
        await asyncio.wait(either, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
        since = self._clock.boottime() if self._up.done() else None
        if since is None:
            self._end(_End.LOST, self._trouble or f"the server did not finish the login within {limit:g} s")
        keepalive = asyncio.create_task(self._keep_alive())
        try:
            end, words = await self._ended
        finally:
            keepalive.cancel()
        self._ended = self._up = None  # what is still said of this connection is no news of the next one
        self._requests.cut()
        lasted = None if since is None else self._clock.boottime() - since
        if lasted is not None:
            self._listener.session_lost(self.account.jid)
        await self._stream.drop()
        return end, words, lasted

    @property
    def _patience(self) -> float:
        return min(PATIENCE, self._settings.keepalive_timeout)

    def _lose_patience(self, attempt: "asyncio.Future[None]", received: int) -> None:
        """Somebody was in a hurry some seconds ago, and this attempt has brought nothing since."""
        if attempt is self._up and not attempt.done() and self._stream.received == received:
            self._end(_End.LOST, self._trouble or f"the server said nothing for {self._patience:g} s")

    async def _keep_alive(self) -> None:
        """End a connection whose pings are not answered while nothing else comes either (XEP-0199 4.2).

        slixmpp's own would connect again by itself, beside us, and cut a slow link in the middle of a large answer.
        """
        while True:
            hurried = await self._hurried(self._settings.keepalive_interval)
            limit = self._patience if hurried else self._settings.keepalive_timeout
            received = self._stream.received
            try:
                async with asyncio.timeout(limit):
                    await self._ping()
            except (TimeoutError, PubkeepError):
                if self._stream.received == received:
                    self._end(_End.LOST, f"the server did not answer a ping within {limit:g} s")
                    return
            if hurried:
                self._hurry.clear()

    def _ping(self, answered: Callable[[], None] = lambda: None) -> "asyncio.Future[None]":
        """Ask our own server for a sign of life; `answered` is called in the stream's order, error or not."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def passed(_stanza: ET.Element, *_times: float) -> None:
            answered()
            if not future.done():
                future.set_result(None)

        iq = ET.Element("iq", {"type": "get", "to": self.account.jid})
        ET.SubElement(iq, PING)
        self._requests.submit(Request(iq, f"{self.account.jid}: ping", passed, passed, future, urgent=True))
        return future

    def _give_up_waiting(self, words: str) -> None:
        """No quick resume: who waits is told."""
        if self.online:
            self.online = False
        self._requests.fail_all(f"not connected: {words}")

    def _refused(self, end: _End, words: str) -> None:
        self.online = False
        self._requests.fail_all(f"the account is not connected: {words}")
        self._say(AccountState.REFUSED, "NotAllowed" if end is _End.AUTH else "Conflict", words)

    def _say(self, state: AccountState, error: str = "", message: str = "") -> None:
        if not self._stopping:
            self._tell(self.account.jid, SessionStatus(state, error, message))

    def _end(self, end: _End, words: str) -> None:
        if self._ended is not None and not self._ended.done():
            self._ended.set_result((end, words))

    # -- what the stream says --------------------------------------------------------------------

    def _connect_handlers(self) -> None:
        stream = self._stream
        stream.add_event_handler("session_start", self._session_start)
        stream.add_event_handler("session_resumed", self._session_resumed)
        stream.add_event_handler("disconnected", lambda why: self._end(_End.LOST, self._lost_words(why)))
        stream.add_event_handler("connection_failed", self._address_failed)
        stream.add_event_handler("reconnect_delay", lambda _: self._end(_End.LOST, self._trouble))
        stream.add_event_handler("failed_auth", lambda failure: self._refusals.add(failure["condition"]))
        stream.add_event_handler("failed_all_auth", self._failed_auth)
        stream.add_event_handler("no_auth", self._no_auth)
        stream.add_event_handler("stream_error", self._stream_error)
        stream.refused = self._stanza_refused
        stream.dropped = lambda why: self._listener.dropped(self.account.jid, why)
        stream.take("pubkeep answers", self._requests.wants, self._requests.take)
        stream.take("pubkeep events", events.is_event, self._event)

    @staticmethod
    def _lost_words(why: object) -> str:
        if isinstance(why, ssl.SSLCertVerificationError):
            reason = why.verify_message
            return f"the server's certificate is not trusted ({reason}); name its authority in [xmpp] ca_certs"
        return f"the connection was lost ({why})" if why else "the connection was lost"

    def _address_failed(self, why: object) -> None:
        """One address of perhaps several (RFC 6120 3.2.1); when slixmpp has tried all, it says `reconnect_delay`."""
        self._trouble = f"no connection: {why}"

    def _failed_auth(self, _: object) -> None:
        """All mechanisms failed: the server said no, or there was none that we would use on this connection."""
        if not self._refusals:
            self._no_auth(None)
        elif self._refusals == {"temporary-auth-failure"}:
            self._end(_End.LOST, "the server cannot check passwords at the moment")
        else:
            self._end(_End.AUTH, "the server refuses the password; set another one")

    def _no_auth(self, _: object) -> None:
        words = "the server offers no way to log in that is safe on this connection"
        if self.account.tls != "allow-plaintext" and not self._stream.features & {"starttls"}:
            words += "; it offers no encryption"
        self._end(_End.AUTH, words)

    def _stream_error(self, error: Any) -> None:
        """A conflict on the stream that is in use: somebody took our resource. Older streams are closed by us."""
        if error["condition"] == "conflict":
            self._end(_End.CONFLICT, "another program connected with this resource; connect again to take it back")
        else:
            self._end(_End.LOST, f"the server ended the stream: {error['condition']}")

    def _session_start(self, _: object) -> None:
        """A new session (RFC 6121 4.7.2.3)."""
        if self._announcing is not None:
            self._announcing.cancel()
        self._announcing = asyncio.create_task(self._presence.announce())
        self._barriers += 1  # a ping of the old session proves nothing of this one
        self._reached()
        self._requests.session_started()
        self._listener.session_started(self.account.jid)

    def _session_resumed(self, _: object) -> None:
        """XEP-0198 5: what was sent before the cut is replayed before the answer to a ping sent now."""
        self._reached()
        self._requests.session_resumed()
        self._barriers += 1
        self._ask_for_proof(self._barriers)

    def _ask_for_proof(self, number: int) -> None:
        """Send the ping after whose answer nothing of the resumed session is missing.

        Where it is not answered in time, but something else came, it is asked again: much may have to be replayed.
        """
        connection, received = self._ended, self._stream.received

        def passed() -> None:
            if number == self._barriers:
                self._requests.barrier_passed()
                self._listener.session_resumed(self.account.jid)

        def done(future: "asyncio.Future[None]") -> None:
            if future.cancelled() or future.exception() is None or self._ended is not connection:
                return
            if self._stream.received != received:
                self._ask_for_proof(number)
            else:
                self._end(_End.LOST, "the server did not answer a ping after it had resumed the session")

        self._ping(passed).add_done_callback(done)

    def _reached(self) -> None:
        self.online = True
        self._hurry.clear()
        if self._up is not None and not self._up.done():
            self._up.set_result(None)
        self._say(AccountState.ONLINE)

    def _know(self, contacts: frozenset[str]) -> None:
        self._listener.contacts(self.account.jid, contacts)

    def _stanza_refused(self, stanza: ET.Element) -> None:
        """What was too much may have been an event: something of this service is missing here."""
        if stanza.tag == f"{CLIENT}message" and stanza.get("type") != "error":
            self._listener.path_lost(self.account.jid, stanza.get("from", self.account.jid))

    def _event(self, message: ET.Element) -> None:
        if self.pubsub.archives.take(message):
            return
        if flaw := events.flaw(message):
            self._listener.dropped(self.account.jid, flaw)
        for event in events.read(message, self.account.jid, self._clock.boottime()):
            self._inbox.put(event.node, lambda event=event: self._listener.handle(event))  # type: ignore[misc]

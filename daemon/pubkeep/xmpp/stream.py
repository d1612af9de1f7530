# SPDX-License-Identifier: MIT
"""slixmpp's client with what it lacks: limits on what comes in, fidelity in what goes out.

slixmpp's serialiser drops attributes of namespaces that it does not know, so our stanzas are serialised by
ElementTree and pass through its queue (and its XEP-0198 counters) as they are. What comes in is handed over
as elements, synchronously, in the order of the stream.
"""

import asyncio
import contextlib
import logging
import re
import ssl
import time
from collections import deque
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from slixmpp import ClientXMPP
from slixmpp.stanza import Iq
from slixmpp.util.sasl.client import sasl_mech
from slixmpp.util.sasl.mechanisms import SCRAM
from slixmpp.xmlstream.handler.base import BaseHandler
from slixmpp.xmlstream.matcher.base import MatcherBase

from pubkeep.markup import TooMuch, write
from pubkeep.slices import SLICE
from pubkeep.xmpp.scram import Scram
from pubkeep.xmpp.stanzas import Found, Part, Stanzas

log = logging.getLogger(__name__)

CLIENT = "{jabber:client}"
LOGIN = ("{urn:ietf:params:xml:ns:xmpp-tls}", "{urn:ietf:params:xml:ns:xmpp-sasl}", "{urn:xmpp:sasl:2}")
"""Namespaces of what a server says until it has let us in (RFC 6120 5 and 6, XEP-0388), and never after that."""
FEATURES = "{http://etherx.jabber.org/streams}features"
PIECE = 16 * 1024
"""Bytes parsed at once: some milliseconds where they are all tags."""
KNOWN = 500
"""Children of a stanza, and elements in each, that slixmpp is shown: it makes an object of those that it knows, in
10 us and more."""
ROSTER = "{jabber:iq:roster}query"
"""What slixmpp itself needs, however long it is (RFC 6121 2.1.4)."""
LETTING_GO = 1.0
"""Seconds that asyncio has to let go of a connection; it needs a few turns of its loop."""
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that no XML document can hold (XML 1.0 2.2)."""

sasl_mech(SCRAM.score)(Scram)


class RawIq(Iq):  # type: ignore[misc]
    """An IQ whose text was made by us."""

    raw: str = ""


class _Matcher(MatcherBase):  # type: ignore[misc]
    def match(self, xml: Any) -> bool:
        return bool(self._criteria(xml.xml))


class _Taker(BaseHandler):  # type: ignore[misc]
    """Hands matching stanzas over as elements, at once."""

    def __init__(self, name: str, wanted: Callable[[ET.Element], bool], take: Callable[[ET.Element], None]) -> None:
        super().__init__(name, _Matcher(wanted))
        self._take = take

    def prerun(self, payload: Any) -> None:
        """Nothing runs before `run`."""

    def run(self, payload: Any, _instream: bool = False) -> None:
        """Called by slixmpp inside data_received."""
        self._take(payload.xml)


class Stream(ClientXMPP):  # type: ignore[misc]
    """One account's stream, over all its connections."""

    def __init__(
        self,
        jid: str,
        password: str,
        tls: str,
        *,
        ca_certs: Path | None,
        has_address: bool,
        max_stanza: int,
        max_item: int,
    ) -> None:
        super().__init__(jid, password, ssl_context=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))  # it trusts nobody yet
        self.enable_direct_tls = tls == "direct" or (tls == "required" and not has_address)
        self.enable_starttls = tls != "direct"
        self.enable_plaintext = tls == "allow-plaintext"
        if ca_certs is not None:
            self.ca_certs = ca_certs
        mechanisms = self.plugin["feature_mechanisms"]
        mechanisms.unencrypted_plain = mechanisms.unencrypted_scram = tls == "allow-plaintext"
        self.auto_authorize = self.auto_subscribe = None
        for name in ("xep_0030", "xep_0115", "xep_0198", "xep_0199"):
            self.register_plugin(name)
        self.received = 0
        """Bytes since the beginning: that it grows shows that the link lives."""
        self.refused: Callable[[ET.Element], None] = lambda _stanza: None
        """Told what is left of a stanza that was too much."""
        self.dropped: Callable[[str], None] = lambda _why: None
        """Told why something was passed over."""
        self.overrun = False
        """Whether a connection had to be ended since this was last set: what came exceeded a limit."""
        self._max_stanza = max_stanza
        self._max_item = max_item
        self._rest = b""
        """What came and is not parsed yet; while there is more than a slice of work, nothing is read."""
        self._found: deque[Found] = deque()
        self._work_later: asyncio.Handle | None = None
        self._paused = False
        self._negotiation: asyncio.Task[Any] | None = None
        self._trusting = False
        self.add_filter("out_sce", self._as_text)  # after XEP-0198 counted it

    def take(self, name: str, wanted: Callable[[ET.Element], bool], take: Callable[[ET.Element], None]) -> None:
        """Hand over stanzas: `wanted` is asked for each. Before the login, anybody may have sent them."""
        self.register_handler(_Taker(name, lambda stanza: self.authenticated and wanted(stanza), take))

    def send_element(self, element: ET.Element) -> None:
        """Send an `<iq/>`, exactly as it is."""
        stanza = RawIq(self, ET.Element(f"{CLIENT}iq", dict(element.attrib)))
        stanza.raw = write(element, in_stream=True)
        self.send(stanza)

    def send(self, data: Any, use_filters: bool = True) -> None:
        """What XEP-0198 sends again must be the same text."""
        super().send(data.raw if isinstance(data, RawIq) and not use_filters else data, use_filters)

    def send_raw(self, data: str | bytes) -> None:
        """What cannot be sent any more is dropped: XEP-0198 repeats it, or requests.py finds it lost."""
        if self.transport is not None and not self.transport.is_closing():
            super().send_raw(data)

    def abort(self) -> None:
        """Close the connection at once.

        In the first releases of Python 3.11 (Debian 12 has 3.11.2) a TLS transport that is closing already has
        lost its protocol and fails here; there is nothing left to close then.
        """
        with contextlib.suppress(AttributeError):
            super().abort()

    async def drop(self) -> None:
        """End the connection, or the attempt to make one, and return when asyncio has let go of it.

        asyncio tells a loss some turns of its loop later, and an attempt that is cancelled in the turn in which its
        socket was connected makes a connection all the same: told during the next attempt, either would end that.
        """
        attempt = self._current_connection_attempt
        self.cancel_connection_attempt()
        if attempt is not None:
            await asyncio.wait({attempt}, timeout=LETTING_GO)
        self.abort()
        if self.transport is not None:
            await asyncio.wait({self.disconnected}, timeout=LETTING_GO)
        if self.transport is not None:
            self.connection_lost(None)

    def close(self) -> None:
        """End the connection, and what slixmpp leaves running when there is none."""
        self.abort()
        if self._run_out_filters is not None:
            self._run_out_filters.cancel()

    # -- what comes in ---------------------------------------------------------------------------

    def init_parser(self) -> None:
        """A new stream: on a new connection, and after STARTTLS and SASL on the same one.

        What came before and was not worked off belongs to the old one: after STARTTLS it may be anybody's.
        """
        self.parser: Stanzas | None = Stanzas(self._max_stanza, self._max_item)
        self._forget_rest()

    def data_received(self, data: bytes) -> None:
        """Work off what comes, in turn with everybody else; meanwhile nothing more is read.

        Nothing of it is logged: it is other people's.
        """
        if self.parser is not None:
            self.received += len(data)
            self._rest += data
            if self._work_later is None:
                self._work()

    def connection_lost(self, exception: BaseException | None) -> None:
        """What was not worked off comes again when the stream is resumed, and not at all if it is not."""
        self._forget_rest()
        if self._negotiation is not None:
            self._negotiation.cancel()
        super().connection_lost(exception)

    def _work(self) -> None:
        self._work_later = None
        end = time.perf_counter() + SLICE
        parser = self.parser
        while parser is not None and self.parser is parser:
            if self._found:
                self._take_up(self._found.popleft())
            elif self._is_worth_parsing():
                piece, self._rest = self._rest[:PIECE], self._rest[PIECE:]
                try:
                    self._found.extend(parser.feed(piece))
                except TooMuch as error:
                    self._refuse(parser, str(error))
            else:
                break
            if time.perf_counter() >= end:
                self._read_on(wanted=False)
                self._work_later = self.loop.call_soon(self._work)
                return
        self._read_on(wanted=True)

    def _is_worth_parsing(self) -> bool:
        """A tag that comes in small packets is not scanned anew with each of them (CVE-2023-52425)."""
        return len(self._rest) >= PIECE or b">" in self._rest

    def _read_on(self, *, wanted: bool) -> None:
        if wanted is self._paused and self.transport is not None:
            self._paused = not wanted
            (self.transport.resume_reading if wanted else self.transport.pause_reading)()

    def _forget_rest(self) -> None:
        self._rest = b""
        self._found.clear()
        if self._work_later is not None:
            self._work_later.cancel()
            self._work_later = None
        self._read_on(wanted=True)

    def _take_up(self, found: Found) -> None:
        if found.part is Part.OPENED:
            self.xml_root = found.element
            self.start_stream_handler(found.element)
        elif found.part is Part.CLOSED:
            self.disconnect_reason = "the server closed the stream"
            self.abort()
        elif self._is_late(found.element.tag):
            self.dropped("login")  # slixmpp would begin it anew, in the midst of the session
        else:
            if found.part is Part.REFUSED:
                log.warning("%s: a stanza was not taken: %s", self.boundjid.bare, found.why)
                self.refused(found.element)
            try:
                self._spawn_event(found.element)
            except Exception as error:  # noqa: BLE001 (slixmpp raises what it likes: for a JID that it does not know, say)
                log.warning("%s: a stanza could not be handled: %s", self.boundjid.bare, type(error).__name__)
                self.refused(found.element)

    def _build_stanza(self, xml: ET.Element, default_ns: str | None = None) -> Any:
        """slixmpp's objects are for slixmpp's own handlers, which need nothing that is long; ours take the elements."""
        if len(xml) < KNOWN and not any(_is_long(child) for child in xml):
            return super()._build_stanza(xml, default_ns)
        shown = ET.Element(xml.tag, xml.attrib)
        shown.extend(ET.Element(each.tag, each.attrib) if _is_long(each) else each for each in xml[:KNOWN])
        stanza = super()._build_stanza(shown, default_ns)
        stanza.xml = xml
        return stanza

    def _is_late(self, tag: str) -> bool:
        """Whether it belongs to a login that is over; features are shown once more before a resource is bound."""
        if tag == FEATURES:
            return bool(self.features & {"bind", "stream_management"})
        return self.authenticated and tag.startswith(LOGIN)

    def _refuse(self, parser: Stanzas, why: str) -> None:
        """End the connection and its session: a resumed one would bring the same again."""
        log.error("%s: the connection is closed: %s", self.boundjid.bare, why)
        self.parser = None  # nothing more of this connection is read
        self.overrun = True
        self.end_session_on_disconnect = True
        self.disconnect_reason = why
        if open_one := parser.unfinished(why):
            self._take_up(open_one)
        self.abort()

    # -- logging in ------------------------------------------------------------------------------

    async def trust(self) -> None:
        """Trust whom the system trusts, from the first time on; a thread reads its list, for a tenth of a second."""
        if not self._trusting:
            self.ssl_context, self._trusting = await asyncio.to_thread(ssl.create_default_context), True

    async def start_tls(self) -> bool:
        """Encrypt (RFC 6120 5.4.3.3).

        A connection that is lost in the handshake is lost to asyncio alone, which tells the protocol nothing, and
        slixmpp waits for that word; so it is said here.
        """
        plain = self.transport
        try:
            handshake = self.loop.start_tls(plain, self, self.get_ssl_context(), server_hostname=self.default_domain)
            self._current_connection_attempt = asyncio.ensure_future(handshake)  # `abort` cancels it
            transport = await self._current_connection_attempt
        except OSError as error:
            trouble: OSError | None = error
        except asyncio.CancelledError:
            trouble = None
        else:
            if transport is not None and self.transport is plain:
                self.connection_made(transport, send_event=False)
                return True
            trouble = ConnectionResetError("the connection was lost in the TLS handshake")
        if self.transport is plain:
            plain.abort()
            self.connection_lost(trouble)
        return False

    async def _handle_stream_features(self, features: Any) -> bool | None:
        """What waits for the server's next word ends with the connection, or it would log in on the next one too."""
        mine = self._negotiation = asyncio.current_task()
        try:
            done: bool | None = await super()._handle_stream_features(features)
            return done
        finally:
            if self._negotiation is mine:
                self._negotiation = None

    @staticmethod
    def _as_text(stanza: Any) -> Any:
        return stanza.raw if isinstance(stanza, RawIq) else stanza


def _is_long(child: ET.Element) -> bool:
    return child.tag != ROSTER and next(islice(child.iter(), KNOWN, None), None) is not None


def sendable(stanza: ET.Element) -> bool:
    """Whether XML can hold this at all; a server ends the stream of who sends it nevertheless."""
    return not any(
        _NO_XML.search(text)
        for element in stanza.iter()
        for text in (element.text, element.tail, *element.attrib.values())
        if text
    )

# SPDX-License-Identifier: MIT
"""slixmpp's client with what it lacks: limits on what comes in, fidelity in what goes out.

slixmpp's serialiser drops attributes of namespaces that it does not know, so our stanzas are serialised by
ElementTree and pass through its queue (and its XEP-0198 counters) as they are. What comes in is handed over
as elements, synchronously, in the order of the stream.
"""

import contextlib
import copy
import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from slixmpp import ClientXMPP
from slixmpp.stanza import Iq
from slixmpp.xmlstream.handler.base import BaseHandler
from slixmpp.xmlstream.matcher.base import MatcherBase

log = logging.getLogger(__name__)

CLIENT = "{jabber:client}"
MAX_STANZA = 128 * 1024 * 1024
"""Bytes without a complete stanza; a node of a service that does not page comes as one stanza."""
MAX_TOKEN = 8 * 1024 * 1024
"""Bytes without a complete tag: expat before 2.6 scans an unfinished tag anew with each packet."""
MAX_PROLOG = 1024
_PROLOG = re.compile(rb"\s*(<\?xml\s[^<>]*\?>\s*)?<[A-Za-z_]")
"""What may stand before the stream's root element (RFC 6120 11.4, 11.5); behind it, expat refuses a DTD itself."""
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that no XML document can hold (XML 1.0 2.2)."""


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
    ) -> None:
        super().__init__(jid, password)
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
        self._prolog: bytes | None = b""
        self._since_stanza = self._since_token = 0
        self.add_filter("out_sce", self._as_text)  # after XEP-0198 counted it

    def take(self, name: str, wanted: Callable[[ET.Element], bool], take: Callable[[ET.Element], None]) -> None:
        """Hand over stanzas: `wanted` is asked for each."""
        self.register_handler(_Taker(name, wanted, take))

    def send_element(self, element: ET.Element) -> None:
        """Send an `<iq/>`, exactly as it is."""
        stanza = RawIq(self, ET.Element(f"{CLIENT}iq", dict(element.attrib)))
        stanza.raw = to_wire(element)
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

    # -- what comes in ---------------------------------------------------------------------------

    def init_parser(self) -> None:
        """A new stream: on a new connection, and after STARTTLS and SASL on the same one."""
        super().init_parser()
        self._prolog = b""
        self._since_stanza = self._since_token = 0

    def data_received(self, data: bytes) -> None:
        """Feed the parser, as slixmpp does, but refuse what XMPP forbids (RFC 6120 11.1) and what no service needs.

        Nothing of what came is logged: it is other people's.
        """
        if self.parser is None:
            return
        self.received += len(data)
        if self._prolog is not None:
            self._prolog = data = self._prolog + data
            if not _PROLOG.match(data):
                if b"<!" in data or len(data) > MAX_PROLOG:
                    self._refuse("something else than an XMPP stream came from the server")
                return
            self._prolog = None
        self._since_stanza += len(data)
        self._since_token += len(data)
        self.parser.feed(data)
        try:
            for event, element in self.parser.read_events():
                self._since_token = 0
                if event == "start":
                    if self.xml_depth == 0:
                        self.xml_root = element
                        self.start_stream_handler(element)
                    self.xml_depth += 1
                    continue
                self.xml_depth -= 1
                if self.xml_depth == 1:
                    self._since_stanza = 0
                    self._spawn_event(element)
                    if self.xml_root is not None:
                        self.xml_root.clear()
                elif self.xml_depth == 0:
                    self.disconnect_reason = "the server closed the stream"
                    self.abort()
                    return
        except ET.ParseError as error:
            self._refuse(f"the server sent malformed XML: {error}")
        if self._since_stanza > MAX_STANZA or self._since_token > MAX_TOKEN:
            self._refuse(f"a stanza of more than {MAX_STANZA} bytes, or a tag of more than {MAX_TOKEN}, came")

    def _refuse(self, words: str) -> None:
        log.error("%s: %s; the connection is closed", self.boundjid.bare, words)
        self.parser = None  # nothing more of this connection is read
        self.disconnect_reason = words
        self.abort()

    @staticmethod
    def _as_text(stanza: Any) -> Any:
        return stanza.raw if isinstance(stanza, RawIq) else stanza


def to_wire(stanza: ET.Element) -> str:
    """Serialise a stanza for a stream whose default namespace is jabber:client.

    The stanza itself has no prefix (RFC 6120 4.8.5), so its element is given without namespace; elements of a
    payload that have none say so, or they would fall into the stream's.
    """
    if any(not element.tag.startswith("{") for child in stanza for element in child.iter()):
        stanza = copy.deepcopy(stanza)
        for parent in [each for child in stanza for each in child.iter()]:
            for element in parent:
                if parent.tag.startswith("{") and not element.tag.startswith("{"):
                    element.set("xmlns", "")
    return ET.tostring(stanza, encoding="unicode").replace("\r", "&#13;")


def sendable(stanza: ET.Element) -> bool:
    """Whether XML can hold this at all; a server ends the stream of who sends it nevertheless."""
    return not any(
        _NO_XML.search(text)
        for element in stanza.iter()
        for text in (element.text, element.tail, *element.attrib.values())
        if text
    )

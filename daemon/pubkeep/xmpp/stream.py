# SPDX-License-Identifier: MIT
"""slixmpp's client with what it lacks: limits on what comes in, fidelity in what goes out.

slixmpp's serialiser drops attributes of namespaces that it does not know, so our stanzas are serialised by
ElementTree and pass through its queue (and its XEP-0198 counters) as they are. What comes in is handed over
as elements, synchronously, in the order of the stream.
"""

import contextlib
import copy
import logging
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
        keepalive: tuple[float, float],
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
        interval, timeout = keepalive
        for name in ("xep_0030", "xep_0115", "xep_0198"):
            self.register_plugin(name)
        self.register_plugin("xep_0199", {"keepalive": True, "interval": interval, "timeout": timeout})
        self._bytes_since_stanza = 0
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

    def data_received(self, data: bytes | str) -> None:
        """Refuse what XMPP forbids (RFC 6120 11.1) and what no service needs, before it becomes a tree."""
        self._bytes_since_stanza += len(data)
        if self._bytes_since_stanza > MAX_STANZA or (isinstance(data, bytes) and b"<!DOCTYPE" in data):
            log.error(
                "the server sent what XMPP forbids, or a stanza over %d bytes; the connection is closed", MAX_STANZA
            )
            self.abort()
            return
        super().data_received(data)

    def abort(self) -> None:
        """Close the connection at once.

        In the first releases of Python 3.11 (Debian 12 has 3.11.2) a TLS transport that is closing already has
        lost its protocol and fails here; there is nothing left to close then.
        """
        with contextlib.suppress(AttributeError):
            super().abort()

    def _spawn_event(self, xml: ET.Element) -> None:
        self._bytes_since_stanza = 0
        super()._spawn_event(xml)

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

# SPDX-License-Identifier: MIT
"""What slixmpp is shown of what comes in, and how it logs in."""

from base64 import b64decode
from typing import Any
from xml.etree.ElementTree import Element

import pytest
from slixmpp.util.sasl.client import MECHANISMS
from slixmpp.util.sasl.mechanisms import SCRAM

from pubkeep.config import XmppSection
from pubkeep.xmpp.scram import Scram
from pubkeep.xmpp.stream import KNOWN, Stream
from tests.fixtures.flood import HEAD, Transport

ITEMS = "http://jabber.org/protocol/disco#items"


class Inside(Stream):
    """Notes the objects that slixmpp makes of stanzas."""

    built: list[Any]

    def _build_stanza(self, xml: Element, default_ns: str | None = None) -> Any:
        stanza = super()._build_stanza(xml, default_ns)
        self.built.append(stanza)
        return stanza


@pytest.fixture
async def stream() -> Inside:
    """A stream that is open and logged in."""
    settings = XmppSection()
    limits = {"max_stanza": settings.max_stanza, "max_item": settings.max_item}
    stream = Inside("alice@localhost/x", "secret", "required", ca_certs=None, has_address=True, **limits)
    stream.built = []
    stream.connection_made(Transport())
    stream.init_parser()
    stream.authenticated = True
    stream.data_received(HEAD)
    return stream


def received(stream: Inside, xml: str) -> Element:
    """Have it work off a stanza; what our own handlers are given."""
    given: list[Element] = []
    stream.take("all", lambda _: True, given.append)
    stream.data_received(xml.encode())
    while (later := stream._work_later) is not None:  # instead of waiting for turns of the loop
        later.cancel()
        stream._work()
    (stanza,) = given
    return stanza


def listed(number: int) -> str:
    """An answer to disco#items."""
    items = "".join(f"<item jid='ext.localhost' name='{each}'/>" for each in range(number))
    return f"<iq type='result' id='1' from='ext.localhost'><query xmlns='{ITEMS}' node='n'>{items}</query></iq>"


def test_slixmpp_makes_no_objects_of_a_long_list_and_we_get_all_of_it(stream: Inside) -> None:
    stanza = received(stream, listed(10_000))

    assert len(stanza[0]) == 10_000
    (built,) = stream.built
    assert built.xml is stanza
    assert (built["type"], built["id"]) == ("result", "1")
    assert [(each.name, len(each.iterables)) for each in built.plugins.values()] == [("query", 0)]


def test_slixmpp_is_shown_a_short_one(stream: Inside) -> None:
    received(stream, listed(3))

    assert [(each.name, len(each.iterables)) for each in stream.built[0].plugins.values()] == [("query", 3)]


def test_a_stanza_of_very_many_children_is_shown_in_part(stream: Inside) -> None:
    forms = "<x xmlns='jabber:x:data'/>" * 10_000

    stanza = received(stream, f"<message from='mallory@localhost'>{forms}</message>")

    assert len(stanza) == 10_000
    assert len(stream.built[0].iterables) <= KNOWN


@pytest.mark.parametrize("algorithm", ["SHA-1", "SHA-256", "SHA-512"])
def test_passwords_are_salted_as_the_rfc_says(algorithm: str) -> None:
    settings = {"encrypted": True, "binding_proposed": False}
    name, credentials = f"SCRAM-{algorithm}", {"channel_binding": b""}
    given = "pencil", b64decode("QSXCR+Q6sek8bf92"), 4096  # RFC 5802 5

    salted = Scram(name, credentials, settings).Hi(*given)

    assert salted == SCRAM(name, credentials, settings).Hi(*given)
    assert MECHANISMS[f"SCRAM-{algorithm}"] is Scram

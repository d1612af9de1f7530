# SPDX-License-Identifier: MIT
"""One reader for all kinds of <event/>: the notifications of XEP-0060, as its examples write them."""

from dataclasses import replace
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from pubkeep.model import NodeKey
from pubkeep.protocol import EventKind, NodeEvent
from pubkeep.xmpp.events import flaw, is_event, read

KEY = NodeKey("francisco@denmark.lit", "pubsub.shakespeare.lit", "princely_musings")
EVENT = "http://jabber.org/protocol/pubsub#event"
FORM = (
    "<x xmlns='jabber:x:data' type='result'><field var='FORM_TYPE' type='hidden'>"
    "<value>http://jabber.org/protocol/pubsub#node_config</value></field>"
    "<field var='pubsub#title'><value>Princely Musings (Atom)</value></field></x>"
)
ATOM = "http://www.w3.org/2005/Atom"
ENTRY = f"<entry xmlns='{ATOM}'><title>Soliloquy</title></entry>"
FROM = "from='pubsub.shakespeare.lit'"


def message(inner: str, attributes: str = FROM, beside: str = "") -> ET.Element:
    return ET.fromstring(
        f"<message xmlns='jabber:client' to='francisco@denmark.lit/barracks' {attributes}>"
        f"<event xmlns='{EVENT}'>{inner}</event>{beside}</message>"
    )


def events(inner: str, attributes: str = FROM, beside: str = "") -> list[NodeEvent]:
    return read(message(inner, attributes, beside), KEY.account, 5.0)


def said(event: NodeEvent) -> dict[str, Any]:
    """What differs from an event that says nothing."""
    nothing = NodeEvent(KEY, EventKind.ITEMS, 5.0)
    ids = [item.id for item in event.items]
    bare = replace(event, items=())
    fields = ("node", "kind", "retracted", "delayed", "subscription", "redirect", "collection")
    differs = {name: getattr(bare, name) for name in fields if getattr(bare, name) != getattr(nothing, name)}
    return differs | ({"items": ids} if ids else {})


@pytest.mark.parametrize(
    ("inner", "expected"),
    [
        # 7.1.2.1 with payload, 7.1.2.2 without, 6.5 with publisher; several at once
        (f"<items node='princely_musings'><item id='ae890'>{ENTRY}</item></items>", [{"items": ["ae890"]}]),
        ("<items node='princely_musings'><item id='ae890'/></items>", [{"items": ["ae890"]}]),
        (f"<items node='princely_musings'><item id='a'>{ENTRY}</item><item id='b'/></items>", [{"items": ["a", "b"]}]),
        # 7.2.2 retracts, and both in one
        ("<items node='princely_musings'><retract id='ae890'/></items>", [{"retracted": ("ae890",)}]),
        ("<items node='princely_musings'><retract id='a'/><retract id='b'/></items>", [{"retracted": ("a", "b")}]),
        (
            "<items node='princely_musings'><item id='a'/><retract id='b'/></items>",
            [{"items": ["a"], "retracted": ("b",)}],
        ),
        # no item, one without id, one that is unknown: something happened that cannot be named
        ("<items node='princely_musings'/>", [{"kind": EventKind.UNKNOWN}]),
        ("<items node='princely_musings'><item/></items>", [{"kind": EventKind.UNKNOWN}]),
        (
            "<items node='princely_musings'><item id='a'/><retract/></items>",
            [{"items": ["a"]}, {"kind": EventKind.UNKNOWN}],
        ),
        (
            "<items node='princely_musings'><item id='a'/><wonder xmlns='urn:x'/></items>",
            [{"items": ["a"]}, {"kind": EventKind.UNKNOWN}],
        ),
        # 8.5.2, 8.4.2 with and without redirect
        ("<purge node='princely_musings'/>", [{"kind": EventKind.PURGE}]),
        ("<delete node='princely_musings'/>", [{"kind": EventKind.DELETE}]),
        (
            "<delete node='princely_musings'><redirect uri='xmpp:hamlet@denmark.lit?;node=blog'/></delete>",
            [{"kind": EventKind.DELETE, "redirect": "xmpp:hamlet@denmark.lit?;node=blog"}],
        ),
        # 8.2.5 with and without form
        (
            f"<configuration node='princely_musings'>{FORM}</configuration>",
            [{"kind": EventKind.CONFIGURATION}],
        ),
        ("<configuration node='princely_musings'/>", [{"kind": EventKind.CONFIGURATION}]),
        # 6.1.7, 8.8.4
        (
            "<subscription node='princely_musings' jid='francisco@denmark.lit' subscription='subscribed'/>",
            [{"kind": EventKind.SUBSCRIPTION, "subscription": "subscribed"}],
        ),
        (
            "<subscription node='princely_musings' jid='francisco@denmark.lit' subscription='none'/>",
            [{"kind": EventKind.SUBSCRIPTION, "subscription": "none"}],
        ),
        # XEP-0248 7.1, 7.2
        (
            "<collection node='princely_musings'><associate node='other'/></collection>",
            [{"kind": EventKind.COLLECTION}],
        ),
        (
            "<collection node='princely_musings'><disassociate node='other'/></collection>",
            [{"kind": EventKind.COLLECTION}],
        ),
        # what nobody has thought of yet
        ("<wonder node='princely_musings'/>", [{"kind": EventKind.UNKNOWN}]),
        ("<wonder xmlns='urn:x' node='princely_musings'/>", [{"kind": EventKind.UNKNOWN}]),
        ("<purge xmlns='urn:x' node='princely_musings'/>", [{"kind": EventKind.UNKNOWN}]),
        # several in one event; without a node nobody knows what it is about
        (
            "<purge node='princely_musings'/><items node='princely_musings'><item id='a'/></items>",
            [{"kind": EventKind.PURGE}, {"items": ["a"]}],
        ),
        ("<items><item id='a'/></items>", []),
        ("<purge/>", []),
        ("", []),
    ],
)
def test_an_event_says(inner: str, expected: list[dict[str, Any]]) -> None:
    assert [said(event) for event in events(inner)] == expected


def test_an_item_has_its_publisher_and_its_payload() -> None:
    (event,) = events(
        f"<items node='princely_musings'><item id='a' publisher='hamlet@denmark.lit'>{ENTRY}</item></items>"
    )

    (item,) = event.items
    assert (item.publisher, item.element[0].tag, event.at) == ("hamlet@denmark.lit", f"{{{ATOM}}}entry", 5.0)


@pytest.mark.parametrize("inner", ["<items node='x'><item id='a'/></items>", "<purge node='x'/>", "<delete node='x'/>"])
def test_a_delayed_event_is_marked(inner: str) -> None:
    (event,) = events(inner, beside="<delay xmlns='urn:xmpp:delay' stamp='2003-12-13T23:58:37Z'/>")

    assert event.delayed


@pytest.mark.parametrize(
    ("stamp", "said_at"),
    [
        pytest.param("stamp='2003-12-13T23:58:37Z'", 1071359917_000000, id="UTC"),
        pytest.param("stamp='2003-12-14T01:58:37.5+02:00'", 1071359917_500000, id="another zone"),
        pytest.param("stamp='2003-12-13T23:58:37'", 1071359917_000000, id="without zone"),
        pytest.param("stamp='0001-01-01T00:00:00+14:00'", -62135647200_000000, id="the earliest"),
        pytest.param("stamp='yesterday'", 0, id="no moment"),
        pytest.param("", 0, id="none"),
    ],
)
def test_the_moment_of_a_delayed_event_is_that_of_its_stamp(stamp: str, said_at: int) -> None:
    (event,) = events(ITEM, beside=f"<delay xmlns='urn:xmpp:delay' {stamp}/>")

    assert (event.delayed, event.said_at) == (True, said_at)


def test_the_collection_that_brought_an_event_is_named() -> None:
    header = "<headers xmlns='http://jabber.org/protocol/shim'><header name='Collection'>blogs</header></headers>"

    (event,) = events("<items node='princely_musings'><item id='a'/></items>", beside=header)

    assert said(event) == {"items": ["a"], "collection": "blogs"}


ITEM = "<items node='princely_musings'><item id='a'/></items>"
INNER = f"<message xmlns='jabber:client' {FROM}><event xmlns='{EVENT}'>{ITEM}</event></message>"
FORWARDED = f"<forwarded xmlns='urn:xmpp:forward:0'>{INNER}</forwarded>"


@pytest.mark.parametrize(
    ("stanza", "why"),
    [
        (message(ITEM, f"{FROM} type='error'"), "error"),
        (message(ITEM, "from='room@muc.shakespeare.lit/hamlet'"), "sender"),
        (message(ITEM, "from='pubsub.shakespeare.lit/x'"), "sender"),
        *(
            (
                ET.fromstring(f"<message xmlns='jabber:client' from='francisco@denmark.lit'>{wrapped}</message>"),
                "wrapped",
            )
            for wrapped in (
                FORWARDED,
                f"<received xmlns='urn:xmpp:carbons:2'>{FORWARDED}</received>",
                f"<sent xmlns='urn:xmpp:carbons:2'>{FORWARDED}</sent>",
                f"<result xmlns='urn:xmpp:mam:2'>{FORWARDED}</result>",
            )
        ),
    ],
)
def test_what_no_service_can_have_sent_is_an_event_that_says_nothing(stanza: ET.Element, why: str) -> None:
    assert is_event(stanza)
    assert flaw(stanza) == why
    assert read(stanza, KEY.account, 5.0) == []


def test_an_event_in_an_iq_is_none() -> None:
    assert not is_event(ET.fromstring(f"<iq xmlns='jabber:client' {FROM}><event xmlns='{EVENT}'>{ITEM}</event></iq>"))
    assert not is_event(ET.fromstring("<message xmlns='jabber:client'><body>hello</body></message>"))


def test_without_a_sender_it_is_the_accounts_own_pep_and_the_case_of_a_sender_does_not_matter() -> None:
    (own,) = events(ITEM, attributes="")
    (shouted,) = events(ITEM, attributes="from='PubSub.Shakespeare.Lit'")

    assert own.node == KEY._replace(service=KEY.account)
    assert shouted.node == KEY

# SPDX-License-Identifier: MIT
"""One reader for all kinds of <event/>."""

from xml.etree import ElementTree as ET

from pubkeep.model import EventKind, NodeEvent, NodeKey
from pubkeep.xmpp.events import read

KEY = NodeKey("alice@localhost", "pubsub.localhost", "news")


def events(inner: str, attributes: str = "from='pubsub.localhost'", beside: str = "") -> list[NodeEvent]:
    xml = (
        f"<message xmlns='jabber:client' to='alice@localhost/x' {attributes}>"
        f"<event xmlns='http://jabber.org/protocol/pubsub#event'>{inner}</event>{beside}</message>"
    )
    return read(ET.fromstring(xml), "alice@localhost", 5.0)


def test_several_items_and_retracts_are_one_event() -> None:
    (event,) = events("<items node='news'><item id='a'><x xmlns='u'/></item><item id='b'/><retract id='c'/></items>")

    assert (event.node, event.kind, event.at) == (KEY, EventKind.ITEMS, 5.0)
    assert [item.id for item in event.items] == ["a", "b"]
    assert event.retracted == ("c",)
    assert not event.delayed


def test_a_delayed_event_is_a_hint() -> None:
    (event,) = events("<items node='news'/>", beside="<delay xmlns='urn:xmpp:delay' stamp='x'/>")

    assert event.delayed


def test_purge_delete_configuration_and_subscription() -> None:
    kinds = {
        "<purge node='news'/>": EventKind.PURGE,
        "<delete node='news'/>": EventKind.DELETE,
        "<configuration node='news'/>": EventKind.CONFIGURATION,
        "<subscription node='news' subscription='none'/>": EventKind.SUBSCRIPTION,
        "<wonder node='news'/>": EventKind.UNKNOWN,
    }

    assert {inner: events(inner)[0].kind for inner in kinds} == kinds
    assert events("<subscription node='news' subscription='none'/>")[0].subscription == "none"


def test_a_redirect_is_read_and_a_collection_named() -> None:
    (event,) = events("<delete node='news'><redirect uri='xmpp:x?;node=y'/></delete>")
    header = "<headers xmlns='http://jabber.org/protocol/shim'><header name='Collection'>blogs</header></headers>"

    assert event.redirect == "xmpp:x?;node=y"
    assert events("<items node='news'/>", beside=header)[0].collection == "blogs"


def test_errors_and_events_inside_something_else_are_dropped() -> None:
    carbon = (
        "<message xmlns='jabber:client' from='alice@localhost'><received xmlns='urn:xmpp:carbons:2'>"
        "<forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client' from='pubsub.localhost'>"
        "<event xmlns='http://jabber.org/protocol/pubsub#event'><items node='news'/></event></message></forwarded>"
        "</received></message>"
    )

    assert events("<items node='news'/>", "from='pubsub.localhost' type='error'") == []
    assert read(ET.fromstring(carbon), "alice@localhost", 0.0) == []
    assert events("<items/>") == []


def test_without_a_sender_it_is_the_accounts_own_pep() -> None:
    (event,) = events("<items node='news'/>", attributes="")

    assert event.node == NodeKey("alice@localhost", "alice@localhost", "news")

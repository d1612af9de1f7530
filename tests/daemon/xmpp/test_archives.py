# SPDX-License-Identifier: MIT
"""What comes for a query of a node's archive, and what does not belong to it."""

from xml.etree import ElementTree as ET

from pubkeep.model import NodeKey
from pubkeep.xmpp.archives import Archives, Query

KEY = NodeKey("alice@localhost", "pubsub.localhost", "news")
MAM, RSM = "urn:xmpp:mam:2", "http://jabber.org/protocol/rsm"
FIN = f"<iq><fin xmlns='{MAM}' complete='true'><set xmlns='{RSM}'><first>7</first></set></fin></iq>"


def result(
    query: Query, *, sender: str = KEY.service, node: str = "news", name: str = "", stamp: str = ""
) -> ET.Element:
    """A result with the item x."""
    item = "<item id='x' publisher='bob@localhost'><entry xmlns='urn:test'/></item>"
    event = f"<event xmlns='http://jabber.org/protocol/pubsub#event'><items node='{node}'>{item}</items></event>"
    return ET.fromstring(
        f"<message xmlns='jabber:client' from='{sender}'>"
        f"<result xmlns='{MAM}' queryid='{name or query.element.get('queryid')}' id='1'>"
        "<forwarded xmlns='urn:xmpp:forward:0'>"
        f"<delay xmlns='urn:xmpp:delay' stamp='{stamp or '1970-01-01T00:00:02Z'}'/>"
        f"<message xmlns='jabber:client'>{event}</message></forwarded></result></message>"
    )


def test_the_last_publications_of_a_node_are_asked_for() -> None:
    with Archives().query(KEY, 50, "") as query:
        assert ET.canonicalize(ET.tostring(query.element, encoding="unicode"), rewrite_prefixes=True) == (
            ET.canonicalize(
                f"<query xmlns='{MAM}' node='news' queryid='archive1'>"
                f"<set xmlns='{RSM}'><max>50</max><before/></set></query>",
                rewrite_prefixes=True,
            )
        )


def test_results_of_a_query_are_its_own_and_stand_with_their_dates() -> None:
    archives = Archives()
    with archives.query(KEY, 50, "") as query:
        assert archives.take(result(query))
        page = query.page(ET.fromstring(FIN))

    ((at, item),) = page.published
    assert (at, item.id, item.publisher) == (2_000_000, "x", "bob@localhost")
    assert (page.first, page.begins) == ("7", True)


def test_results_of_others_are_none() -> None:
    archives = Archives()
    with archives.query(KEY, 50, "") as query:
        assert not archives.take(result(query, sender="mallory@localhost"))
        assert not archives.take(result(query, name="archive2"))
        assert archives.take(result(query, node="other"))
        page = query.page(ET.fromstring(FIN))
    late = archives.take(result(query))

    assert page.published == ()
    assert not late


def test_a_date_that_is_none_is_unknown_and_an_answer_without_an_end_is_nothing() -> None:
    archives = Archives()
    with archives.query(KEY, 50, "") as query:
        archives.take(result(query, stamp="yesterday"))
        page = query.page(ET.fromstring(FIN))
        nothing = query.page(ET.fromstring("<iq/>"))

    assert [at for at, _ in page.published] == [0]
    assert (nothing.published, nothing.begins) == ((), False)

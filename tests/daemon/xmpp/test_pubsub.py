# SPDX-License-Identifier: MIT
"""What is sent for each request, and what is read in the answer."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from typing import TypeVar
from xml.etree import ElementTree as ET

import pytest

from pubkeep.clock import Clock
from pubkeep.errors import NotSupported, Refused, Unavailable
from pubkeep.model import NodeKey
from pubkeep.protocol import Confirmation, DiscoItem, ItemsQuery, Listing, OrderBy, Subscription
from pubkeep.xmpp.inbox import Inbox
from pubkeep.xmpp.pubsub import PubSub
from pubkeep.xmpp.requests import Requests

T = TypeVar("T")

KEY = NodeKey("alice@localhost", "pubsub.localhost", "news")
OWNER, PUBSUB = "http://jabber.org/protocol/pubsub#owner", "http://jabber.org/protocol/pubsub"
ITEMS, RSM = "http://jabber.org/protocol/disco#items", "http://jabber.org/protocol/rsm"


class Path:
    """Nobody wants to know."""

    def answered(self, account: str, service: str, sent_at: float) -> None: ...

    def path_lost(self, account: str, service: str) -> None: ...


class Service:
    """Answers each request with the next of these; keeps the payloads it got."""

    def __init__(self) -> None:
        self.inbox = Inbox()
        self.got: list[ET.Element] = []
        self._answers: list[str] = []
        self._requests = Requests(self._send, Clock(), 20.0)
        self._requests.session_started()
        self.client = PubSub(KEY.account, f"{KEY.account}/pk", self._requests, self.inbox, Path())

    async def answering(self, work: Awaitable[T], *answers: str) -> T:
        self._answers = list(answers)
        return await work

    def _send(self, iq: ET.Element) -> None:
        self.got.append(iq[0])
        answer = self._answers.pop(0)
        kind = "error" if answer.startswith("<error") else "result"
        head = f"xmlns='jabber:client' id='{iq.get('id')}' from='{iq.get('to')}' type='{kind}'"
        asyncio.get_running_loop().call_soon(self._requests.take, ET.fromstring(f"<iq {head}>{answer}</iq>"))


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    """A service for one account."""
    service = Service()
    yield service
    await service.inbox.close()


def canonical(element: ET.Element | str) -> str:
    text = element if isinstance(element, str) else ET.tostring(element, encoding="unicode")
    return ET.canonicalize(text, rewrite_prefixes=True)


async def test_a_purge_is_confirmed_in_the_inbox_of_the_node(service: Service) -> None:
    async def apply(confirmation: Confirmation) -> Confirmation:
        return confirmation

    confirmation = await service.answering(service.client.purge_node(KEY, apply), "")

    assert canonical(service.got[0]) == canonical(f"<pubsub xmlns='{OWNER}'><purge node='news'/></pubsub>")
    assert confirmation.ids == ()
    assert confirmation.sent_at <= confirmation.taken_at


async def test_the_configuration_is_read_and_only_what_is_given_is_sent(service: Service) -> None:
    form = (
        "<x xmlns='jabber:x:data' type='form'><field var='FORM_TYPE' type='hidden'>"
        f"<value>{PUBSUB}#node_config</value></field>"
        "<field var='pubsub#title' type='text-single'><value>News</value></field></x>"
    )
    configure = f"<pubsub xmlns='{OWNER}'><configure node='news'>{form}</configure></pubsub>"

    fields = await service.answering(service.client.configuration(KEY), configure)
    await service.answering(service.client.configure(KEY, {"pubsub#title": "Other"}), "")

    assert fields == {"pubsub#title": "News"}
    assert canonical(service.got[0]) == canonical(f"<pubsub xmlns='{OWNER}'><configure node='news'/></pubsub>")
    assert canonical(service.got[1]) == canonical(
        f"<pubsub xmlns='{OWNER}'><configure node='news'><x xmlns='jabber:x:data' type='submit'>"
        f"<field var='FORM_TYPE' type='hidden'><value>{PUBSUB}#node_config</value></field>"
        "<field var='pubsub#title'><value>Other</value></field></x></configure></pubsub>"
    )


async def test_a_service_without_a_configuration_form_has_no_fields(service: Service) -> None:
    answer = f"<pubsub xmlns='{OWNER}'><configure node='news'/></pubsub>"

    assert await service.answering(service.client.configuration(KEY), answer) == {}


async def test_affiliations_are_read_and_only_what_is_given_is_sent(service: Service) -> None:
    both = "<affiliation jid='a@x' affiliation='owner'/><affiliation jid='b@x' affiliation='outcast'/>"
    answer = f"<pubsub xmlns='{OWNER}'><affiliations node='news'>{both}</affiliations></pubsub>"

    found = await service.answering(service.client.affiliations(KEY), answer)
    await service.answering(service.client.set_affiliations(KEY, {"b@x": "none"}), "")

    assert found == {"a@x": "owner", "b@x": "outcast"}
    assert canonical(service.got[1]) == canonical(
        f"<pubsub xmlns='{OWNER}'><affiliations node='news'>"
        "<affiliation jid='b@x' affiliation='none'/></affiliations></pubsub>"
    )


async def test_subscriptions_of_all_our_programs_are_listed_and_ours_are_known(service: Service) -> None:
    listed = (
        "<subscription jid='alice@localhost/pk' subscription='subscribed' subid='1'/>"
        "<subscription jid='alice@localhost' subscription='pending'/>"
    )
    answer = f"<pubsub xmlns='{PUBSUB}'><subscriptions node='news'>{listed}</subscriptions></pubsub>"

    every = await service.answering(service.client.all_subscriptions(KEY), answer)
    ours = await service.answering(service.client.subscriptions(KEY), answer)

    assert every == (
        Subscription("news", "alice@localhost/pk", "subscribed", "1"),
        Subscription("news", "alice@localhost", "pending", ""),
    )
    assert ours == ("subscribed",)


async def test_subscriptions_at_a_service_name_their_nodes(service: Service) -> None:
    listed = "<subscription node='a' jid='alice@localhost' subscription='subscribed'/>"
    answer = f"<pubsub xmlns='{PUBSUB}'><subscriptions>{listed}</subscriptions></pubsub>"

    every = await service.answering(service.client.all_subscriptions(KEY._replace(node="")), answer)

    assert canonical(service.got[0]) == canonical(f"<pubsub xmlns='{PUBSUB}'><subscriptions/></pubsub>")
    assert every == (Subscription("a", "alice@localhost", "subscribed", ""),)


async def test_disco_tells_identities_features_and_the_meta_data_of_a_node(service: Service) -> None:
    answer = (
        "<query xmlns='http://jabber.org/protocol/disco#info' node='news'><identity category='pubsub' type='leaf'/>"
        f"<feature var='{PUBSUB}'/><x xmlns='jabber:x:data' type='result'>"
        f"<field var='FORM_TYPE' type='hidden'><value>{PUBSUB}#meta-data</value></field>"
        "<field var='pubsub#title' type='text-single'><value>News</value></field>"
        "<field var='pubsub#owner' type='jid-multi'><value>a@x</value><value>b@x</value></field></x>"
        "<x xmlns='jabber:x:data' type='result'><field var='FORM_TYPE'><value>urn:other</value></field>"
        "<field var='other'><value>1</value></field></x></query>"
    )

    info = await service.answering(service.client.info(KEY.service, "news"), answer)

    assert info.identities == (("pubsub", "leaf", ""),)
    assert info.features == {PUBSUB}
    assert info.metadata == {"pubsub#title": "News", "pubsub#owner": "a@x\nb@x"}
    assert info.fields == {"pubsub#title": "News", "pubsub#owner": ("a@x", "b@x")}


def page(*names: str, rsm: str = "") -> str:
    entries = "".join(f"<item jid='pubsub.localhost' name='{name}'/>" for name in names)
    return f"<query xmlns='{ITEMS}' node='news'>{entries}{f'<set xmlns={RSM!r}>{rsm}</set>' if rsm else ''}</query>"


async def test_what_is_listed_at_once_is_asked_for_once(service: Service) -> None:
    listed = await service.answering(service.client.disco_items(KEY.service, "news"), page("b", "a"))

    assert listed == (DiscoItem("pubsub.localhost", "", "b"), DiscoItem("pubsub.localhost", "", "a"))
    assert canonical(service.got[0]) == canonical(f"<query xmlns='{ITEMS}' node='news'/>")


async def test_pages_that_a_service_makes_unasked_are_followed(service: Service) -> None:
    first, second = (
        page("a", "b", rsm="<last>2</last><count>3</count>"),
        page("c", rsm="<last>3</last><count>3</count>"),
    )

    listed = await service.answering(service.client.disco_items(KEY.service, "news"), first, second)

    assert [each.name for each in listed] == ["a", "b", "c"]
    assert service.got[1].findtext(f"{{{RSM}}}set/{{{RSM}}}after") == "2"


async def test_pages_without_a_count_end_with_one_that_brings_nothing(service: Service) -> None:
    again = page("a", "b", rsm="<last>2</last>")

    listed = await service.answering(service.client.disco_items(KEY.service, "news"), again, again)

    assert [each.name for each in listed] == ["a", "b"]


async def test_others_run_while_very_many_are_read(service: Service) -> None:
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def apply(listing: Listing) -> tuple[str, ...]:
        return tuple(item.id for item in listing.items)

    names = [f"i{number}" for number in range(50_000)]
    items = "".join(f"<item id='{name}'/>" for name in names)
    answers = page(*names), f"<pubsub xmlns='{PUBSUB}'><items node='news'>{items}</items></pubsub>"
    running = asyncio.create_task(others())

    listed = await service.answering(service.client.disco_items(KEY.service, "news"), answers[0])
    before = turns
    read = await service.answering(service.client.items(KEY, ItemsQuery(), apply), answers[1])

    running.cancel()
    assert [each.name for each in listed] == list(read) == names
    assert before > 5
    assert turns - before > 5


async def test_a_service_that_does_not_go_on_is_not_believed_to_have_listed_all(service: Service) -> None:
    cut = page("a", "b", rsm="<last>2</last><count>9</count>")

    with pytest.raises(NotSupported, match="lists 2 of 9"):
        await service.answering(service.client.disco_items(KEY.service, "news"), cut, cut)


async def test_a_limit_that_a_write_exceeds_is_a_refusal_and_of_a_read_it_is_the_moment(service: Service) -> None:
    error = (
        "<error type='wait'><resource-constraint xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"
        "<text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>Unknown field pubsub#max_items</text></error>"
    )

    async def apply(confirmation: Confirmation) -> None: ...

    options = {"pubsub#max_items": "max"}
    with pytest.raises(Refused, match=r"^resource-constraint: news at .*: Unknown field pubsub#max_items"):
        await service.answering(service.client.publish(KEY, "x", "<a/>", options, apply), error)
    with pytest.raises(Unavailable):
        await service.answering(service.client.configuration(KEY), error)


@pytest.mark.parametrize(("version", "newest_first"), [("0", ""), ("1", " desc='true'")])
async def test_the_newest_first_is_asked_for_in_both_versions(
    service: Service, version: str, newest_first: str
) -> None:
    async def apply(listing: Listing) -> None: ...

    query = ItemsQuery(rsm_max=3, rsm_before="", order=OrderBy("modification", "1" if version == "1" else "0"))
    await service.answering(service.client.items(KEY, query, apply), "")

    assert canonical(service.got[0]) == canonical(
        f"<pubsub xmlns='{PUBSUB}'><items node='news'/><set xmlns='{RSM}'><max>3</max><before/></set>"
        f"<order xmlns='urn:xmpp:order-by:{version}' field='modification'{newest_first}/></pubsub>"
    )


SUBID_REQUIRED = (
    "<error type='modify'><bad-request xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"
    f"<subid-required xmlns='{PUBSUB}#errors'/></error>"
)


def subscriptions(*subscriptions: tuple[str, str, str]) -> str:
    """A list of these: the JID, the state, the subid."""
    listed = "".join(f"<subscription jid='{j}' subscription='{s}' subid='{i}'/>" for j, s, i in subscriptions)
    return f"<pubsub xmlns='{PUBSUB}'><subscriptions node='news'>{listed}</subscriptions></pubsub>"


async def ids(service: Service, *answers: str) -> list[str]:
    """The ids that a request for items brings."""

    async def apply(listing: Listing) -> list[str]:
        return [item.id for item in listing.items]

    return await service.answering(service.client.items(KEY, ItemsQuery(), apply), *answers)


async def test_a_service_that_wants_a_subid_gets_ours(service: Service) -> None:
    ours = "alice@localhost/pk"
    listed = subscriptions(
        (ours, "pending", "1"), ("alice@localhost/other", "subscribed", "2"), (ours, "subscribed", "3")
    )
    items = f"<pubsub xmlns='{PUBSUB}'><items node='news'><item id='a'/></items></pubsub>"

    shown = await ids(service, SUBID_REQUIRED, listed, items)

    assert shown == ["a"]
    assert [each[0].attrib for each in service.got] == [
        {"node": "news"},
        {"node": "news"},
        {"node": "news", "subid": "3"},
    ]


async def test_who_has_no_subid_is_refused(service: Service) -> None:
    listed = subscriptions(("alice@localhost/other", "subscribed", "2"))

    with pytest.raises(Refused, match="subid-required"):
        await ids(service, SUBID_REQUIRED, listed)

    assert len(service.got) == 2


async def test_a_subid_that_does_not_help_is_given_once(service: Service) -> None:
    listed = subscriptions(("alice@localhost/pk", "subscribed", "3"))

    with pytest.raises(Refused, match="subid-required"):
        await ids(service, SUBID_REQUIRED, listed, SUBID_REQUIRED)

    assert len(service.got) == 3

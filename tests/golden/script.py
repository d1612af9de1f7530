# SPDX-License-Identifier: MIT
"""What is said to each service, step by step.

bob owns the nodes, alice publishes too, carol reads and is subscribed. Each step is one IQ (or presence) of one
of them; its words are the id of the IQ and stand nowhere twice.
"""

from dataclasses import dataclass

from tests.golden.requests import (
    CAROLS,
    PUBSUB,
    RSM,
    affiliate,
    configure,
    create,
    delete,
    get,
    info,
    iq,
    listed,
    note,
    owner,
    publish,
    pubsub,
    purge,
    retract,
    subscribe,
    subscriptions,
    unsubscribe,
)

ALICE, BOB, CAROL = (f"{name}@localhost" for name in ("alice", "bob", "carol"))
FIRST, LAST, SUBID = "{first}", "{last}", "{subid}"
"""Filled in from what carol was answered last: the edges of a page, and her subscription."""
NEWS, CLUB, LOUD, MANY, PEP = "news", "club", "loud", "many", "urn:example:pep"


@dataclass(frozen=True, slots=True)
class Step:
    """Somebody says something. `stanza` is an IQ without id, a presence, or `enter` or `leave`."""

    words: str
    who: str
    stanza: str


_ATOM = (
    "<entry xmlns='http://www.w3.org/2005/Atom' xmlns:thr='http://purl.org/syndication/thread/1.0' xml:lang='fr'>"
    "<title>é &amp; &lt;b&gt; 🙂</title><link rel='replies' thr:count='3'/><x:y xmlns:x='urn:example:x' z='x:q'/>"
    "<content type='xhtml'><div xmlns='http://www.w3.org/1999/xhtml'><p>a<b>b</b> c</p></div></content></entry>"
)
_PAIR = f"<item id='p1'>{note('p1')}</item><item id='p2'>{note('p2')}</item>"
_SEVERAL = pubsub("set", f"<publish node='{NEWS}'>{_PAIR}</publish>")
_TWO_PAYLOADS = pubsub("set", f"<publish node='{NEWS}'><item id='q'>{note('1')}{note('2')}</item></publish>")
_NO_PAYLOAD = pubsub("set", f"<publish node='{NEWS}'><item id='n'/></publish>")
_RICH = pubsub("set", f"<publish node='{NEWS}'><item id='rich'>{_ATOM}</item></publish>")


def _each(who: str, **steps: str) -> list[Step]:
    return [Step(f"{who} {words.replace('_', ' ')}", who, stanza) for words, stanza in steps.items()]


STEPS: list[Step] = [
    # -- nothing is there ------------------------------------------------------------------------
    *_each(
        "carol",
        asks_what_the_service_is=info(),
        lists_the_nodes=listed(),
        gets_a_missing_node=get(NEWS),
        gets_an_item_of_a_missing_node=get(NEWS, "a"),
        pages_a_missing_node=get(NEWS, rsm="<max>2</max>"),
        lists_a_missing_node=listed(NEWS),
        asks_what_a_missing_node_is=info(NEWS),
        subscribes_to_a_missing_node=subscribe(NEWS),
        asks_for_subscriptions_to_a_missing_node=subscriptions(NEWS),
        asks_for_all_subscriptions=subscriptions(),
    ),
    *_each(
        "bob",
        purges_a_missing_node=purge(NEWS),
        deletes_a_missing_node=delete(NEWS),
        configures_a_missing_node=configure(NEWS, max_items="3"),
        retracts_from_a_missing_node=retract(NEWS, "a"),
        creates_with_a_value_that_is_none=create(NEWS, access_model="nonsense"),
        creates=create(NEWS, max_items="20", access_model="open", notify_retract="1"),
        creates_again=create(NEWS),
    ),
    # -- an empty node ---------------------------------------------------------------------------
    *_each(
        "carol",
        gets_an_empty_node=get(NEWS),
        gets_the_newest_of_none=get(NEWS, max_items="1"),
        gets_an_unknown_item_of_none=get(NEWS, "a"),
        pages_an_empty_node=get(NEWS, rsm="<max>2</max>"),
        pages_an_empty_node_backwards=get(NEWS, rsm="<max>2</max><before/>"),
        counts_an_empty_node=get(NEWS, rsm="<max>0</max>"),
        lists_an_empty_node=listed(NEWS),
        asks_for_subscriptions_before_any=subscriptions(NEWS),
        unsubscribes_without_a_subscription=unsubscribe(NEWS),
        subscribes_somebody_else=subscribe(NEWS, f"{BOB}/golden"),
        subscribes=subscribe(NEWS),
        asks_for_subscriptions=subscriptions(NEWS),
    ),
    # -- publishing ------------------------------------------------------------------------------
    *_each("bob", publishes_a=publish(NEWS, "a", "a1")),
    *_each("carol", gets_one_item=get(NEWS), pages_one_item=get(NEWS, rsm="<max>2</max>")),
    *_each(
        "bob",
        publishes_b=publish(NEWS, "b", "b1"),
        publishes_c=publish(NEWS, "c", "c1"),
    ),
    *_each("carol", publishes_without_a_right=publish(NEWS, "x", "x1")),
    *_each("bob", lets_alice_publish=affiliate(NEWS, ALICE, "publisher")),
    *_each("alice", publishes_d=publish(NEWS, "d", "d1"), publishes_e=publish(NEWS, "e", "e1")),
    *_each(
        "bob",
        publishes_f=publish(NEWS, "f", "f1"),
        publishes_a_again=publish(NEWS, "a", "a2"),
        publishes_b_again_unchanged=publish(NEWS, "b", "b1"),
        publishes_over_an_item_of_alice=publish(NEWS, "d", "d2"),
        publishes_two_at_once=_SEVERAL,
        publishes_without_payload=_NO_PAYLOAD,
        publishes_two_payloads_in_one_item=_TWO_PAYLOADS,
        publishes_namespaces=_RICH,
        publishes_with_options_that_hold=publish(NEWS, "g", "g1", access_model="open"),
        publishes_with_options_that_do_not_hold=publish(NEWS, "h", "h1", access_model="whitelist"),
        publishes_with_the_number_of_items=publish(NEWS, "i", "i1", max_items="20"),
        publishes_with_an_unknown_option=publish(NEWS, "j", "j1", nonsense="1"),
    ),
    # -- reading ---------------------------------------------------------------------------------
    *_each(
        "carol",
        gets_all=get(NEWS),
        gets_none_of_max_items=get(NEWS, max_items="0"),
        gets_the_newest=get(NEWS, max_items="1"),
        gets_the_newest_two=get(NEWS, max_items="2"),
        gets_the_newest_four=get(NEWS, max_items="4"),
        gets_more_than_there_are=get(NEWS, max_items="100"),
        gets_the_newest_three=get(NEWS, max_items="3"),
        gets_the_newest_eight=get(NEWS, max_items="8"),
        gets_the_newest_nine=get(NEWS, max_items="9"),
        gets_the_newest_eleven=get(NEWS, max_items="11"),
        gets_the_newest_twelve=get(NEWS, max_items="12"),
        gets_the_newest_fifty_one=get(NEWS, max_items="51"),
        gets_less_than_none=get(NEWS, max_items="-1"),
        gets_no_number_of_items=get(NEWS, max_items="some"),
        gets_by_id=get(NEWS, "c"),
        gets_by_ids_in_another_order=get(NEWS, "f b d"),
        gets_two_ids=get(NEWS, "b c"),
        gets_two_ids_of_which_one_is_unknown=get(NEWS, "nothing c"),
        gets_an_id_twice=get(NEWS, "b c b"),
        gets_ids_of_which_one_is_unknown=get(NEWS, "c nothing b"),
        gets_unknown_ids=get(NEWS, "nothing nowhere"),
        gets_ids_and_the_newest_two=get(NEWS, "c b a", max_items="2"),
        gets_ids_and_a_page=get(NEWS, "b c d a", rsm="<max>3</max>"),
        gets_the_rich_one=get(NEWS, "rich"),
        pages=get(NEWS, rsm="<max>3</max>"),
        pages_on=get(NEWS, rsm=f"<max>3</max><after>{LAST}</after>"),
        pages_on_again=get(NEWS, rsm=f"<max>3</max><after>{LAST}</after>"),
        pages_on_a_third_time=get(NEWS, rsm=f"<max>3</max><after>{LAST}</after>"),
        pages_beyond_the_end=get(NEWS, rsm=f"<max>3</max><after>{LAST}</after>"),
        pages_the_last=get(NEWS, rsm="<max>3</max><before/>"),
        pages_back=get(NEWS, rsm=f"<max>3</max><before>{FIRST}</before>"),
        pages_back_again=get(NEWS, rsm=f"<max>2</max><before>{FIRST}</before>"),
        pages_back_before_the_first=get(NEWS, rsm=f"<max>3</max><before>{FIRST}</before>"),
        pages_one_by_index=get(NEWS, rsm="<max>1</max><index>1</index>"),
        pages_back_more_than_there_are=get(NEWS, rsm=f"<max>3</max><before>{FIRST}</before>"),
        pages_back_more_than_there_are_at_all=get(NEWS, rsm="<max>30</max><before/>"),
        pages_from_an_index=get(NEWS, rsm="<max>3</max><index>2</index>"),
        pages_from_the_index_of_the_last=get(NEWS, rsm="<max>3</max><index>9</index>"),
        pages_from_an_index_beyond=get(NEWS, rsm="<max>3</max><index>99</index>"),
        pages_from_a_negative_index=get(NEWS, rsm="<max>3</max><index>-1</index>"),
        pages_from_the_first_index=get(NEWS, rsm="<max>2</max><index>0</index>"),
        counts=get(NEWS, rsm="<max>0</max>"),
        pages_a_hundred=get(NEWS, rsm="<max>100</max>"),
        pages_more_than_there_are=get(NEWS, rsm="<max>1000</max>"),
        pages_without_a_number=get(NEWS, rsm=""),
        pages_after_nothing=get(NEWS, rsm="<max>3</max><after/>"),
        pages_after_an_item_id=get(NEWS, rsm="<max>3</max><after>b</after>"),
        pages_before_an_item_id=get(NEWS, rsm="<max>3</max><before>b</before>"),
        pages_after_a_bogus_cursor=get(NEWS, rsm="<max>3</max><after>2000-99</after>"),
        pages_after_and_before=get(NEWS, rsm=f"<max>3</max><after>{FIRST}</after><before>{LAST}</before>"),
        pages_a_wrong_number=get(NEWS, rsm="<max>many</max>"),
        pages_and_asks_for_the_newest_two=get(NEWS, rsm="<max>3</max>", max_items="2"),
        lists_the_ids=listed(NEWS),
        lists_the_ids_in_pages=listed(NEWS, rsm=f"<set xmlns='{RSM}'><max>2</max></set>"),
        asks_what_the_node_is=info(NEWS),
        lists_the_nodes_with_one=listed(),
        gets_with_type_set=iq("set", f"<pubsub xmlns='{PUBSUB}'><items node='{NEWS}'/></pubsub>"),
        gets_without_a_node=pubsub("get", "<items/>"),
        asks_what_nobody_knows=pubsub("get", "<nonsense/>"),
        asks_for_the_archive=iq("set", f"<query xmlns='urn:xmpp:mam:2' node='{NEWS}'/>"),
        asks_for_another_order=get(NEWS, rsm="<max>2</max>").replace(
            "</pubsub>", "<order xmlns='urn:xmpp:order-by:1' field='modification-date' desc='true'/></pubsub>"
        ),
    ),
    # -- retracting ------------------------------------------------------------------------------
    *_each("carol", retracts_without_a_right=retract(NEWS, "a")),
    *_each(
        "bob",
        retracts_with_notice=retract(NEWS, "a"),
        retracts_without_notice=retract(NEWS, "c", "false"),
        retracts_and_says_nothing_of_notices=retract(NEWS, "p1", ""),
        retracts_a_missing_item=retract(NEWS, "nothing"),
        retracts_two_at_once=retract(NEWS, "f g"),
        retracts_nothing=retract(NEWS, ""),
        retracts_an_item_of_alice=retract(NEWS, "e"),
    ),
    *_each("alice", retracts_what_bob_wrote_over=retract(NEWS, "d")),
    *_each("carol", gets_what_is_left=get(NEWS), lists_what_is_left=listed(NEWS)),
    # -- limits ----------------------------------------------------------------------------------
    *_each(
        "bob",
        creates_a_small_node=create(MANY, max_items="3", access_model="open", publish_model="open"),
        looks_at_the_configuration=owner("get", f"<configure node='{MANY}'/>"),
    ),
    *_each("carol", subscribes_to_the_small_node=subscribe(MANY)),
    *_each(
        "bob",
        fills_1=publish(MANY, "m1", "1"),
        fills_2=publish(MANY, "m2", "2"),
        fills_3=publish(MANY, "m3", "3"),
        overfills=publish(MANY, "m4", "4"),
    ),
    *_each("carol", gets_three=get(MANY)),
    *_each(
        "alice",
        fills_beside=publish(MANY, "n1", "1"),
        fills_beside_2=publish(MANY, "n2", "2"),
        fills_beside_3=publish(MANY, "n3", "3"),
        overfills_beside=publish(MANY, "n4", "4"),
    ),
    *_each("carol", gets_those_of_two_publishers=get(MANY), counts_those_of_two=get(MANY, rsm="<max>0</max>")),
    *_each("bob", writes_over_in_a_full_node=publish(MANY, "m3", "3b")),
    *_each("carol", gets_after_writing_over=get(MANY), gets_the_newest_after_writing_over=get(MANY, max_items="1")),
    *_each("bob", lowers_the_limit=configure(MANY, max_items="1")),
    *_each("carol", gets_after_lowering=get(MANY)),
    *_each("bob", publishes_after_lowering=publish(MANY, "m5", "5")),
    *_each("carol", gets_after_trimming=get(MANY)),
    *_each("alice", publishes_after_lowering=publish(MANY, "n5", "5")),
    *_each("carol", gets_after_trimming_twice=get(MANY)),
    # -- purge, delete, recreate -----------------------------------------------------------------
    *_each("carol", purges_without_a_right=purge(MANY), deletes_without_a_right=delete(MANY)),
    *_each("bob", purges=purge(MANY)),
    *_each("carol", gets_after_the_purge=get(MANY), counts_after_the_purge=get(MANY, rsm="<max>0</max>")),
    *_each("bob", publishes_after_the_purge=publish(MANY, "m6", "6"), deletes=delete(MANY)),
    *_each("carol", gets_after_the_deletion=get(MANY), asks_for_subscriptions_after=subscriptions(MANY)),
    *_each(
        "bob",
        creates_anew=create(MANY, max_items="3", access_model="open", notify_delete="1", notify_config="1"),
        publishes_anew=publish(MANY, "m7", "7"),
    ),
    *_each(
        "carol",
        gets_what_is_new=get(MANY),
        asks_whether_the_subscription_is_there=subscriptions(MANY),
        subscribes_and_sees_the_last_item=subscribe(MANY),
        subscribes_a_second_time=subscribe(MANY),
    ),
    *_each("bob", publishes_to_two_subscriptions=publish(MANY, "m8", "8")),
    *_each(
        "carol",
        lists_two_subscriptions=subscriptions(MANY),
        unsubscribes_one_of_two=unsubscribe(MANY),
        unsubscribes_by_subid=unsubscribe(MANY, SUBID),
        lists_what_is_left_of_two=subscriptions(MANY),
        subscribes_once_more=subscribe(MANY),
    ),
    *_each(
        "bob",
        changes_the_configuration=configure(MANY, title="New"),
        deletes_aloud=delete(MANY),
    ),
    # -- access ----------------------------------------------------------------------------------
    *_each(
        "bob",
        creates_the_club=create(CLUB, max_items="10", access_model="open"),
        publishes_in_the_club=publish(CLUB, "c1", "1"),
    ),
    *_each("carol", subscribes_to_the_club=subscribe(CLUB)),
    *_each("bob", casts_carol_out=affiliate(CLUB, CAROL, "outcast"), publishes_without_carol=publish(CLUB, "c2", "2")),
    *_each(
        "carol",
        gets_as_outcast=get(CLUB),
        gets_the_newest_as_outcast=get(CLUB, max_items="1"),
        lists_as_outcast=listed(CLUB),
        asks_what_it_is_as_outcast=info(CLUB),
        asks_for_subscriptions_as_outcast=subscriptions(CLUB),
        subscribes_as_outcast=subscribe(CLUB),
    ),
    *_each("bob", takes_carol_back=affiliate(CLUB, CAROL, "none"), publishes_for_carol=publish(CLUB, "c3", "3")),
    *_each("carol", gets_again=get(CLUB), asks_for_subscriptions_again=subscriptions(CLUB)),
    *_each("bob", closes_the_club=configure(CLUB, access_model="whitelist"), publishes_inside=publish(CLUB, "c4", "4")),
    *_each("carol", gets_from_outside=get(CLUB), lists_from_outside=listed(CLUB)),
    *_each(
        "bob",
        makes_carol_a_member=affiliate(CLUB, CAROL, "member"),
        publishes_for_a_member=publish(CLUB, "c5", "5"),
    ),
    *_each("carol", gets_as_member=get(CLUB), unsubscribes_from_the_club=unsubscribe(CLUB, SUBID)),
    *_each("bob", makes_carol_a_stranger=affiliate(CLUB, CAROL, "none")),
    *_each(
        "carol",
        gets_as_stranger=get(CLUB),
        lists_as_stranger=listed(CLUB),
        subscribes_as_stranger=subscribe(CLUB),
        looks_at_the_configuration=owner("get", f"<configure node='{CLUB}'/>"),
        looks_at_the_affiliations=owner("get", f"<affiliations node='{CLUB}'/>"),
        looks_at_the_subscriptions=owner("get", f"<subscriptions node='{CLUB}'/>"),
        configures_without_a_right=configure(CLUB, title="Mine"),
    ),
    *_each("bob", asks_for_approval=configure(CLUB, access_model="authorize")),
    *_each("carol", gets_without_approval=get(CLUB), subscribes_without_approval=subscribe(CLUB)),
    # -- what is told ----------------------------------------------------------------------------
    *_each(
        "bob",
        creates_a_loud_node=create(LOUD, max_items="10", access_model="open"),
        publishes_loudly=publish(LOUD, "l1", "1"),
    ),
    *_each("carol", subscribes_to_the_loud_node=subscribe(LOUD)),
    *_each(
        "bob",
        sends_no_payloads=configure(LOUD, deliver_payloads="0"),
        publishes_a_mere_notice=publish(LOUD, "l2", "2"),
        sends_payloads_again=configure(LOUD, deliver_payloads="1"),
        mutes_retracts=configure(LOUD, notify_retract="0"),
        retracts_in_silence=retract(LOUD, "l1", "false"),
        retracts_in_silence_and_asks_for_notice=retract(LOUD, "l2", "true"),
        mutes_the_node=configure(LOUD, deliver_notifications="0"),
        publishes_in_silence=publish(LOUD, "l3", "3"),
    ),
    *_each("carol", gets_what_she_was_not_told=get(LOUD)),
    *_each(
        "bob",
        unmutes_the_node=configure(LOUD, deliver_notifications="1"),
        stores_nothing=configure(LOUD, persist_items="0"),
        publishes_what_is_not_stored=publish(LOUD, "l4", "4"),
    ),
    *_each("carol", gets_what_is_not_stored=get(LOUD), lists_what_is_not_stored=listed(LOUD)),
    *_each(
        "bob",
        stores_again=configure(LOUD, persist_items="1"),
        publishes_what_is_stored=publish(LOUD, "l5", "5"),
        sends_ordinary_messages=configure(LOUD, notification_type="normal"),
        publishes_an_ordinary_message=publish(LOUD, "l6", "6"),
        sends_headlines_again=configure(LOUD, notification_type="headline"),
    ),
    Step("carol leaves", "carol", "leave"),
    *_each("bob", publishes_while_carol_is_away=publish(LOUD, "l7", "7")),
    Step("carol enters", "carol", "enter"),
    *_each("bob", publishes_when_carol_is_back=publish(LOUD, "l8", "8")),
    *_each(
        "bob",
        lists_the_subscribers=owner("get", f"<subscriptions node='{LOUD}'/>"),
        ends_her_subscription=owner(
            "set",
            f"<subscriptions node='{LOUD}'><subscription jid='{CAROLS}' subscription='none'/></subscriptions>",
        ),
        publishes_to_nobody=publish(LOUD, "l9", "9"),
    ),
    # -- names -----------------------------------------------------------------------------------
    *_each(
        "bob",
        creates_an_odd_name=create("odd!name", access_model="open", max_items="3"),
        publishes_under_an_odd_name=publish("odd!name", "o1", "1"),
        creates_a_foreign_name=create("é/ü 🙂 ?#&amp;", access_model="open", max_items="3"),
        publishes_under_a_foreign_name=publish("é/ü 🙂 ?#&amp;", "é &amp; &lt;1&gt;", "1"),
    ),
    *_each(
        "carol",
        gets_an_odd_name=get("odd!name"),
        lists_an_odd_name=listed("odd!name"),
        asks_what_an_odd_name_is=info("odd!name"),
        gets_a_foreign_name=get("é/ü 🙂 ?#&amp;"),
        lists_a_foreign_name=listed("é/ü 🙂 ?#&amp;"),
    ),
    # -- PEP -------------------------------------------------------------------------------------
    *_each(
        "bob",
        publishes_at_home=publish(PEP, "h1", "1", to=""),
        gets_from_home=get(PEP, to=""),
        opens_more_places_at_home=configure(PEP, to="", max_items="3"),
    ),
    *_each(
        "carol",
        gets_from_a_stranger=get(PEP, to=BOB),
        lists_a_stranger=listed(to=BOB),
        subscribes_to_a_stranger=subscribe(PEP, to=BOB),
        gets_from_nobody=get(PEP, to="nobody@localhost"),
    ),
    Step("carol asks to be a contact", "carol", f"<presence type='subscribe' to='{BOB}'/>"),
    Step("bob lets carol in", "bob", f"<presence type='subscribed' to='{CAROL}'/>"),
    Step("bob asks to be a contact", "bob", f"<presence type='subscribe' to='{CAROL}'/>"),
    Step("carol lets bob in", "carol", f"<presence type='subscribed' to='{BOB}'/>"),
    *_each(
        "carol",
        gets_from_a_contact=get(PEP, to=BOB),
        lists_a_contact=listed(to=BOB),
        lists_a_node_of_a_contact=listed(PEP, to=BOB),
        asks_for_a_missing_node_of_a_contact=get("urn:example:none", to=BOB),
        subscribes_to_a_contact=subscribe(PEP, to=BOB),
    ),
    *_each(
        "bob",
        publishes_for_a_contact=publish(PEP, "h2", "2", to=""),
        publishes_for_a_contact_again=publish(PEP, "h1", "1b", to=""),
        retracts_at_home=retract(PEP, "h2", to=""),
    ),
    *_each("carol", gets_from_a_contact_again=get(PEP, to=BOB)),
    *_each("bob", purges_at_home=purge(PEP, to=""), publishes_at_home_again=publish(PEP, "h3", "3", to="")),
    *_each("bob", deletes_at_home=delete(PEP, to="")),
    *_each("carol", gets_a_deleted_node_of_a_contact=get(PEP, to=BOB)),
    # -- the last item, told anew ----------------------------------------------------------------
    *_each(
        "bob",
        creates_where_others_comment=create("comments", access_model="open", publish_model="open", max_items="20"),
    ),
    *_each("carol", comments_1=publish("comments", "k1", "1"), subscribes_to_comments=subscribe("comments")),
    *_each("alice", comments=publish("comments", "k2", "2"), comments_again=publish("comments", "k3", "3")),
    *_each("bob", comments_himself=publish("comments", "k4", "4"), purges_comments=purge("comments")),
    *_each("carol", gets_comments_after_the_purge=get("comments"), lists_comments_after_it=listed("comments")),
    *_each("carol", writes_over_after_the_purge=publish("comments", "k1", "1b")),
    *_each("alice", writes_over_after_the_purge=publish("comments", "k3", "3b")),
    *_each("carol", gets_all_comments=get("comments")),
    # -- nobody there ----------------------------------------------------------------------------
    *_each(
        "carol",
        asks_a_component_that_is_down=get(NEWS, to="ext.localhost"),
        asks_a_host_that_is_not_there=get(NEWS, to="pubsub.nowhere.invalid"),
        asks_a_client_that_is_not_there=get(NEWS, to=f"{BOB}/nobody"),
    ),
]

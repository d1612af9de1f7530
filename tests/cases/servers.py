# SPDX-License-Identifier: MIT
"""Servers that lie."""

from tests.cases.case import CACHE, SYNC, SYSTEM, XMPP, Case

SERVERS = (
    Case(
        "cut answer",
        "`all items` is cut to 10, with a set although none was asked for (ejabberd 2143, 2189)",
        "paged on to the end",
        (f"{SYSTEM}paging.py::test_a_service_that_cuts_its_answers_is_paged_on",),
    ),
    Case(
        "stuck cursor",
        "`after` does not advance; the same page for ever (ejabberd 1994, buddycloud-server-java 88)",
        "the walk ends and proves nothing",
        (
            f"{SYNC}pager.py::test_a_cursor_that_does_not_advance_ends_the_walk",
            f"{SYNC}pager.py::test_a_page_that_repeats_ends_the_walk_and_proves_nothing",
            f"{SYSTEM}paging.py::test_a_walk_that_proves_nothing_leaves_the_node_unsynced",
        ),
    ),
    Case(
        "wrong index",
        "index wrong, pages reversed with `before` (ejabberd 3618, 3621; 23.01 with SQL)",
        "one order and index on every server",
        (f"{SYSTEM}both_paths.py::test_both_paths_give_the_same_answer",),
    ),
    Case(
        "time stamps as cursors",
        "RSM ids are time stamps, and a bogus anchor gives an empty page (ejabberd 23.01)",
        "cursors are ids of ours; an unknown one is NotFound",
        (
            f"{SYSTEM}both_paths.py::test_both_paths_give_the_same_answer",
            f"{SYSTEM}main_job.py::test_an_unknown_anchor_is_not_found_on_both_paths",
        ),
    ),
    Case(
        "RSM ignored",
        "the whole node comes, without a set (Prosody 0.12)",
        "taken as the whole, and cut here",
        (f"{SYNC}pager.py::test_a_service_that_ignores_rsm_answers_with_the_whole_node",),
    ),
    Case(
        "another payload",
        "a notification's payload differs from what is stored (ejabberd 3335)",
        "found when the service is asked or the node verified, and the service loses its credit",
        (
            f"{SYSTEM}lies.py::test_a_notification_that_shows_another_payload_is_found_out_and_none_is_believed_again",
            f"{CACHE}races.py::test_of_two_overwrites_the_stored_one_wins_not_the_last_event",
            f"{CACHE}verification.py::test_a_service_that_kept_something_to_itself_loses_its_credit",
        ),
    ),
    Case(
        "another node's item",
        "an item of another node shows up after an internal id was used again (ejabberd 1320)",
        "it goes when the service shows it no more",
        (f"{CACHE}reading.py::test_what_the_service_shows_of_another_node_goes_when_it_shows_it_no_more",),
    ),
    Case(
        "silent retraction",
        "no retract notification on PEP (ejabberd 1963, 4326)",
        "untold until proved, found when asked",
        (
            f"{CACHE}races.py::test_a_change_that_was_never_told_is_found_when_somebody_asks_the_service",
            f"{CACHE}verification.py::test_differences_are_named_and_leave_a_doubt",
        ),
    ),
    Case(
        "joined retraction",
        "one retraction whose id is several ids joined (ejabberd 23.01 when max_items is lowered)",
        "an unknown id makes the node be listed",
        (
            f"{SYSTEM}lies.py::test_several_retractions_joined_to_one_are_asked_for",
            f"{XMPP}forged.py::test_several_ids_joined_to_one_retraction_are_found_out",
        ),
    ),
    Case(
        "silent trim",
        "the oldest items are trimmed without telling (Prosody 0.12)",
        "untold, and gone with the next proof",
        (
            f"{SYSTEM}losses.py::test_what_a_service_trims_without_a_word_goes_with_the_next_proof",
            f"{SYSTEM}writes.py::test_what_a_smaller_limit_trims_in_silence_is_not_served_any_more",
        ),
    ),
    Case(
        "copies",
        "notifications come in two or more copies (ejabberd 23.01)",
        "one change",
        (
            f"{SYSTEM}lies.py::test_notifications_in_two_copies_are_one_item_and_leave_the_node_synced",
            f"{CACHE}items.py::test_copies_of_a_notification_are_one_change",
            f"{CACHE}settle.py::test_the_same_event_twice_is_harmless",
        ),
    ),
    Case(
        "silent exclusion",
        "access is taken away without telling, and publishes are still delivered",
        "denied: nothing is served or stored",
        (f"{SYSTEM}losses.py::test_who_loses_access_sees_nothing_and_who_regains_it_sees_all",),
    ),
    Case(
        "empty archive",
        "MAM with `node=` on PEP answers `nothing`, meaning nothing",
        "no archive proves that anything is absent",
        waits_for="catching up from an archive (XEP-0442), which is not asked so far",
    ),
    Case(
        "order-by ignored",
        "order-by is ignored in silence",
        "an order that is not shown to be kept is refused",
        (
            f"{SYSTEM}bad_input.py::test_every_mistake_of_a_caller_is_named",
            f"{SYSTEM}lies.py::test_whatever_its_pages_look_like_the_answer_has_one_order",
            f"{SYSTEM}both_paths.py::test_the_order_that_a_service_keeps_is_learnt_from_what_it_shows",
        ),
    ),
    Case(
        "dead subscription",
        "a subscription to a node that was deleted and made anew is listed still, and tells nothing (Prosody 0.12)",
        "made again before it is relied upon",
        (
            f"{SYSTEM}losses.py::test_what_is_published_in_a_node_made_anew_while_we_were_away_is_told",
            f"{SYSTEM}losses.py::test_what_is_published_in_a_node_made_anew_is_told",
        ),
    ),
    Case(
        "half a purge",
        "a purge leaves what was published by those who are not subscribed (ejabberd 23.01 with SQL)",
        "the copy ends with whatever is left",
        (f"{SYSTEM}losses.py::test_what_a_purge_leaves_behind_is_there_when_it_is_over",),
    ),
    Case(
        "forbidden for nobody",
        "`forbidden` for a user who does not exist (Prosody)",
        "an error, and no row",
        (
            f"{SYSTEM}losses.py::test_a_contact_who_does_not_exist_is_an_error_and_leaves_no_row",
            f"{SYSTEM}bad_input.py::test_a_refused_node_is_denied",
        ),
    ),
)

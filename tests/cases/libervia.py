# SPDX-License-Identifier: MIT
"""Libervia 0.9, the system that this one follows; seen on its Debian package."""

from tests.cases.case import BRIDGE, CACHE, STORAGE, SYNC, SYSTEM, XMPP, Case

LIBERVIA = (
    Case(
        "L1",
        "a node of 5,000 items or more is fetched, then thrown away whole",
        "thousands of items sync, in pages, in one answer, and from the store",
        (
            f"{SYSTEM}large.py::test_a_node_of_ten_thousand_items_is_held_whole",
            f"{SYSTEM}paging.py::test_a_node_of_a_paging_service_is_fetched_page_by_page",
            f"{SYNC}pager.py::test_ten_thousand_items_are_walked_to_the_end",
            f"{XMPP}stanzas.py::test_a_node_of_ten_thousand_posts_in_one_stanza_is_taken",
            f"{STORAGE}store.py::test_a_hundred_thousand_items_may_have_one_date",
        ),
    ),
    Case(
        "L2",
        "a sync that failed answers success on D-Bus",
        "the job fails, with a named error",
        (
            f"{SYSTEM}main_job.py::test_a_job_for_a_missing_node_fails_with_a_named_error",
            f"{SYSTEM}paging.py::test_a_walk_that_proves_nothing_leaves_the_node_unsynced",
            f"{CACHE}reading.py::test_a_listing_that_fails_leaves_all_that_is_held",
        ),
    ),
    Case(
        "L3",
        "subscribing fails, and the node is complete and never updated",
        "subscribed, or not synced",
        (
            f"{CACHE}reading.py::test_what_cannot_be_subscribed_is_never_called_synced",
            f"{CACHE}verification.py::test_a_copy_proved_without_a_subscription_is_proved_anew_with_one",
        ),
    ),
    Case(
        "L4",
        "nothing is caught up after a reconnect; old data is served as current for ever",
        "stale at once, verified, caught up",
        (
            f"{CACHE}races.py::test_a_lost_session_leaves_nothing_synced_and_the_next_one_proves_anew",
            f"{SYNC}catching_up.py::test_what_came_and_went_is_caught_up_without_listing_all",
            f"{SYSTEM}main_job.py::test_after_a_restart_what_is_held_is_served_stale_before_the_network_is_back",
            f"{SYSTEM}losses.py::test_behind_a_link_that_swallows_all_nothing_is_synced_after_the_lease",
        ),
    ),
    Case(
        "L5",
        "a node-delete event crashes the handler; the node stays and is served",
        "node gone, signal sent",
        (
            f"{SYSTEM}losses.py::test_a_deleted_node_is_gone_and_its_readers_are_told",
            f"{SYSTEM}main_job.py::test_a_deleted_node_is_gone_and_comes_back_when_it_is_made_anew",
        ),
    ),
    Case(
        "L6",
        "configuration events are ignored",
        "shown, and access loss honoured",
        (
            f"{CACHE}verification.py::test_a_changed_configuration_is_shown_and_the_node_listed_anew",
            f"{CACHE}verification.py::test_who_may_not_read_after_a_change_of_configuration_sees_nothing_more",
        ),
    ),
    Case(
        "L7",
        "a service without paging yields 20 items, marked complete; asking 50 gives 20",
        "all, or partial and passed through",
        (
            f"{SYSTEM}paging.py::test_a_service_that_cuts_its_answers_is_paged_on",
            f"{CACHE}policies.py::test_of_the_newest_two_what_lies_inside_is_answered_from_the_copy",
            f"{SYSTEM}both_paths.py::test_both_paths_give_the_same_answer",
        ),
    ),
    Case(
        "L8",
        "one unparsable item: the whole node in error; in an event: the whole event dropped",
        "the other items stand; the bad one is kept raw with its error",
        (
            f"{CACHE}items.py::test_an_item_that_nobody_can_read_is_kept_raw_with_its_error_and_the_others_stand",
            f"{CACHE}items.py::test_the_same_in_a_notification_spoils_nothing_beside_it",
            f"{XMPP}forged.py::test_an_item_that_is_too_much_is_kept_with_its_error_and_the_others_stand",
        ),
    ),
    Case(
        "L9",
        "one item without parsed data makes every search that meets it fail",
        "it is simply found or not",
        (f"{CACHE}items.py::test_a_search_that_meets_an_item_nobody_can_read_finds_it_by_its_words_or_not",),
    ),
    Case(
        "L10",
        "two accounts read one node at the same time: the second gets an internal error",
        "both served",
        (f"{SYSTEM}main_job.py::test_two_accounts_read_one_node_at_the_same_time",),
    ),
    Case(
        "L11",
        "`<` means `<=`; `>=` and `<=` are refused; a path given as a string silently matches nothing",
        "operators mean what they say on each engine; bad queries are refused, naming the key",
        waits_for="the query language; that unknown keys are named is in system/test_bad_input.py",
    ),
    Case(
        "L12",
        "the last page comes reversed, with index 0",
        "the order and index of XEP-0059",
        (
            f"{SYSTEM}both_paths.py::test_both_paths_give_the_same_answer",
            f"{SYSTEM}main_job.py::test_both_paths_give_the_same_rows_for_the_same_request",
        ),
    ),
    Case(
        "L13",
        "after items are dropped from the cache it answers `empty` although the service has them",
        "the node is asked again",
        (
            f"{CACHE}reading.py::test_what_was_forgotten_here_is_asked_for_and_kept_again",
            f"{CACHE}reading.py::test_where_some_items_were_forgotten_the_copy_does_not_pass_for_all",
            f"{SYSTEM}main_job.py::test_a_purged_node_is_empty_and_asked_again",
        ),
    ),
    Case(
        "L14",
        "dropping by service always fails; unknown filter keys are a KeyError",
        "works; InvalidArgs naming the key",
        (
            f"{CACHE}reading.py::test_what_was_forgotten_here_is_asked_for_and_kept_again",
            f"{SYSTEM}bad_input.py::test_every_mistake_of_a_caller_is_named",
        ),
    ),
    Case(
        "L15",
        "raw XML is indexed: `entry` finds every item; `foo-bar` answers an SQL error",
        "text of the payload only; any typed text is a valid search",
        (
            f"{STORAGE}search.py::test_markup_is_never_found",
            f"{STORAGE}search.py::test_what_looks_like_syntax_is_text",
            f"{STORAGE}search.py::test_whatever_is_typed_the_database_understands_it",
        ),
    ),
    Case(
        "L16",
        "an unlimited search blocks all other calls for seconds and keeps 300 MB",
        "others are answered meanwhile; an answer is cut at its bytes",
        (
            f"{STORAGE}cost.py::test_others_are_answered_while_somebody_searches_everything",
            f"{STORAGE}search.py::test_an_answer_fits_the_bytes_it_may_have_but_has_one_item",
        ),
    ),
    Case(
        "L17",
        "reading 20 cached items sorts the whole node",
        "flat in the size of the node",
        (f"{STORAGE}cost.py::test_reading_twenty_items_costs_the_same_in_a_small_and_in_a_large_node",),
    ),
    Case(
        "L18",
        "every read of a node that is not kept costs two more requests",
        "analysed once",
        (f"{CACHE}reading.py::test_a_node_that_nobody_wants_costs_one_request_a_read",),
    ),
    Case(
        "L19",
        "a row is made for every node ever asked for, even for ones that do not exist",
        "negative answers expire",
        (
            f"{CACHE}reading.py::test_a_refusal_is_remembered_for_some_seconds_and_makes_no_row",
            f"{SYSTEM}main_job.py::test_a_node_nobody_wants_is_always_asked_for_and_leaves_no_row",
        ),
    ),
    Case(
        "L20",
        "a restart during a sync: the work is lost, and a forced sync refuses for ever",
        "resumes",
        (
            f"{SYSTEM}main_job.py::test_killed_in_the_middle_of_a_sync_it_completes_after_the_restart",
            f"{SYSTEM}large.py::test_a_listing_that_was_broken_off_goes_on_with_what_it_has",
            f"{SYSTEM}crashes.py::test_killed_at_a_transaction_it_comes_back_whole",
        ),
    ),
    Case(
        "L21",
        "re-sync deletes first; a failure leaves nothing",
        "swap on success",
        (f"{CACHE}reading.py::test_a_listing_that_fails_leaves_all_that_is_held",),
    ),
    Case(
        "L22",
        "dates of items are the local insertion time, so the order changes with each re-sync",
        "the service's and the payload's dates are kept apart from ours",
        (f"{SYSTEM}losses.py::test_dates_and_order_are_the_services_also_after_all_was_listed_again",),
    ),
    Case(
        "L23",
        "errors carry class paths and SQL",
        "stable names, sentences for people",
        (
            f"{BRIDGE}bus.py::test_our_errors_have_their_names_and_others_show_nothing",
            f"{BRIDGE}interfaces.py::test_every_error_is_documented_somewhere_and_every_documented_one_exists",
        ),
    ),
    Case(
        "L24",
        "a retraction that arrives during paging is undone by the older page",
        "it stays, and what raced is asked for again",
        (
            f"{CACHE}reading.py::test_a_retraction_that_arrives_during_a_listing_is_not_undone_by_it",
            f"{CACHE}races.py::test_an_item_retracted_before_a_listing_is_not_resurrected_by_its_late_event",
            f"{SYSTEM}truth.py::test_answers_are_true_whatever_happens_at_the_service",
        ),
    ),
)

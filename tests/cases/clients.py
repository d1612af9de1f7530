# SPDX-License-Identifier: MIT
"""Other caches and clients."""

from tests.cases.case import CACHE, DAEMON, STORAGE, SYSTEM, Case

MOVIM = (
    Case(
        "Movim 1",
        "only the first item and the first retraction of an event are handled",
        "all of them",
        (f"{CACHE}items.py::test_all_items_and_all_retractions_of_one_notification_count",),
    ),
    Case(
        "Movim 2",
        "purge and node delete are not handled",
        "both",
        (
            f"{SYSTEM}main_job.py::test_a_purged_node_is_empty_and_asked_again",
            f"{SYSTEM}losses.py::test_a_deleted_node_is_gone_and_its_readers_are_told",
        ),
    ),
    Case(
        "Movim 3",
        "a refetch never removes what is missing",
        "it goes with the proof",
        (
            f"{CACHE}verification.py::test_repair_takes_over_what_the_service_has",
            f"{SYSTEM}losses.py::test_what_a_service_trims_without_a_word_goes_with_the_next_proof",
        ),
    ),
    Case(
        "Movim 4",
        "a notified post older than a month is dropped",
        "kept",
        (f"{CACHE}items.py::test_a_notified_post_of_long_ago_is_kept",),
    ),
    Case(
        "Movim 5",
        "every exception while saving is swallowed",
        "what could not be stored is a hole",
        (
            f"{CACHE}races.py::test_an_event_that_could_not_be_stored_makes_the_node_stale_until_it_is_proved",
            f"{STORAGE}faults.py::test_where_nothing_can_be_written_each_writer_is_told_reads_go_on_and_later_all_is_well",
        ),
    ),
    Case(
        "Movim 6",
        "rows are shared between accounts",
        "each has its own",
        (
            f"{SYSTEM}main_job.py::test_two_accounts_read_one_node_at_the_same_time",
            f"{STORAGE}search.py::test_types_nodes_and_accounts_restrict",
        ),
    ),
    Case(
        "Movim 7",
        "an item that fails validation deletes the valid row that it replaces",
        "it replaces it, raw, with its error",
        (f"{CACHE}items.py::test_an_overwrite_that_nobody_can_read_leaves_its_text_and_no_hole",),
    ),
)
"""Movim's server-side Atom cache; read in its source."""

CLIENTS = (
    Case(
        "nbxmpp",
        "drops every notification whose item count is not one",
        "all of them",
        (f"{CACHE}items.py::test_all_items_and_all_retractions_of_one_notification_count",),
    ),
    Case(
        "Converse.js 1",
        "keeps a `fetched` flag, then overwrites another device's edit with its own (issue 2280)",
        "a publish can be made to depend on what was read",
        (
            f"{CACHE}writes.py::test_what_another_program_has_changed_since_is_not_overwritten",
            f"{CACHE}races.py::test_our_own_write_that_met_another_is_asked_for",
        ),
    ),
    Case(
        "Converse.js 2",
        "published private bookmarks to the world: publish-options were assumed to be honoured (CVE-2018-6591)",
        "refused before anything is sent, or read back",
        (
            f"{SYSTEM}writes.py::test_publish_options_make_a_private_node_or_nothing",
            f"{SYSTEM}writes.py::test_an_option_that_the_service_ignores_in_silence_is_a_conflict",
            f"{SYSTEM}writes.py::test_a_service_without_publish_options_is_not_sent_anything",
        ),
    ),
    Case(
        "aioxmpp",
        "lost unknown child elements",
        "raw XML is kept",
        (
            f"{SYSTEM}main_job.py::test_a_payload_keeps_what_foreign_namespaces_say",
            f"{DAEMON}markup.py::test_any_payload_is_written_as_it_was_read",
        ),
    ),
    Case(
        "Gajim",
        "returns None while offline",
        "an error says so",
        (f"{CACHE}reading.py::test_who_asks_while_offline_for_what_is_not_held_gets_an_error_and_no_empty_list",),
    ),
)

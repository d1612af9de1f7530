# SPDX-License-Identifier: MIT
"""The libraries that we stand on."""

from tests.cases.case import BRIDGE, CACHE, DAEMON, SYNC, SYSTEM, XMPP, Case

SLIXMPP = (
    Case(
        "iterator",
        "the RSM iterator ends at errors, yields nothing without paging, never ends where a page repeats",
        "a pager of our own sees the end",
        (
            f"{SYNC}pager.py::test_a_page_that_repeats_ends_the_walk_and_proves_nothing",
            f"{SYNC}pager.py::test_an_answer_without_a_set_is_the_whole_node",
            f"{CACHE}reading.py::test_a_listing_that_fails_leaves_all_that_is_held",
        ),
    ),
    Case(
        "n calls of n items",
        "one notification of n items calls the handler n times with all n",
        "one change",
        (f"{CACHE}items.py::test_all_items_and_all_retractions_of_one_notification_count",),
    ),
    Case(
        "lost attributes",
        "tostring() drops attributes of unknown namespaces, also when sending",
        "what is read and sent is equal to the original",
        (
            f"{DAEMON}markup.py::test_any_payload_is_written_as_it_was_read",
            f"{DAEMON}markup.py::test_any_payload_reaches_the_stream_as_it_was_given",
            f"{DAEMON}markup.py::test_a_prefix_that_a_value_uses_stays_declared_as_its_author_meant_it",
        ),
    ),
    Case(
        "lost link",
        "no reconnect after a lost link, no negotiation time-out",
        "noticed at any stage, resumed",
        (
            f"{XMPP}session.py::test_a_cut_at_any_stage_of_the_login_is_noticed_at_once",
            f"{SYSTEM}main_job.py::test_a_cut_is_resumed_and_nothing_is_lost",
            f"{SYSTEM}main_job.py::test_a_swallowing_link_is_noticed_by_the_keepalive",
        ),
    ),
    Case(
        "pending requests",
        "pending requests outlive the connection",
        "asked again or failed, by name",
        (
            f"{XMPP}requests.py::test_what_is_open_after_the_barrier_is_lost_gets_are_asked_again_and_writes_fail",
            f"{XMPP}requests.py::test_when_the_session_is_over_all_fail",
        ),
    ),
    Case(
        "8,301 connects",
        "a handler that reconnects at once made 8,301 connects in 3 s",
        "delays that grow",
        (
            f"{SYSTEM}main_job.py::test_a_server_that_accepts_and_resets_is_not_hammered",
            f"{XMPP}session.py::test_a_server_that_ends_each_session_at_once_is_asked_less_and_less_often",
        ),
    ),
    Case(
        "no limits",
        "DTDs are accepted; no limit on stanza size, depth or attributes",
        "refused before anything reaches a tree",
        (
            f"{XMPP}stanzas.py::test_a_document_type_before_the_stream_is_refused",
            f"{XMPP}stanzas.py::test_a_stanza_that_is_too_much_is_received_without_its_children",
            f"{XMPP}flood.py::test_a_flood_costs_little_memory_and_lets_others_run",
        ),
    ),
)
"""slixmpp 1.17.0."""

DBUS = (
    Case(
        "full socket",
        "a full socket buffer ends the bus connection",
        "queued",
        (f"{BRIDGE}bus.py::test_a_burst_of_signals_fills_no_socket_for_good",),
    ),
    Case(
        "descriptors",
        "file descriptors sent by clients leak",
        "closed",
        (f"{BRIDGE}bus.py::test_stray_file_descriptors_do_not_pile_up",),
    ),
    Case(
        "too much for the bus",
        "a NUL or a message over 128 MiB gets us thrown off the bus",
        "replaced, or an error",
        (
            f"{BRIDGE}bus.py::test_what_no_string_can_carry_is_replaced_in_errors",
            f"{BRIDGE}bus.py::test_a_reply_that_no_bus_carries_is_an_error_and_the_connection_stands",
        ),
    ),
    Case(
        "tracebacks",
        "tracebacks go to callers",
        "a name and nothing else",
        (f"{BRIDGE}bus.py::test_our_errors_have_their_names_and_others_show_nothing",),
    ),
    Case(
        "cancelled handler",
        "a cancelled handler never answers",
        "it does",
        (f"{BRIDGE}bus.py::test_a_cancelled_call_is_answered",),
    ),
    Case(
        "InterfacesAdded",
        "InterfacesAdded comes from the wrong path",
        "from the manager's",
        (f"{BRIDGE}bus.py::test_objects_come_and_go_from_the_managers_path",),
    ),
)
"""dbus-next 0.2.3 and dbus-fast 5.2.0."""

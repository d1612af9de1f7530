# SPDX-License-Identifier: MIT
"""The cells of the state table: what notifications do."""

from tests.daemon.cache.cells import (
    ASKED,
    CONFIGURED,
    COPY,
    DELETED,
    DENIED,
    GONE,
    LOST,
    ODD,
    OLD,
    PART,
    PENDING,
    POINTS,
    PURGED,
    REFUSED,
    STALE,
    UNPROVED,
    UNSETTLED,
    UNSUBSCRIBED,
    Then,
)

CELLS: dict[str, dict[str, Then]] = {
    "event": {
        "unknown": Then("unknown", ASKED),
        "ignored": Then("unknown", ASKED),
        "syncing": Then("syncing", STALE, UNPROVED, held="abcz", sent="newest 2", later="synced"),
        "synced": Then("synced", COPY, held="abcz"),
        "partial": Then(
            "syncing",
            PART,
            "an item came of which nobody knows whether it is one of the newest",
            held="bc",
            sent="subscriptions, newest 3",
            later="partial",
            later_held="cz",
        ),
        "stale": Then("stale", STALE, OLD, held="abcz"),
        "error": Then("error", STALE, UNPROVED, held="abcz", sent="meta-data, subscriptions, items", later="synced"),
        "denied": Then("denied", DENIED, REFUSED, held="abc", hidden=True),
        "gone": Then("gone", "NotFound asked asked asked", DELETED),
    },
    "event unsettled": {
        "unknown": Then("unknown", ASKED),
        "ignored": Then("unknown", ASKED),
        "syncing": Then(
            "syncing", STALE, UNPROVED, held="abc", sent="ids z, newest 2", later="synced", later_held="abcz"
        ),
        "synced": Then(
            "stale", STALE, UNSETTLED, held="abc", sent="ids z, newest 2", later="synced", later_held="abcz"
        ),
        "partial": Then("partial", PART, UNSETTLED, held="bc", sent="ids z, newest 2", later_why="", later_held="bcz"),
        "stale": Then("stale", STALE, OLD, held="abc", sent="ids z, newest 2", later_held="abcz"),
        "error": Then(
            "error",
            STALE,
            UNPROVED,
            held="abc",
            sent="meta-data, subscriptions, ids z, items, newest 2, items",
            later="synced",
            later_held="abcz",
        ),
        "denied": Then("denied", DENIED, REFUSED, held="abc", hidden=True),
        "gone": Then("gone", GONE, DELETED),
    },
    "retract": {
        "unknown": Then("unknown", ASKED),
        "ignored": Then("unknown", ASKED),
        "syncing": Then("syncing", "stale stale copy asked", UNPROVED, held="ac", later="synced"),
        "synced": Then("synced", COPY, held="ac"),
        "partial": Then("partial", PART, held="c"),
        "stale": Then("stale", STALE, OLD, held="ac"),
        "error": Then("error", STALE, UNPROVED, held="ac", sent="meta-data, subscriptions, items", later="synced"),
        "denied": Then("denied", DENIED, REFUSED, held="abc", hidden=True),
        "gone": Then("gone", GONE, DELETED),
    },
    "odd retract": {
        "unknown": Then("unknown", ASKED),
        "ignored": Then("unknown", ASKED),
        "syncing": Then("syncing", STALE, UNPROVED, held="abc", sent="items", later="synced"),
        "synced": Then("syncing", STALE, ODD, held="abc", sent="subscriptions, items", later="synced"),
        "partial": Then("partial", PART, held="bc"),
        "stale": Then("syncing", STALE, ODD, held="abc", sent="subscriptions, items", later="synced"),
        "error": Then("error", STALE, UNPROVED, held="abc", sent="meta-data, subscriptions, items", later="synced"),
        "denied": Then("denied", DENIED, REFUSED, held="abc", hidden=True),
        "gone": Then("gone", GONE, DELETED),
    },
    "purge": {
        "unknown": Then("unknown", ASKED),
        "ignored": Then("unknown", ASKED),
        "syncing": Then("syncing", STALE, UNPROVED, sent="items", later="synced", later_held="c"),
        "synced": Then("syncing", STALE, PURGED, sent="subscriptions, items", later="synced", later_held="c"),
        "partial": Then("syncing", PART, PURGED, sent="subscriptions, newest 3", later="synced", later_held="c"),
        "stale": Then("syncing", STALE, PURGED, sent="subscriptions, items", later="synced", later_held="c"),
        "error": Then("error", STALE, UNPROVED, sent="meta-data, subscriptions, items", later="synced", later_held="c"),
        "denied": Then("denied", DENIED, REFUSED, held="abc", hidden=True),
        "gone": Then("gone", GONE, DELETED),
    },
    "delete": {
        "unknown": Then("unknown", "Unavailable NotFound NotFound NotFound"),
        "ignored": Then("unknown", "Unavailable NotFound NotFound NotFound"),
        "syncing": Then("gone", GONE, POINTS, sent="newest 1"),
        "synced": Then("gone", GONE, POINTS),
        "partial": Then("gone", GONE, POINTS),
        "stale": Then("gone", GONE, POINTS),
        "error": Then("gone", GONE, POINTS, sent="meta-data, subscribe, newest 1"),
        "denied": Then("gone", GONE, POINTS),
        "gone": Then("gone", GONE, DELETED),
    },
    "configuration": {
        "unknown": Then("unknown", ASKED),
        "ignored": Then("unknown", ASKED),
        "syncing": Then("syncing", STALE, UNPROVED, held="abc", sent="meta-data, items", later="synced"),
        "synced": Then(
            "syncing", STALE, CONFIGURED, held="abc", sent="meta-data, subscriptions, items", later="synced"
        ),
        "partial": Then(
            "syncing", PART, CONFIGURED, held="bc", sent="meta-data, subscriptions, newest 3", later="partial"
        ),
        "stale": Then("syncing", STALE, CONFIGURED, held="abc", sent="meta-data, subscriptions, items", later="synced"),
        "error": Then("error", STALE, UNPROVED, held="abc", sent="meta-data, subscriptions, items", later="synced"),
        "denied": Then("denied", DENIED, REFUSED, held="abc", hidden=True, sent="meta-data, subscriptions, items"),
        "gone": Then("gone", GONE, DELETED),
    },
    "unsubscribed": {
        "syncing": Then(
            "syncing", STALE, UNPROVED, held="abc", sent="items, subscriptions, subscribe, items", later="synced"
        ),
        "synced": Then(
            "syncing", STALE, UNSUBSCRIBED, held="abc", sent="subscriptions, subscribe, items", later="synced"
        ),
        "partial": Then(
            "syncing", PART, UNSUBSCRIBED, held="bc", sent="subscriptions, subscribe, newest 3", later="partial"
        ),
        "stale": Then(
            "syncing", STALE, UNSUBSCRIBED, held="abc", sent="subscriptions, subscribe, items", later="synced"
        ),
        "error": Then(
            "error", STALE, UNPROVED, held="abc", sent="meta-data, subscriptions, subscribe, items", later="synced"
        ),
    },
    "pending": {
        "syncing": Then(
            "syncing", STALE, UNPROVED, held="abc", sent="items, subscriptions, items", later="stale", later_why=PENDING
        ),
        "synced": Then(
            "syncing", STALE, PENDING, held="abc", sent="subscriptions, items", later="stale", later_why=PENDING
        ),
        "partial": Then(
            "syncing", PART, PENDING, held="bc", sent="subscriptions, newest 3", later="partial", later_why=PENDING
        ),
        "stale": Then(
            "syncing", STALE, PENDING, held="abc", sent="subscriptions, items", later="stale", later_why=PENDING
        ),
        "error": Then(
            "error",
            STALE,
            UNPROVED,
            held="abc",
            sent="meta-data, subscriptions, items",
            later="stale",
            later_why=PENDING,
        ),
    },
    "hole": {
        "syncing": Then("syncing", STALE, UNPROVED, held="abc", sent="items", later="synced"),
        "synced": Then("syncing", STALE, LOST, held="abc", sent="subscriptions, items", later="synced"),
        "partial": Then("syncing", PART, LOST, held="bc", sent="subscriptions, newest 3", later="partial"),
        "stale": Then("syncing", STALE, LOST, held="abc", sent="subscriptions, items", later="synced"),
        "error": Then(
            "error", STALE, UNPROVED, held="abc", sent="meta-data, subscriptions, newest 2, items", later="synced"
        ),
    },
}

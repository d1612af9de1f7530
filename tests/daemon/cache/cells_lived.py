# SPDX-License-Identifier: MIT
"""The cells of the state table: what becomes of the connection, of time, and of the daemon."""

from tests.daemon.cache.cells import (
    ALONE,
    ASKED,
    COPY,
    DELETED,
    DENIED,
    GONE,
    LEASE,
    NOBODY,
    OFFLINE,
    OLD,
    PART,
    PART_ALONE,
    REFUSED,
    STALE,
    UNPROVED,
    Then,
)

CELLS: dict[str, dict[str, Then]] = {
    "cut": {
        "syncing": Then("syncing", ALONE, OFFLINE, held="abc", later="stale", later_why=OFFLINE),
        "synced": Then("stale", ALONE, OFFLINE, held="abc"),
    },
    "resumed": {
        "syncing": Then("synced", COPY, held="abc"),
        "synced": Then("synced", COPY, held="abc"),
    },
    "new session": {
        "unknown": Then("unknown", ASKED),
        "ignored": Then("ignored", ASKED),
        "syncing": Then("syncing", STALE, UNPROVED, held="abc", sent="meta-data, subscriptions, items", later="synced"),
        "synced": Then("syncing", STALE, UNPROVED, held="abc", sent="meta-data, subscriptions, items", later="synced"),
        "partial": Then(
            "syncing", PART, UNPROVED, held="bc", sent="meta-data, subscriptions, newest 3", later="partial"
        ),
        "stale": Then("syncing", STALE, UNPROVED, held="abc", sent="meta-data, subscriptions, items", later="synced"),
        "error": Then("syncing", STALE, UNPROVED, held="abc", sent="meta-data, subscriptions, items", later="synced"),
        "denied": Then("denied", DENIED, REFUSED, held="abc", hidden=True, sent="meta-data, subscriptions, items"),
        "gone": Then("gone", GONE, DELETED, sent="meta-data, subscribe, newest 1"),
    },
    "suspend": {
        "synced": Then("stale", "stale stale copy asked", LEASE, held="abc"),
    },
    "max age": {
        "synced": Then("stale", STALE, OLD, held="abc"),
    },
    "start": {
        "syncing": Then("stale", ALONE, OFFLINE, held="abc"),
        "synced": Then("stale", ALONE, OFFLINE, held="abc"),
        "partial": Then("partial", PART_ALONE, OFFLINE, held="bc"),
        "stale": Then("stale", ALONE, OFFLINE, held="abc"),
        "error": Then("error", ALONE, OFFLINE, held="abc"),
        "denied": Then("denied", "NotAllowed Unavailable Unavailable Unavailable", REFUSED, held="abc", hidden=True),
        "gone": Then("gone", "NotFound Unavailable Unavailable Unavailable", DELETED),
    },
    "cancelled": {
        "syncing": Then("stale", STALE, UNPROVED, held="abc", sent="subscriptions, items", later="synced"),
    },
    "removed": {
        "unknown": Then("unknown", NOBODY),
        "ignored": Then("unknown", NOBODY),
        "syncing": Then("unknown", NOBODY, sent="unsubscribe"),
        "synced": Then("unknown", NOBODY, sent="unsubscribe"),
        "partial": Then("unknown", NOBODY, sent="unsubscribe"),
        "stale": Then("unknown", NOBODY, sent="unsubscribe"),
        "error": Then("unknown", NOBODY, sent="unsubscribe"),
        "denied": Then("unknown", NOBODY, sent="unsubscribe"),
        "gone": Then("unknown", NOBODY),
    },
}

# SPDX-License-Identifier: MIT
"""The cells of the state table: what answers do: the service answers, well or badly, or not at all."""

from tests.daemon.cache.cells import (
    ABSENT,
    ALONE,
    ASKED,
    COPY,
    DELETED,
    DENIED,
    EMPTY,
    GONE,
    NOBODY,
    OLD,
    OTHER_THAN_HELD,
    PART,
    PART_ALONE,
    REFUSED,
    STALE,
    TWICE,
    UNPROVED,
    Then,
)

CELLS: dict[str, dict[str, Then]] = {
    "read": {
        "unknown": Then(
            "syncing",
            ASKED,
            EMPTY,
            sent="newest 51, newest 1, newest 51, newest 1, info, meta-data, subscribe, items",
            later="synced",
            later_held="abc",
        ),
        "ignored": Then("ignored", ASKED, sent="newest 51"),
        "syncing": Then("synced", COPY, held="abc"),
        "synced": Then("synced", COPY, held="abc", sent="subscriptions"),
        "partial": Then("partial", PART, held="bc", sent="newest 51, subscriptions"),
        "stale": Then(
            "syncing", STALE, OLD, held="abc", sent="newest 51, subscriptions, subscriptions, items", later="synced"
        ),
        "error": Then(
            "error", STALE, UNPROVED, held="abc", sent="newest 51, meta-data, subscriptions, items", later="synced"
        ),
        "denied": Then("syncing", STALE, UNPROVED, held="abc", sent="newest 51, subscriptions, items", later="synced"),
        "gone": Then("syncing", ASKED, EMPTY, sent="newest 51, subscribe, items", later="synced", later_held="abc"),
    },
    "proved": {
        "syncing": Then("synced", COPY, held="abc"),
        "synced": Then("synced", COPY, held="abc", sent="subscriptions, items"),
        "partial": Then("synced", COPY, held="abc", sent="subscriptions, items"),
        "stale": Then("synced", COPY, held="abc", sent="subscriptions, items"),
        "error": Then("synced", COPY, held="abc", sent="meta-data, subscriptions, items"),
        "denied": Then("synced", COPY, held="abc", sent="subscriptions, items"),
        "gone": Then("synced", COPY, held="abc", sent="subscribe, items"),
    },
    "not proved": {
        "syncing": Then("error", STALE, UNPROVED, held="abc", sent="subscriptions, items, again"),
        "synced": Then("error", STALE, TWICE, held="abc", sent="subscriptions, items, again"),
        "partial": Then("partial", PART, TWICE, held="bc", sent="subscriptions, newest 3, again"),
        "stale": Then("error", STALE, TWICE, held="abc", sent="subscriptions, items, again"),
        "error": Then("error", STALE, UNPROVED, held="abc", sent="meta-data, subscriptions, items, again"),
    },
    "spoiled": {
        "syncing": Then(
            "syncing", STALE, UNPROVED, held="abc", sent="meta-data, items, subscriptions, items", later="synced"
        ),
    },
    "unreachable": {
        "unknown": Then("unknown", NOBODY, sent="newest 51"),
        "ignored": Then("ignored", NOBODY, sent="newest 51"),
        "syncing": Then("error", ALONE, UNPROVED, held="abc", sent="meta-data, again"),
        "synced": Then("error", ALONE, UNPROVED, held="abc", sent="subscriptions, meta-data, again"),
        "partial": Then("partial", PART_ALONE, UNPROVED, held="bc", sent="subscriptions, meta-data, again"),
        "stale": Then("error", ALONE, UNPROVED, held="abc", sent="subscriptions, meta-data, again"),
        "error": Then("error", ALONE, UNPROVED, held="abc", sent="meta-data, again"),
        "denied": Then(
            "denied",
            "NotAllowed NotAllowed NotAllowed Unavailable",
            REFUSED,
            held="abc",
            hidden=True,
            sent="subscriptions, meta-data, again",
        ),
        "gone": Then(
            "gone", "NotFound Unavailable Unavailable Unavailable", DELETED, sent="subscribe, meta-data, again"
        ),
    },
    "refused": {
        "unknown": Then("unknown", "Unavailable NotAllowed NotAllowed NotAllowed", sent="newest 51"),
        "ignored": Then("ignored", "Unavailable NotAllowed NotAllowed NotAllowed", sent="newest 51"),
        "syncing": Then("denied", DENIED, REFUSED, held="abc", hidden=True),
        "synced": Then("denied", DENIED, REFUSED, held="abc", hidden=True, sent="subscriptions, items"),
        "partial": Then("denied", DENIED, REFUSED, held="bc", hidden=True, sent="subscriptions, newest 3"),
        "stale": Then("denied", DENIED, REFUSED, held="abc", hidden=True, sent="subscriptions, items"),
        "error": Then("denied", DENIED, REFUSED, held="abc", hidden=True, sent="meta-data, subscriptions, items"),
        "denied": Then("denied", DENIED, REFUSED, held="abc", hidden=True, sent="subscriptions, items"),
        "gone": Then("denied", DENIED, REFUSED, sent="subscribe, items"),
    },
    "absent": {
        "unknown": Then("unknown", "Unavailable NotFound NotFound NotFound", sent="newest 51"),
        "ignored": Then("ignored", "Unavailable NotFound NotFound NotFound", sent="newest 51"),
        "syncing": Then(
            "syncing",
            "stale stale NotFound NotFound",
            UNPROVED,
            held="abc",
            sent="newest 1",
            later="gone",
            later_why=ABSENT,
            later_held="",
        ),
        "synced": Then("gone", GONE, ABSENT, sent="subscriptions, newest 1"),
        "partial": Then("gone", GONE, ABSENT, sent="subscriptions, newest 1"),
        "stale": Then("gone", GONE, ABSENT, sent="subscriptions, newest 1"),
        "error": Then("gone", GONE, ABSENT, sent="meta-data, subscriptions, newest 1"),
        "denied": Then("gone", GONE, ABSENT, sent="subscriptions, newest 1"),
        "gone": Then("gone", GONE, DELETED, sent="subscribe, newest 1"),
    },
    "verified same": {
        "synced": Then("synced", COPY, held="abc", sent="subscriptions, items"),
        "partial": Then("partial", PART, held="bc", sent="subscriptions, newest 3"),
        "stale": Then("synced", COPY, held="abc", sent="subscriptions, items"),
        "error": Then("synced", COPY, held="abc", sent="meta-data, subscriptions, items"),
    },
    "verified other": {
        "synced": Then("stale", STALE, OTHER_THAN_HELD, held="abc", sent="subscriptions, items"),
        "partial": Then("partial", PART, OTHER_THAN_HELD, held="bc", sent="subscriptions, newest 3"),
        "stale": Then("stale", STALE, OTHER_THAN_HELD, held="abc", sent="subscriptions, items"),
        "error": Then("synced", COPY, held="abc", sent="meta-data, subscriptions, items"),
    },
    "emptied": {
        "syncing": Then("synced", COPY, sent="items"),
        "synced": Then("synced", COPY, sent="subscriptions, items, items"),
        "partial": Then("synced", COPY, sent="subscriptions, newest 3"),
        "stale": Then("synced", COPY, sent="subscriptions, items, items"),
        "error": Then("synced", COPY, sent="meta-data, subscriptions, items, items"),
    },
}

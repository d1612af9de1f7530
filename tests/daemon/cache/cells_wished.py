# SPDX-License-Identifier: MIT
"""The cells of the state table: what people and programs here decide."""

from tests.daemon.cache.cells import (
    ASKED,
    BESIDE,
    COPY,
    DELETED,
    DENIED,
    EMPTY,
    GONE,
    OLD,
    PART,
    REFUSED,
    STALE,
    UNPROVED,
    UNSETTLED,
    Then,
)

CELLS: dict[str, dict[str, Then]] = {
    "write confirmed": {
        "unknown": Then("unknown", ASKED, sent="publish z"),
        "ignored": Then("unknown", ASKED, sent="publish z"),
        "syncing": Then("synced", COPY, held="abcz", sent="publish z"),
        "synced": Then("synced", COPY, held="abcz", sent="publish z"),
        "partial": Then(
            "syncing",
            PART,
            BESIDE,
            held="bc",
            sent="publish z, subscriptions, newest 3",
            later="partial",
            later_held="cz",
        ),
        "stale": Then("stale", STALE, OLD, held="abcz", sent="publish z"),
        "error": Then(
            "error",
            STALE,
            UNPROVED,
            held="abcz",
            sent="publish z, meta-data, subscriptions, items, ids z, newest 2",
            later="synced",
        ),
    },
    "write unanswered": {
        "unknown": Then("unknown", ASKED, sent="publish z"),
        "ignored": Then("unknown", ASKED, sent="publish z"),
        "syncing": Then(
            "stale", STALE, UNSETTLED, held="abc", sent="publish z, ids z, newest 2", later="synced", later_held="abcz"
        ),
        "synced": Then(
            "stale", STALE, UNSETTLED, held="abc", sent="publish z, ids z, newest 2", later="synced", later_held="abcz"
        ),
        "partial": Then(
            "partial", PART, UNSETTLED, held="bc", sent="publish z, ids z, newest 2", later_why="", later_held="bcz"
        ),
        "stale": Then("stale", STALE, OLD, held="abc", sent="publish z, ids z, newest 2", later_held="abcz"),
        "error": Then(
            "error",
            STALE,
            UNPROVED,
            held="abc",
            sent="publish z, meta-data, subscriptions, items, ids z",
            later="synced",
            later_held="abcz",
        ),
    },
    "write refused": {
        "unknown": Then("unknown", ASKED, sent="publish z"),
        "ignored": Then("unknown", ASKED, sent="publish z"),
        "syncing": Then("synced", COPY, held="abc", sent="publish z"),
        "synced": Then("synced", COPY, held="abc", sent="publish z"),
        "partial": Then("partial", PART, held="bc", sent="publish z"),
        "stale": Then("stale", STALE, OLD, held="abc", sent="publish z"),
        "error": Then(
            "error", STALE, UNPROVED, held="abc", sent="publish z, meta-data, subscriptions, items", later="synced"
        ),
    },
    "policy never": {
        "unknown": Then("unknown", ASKED),
        "ignored": Then("unknown", ASKED),
        "syncing": Then("unknown", ASKED, sent="unsubscribe"),
        "synced": Then("unknown", ASKED, sent="unsubscribe"),
        "partial": Then("unknown", ASKED, sent="unsubscribe"),
        "stale": Then("unknown", ASKED, sent="unsubscribe"),
        "error": Then("unknown", ASKED, sent="unsubscribe"),
        "denied": Then("unknown", "Unavailable NotAllowed NotAllowed NotAllowed", sent="unsubscribe"),
        "gone": Then("unknown", "Unavailable NotFound NotFound NotFound"),
    },
    "policy always": {
        "unknown": Then(
            "syncing", ASKED, EMPTY, sent="info, meta-data, subscribe, items", later="synced", later_held="abc"
        ),
        "ignored": Then(
            "syncing", ASKED, EMPTY, sent="info, meta-data, subscribe, items", later="synced", later_held="abc"
        ),
        "syncing": Then("syncing", "stale stale copy asked", UNPROVED, held="abc", later="synced"),
        "synced": Then("synced", COPY, held="abc", sent="subscriptions, items"),
        "partial": Then(
            "syncing",
            PART,
            "so many items are kept as was decided since",
            held="bc",
            sent="subscriptions, items",
            later="synced",
            later_held="abc",
        ),
        "stale": Then("syncing", STALE, OLD, held="abc", sent="subscriptions, items", later="synced"),
        "error": Then("syncing", STALE, UNPROVED, held="abc", sent="meta-data, subscriptions, items", later="synced"),
        "denied": Then(
            "denied",
            "NotAllowed NotAllowed NotAllowed asked",
            REFUSED,
            held="abc",
            hidden=True,
            sent="subscriptions, items",
            later="synced",
        ),
        "gone": Then(
            "gone", "NotFound asked asked asked", DELETED, sent="subscribe, items", later="synced", later_held="abc"
        ),
    },
    "forget some": {
        "syncing": Then("syncing", STALE, UNPROVED, held="bc", sent="items", later="synced", later_held="abc"),
        "synced": Then("partial", PART, held="bc"),
        "partial": Then("partial", PART, held="bc"),
        "stale": Then("partial", PART, OLD, held="bc"),
        "error": Then(
            "partial",
            PART,
            UNPROVED,
            held="bc",
            sent="meta-data, subscriptions, items",
            later="synced",
            later_held="abc",
        ),
        "denied": Then("denied", DENIED, REFUSED, held="bc", hidden=True),
        "gone": Then("gone", GONE, DELETED),
    },
    "forget all": {
        "syncing": Then("unknown", ASKED, sent="unsubscribe"),
        "synced": Then("unknown", ASKED, sent="unsubscribe"),
        "partial": Then("unknown", ASKED, sent="unsubscribe"),
        "stale": Then("unknown", ASKED, sent="unsubscribe"),
        "error": Then("unknown", ASKED, sent="unsubscribe"),
        "denied": Then("unknown", "Unavailable NotAllowed NotAllowed NotAllowed", sent="unsubscribe"),
        "gone": Then("unknown", "Unavailable NotFound NotFound NotFound"),
    },
    "analysers changed": {
        "unknown": Then("unknown", ASKED),
        "ignored": Then("unknown", ASKED),
        "syncing": Then(
            "syncing", STALE, UNPROVED, held="abc", sent="info, meta-data, subscriptions, items", later="synced"
        ),
        "synced": Then(
            "syncing", STALE, UNPROVED, held="abc", sent="info, meta-data, subscriptions, items", later="synced"
        ),
        "partial": Then(
            "syncing", PART, UNPROVED, held="bc", sent="info, meta-data, subscriptions, newest 3", later="partial"
        ),
        "stale": Then(
            "syncing", STALE, UNPROVED, held="abc", sent="info, meta-data, subscriptions, items", later="synced"
        ),
        "error": Then(
            "syncing", STALE, UNPROVED, held="abc", sent="info, meta-data, subscriptions, items", later="synced"
        ),
    },
}

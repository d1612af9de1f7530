# SPDX-License-Identifier: MIT
"""The table of states as data: what may happen to a node, in each state that it may be in.

A cell is named `<trigger> x <column>`; the simulation counts how often each was hit by these names. What must hold
after each of them stands in `cells_*.py` beside this file.
"""

COLUMNS: dict[str, tuple[str, ...]] = {
    "unknown": ("unknown", "ignored"),
    "syncing": ("syncing",),
    "synced": ("synced",),
    "partial": ("partial", "stale", "error"),
    "denied": ("denied", "gone"),
}
"""Column -> the states of NodeState that stand in it."""
EVERY = tuple(COLUMNS)
KNOWN = ("syncing", "synced", "partial")

TRIGGERS: dict[str, tuple[str, tuple[str, ...]]] = {
    "read": ("GetItems, freshness auto, and the service answers", EVERY),
    "proved": ("a listing proves the whole node, and nothing of it is unsettled", (*KNOWN, "denied")),
    "not proved": ("a listing ended, and proves nothing", KNOWN),
    "spoiled": ("another epoch, or a hole, while the node is listed", ("syncing",)),
    "unreachable": ("an error of type wait, a time-out, remote-server-*, service-unavailable", EVERY),
    "refused": ("the service refuses access", EVERY),
    "absent": ("item-not-found for the node, and a plain get says so too", EVERY),
    "event": ("a notification with payload, nothing else under way", EVERY),
    "event unsettled": ("a notification without payload, or delayed", EVERY),
    "retract": ("a held id is retracted", EVERY),
    "odd retract": ("an id is retracted that is not held", EVERY),
    "purge": ("a purge notification", EVERY),
    "delete": ("a delete notification, perhaps with a redirect", EVERY),
    "configuration": ("a configuration notification", EVERY),
    "unsubscribed": ("a subscription notification `none`, or the subscription is listed no more", KNOWN),
    "pending": ("the subscription awaits approval, or its configuration", KNOWN),
    "cut": ("the stream is lost and not resumed yet", ("syncing", "synced")),
    "resumed": ("the stream goes on, and the ping after it was answered", ("syncing", "synced")),
    "new session": ("another session", EVERY),
    "suspend": ("the machine slept", ("synced",)),
    "max age": ("the proof is older than max_age", ("synced",)),
    "hole": ("what arrived could not be committed", KNOWN),
    "write confirmed": ("a publish of ours is answered with a result", ("unknown", *KNOWN)),
    "write unanswered": ("a publish of ours is not answered", ("unknown", *KNOWN)),
    "write refused": ("a publish of ours is refused", ("unknown", *KNOWN)),
    "policy never": ("a person decides never to keep it", EVERY),
    "policy always": ("a person decides to keep it always, or calls Synchronise", EVERY),
    "forget some": ("Forget of the items older than a date", (*KNOWN, "denied")),
    "forget all": ("Forget of the whole node", (*KNOWN, "denied")),
    "analysers changed": ("an analyser was added, removed or changed", ("unknown", *KNOWN)),
    "verified same": ("Verify, and nothing differs", ("synced", "partial")),
    "verified other": ("Verify, and something differs", ("synced", "partial")),
    "emptied": ("from ten items or more to none, without purge or delete", KNOWN),
    "start": ("the daemon was ended, by whatever, and starts", (*KNOWN, "denied")),
    "cancelled": ("the job is cancelled", ("syncing",)),
    "removed": ("the account is removed", EVERY),
}
"""Trigger -> (what happens, the columns in which it can happen and means something)."""

_COLUMN = {state: column for column, states in COLUMNS.items() for state in states}

CELLS: tuple[str, ...] = tuple(
    f"{trigger} x {column}" for trigger, (_, columns) in TRIGGERS.items() for column in columns
)
"""The names of all cells."""


def cell_of(state: str, trigger: str) -> str:
    """The name of the cell that is hit where this happens to a node in this state; empty where it means nothing.

    Args:
        state: one of NodeState.
        trigger: one of TRIGGERS.
    """
    column = _COLUMN[state]
    return f"{trigger} x {column}" if column in TRIGGERS[trigger][1] else ""

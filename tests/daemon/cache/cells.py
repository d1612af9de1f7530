# SPDX-License-Identifier: MIT
"""How a cell of the state table is written down, and the words that stand in many of them."""

from dataclasses import dataclass

COPY = "copy copy copy asked"
STALE = "stale stale asked asked"
ALONE = "stale stale stale Unavailable"
PART = "part part asked asked"
PART_ALONE = "part part part Unavailable"
ASKED = "Unavailable asked asked asked"
NOBODY = "Unavailable Unavailable Unavailable Unavailable"
DENIED = "NotAllowed NotAllowed NotAllowed NotAllowed"
GONE = "NotFound NotFound NotFound NotFound"

ABSENT = "there is no such node"
BESIDE = "an item came of which nobody knows whether it is one of the newest"
CONFIGURED = "the node's configuration changed"
DELETED = "deleted"
EMPTY = "not fetched whole yet"
LEASE = "the service was not heard of for a while"
LOST = "a change could not be stored"
ODD = "an item that is not held was retracted"
OFFLINE = "not connected"
OLD = "verified too long ago"
OTHER_THAN_HELD = "the service has something else"
PENDING = "not subscribed (pending)"
POINTS = "deleted; the service points to xmpp:pubsub.localhost?;node=new"
PURGED = "purged; the service may have kept a last item"
REFUSED = "access is not allowed"
TWICE = "the service listed an item twice"
UNPROVED = "not verified since the connection was made"
UNSETTLED = "changes are still being settled"
UNSUBSCRIBED = "not subscribed (none)"


@dataclass(frozen=True, slots=True)
class Then:
    """What must hold after something happened to a node that holds a, b and c (partial: b and c)."""

    state: str
    """At once: what is sent is not answered yet."""
    reads: str
    """What reads give that begin then, with the freshness `cache`, `quick`, `auto` and `service`: `copy`, `stale` (the
    copy, marked), `part` (marked, and not complete), `asked` (what the service says), or an error."""
    why: str = ""
    """What Explain says against the copy."""
    held: str = ""
    """Ids of the database, in the node's order."""
    hidden: bool = False
    """No search finds them."""
    sent: str = ""
    """What the service is asked within half a minute, if nobody reads; `again`: three times and more."""
    later: str = ""
    """The state after this half minute, if it is another one; and so with what follows."""
    later_why: str | None = None
    later_held: str | None = None

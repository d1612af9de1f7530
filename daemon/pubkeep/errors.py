# SPDX-License-Identifier: MIT
"""Everything that can go wrong, as one tree.

* PubkeepError
  - InvalidArgs      the caller's arguments cannot be used; the message names the argument
  - AccessDenied     this caller may not do this here
  - UnknownObject    there is no such account or job for this caller
  - NotFound         the service answered: no such node or item
  - NotAllowed       the service answered: you may not
  - Refused          the service answered no otherwise; the message begins with the XMPP condition
  - Unavailable      nothing was sent: offline, or nobody to ask
  - TimedOut         sent, but not answered; a write may have happened
  - Conflict         it is there already, or it changed meanwhile
  - LimitExceeded    a limit of ours was reached; the message names it
  - CursorTooOld     what changed since then cannot be told
  - NotSupported     the service cannot do this, or cannot prove it
  - NotReady         the daemon starts or stops; try again
  - StorageFull      the disk of the database is full
  - ReadOnly         the database takes no writes; what is held is answered
  - Damaged          the database's file is damaged; it is set aside, and another one is built
  - DamagedItem      what is stored of one item is damaged; it is forgotten, and fetched again
  - Cancelled        ended by the caller
  - Failed           a bug or trouble of ours; details are in the log

The message is a sentence for a person: what it is about first, then what to do. It holds no
class names, no SQL, no file paths of the database and no secrets.
"""


class PubkeepError(Exception):
    """Base of all errors that cross a layer."""

    sent_at: float | None = None
    """Of what a service answered: boottime at which the request was sent, or sent again; None where nobody knows."""


class InvalidArgs(PubkeepError):
    """The caller's arguments cannot be used."""


class AccessDenied(PubkeepError):
    """This caller may not do this."""


class UnknownObject(PubkeepError):
    """No such account or job for this caller."""


class NotFound(PubkeepError):
    """The service has no such node or item."""


class NotAllowed(PubkeepError):
    """The service refuses access."""


class Refused(PubkeepError):
    """The service says no for another reason; the message begins with the XMPP condition (RFC 6120 8.3.3)."""


class Unavailable(PubkeepError):
    """Nothing was sent, or the service cannot be reached."""


class TimedOut(PubkeepError):
    """Sent, but no answer came in time."""


class Conflict(PubkeepError):
    """It is there already, or changed meanwhile."""


class LimitExceeded(PubkeepError):
    """A limit was reached; nothing was lost."""


class CursorTooOld(PubkeepError):
    """What happened since this sequence number cannot be told exactly."""


class NotSupported(PubkeepError):
    """The service cannot do this, or cannot prove it."""


class NotReady(PubkeepError):
    """The daemon is starting or stopping."""


class StorageFull(PubkeepError):
    """There is no room on the disk of the database."""


class ReadOnly(PubkeepError):
    """The database takes no writes; what is held is answered, and it goes on by itself when it takes them again."""


class Damaged(PubkeepError):
    """The file of the database is damaged: nothing in it can be believed."""


class DamagedItem(PubkeepError):
    """What is stored of an item is not what was stored: nothing of it can be shown."""

    def __init__(self, node: int, item_id: str) -> None:
        super().__init__(
            f"item {item_id!r}: what is stored of it is damaged; it is fetched again, try again in a moment"
        )
        self.node = node
        """The number of its node."""


class Cancelled(PubkeepError):
    """Ended by the caller."""


class Failed(PubkeepError):
    """A fault of ours; the log says more."""


NOT_STORED = (StorageFull, ReadOnly)
"""What a caller who wants to read need not be told: the answer is there, and only the copy lacks it."""

# SPDX-License-Identifier: MIT
"""Everything that can go wrong, as one tree; the text is the daemon's sentence, for a person.

* PubkeepError
  - InvalidArgs      the arguments cannot be used; the text names the one
  - AccessDenied     this user may not do this
  - UnknownObject    there is no such account or job
  - NotFound         the service answered: no such node or item
  - NotAllowed       the service answered: you may not
  - Refused          the service answered no otherwise; the text begins with the XMPP condition
  - Unavailable      nothing was sent: offline, or nobody to ask
  - TimedOut         sent, but not answered, by the service or by the daemon; a write may have happened
  - Conflict         it is there already, or it changed meanwhile
  - LimitExceeded    a limit was reached; the text names it
  - CursorTooOld     what changed since then cannot be told: read from the beginning
  - NotSupported     the service, or this version of the daemon, cannot do this
  - StorageFull      the disk is full
  - ReadOnly         the database takes no writes; reads go on
  - Cancelled        ended by a caller
  - Failed           a fault of the daemon; its log says more
  - NotReady         the daemon starts or stops: try again
  - NotRunning       there is no daemon on the bus, and none could be started

`NoBus` of pubkeep_bridge.bus (there is no bus, or it went away) stands beside it.
"""

from pubkeep_bridge.bus import BusError

OURS = "im.pubkeep.Pubkeep1.Error."
STANDARD = "org.freedesktop.DBus.Error."


class PubkeepError(Exception):
    """The daemon answered with an error; `name` is its D-Bus name, `leaf` the last part of it."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name

    @property
    def leaf(self) -> str:
        """`NotFound`, `InvalidArgs` and so on."""
        return self.name.rpartition(".")[2]


class InvalidArgs(PubkeepError):
    """The arguments cannot be used."""


class AccessDenied(PubkeepError):
    """This user may not do this."""


class UnknownObject(PubkeepError):
    """There is no such account or job."""


class NotFound(PubkeepError):
    """The service has no such node or item."""


class NotAllowed(PubkeepError):
    """The service refuses access."""


class Refused(PubkeepError):
    """The service says no for another reason."""


class Unavailable(PubkeepError):
    """Nothing was sent."""


class TimedOut(PubkeepError):
    """Sent, but not answered; a write may have happened."""


class Conflict(PubkeepError):
    """It is there already, or changed meanwhile."""


class LimitExceeded(PubkeepError):
    """A limit was reached."""


class CursorTooOld(PubkeepError):
    """What changed since then cannot be told."""


class NotSupported(PubkeepError):
    """The service or this daemon cannot do this."""


class StorageFull(PubkeepError):
    """The disk of the database is full."""


class ReadOnly(PubkeepError):
    """The database takes no writes."""


class Cancelled(PubkeepError):
    """Ended by a caller."""


class Failed(PubkeepError):
    """A fault of the daemon."""


class NotReady(PubkeepError):
    """The daemon starts or stops."""


class NotRunning(PubkeepError):
    """There is no daemon on the bus, and none could be started."""


_CLASSES = {kind.__name__: kind for kind in PubkeepError.__subclasses__()}
_NOBODY = ("ServiceUnknown", "NameHasNoOwner")
_SILENCE = ("NoReply", "Timeout", "TimedOut")
_OTHER_VERSION = ("UnknownMethod", "UnknownInterface", "UnknownProperty")


def named(name: str, message: str) -> PubkeepError:
    """The error with this D-Bus name, as its class."""
    return _CLASSES.get(name.rpartition(".")[2], PubkeepError)(name, message)


def translated(error: BusError) -> PubkeepError:
    """The class for an error reply, be it of the daemon or of the bus."""
    leaf = error.name.rpartition(".")[2]
    if leaf in _NOBODY or error.name.startswith(("org.freedesktop.DBus.Error.Spawn.", "org.freedesktop.systemd1.")):
        words = (
            "pubkeepd is not running: start it with `systemctl --user start pubkeep`, or set it up with `pubkeep setup`"
        )
        return NotRunning(error.name, words)
    if error.name.startswith(STANDARD) and leaf in _SILENCE:
        return TimedOut(OURS + "TimedOut", f"pubkeepd gave no answer ({error}); a write may have happened")
    if error.name.startswith(STANDARD) and leaf in _OTHER_VERSION:
        return NotSupported(OURS + "NotSupported", f"this pubkeepd does not know this call: {error}")
    return named(error.name, str(error))

# SPDX-License-Identifier: MIT
"""D-Bus error names as classes; the text is the daemon's sentence."""

from pubkeep_bridge.bus import BusError


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
    """The arguments cannot be used; the text names the one."""


class NotFound(PubkeepError):
    """The service has no such node or item."""


class NotAllowed(PubkeepError):
    """The service refuses access."""


class Unavailable(PubkeepError):
    """Nothing was sent."""


class TimedOut(PubkeepError):
    """Sent, but not answered; a write may have happened."""


class Conflict(PubkeepError):
    """It is there already, or changed meanwhile."""


class NotReady(PubkeepError):
    """The daemon starts or stops."""


class NotRunning(PubkeepError):
    """There is no daemon on the bus, and none could be started."""


_CLASSES = {c.__name__: c for c in (InvalidArgs, NotFound, NotAllowed, Unavailable, TimedOut, Conflict, NotReady)}
_NOBODY = ("ServiceUnknown", "NameHasNoOwner")


def translated(error: BusError) -> PubkeepError:
    """The class for an error reply."""
    leaf = error.name.rpartition(".")[2]
    if leaf in _NOBODY or error.name.startswith("org.freedesktop.DBus.Error.Spawn."):
        words = (
            "pubkeepd is not running: start it with `systemctl --user start pubkeep`, or set it up with `pubkeep setup`"
        )
        return NotRunning(error.name, words)
    return _CLASSES.get(leaf, PubkeepError)(error.name, str(error))

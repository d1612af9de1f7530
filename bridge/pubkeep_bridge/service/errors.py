# SPDX-License-Identifier: MIT
"""Our errors and their D-Bus names: the one table."""

from pubkeep import errors

_OURS = "im.pubkeep.Pubkeep1.Error."
_STANDARD = "org.freedesktop.DBus.Error."

NAMES: dict[type[errors.PubkeepError], str] = {
    errors.InvalidArgs: _STANDARD + "InvalidArgs",
    errors.AccessDenied: _STANDARD + "AccessDenied",
    errors.UnknownObject: _STANDARD + "UnknownObject",
    errors.NotFound: _OURS + "NotFound",
    errors.NotAllowed: _OURS + "NotAllowed",
    errors.Refused: _OURS + "Refused",
    errors.Unavailable: _OURS + "Unavailable",
    errors.TimedOut: _OURS + "TimedOut",
    errors.Conflict: _OURS + "Conflict",
    errors.LimitExceeded: _OURS + "LimitExceeded",
    errors.CursorTooOld: _OURS + "CursorTooOld",
    errors.NotSupported: _OURS + "NotSupported",
    errors.NotReady: _OURS + "NotReady",
    errors.StorageFull: _OURS + "StorageFull",
    errors.ReadOnly: _OURS + "ReadOnly",
    errors.Damaged: _OURS + "Failed",
    errors.DamagedItem: _OURS + "Failed",
    errors.Cancelled: _OURS + "Cancelled",
    errors.Failed: _OURS + "Failed",
}


def name_of(error: errors.PubkeepError | None) -> str:
    """The D-Bus name of an error, empty for none."""
    return NAMES[type(error)] if error is not None else ""


def full_name(leaf: str) -> str:
    """The D-Bus name of the error class with this name, empty for none."""
    return next((name for kind, name in NAMES.items() if kind.__name__ == leaf), "")

# SPDX-License-Identifier: MIT
"""Python values as D-Bus values, checked here: what D-Bus cannot carry would end the connection."""

from collections.abc import Mapping
from typing import Any

from pubkeep_bridge.bus import Variant
from pubkeep_bridge.client.errors import STANDARD, InvalidArgs

Fields = Mapping[str, bool | str | list[str]]
"""Fields of a form, `pubsub#title` and so on."""

OPTIONS = {
    "after": "s",
    "before": "s",
    "created_before": "x",
    "cursor": "s",
    "dry_run": "b",
    "enabled": "b",
    "everything": "b",
    "extra": "b",
    "format": "s",
    "freshness": "s",
    "host": "s",
    "ids": "as",
    "if_sequence": "t",
    "index": "u",
    "limit": "u",
    "max": "u",
    "max_age": "u",
    "max_bytes": "u",
    "max_items": "u",
    "order": "s",
    "order_by": "as",
    "password": "s",
    "port": "q",
    "publish_options": "a{sv}",
    "remember": "b",
    "repair": "b",
    "since": "t",
    "tls": "s",
    "updated_before": "x",
}
"""Types of all options; every other key is a string (filters)."""
_RANGES = {"q": (0, 2**16 - 1), "u": (0, 2**32 - 1), "t": (0, 2**64 - 1), "x": (-(2**63), 2**63 - 1)}


def options(given: Mapping[str, Any]) -> dict[str, Any]:
    """Keyword arguments as a{sv}; None means not given.

    Raises:
        InvalidArgs: naming the option.
    """
    return {
        key: Variant(kind := OPTIONS.get(key, "s"), _checked(kind, value, key))
        for key, value in given.items()
        if value is not None
    }


def fields(config: Fields) -> dict[str, Any]:
    """A form's fields as a{sv}."""
    kinds = {bool: "b", str: "s", list: "as"}
    return {key: Variant(kinds[type(value)], argument(value, key)) for key, value in config.items()}


def argument(value: Any, what: str = "argument") -> Any:
    """A string, or a list of strings, that D-Bus can carry; other values as they are.

    Raises:
        InvalidArgs: it holds a NUL, or bytes of the command line that are no UTF-8.
    """
    if isinstance(value, list | tuple):
        return [argument(each, what) for each in value]
    if isinstance(value, str) and ("\0" in value or not (value.isascii() or _is_text(value))):
        raise InvalidArgs(
            f"{STANDARD}InvalidArgs", f"{what} {value[:80]!r} is not text: it holds a NUL or is not UTF-8"
        )
    return value


def plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """a{sv} as Python values."""
    return {key: variant.value for key, variant in values.items()}


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _checked(kind: str, value: Any, key: str) -> Any:
    if kind not in _RANGES:
        return argument(list(value) if kind == "as" else value, f"option {key!r}:")
    low, high = _RANGES[kind]
    if not low <= value <= high:
        raise InvalidArgs(f"{STANDARD}InvalidArgs", f"option {key!r}: {value} is not from {low} to {high}")
    return value

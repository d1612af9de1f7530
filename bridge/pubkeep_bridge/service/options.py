# SPDX-License-Identifier: MIT
"""`a{sv}` arguments, checked: unknown keys and wrong types are refused by name.

A table gives for each key its type: `b`, `s`, `as`, `a{sv}`, or a number type. A number is taken in any
integer type that holds it, since Qt and Python send `i`.
"""

from collections.abc import Mapping
from typing import Any

from pubkeep.errors import InvalidArgs
from pubkeep.protocol import FieldValue

Table = Mapping[str, str]

_RANGES = {"u": (0, 2**32 - 1), "t": (0, 2**64 - 1), "x": (-(2**63), 2**63 - 1), "q": (0, 2**16 - 1)}
_INTEGERS = "ynqiuxt"


def parse(options: Mapping[str, Any], table: Table, what: str = "option") -> dict[str, Any]:
    """The options as Python values, only those that were given.

    Raises:
        InvalidArgs: naming the key.
    """
    result = {}
    for key, variant in options.items():
        wanted = table.get(key)
        if wanted is None:
            known = ", ".join(sorted(table)) or "none"
            raise InvalidArgs(f"{what} {key!r} is not known here; known: {known}")
        result[key] = _value(variant, wanted, f"{what} {key!r}")
    return result


def choice(values: Mapping[str, Any], key: str, allowed: tuple[str, ...]) -> None:
    """Refuse a value that is not one of these.

    Raises:
        InvalidArgs: naming key and values.
    """
    if key in values and values[key] not in allowed:
        raise InvalidArgs(f"option {key!r}: {values[key]!r} is not one of {', '.join(allowed)}")


def plain(values: Mapping[str, Any], what: str) -> dict[str, FieldValue]:
    """A form's fields as Python values: `b`, `s` or `as`, numbers as text."""
    result: dict[str, FieldValue] = {}
    for key, variant in values.items():
        if variant.signature in ("b", "s"):
            result[key] = variant.value
        elif variant.signature == "as" or (variant.signature == "av" and not variant.value):
            result[key] = tuple(variant.value)
        elif variant.signature in _INTEGERS:
            result[key] = str(variant.value)
        else:
            raise InvalidArgs(f"{what} {key!r}: a field is of type b, s or as, not {variant.signature}")
    return result


def _value(variant: Any, wanted: str, what: str) -> Any:
    if wanted in _RANGES:
        low, high = _RANGES[wanted]
        if variant.signature not in _INTEGERS:
            raise InvalidArgs(f"{what}: a number is wanted, not type {variant.signature}")
        if not low <= variant.value <= high:
            raise InvalidArgs(f"{what}: {variant.value} is not from {low} to {high}")
        return variant.value
    if variant.signature != wanted and not (wanted == "as" and variant.signature == "av" and not variant.value):
        raise InvalidArgs(f"{what}: type {wanted} is wanted, not {variant.signature}")
    return variant.value

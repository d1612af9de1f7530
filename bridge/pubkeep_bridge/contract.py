# SPDX-License-Identifier: MIT
"""The contract as Python sees it: read from the interface XML, which is the one place where it is written.

What is served is dispatched from this, so that served and written cannot differ.
"""

import functools
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree as ET

BUS_NAME = "im.pubkeep.Pubkeep1"
ROOT = "/im/pubkeep/Pubkeep1"
EMITS_CHANGED = "org.freedesktop.DBus.Property.EmitsChangedSignal"


@dataclass(frozen=True, slots=True)
class Property:
    """A property; `emits` is `true`, `invalidates`, `const` or `false`."""

    signature: str
    writable: bool
    emits: str


@dataclass(frozen=True, slots=True)
class Method:
    """A method's signatures."""

    takes: str
    gives: str


@dataclass(frozen=True, slots=True)
class Interface:
    """One interface."""

    name: str
    xml: str
    """The `<interface>` element as it stands in the file, documentation and annotations included."""
    methods: dict[str, Method] = field(default_factory=dict)
    signals: dict[str, str] = field(default_factory=dict)
    properties: dict[str, Property] = field(default_factory=dict)


def folder() -> Path:
    """Where the XML is: in the installed package, or in the checkout."""
    packaged = Path(__file__).parent / "interfaces"
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / "dbus-interfaces"


@functools.cache
def load(name: str) -> Interface:
    """Read an interface by its full name."""
    text = (folder() / f"{name}.xml").read_text(encoding="utf-8")
    return parse(text)


def parse(text: str) -> Interface:
    """Read the first interface of an introspection document."""
    element = next(ET.fromstring(text).iter("interface"))  # noqa: S314 (our own file)
    start, end = text.index("<interface "), text.index("</interface>") + len("</interface>")
    interface = Interface(element.get("name", ""), text[start:end])
    for method in element.iterfind("method"):
        takes = "".join(arg.get("type", "") for arg in method.iterfind("arg") if arg.get("direction", "in") == "in")
        gives = "".join(arg.get("type", "") for arg in method.iterfind("arg") if arg.get("direction") == "out")
        interface.methods[method.get("name", "")] = Method(takes, gives)
    for signal in element.iterfind("signal"):
        signature = "".join(arg.get("type", "") for arg in signal.iterfind("arg"))
        interface.signals[signal.get("name", "")] = signature
    for each in element.iterfind("property"):
        emits = next(
            (a.get("value", "") for a in each.iterfind("annotation") if a.get("name") == EMITS_CHANGED), "true"
        )
        interface.properties[each.get("name", "")] = Property(
            each.get("type", ""), "write" in each.get("access", ""), emits
        )
    return interface

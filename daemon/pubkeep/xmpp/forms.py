# SPDX-License-Identifier: MIT
"""Data forms (XEP-0004), both ways. Pure: elements in and out."""

from collections.abc import Mapping
from xml.etree import ElementTree as ET

from pubkeep.protocol import FieldValue

DATA = "{jabber:x:data}"
_TRUE = ("1", "true")


def submit(kind: str, values: Mapping[str, FieldValue]) -> ET.Element:
    """A form of type `submit` with these fields and no other; `kind` is its FORM_TYPE (XEP-0068)."""
    form = ET.Element(f"{DATA}x", {"type": "submit"})
    _field(form, "FORM_TYPE", kind).set("type", "hidden")
    for name, value in values.items():
        _field(form, name, value)
    return form


def read(form: ET.Element, kind: str) -> dict[str, FieldValue]:
    """The fields of a form with this FORM_TYPE; empty where it has another.

    A boolean is a bool, a field that may hold several values (`*-multi`, or several are there) a tuple, all else
    text. Without a value a field is False, empty or "". FORM_TYPE and explanations (`fixed`) are left out.
    """
    values: dict[str, FieldValue] = {}
    found = ""
    for field in form.iterfind(f"{DATA}field"):
        name, declared = field.get("var", ""), field.get("type", "")
        texts = tuple(value.text or "" for value in field.iterfind(f"{DATA}value"))
        if name == "FORM_TYPE":
            found = "".join(texts)
        elif name and declared == "boolean":
            values[name] = bool(texts) and texts[0] in _TRUE
        elif name and (declared.endswith("-multi") or len(texts) > 1):
            values[name] = texts
        elif name and declared != "fixed":
            values[name] = "".join(texts)
    return values if found == kind else {}


def _field(form: ET.Element, name: str, value: FieldValue) -> ET.Element:
    field = ET.SubElement(form, f"{DATA}field", {"var": name})
    for text in value if isinstance(value, tuple) else (_text(value),):
        ET.SubElement(field, f"{DATA}value").text = text
    return field


def _text(value: bool | str) -> str:
    return value if isinstance(value, str) else "1" if value else "0"

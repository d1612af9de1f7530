# SPDX-License-Identifier: MIT
"""Blogs and their comments: XEP-0277 (microblogging), XEP-0472 (social feeds), over Atom (RFC 4287)."""

import json
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

from pubkeep.analysers import atom
from pubkeep.payload import first_child

NODE = "urn:xmpp:microblog:0"
COMMENTS = f"{NODE}:comments/"


def parse(_account: str, item: Element, _service: str | None, node: str) -> dict[str, Any]:
    """An entry as `blog.schema.json` describes it.

    Raises:
        ValueError: the payload is no Atom entry.
    """
    element = first_child(item)
    if element is None:
        raise ValueError("the item has no payload")
    values = atom.entry(element)
    if node.startswith(COMMENTS):
        values["subtype"] = "comment"
    values["text"] = atom.searchable(values)
    return values


def match(_account: str, analysis: dict[str, Any]) -> None:
    """Comments are blogs of a kind of their own (XEP-0277 3)."""
    if analysis["node"].startswith(COMMENTS):
        analysis["subtype"] = "comments"


ANALYSER = {
    "name": "blog",
    "type": "blog",
    "node": NODE,
    "namespace": "http://www.w3.org/2005/Atom",
    "to_sync": True,
    "parser": parse,
    "match_cb": match,
    "version": 1,
    "keys": {"/id": "value", "/in_reply_to/0/ref": "value"},
    "schema": json.loads((Path(__file__).parent / "blog.schema.json").read_text(encoding="utf-8")),
}

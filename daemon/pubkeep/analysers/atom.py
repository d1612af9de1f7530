# SPDX-License-Identifier: MIT
"""An Atom entry (RFC 4287) as data. What cannot be used is left out; nothing an entry holds can make this fail."""

import html
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree as ET

from pubkeep.dates import microseconds
from pubkeep.payload import to_xml

ATOM = "{http://www.w3.org/2005/Atom}"
XHTML = "{http://www.w3.org/1999/xhtml}"
THREAD = "{http://purl.org/syndication/thread/1.0}"
LANG = "{http://www.w3.org/XML/1998/namespace}lang"

_TAG = re.compile(r"<(?:[^<>\"']|\"[^\"]*\"|'[^']*')*>")
_INLINE = frozenset(
    "a abbr b big bdo cite code del dfn em font i ins kbd mark q s samp small span strike strong sub sup tt u".split()
)
_SPACE = re.compile(r"\s+")


def entry(element: ET.Element) -> dict[str, Any]:
    """All that an entry says.

    Raises:
        ValueError: it is no Atom entry.
    """
    if element.tag != f"{ATOM}entry":
        raise ValueError("the payload is not an Atom entry")
    result: dict[str, Any] = {}
    _put(result, "id", _text(element.find(f"{ATOM}id")))
    for name in ("title", "summary", "content", "rights"):
        construct = _construct(element.findall(f"{ATOM}{name}"))
        _put(result, name, construct.pop("text", ""))
        for key, value in construct.items():
            _put(result, f"{name}_{key}", value)
    for name in ("published", "updated"):
        _put(result, name, _date(element.findtext(f"{ATOM}{name}")))
    _put(result, "authors", [_person(each) for each in element.iterfind(f"{ATOM}author")])
    _put(result, "contributors", [_person(each) for each in element.iterfind(f"{ATOM}contributor")])
    _put(result, "tags", _tags(element))
    _put(result, "language", element.get(LANG, ""))
    _links(result, element)
    _put(result, "in_reply_to", _replies(element))
    source = element.find(f"{ATOM}source")
    if source is not None:
        about = {"id": _text(source.find(f"{ATOM}id")), "title": _text(source.find(f"{ATOM}title"))}
        _put(result, "source", {key: value for key, value in about.items() if value})
    return result


def searchable(values: dict[str, Any]) -> str:
    """What a person reads in an entry."""
    names = [person.get("name", "") for person in values.get("authors", ())]
    parts = [values.get("title", ""), values.get("summary", ""), values.get("content", ""), *names]
    return " ".join(part for part in [*parts, *values.get("tags", ())] if part)


def _put(result: dict[str, Any], key: str, value: Any) -> None:
    """Nothing empty is written."""
    if value:
        result[key] = value


def _text(element: ET.Element | None) -> str:
    return _folded("".join(element.itertext())) if element is not None else ""


def _xhtml_text(element: ET.Element) -> Iterator[str]:
    """The words of XHTML: blocks are parted by a space, `wo<b>r</b>d` stays one word."""
    block = element.tag.removeprefix(XHTML) not in _INLINE
    yield " " if block else ""
    yield element.text or ""
    for child in element:
        yield from _xhtml_text(child)
        yield child.tail or ""
    yield " " if block else ""


def _folded(text: str) -> str:
    return _SPACE.sub(" ", text).strip()


def _date(text: str | None) -> str:
    """The date as it was written, if it is one."""
    return text.strip() if text and microseconds(text) else ""


def _construct(elements: list[ET.Element]) -> dict[str, str]:
    """A text construct (RFC 4287 3.1), or several of them, as XEP-0277 sends text and XHTML side by side."""
    result: dict[str, str] = {}
    for element in elements:
        kind = element.get("type", "text")
        if kind == "xhtml":
            body = element.find(f"{XHTML}div")
            if body is not None:
                result.setdefault("xhtml", to_xml(body))
                result.setdefault("plain", _folded("".join(_xhtml_text(body))))
        elif kind in ("html", "text/html"):
            markup = "".join(element.itertext())
            result.setdefault("html", markup)
            result.setdefault("plain", _folded(html.unescape(_TAG.sub(" ", markup))))
        elif element.get("src"):
            result.setdefault("src", element.get("src", ""))
        else:
            result.setdefault("text", _text(element) if kind != "text" else "".join(element.itertext()).strip())
    plain = result.pop("plain", "")
    result.setdefault("text", plain)
    return result


def _person(element: ET.Element) -> dict[str, str]:
    """A person (RFC 4287 3.2); an xmpp: URI is a JID as well (XEP-0277 2)."""
    result: dict[str, str] = {}
    for key in ("name", "uri", "email"):
        _put(result, key, _text(element.find(f"{ATOM}{key}")))
    uri = result.get("uri", "")
    if uri.startswith("xmpp:"):
        result["jid"] = unquote(uri[5:].partition("?")[0])
    return result


def _tags(element: ET.Element) -> list[str]:
    terms = (each.get("term", "").strip() for each in element.iterfind(f"{ATOM}category"))
    return list(dict.fromkeys(term for term in terms if term))


def _links(result: dict[str, Any], element: ET.Element) -> None:
    """Links (RFC 4287 4.2.7), with the ones that mean something to us apart: comments, attachments, the web page."""
    links, attachments, comments = [], [], []
    for each in element.iterfind(f"{ATOM}link"):
        if not (href := each.get("href", "").strip()):
            continue
        link: dict[str, Any] = {"href": href, "rel": each.get("rel", "alternate")}
        for key in ("type", "title", "hreflang"):
            _put(link, key, each.get(key, ""))
        if each.get("length", "").isdecimal():
            link["length"] = int(each.get("length", "0")[:15])
        if link["rel"] == "enclosure":
            attachments.append({key: value for key, value in link.items() if key != "rel"})
        elif link["rel"] == "replies" and href.startswith("xmpp:"):
            comments.append(_xmpp_node(href, link.get("title", "")))
        else:
            links.append(link)
            if link["rel"] == "alternate":
                result.setdefault("url", href)
    _put(result, "links", links)
    _put(result, "attachments", attachments)
    _put(result, "comments", [each for each in comments if each])


def _xmpp_node(uri: str, title: str) -> dict[str, str]:
    """`xmpp:SERVICE?;node=NODE` (XEP-0060 12.22, XEP-0277 3)."""
    service, _, query = uri[5:].partition("?")
    values = dict(part.partition("=")[::2] for part in query.split(";") if "=" in part)
    if not service or not values.get("node"):
        return {}
    result = {"uri": uri, "service": unquote(service), "node": unquote(values["node"])}
    _put(result, "item", unquote(values.get("item", "")))
    _put(result, "title", title)
    return result


def _replies(element: ET.Element) -> list[dict[str, str]]:
    """RFC 4685."""
    found = []
    for each in element.iterfind(f"{THREAD}in-reply-to"):
        values = {key: each.get(key, "") for key in ("ref", "href", "type", "source")}
        found.append({key: value for key, value in values.items() if value})
    return [each for each in found if each]

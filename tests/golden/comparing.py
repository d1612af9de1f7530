# SPDX-License-Identifier: MIT
"""What differs between two recordings of a script, beside what says nothing: the order of attributes, of features."""

import difflib
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape, quoteattr

from tests.golden.recording import SENT, Line, Recording

_UNORDERED = (
    "{http://jabber.org/protocol/disco#info}query",
    "{http://jabber.org/protocol/pubsub}subscriptions",
    "{http://jabber.org/protocol/pubsub#owner}subscriptions",
)
_NODES = "{http://jabber.org/protocol/disco#items}query"


def element(head: str, stanza: str) -> ET.Element:
    """A stanza, with the namespaces that its stream declares."""
    return ET.fromstring(f"{head}{stanza}</stream:stream>")[0]


def plain(head: str, line: Line) -> str:
    """The line, the same for what means the same."""
    if line.way == SENT:
        return f"{line.who:5} {line.way} {line.stanza}"
    stanza = element(head, line.stanza)
    for each in stanza.iter():
        if each.tag in _UNORDERED or (each.tag == _NODES and "node" not in each.attrib):
            each[:] = sorted(each, key=ET.tostring)
    return f"{line.who:5} {line.way} {_written(stanza, 'jabber:client')}"


def _written(each: ET.Element, outer: str) -> str:
    """An element for people: attributes in one order, a namespace where it is another than outside, no prefixes."""
    uri, _, name = each.tag[1:].partition("}")
    declared = f" xmlns='{uri}'" if uri != outer else ""
    attributes = "".join(f" {key}={quoteattr(value)}" for key, value in sorted(each.items()))
    inner = escape(each.text or "") + "".join(_written(child, uri) + escape(child.tail or "") for child in each)
    return f"<{name}{declared}{attributes}>{inner}</{name}>" if inner else f"<{name}{declared}{attributes}/>"


def lines(recording: Recording, words: str, *, racing: bool) -> list[str]:
    """A step in its plain form; what came in any order, where the service races, is sorted."""
    said = [plain(recording.head, line) for line in recording.steps.get(words, ())]
    return sorted(said) if racing else said


def differences(held: Recording, now: Recording, *, racing: bool) -> list[str]:
    """A readable diff, step by step; empty where the service says what it said."""
    found: list[str] = []
    for words in dict.fromkeys([*held.steps, *now.steps]):
        was, came = (lines(each, words, racing=racing) for each in (held, now))
        if was != came:
            found += [f"# {words}", *list(difflib.unified_diff(was, came, lineterm="", n=9))[2:]]
    return found


def merged(held: Recording, now: Recording, *, racing: bool) -> Recording:
    """The new one, where it says the same in the words of the old one: only what changed shows in the history."""
    result = Recording(now.head)
    for words, said in now.steps.items():
        same = lines(held, words, racing=racing) == lines(now, words, racing=racing)
        result.steps[words] = held.steps[words] if same else said
    return result

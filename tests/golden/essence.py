# SPDX-License-Identifier: MIT
"""What a stanza says of a node, in a few words: what a simulated service must say too."""

from xml.etree import ElementTree as ET

_PUBSUB, _EVENT = "{http://jabber.org/protocol/pubsub}", "{http://jabber.org/protocol/pubsub#event}"
_RSM, _DISCO = "{http://jabber.org/protocol/rsm}", "{http://jabber.org/protocol/disco#items}query"
_STANZAS = "{urn:ietf:params:xml:ns:xmpp-stanzas}"
_DELAY = "{urn:xmpp:delay}delay"


def essence(stanza: ET.Element) -> str:
    """Of an answer or an event."""
    if stanza.tag == "{jabber:client}message":
        event = stanza.find(f"{_EVENT}event")
        said = [_change(each) for each in event] if event is not None else []
        late = " late" if stanza.find(_DELAY) is not None else ""
        return f"{'; '.join(said) or 'message'}{late}"
    if stanza.get("type") == "error":
        error = stanza.find("{jabber:client}error")
        assert error is not None
        names = [each.tag.partition("}")[2] for each in error if each.tag != f"{_STANZAS}text"]
        return " ".join(["error", error.get("type", ""), *sorted(names)])
    items, query = stanza.find(f"{_PUBSUB}pubsub/{_PUBSUB}items"), stanza.find(_DISCO)
    if items is not None:
        return f"items {_items(items)}{_set(stanza.find(f'{_PUBSUB}pubsub/{_RSM}set'))}"
    if query is not None:
        names = [each.get("name", "") or each.get("node", "") for each in query if each.tag != f"{_RSM}set"]
        return f"{' '.join(['listed', *names])}{_set(query.find(f'{_RSM}set'))}"
    states = [each.get("subscription", "") for each in stanza.iter(f"{_PUBSUB}subscription")]
    return " ".join(["result", *states])


def _change(element: ET.Element) -> str:
    name = element.tag.removeprefix(_EVENT)
    if name == "items":
        retracted = [each.get("id", "") for each in element.iterfind(f"{_EVENT}retract")]
        return f"retracted {' '.join(retracted)}" if retracted else f"published {_items(element)}"
    return name


def _items(parent: ET.Element) -> str:
    return " ".join(f"{item.get('id')}={''.join(item.itertext())}" for item in parent)


def _set(rsm: ET.Element | None) -> str:
    """The kind of its values: whether there are edges, their index and the count."""
    if rsm is None:
        return ""
    first = rsm.find(f"{_RSM}first")
    edges = "" if first is None else f" from {first.get('index')}"
    return f" |{edges} of {rsm.findtext(f'{_RSM}count')}"

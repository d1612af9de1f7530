# SPDX-License-Identifier: MIT
"""Requests of the script, as text."""

SERVICE = "pubsub.localhost"
PUBSUB, OWNER = "http://jabber.org/protocol/pubsub", "http://jabber.org/protocol/pubsub#owner"
RSM, DATA, DISCO = "http://jabber.org/protocol/rsm", "jabber:x:data", "http://jabber.org/protocol/disco"

CAROLS = "carol@localhost/golden"


def _attribute(name: str, value: str) -> str:
    return f" {name}='{value}'" if value else ""


def iq(kind: str, inner: str, to: str = SERVICE) -> str:
    """An IQ; without `to` it goes to the account's own server."""
    return f"<iq type='{kind}'{_attribute('to', to)}>{inner}</iq>"


def get(node: str, ids: str = "", rsm: str | None = None, to: str = SERVICE, **attributes: str) -> str:
    """XEP-0060 6.5; ids apart by spaces; `rsm` stands inside the `<set/>`."""
    named = "".join(f" {name}='{value}'" for name, value in attributes.items())
    items = "".join(f"<item id='{each}'/>" for each in ids.split())
    paged = "" if rsm is None else f"<set xmlns='{RSM}'>{rsm}</set>"
    return iq("get", f"<pubsub xmlns='{PUBSUB}'><items node='{node}'{named}>{items}</items>{paged}</pubsub>", to)


def pubsub(kind: str, inner: str, to: str = SERVICE) -> str:
    """Any other request."""
    return iq(kind, f"<pubsub xmlns='{PUBSUB}'>{inner}</pubsub>", to)


def owner(kind: str, inner: str, to: str = SERVICE) -> str:
    """What only owners ask (XEP-0060 8)."""
    return iq(kind, f"<pubsub xmlns='{OWNER}'>{inner}</pubsub>", to)


def form(kind: str, fields: dict[str, str]) -> str:
    """A submitted form (XEP-0004); names without `pubsub#`."""
    values = {"FORM_TYPE": f"http://jabber.org/protocol/pubsub#{kind}"}
    values |= {f"pubsub#{name}": value for name, value in fields.items()}
    inner = "".join(f"<field var='{name}'><value>{value}</value></field>" for name, value in values.items())
    return f"<x xmlns='{DATA}' type='submit'>{inner}</x>"


def note(text: str) -> str:
    """A payload."""
    return f"<note xmlns='urn:example:note'>{text}</note>"


def publish(node: str, item: str, text: str, to: str = SERVICE, **options: str) -> str:
    """XEP-0060 7.1, with publish-options (7.1.5)."""
    asked = f"<publish-options>{form('publish-options', options)}</publish-options>" if options else ""
    return pubsub("set", f"<publish node='{node}'><item id='{item}'>{note(text)}</item></publish>{asked}", to)


def retract(node: str, ids: str, notify: str = "true", to: str = SERVICE) -> str:
    """XEP-0060 7.2."""
    items = "".join(f"<item id='{each}'/>" for each in ids.split())
    return pubsub("set", f"<retract node='{node}'{_attribute('notify', notify)}>{items}</retract>", to)


def create(node: str, to: str = SERVICE, **config: str) -> str:
    """XEP-0060 8.1.3."""
    return pubsub("set", f"<create node='{node}'/><configure>{form('node_config', config)}</configure>", to)


def configure(node: str, to: str = SERVICE, **config: str) -> str:
    """XEP-0060 8.2.4."""
    return owner("set", f"<configure node='{node}'>{form('node_config', config)}</configure>", to)


def purge(node: str, to: str = SERVICE) -> str:
    """XEP-0060 8.5."""
    return owner("set", f"<purge node='{node}'/>", to)


def delete(node: str, to: str = SERVICE) -> str:
    """XEP-0060 8.4."""
    return owner("set", f"<delete node='{node}'/>", to)


def affiliate(node: str, jid: str, affiliation: str) -> str:
    """XEP-0060 8.9.2."""
    inner = f"<affiliation jid='{jid}' affiliation='{affiliation}'/>"
    return owner("set", f"<affiliations node='{node}'>{inner}</affiliations>")


def subscribe(node: str, jid: str = CAROLS, to: str = SERVICE) -> str:
    """XEP-0060 6.1."""
    return pubsub("set", f"<subscribe node='{node}' jid='{jid}'/>", to)


def unsubscribe(node: str, subid: str = "", jid: str = CAROLS, to: str = SERVICE) -> str:
    """XEP-0060 6.2."""
    return pubsub("set", f"<unsubscribe node='{node}' jid='{jid}'{_attribute('subid', subid)}/>", to)


def info(node: str = "", to: str = SERVICE) -> str:
    """XEP-0030 3."""
    return iq("get", f"<query xmlns='{DISCO}#info'{_attribute('node', node)}/>", to)


def listed(node: str = "", to: str = SERVICE, rsm: str = "") -> str:
    """XEP-0030 4."""
    return iq("get", f"<query xmlns='{DISCO}#items'{_attribute('node', node)}>{rsm}</query>", to)


def subscriptions(node: str = "") -> str:
    """XEP-0060 5.6."""
    return pubsub("get", f"<subscriptions{_attribute('node', node)}/>")

# SPDX-License-Identifier: MIT
"""What a node's owner asks (XEP-0060 8). Pure: payloads of requests, and what their answers say."""

from collections.abc import Mapping
from xml.etree.ElementTree import Element, SubElement

from pubkeep.protocol import FieldValue
from pubkeep.xmpp import forms

OWNER = "{http://jabber.org/protocol/pubsub#owner}"
NODE_CONFIG = "http://jabber.org/protocol/pubsub#node_config"


def request(what: str, node: str) -> Element:
    """`configure` (8.2), `delete` (8.4), `purge` (8.5) or `affiliations` (8.9) of a node, without anything in it."""
    pubsub = Element(f"{OWNER}pubsub")
    SubElement(pubsub, f"{OWNER}{what}", {"node": node})
    return pubsub


def configure(node: str, fields: Mapping[str, FieldValue]) -> Element:
    """A submitted configuration form (8.2.4) with these fields alone: the service keeps the others as they are."""
    pubsub = request("configure", node)
    pubsub[0].append(forms.submit(NODE_CONFIG, fields))
    return pubsub


def configuration(answer: Element) -> dict[str, FieldValue]:
    """The fields of the configuration form (8.2.1)."""
    form = answer.find(f"{OWNER}pubsub/{OWNER}configure/{forms.DATA}x")
    return forms.read(form, NODE_CONFIG) if form is not None else {}


def affiliate(node: str, affiliations: Mapping[str, str]) -> Element:
    """A change of these affiliations alone (8.9.2)."""
    pubsub = request("affiliations", node)
    for jid, affiliation in affiliations.items():
        SubElement(pubsub[0], f"{OWNER}affiliation", {"jid": jid, "affiliation": affiliation})
    return pubsub


def affiliations(answer: Element) -> dict[str, str]:
    """JID -> affiliation (8.9.1)."""
    found = answer.iterfind(f"{OWNER}pubsub/{OWNER}affiliations/{OWNER}affiliation")
    return {each.get("jid", ""): each.get("affiliation", "") for each in found}

# SPDX-License-Identifier: MIT
"""URIs and payloads."""

from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pubkeep import payload
from pubkeep.errors import InvalidArgs
from pubkeep.model import NodeKey
from pubkeep.uri import item_uri, parse_item_uri

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)


@given(node=TEXT, item=TEXT)
def test_a_uri_says_what_it_was_made_of(node: str, item: str) -> None:
    key = NodeKey("alice@localhost", "pubsub.localhost", node)

    assert parse_item_uri(item_uri(key, item)) == (key, item)


@pytest.mark.parametrize(
    "uri", ["", "x", "xmpp://a/b", "xmpp://a/b?;node=c", "xmpp://a/b?;node=c d;item=e", "xmpp:a?;node=b;item=c"]
)
def test_what_is_no_uri_of_ours_is_refused(uri: str) -> None:
    with pytest.raises(InvalidArgs, match="address of an item"):
        parse_item_uri(uri)


@pytest.mark.parametrize(
    ("xml", "words"),
    [
        ("<a", "not well-formed"),
        ("", "not well-formed"),
        ("<a/><b/>", "not well-formed"),
        ("<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>", "document type"),
        ("<a>" * 300 + "</a>" * 300, "nested more than 200"),
    ],
)
def test_a_payload_that_cannot_be_sent_is_refused(xml: str, words: str) -> None:
    with pytest.raises(InvalidArgs, match=words):
        payload.parse(xml)


def test_a_payload_is_written_as_it_was_read() -> None:
    xml = "<a xmlns='urn:a' xmlns:b='urn:b' b:x='1'>t&#13;<b:c/>&lt;<d xmlns=''>e</d></a>"

    written = payload.to_xml(ET.fromstring(xml))

    assert ET.canonicalize(written, rewrite_prefixes=True) == ET.canonicalize(xml, rewrite_prefixes=True)
    assert payload.digest(written) == payload.digest(payload.to_xml(ET.fromstring(written)))
    assert payload.to_xml(None) == ""

# SPDX-License-Identifier: MIT
"""What is read is what is written: names, prefixes in values, text."""

import io
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pubkeep import markup, payload
from pubkeep.errors import InvalidArgs

XSI = "http://www.w3.org/2001/XMLSchema-instance"
TEXT = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], include_characters="\t\n\r", exclude_characters="\ufffe\uffff"),
    max_size=12,
)
"""What may stand in XML 1.0 (2.2)."""
PREFIXES = st.sampled_from(["", "a", "ns0", "ns1", "xs", "html"])
URIS = st.sampled_from(["urn:a", "urn:b", "http://www.w3.org/1999/xhtml", "http://www.w3.org/2001/XMLSchema"])
LOCAL = st.sampled_from(["x", "entry", "type"])


def escaped(text: str) -> str:
    for character in "&<>\"'\t\n\r":
        text = text.replace(character, f"&#{ord(character)};") if character != "&" else text.replace("&", "&amp;")
    return text


@st.composite
def documents(draw: st.DrawFn, depth: int = 0, scope: tuple[tuple[str, str], ...] = ()) -> str:
    """A document as others write them: any prefix for any namespace, declared anywhere, used in values or not."""
    declared = draw(st.dictionaries(PREFIXES, URIS, max_size=2))
    bound = dict(scope) | declared
    name = draw(LOCAL) if "" in bound or not bound else f"{draw(st.sampled_from(sorted(bound)))}:{draw(LOCAL)}"
    attributes = {f"k{n}": value for n, value in enumerate(draw(st.lists(TEXT, max_size=2)))}
    if prefixes := sorted(filter(None, bound)):
        prefix = draw(st.sampled_from(prefixes))
        attributes |= {f"{prefix}:foreign": draw(TEXT), "qname": f"{draw(st.sampled_from(prefixes))}:name"}
    attributes |= draw(st.sampled_from([{}, {"xml:lang": "de"}]))
    inside = draw(TEXT)
    children = draw(st.integers(0, 3 - depth)) if depth < 3 else 0
    content = escaped(inside) + "".join(
        draw(documents(depth + 1, tuple(bound.items()))) + escaped(draw(TEXT)) for _ in range(children)
    )
    head = "".join(f' xmlns{":" + each if each else ""}="{uri}"' for each, uri in declared.items())
    head += "".join(f' {key}="{escaped(value)}"' for key, value in attributes.items())
    return f"<{name}{head}>{content}</{name}>"


def canonical(xml: str) -> str:
    return ET.canonicalize(xml, rewrite_prefixes=True)


def meant(xml: str) -> list[str]:
    """The namespace that each attribute `qname` speaks of; the standard library's C14N takes the wrong scope."""
    scope: list[tuple[str, str]] = []
    result = []
    for event, found in ET.iterparse(io.BytesIO(xml.encode()), ("start-ns", "end-ns", "start")):
        if event == "start-ns":
            scope.append(found)
        elif event == "end-ns":
            scope.pop()
        elif prefix := found.get("qname", "").partition(":")[0]:
            result.append(dict(scope)[prefix])
    return result


@given(documents())
def test_any_payload_is_written_as_it_was_read(xml: str) -> None:
    written = markup.write(markup.parse(xml))

    assert canonical(written) == canonical(xml)
    assert meant(written) == meant(xml)
    assert markup.write(markup.parse(written)) == written


@given(documents())
def test_the_namespace_of_a_payload_is_read_from_its_first_tag(xml: str) -> None:
    written = markup.write(markup.parse(xml))

    assert markup.root_namespace(written) == payload.namespace(markup.parse(xml))


@pytest.mark.parametrize("length", [1, 511, 5000])
def test_what_stands_behind_the_first_tag_is_not_read(length: int) -> None:
    assert markup.root_namespace(f"<a xmlns='urn:x' b='{'é' * length}'>{'y' * 2000}</wrong>") == "urn:x"
    assert markup.root_namespace(f"<{'a' * length}/>") == ""


@given(documents())
def test_any_payload_reaches_the_stream_as_it_was_given(xml: str) -> None:
    iq = ET.Element("iq", {"type": "set"})
    ET.SubElement(iq, "{urn:pubsub}item").append(markup.parse(xml))

    wire = markup.write(iq, in_stream=True)

    (received,) = ET.fromstring(f"<stream xmlns='jabber:client'>{wire}</stream>")[0][0]
    assert wire.startswith("<iq ")
    assert shape(received) == shape(ET.fromstring(xml))


def shape(element: ET.Element, *, tail: bool = False) -> tuple[Any, ...]:
    """Names, attributes, texts, all the way down."""
    own = (element.tag, sorted(element.items()), element.text or "", (element.tail or "") if tail else "")
    return (*own, [shape(child, tail=True) for child in element])


def test_a_prefix_that_a_value_uses_stays_declared_as_its_author_meant_it() -> None:
    xml = (
        f"<a xmlns='urn:a' xmlns:xs='urn:one' xmlns:i='{XSI}' i:type='xs:string'><b xmlns:xs='urn:two'>"
        "<c ref='xs:q'/><d>xs:text</d><e path='/xs:p/xs:q[xs:r]'/></b><f list='i:one xs:two'/></a>"
    )

    written = markup.write(markup.parse(xml))

    assert written == (
        f'<ns0:a xmlns:ns0="urn:a" xmlns:ns1="{XSI}" ns1:type="xs:string" xmlns:xs="urn:one"><ns0:b>'
        '<ns0:c ref="xs:q" xmlns:xs="urn:two"/><ns0:d xmlns:xs="urn:two">xs:text</ns0:d>'
        '<ns0:e path="/xs:p/xs:q[xs:r]" xmlns:xs="urn:two"/></ns0:b>'
        f'<ns0:f list="i:one xs:two" xmlns:i="{XSI}" xmlns:xs="urn:one"/></ns0:a>'
    )


@pytest.mark.parametrize(
    "value", ["$p:v", "a=p:b", "'p:b'", "{p:b}", "not(p:b)", "p:b+1", "!p:b", "a p:b", "a;p:b", "<p:b>"]
)
def test_a_prefix_stays_declared_wherever_in_an_expression_it_stands(value: str) -> None:
    xml = f"<a xmlns:p='urn:p' select=\"{escaped(value)}\"/>"

    assert 'xmlns:p="urn:p"' in markup.write(markup.parse(xml))


@pytest.mark.parametrize("uri", ["urn:}x", "urn:{x}y", "}", "{", "a b", "urn:x#", "é🙂"])
def test_a_namespace_may_hold_what_it_likes(uri: str) -> None:
    xml = f"<a xmlns='{uri}' xmlns:p='{uri}' p:k='p:v'><b xmlns=''/></a>"

    element = markup.parse(xml)
    written = markup.write(element)

    assert [each.tag for each in element.iter()] == [f"{{{uri}}}a", "b"]
    assert written == f'<ns0:a xmlns:ns0="{uri}" ns0:k="p:v" xmlns:p="{uri}"><b/></ns0:a>'
    assert markup.write(markup.parse(written)) == written


def test_a_kept_prefix_does_not_capture_a_name_of_ours() -> None:
    xml = "<a xmlns='urn:a'><ns0:b xmlns:ns0='urn:b' ref='ns0:x'><c xmlns='urn:c'/></ns0:b></a>"

    written = markup.write(markup.parse(xml))

    assert canonical(written) == canonical(xml)
    assert 'xmlns:ns0="urn:b"' in written


def test_what_only_looks_like_a_prefix_declares_nothing() -> None:
    xml = "<a xmlns:http='urn:h' href='https://example.org/x:y' t='12:30'>Note: see http://example.org</a>"

    assert (
        markup.write(markup.parse(xml))
        == '<a href="https://example.org/x:y" t="12:30">' + ET.fromstring(xml).text.__str__() + "</a>"
    )


def test_texts_of_one_payload_are_equal_whatever_its_author_called_the_prefixes() -> None:
    one = "<a xmlns='urn:a' xmlns:b='urn:b'><b:c b:d='1'/></a>"
    other = "<x:a xmlns:x='urn:a'><c xmlns='urn:b' xmlns:y='urn:b' y:d='1'/></x:a>"

    assert markup.write(markup.parse(one)) == markup.write(markup.parse(other))


@pytest.mark.parametrize(
    ("xml", "words"),
    [
        ("<a", "not well-formed"),
        ("\ud800", "not well-formed"),
        ("<!DOCTYPE a><a/>", "document type"),
        ("\n<!-- x --> <!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "document type"),
        ("<a>" * 201 + "</a>" * 201, "nested more than 200"),
        ("<a>" + "<b/>" * 16_384 + "</a>", "more than 16384 elements"),
        ("<a " + " ".join(f"b{n}=''" for n in range(65)) + "/>", "more than 64 attributes"),
        ("<a " + " ".join(f"xmlns:b{n}='urn:x'" for n in range(65)) + "/>", "more than 64 attributes"),
        (f"<a>{'x' * 512 * 1024}</a>", "larger than 512 KiB"),
    ],
)
def test_a_payload_beyond_a_limit_is_refused(xml: str, words: str) -> None:
    with pytest.raises(InvalidArgs, match=words):
        markup.parse(xml)


def test_a_document_type_may_be_written_about() -> None:
    xml = "<a><![CDATA[<!DOCTYPE html> <!ENTITY]]></a>"

    assert markup.parse(xml).text == "<!DOCTYPE html> <!ENTITY"


def test_the_deepest_payload_that_is_accepted_can_be_written() -> None:
    xml = "<a>" * 200 + "</a>" * 200

    assert markup.write(markup.parse(xml)) == "<a>" * 199 + "<a/>" + "</a>" * 199


def test_a_payload_that_is_published_declares_its_prefixes_itself() -> None:
    payload = "<a:entry xmlns:a='urn:a' xmlns:o='urn:o' o:mark='1'><plain/></a:entry>"
    pubsub = "{http://jabber.org/protocol/pubsub}"
    iq = ET.Element("iq")
    ET.SubElement(ET.SubElement(iq, f"{pubsub}publish"), f"{pubsub}item").append(markup.parse(payload))

    text = markup.write(iq, in_stream=True)

    alone = text.partition("item>")[2].rpartition("</ns0:item>")[0]
    assert ET.canonicalize(alone, rewrite_prefixes=True) == ET.canonicalize(payload, rewrite_prefixes=True)

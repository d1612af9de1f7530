# SPDX-License-Identifier: MIT
"""What is too much is refused in the smallest unit; what is not is untouched."""

from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pubkeep import payload
from pubkeep.markup import TooMuch
from pubkeep.xmpp.stanzas import MANY_NAMES, MAX_SKIPPED, MAX_TAG, MIB, Found, Part, Stanzas

HEAD = "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"
ITEM = 64 * 1024
PIECE = 16 * 1024


class Stream:
    """A stream that is fed with text."""

    def __init__(self, max_stanza: int = 20 * MIB) -> None:
        self.stanzas = Stanzas(max_stanza, ITEM)
        self.feed(HEAD)

    def feed(self, text: str) -> list[Found]:
        data = text.encode()
        return [each for start in range(0, len(data), PIECE) for each in self.stanzas.feed(data[start : start + PIECE])]


def listing(*items: str) -> str:
    """An answer with items."""
    inner = "".join(items)
    return (
        "<iq type='result' id='7' from='pubsub.localhost'><pubsub xmlns='http://jabber.org/protocol/pubsub'>"
        f"<items node='news'>{inner}</items></pubsub></iq>"
    )


def item(name: str, inner: str = "<x xmlns='urn:x'>text</x>") -> str:
    return f"<item id='{name}' publisher='bob@localhost'>{inner}</item>"


@given(st.lists(st.integers(1, 400), max_size=12))
def test_stanzas_are_the_same_however_their_bytes_arrive(lengths: list[int]) -> None:
    data = (listing(item("ä"), item("b")) + "<message from='x'><body>€ &amp; more</body></message>").encode()
    stream = Stream()
    found, start = [], 0
    for length in [*lengths, len(data)]:
        found += stream.stanzas.feed(data[start : start + length])
        start += length

    texts = [ET.tostring(each.element, encoding="unicode") for each in found]

    whole = ET.fromstring(f"{HEAD}{data.decode()}</stream:stream>")
    assert texts == [ET.tostring(each, encoding="unicode") for each in whole]


@pytest.mark.parametrize(
    ("inner", "words"),
    [
        ("<x>" + "y" * ITEM + "</x>", "longer than 65536 bytes; see [xmpp] max_item"),
        ("<x>" + "<b/>" * 16_384 + "</x>", "more than 16384 elements"),
        ("<b>" * 250 + "</b>" * 250, "nested more than 200 deep"),
        ("<b " + " ".join(f"a{n}=''" for n in range(65)) + "/>", "more than 64 attributes"),
        ("<b " + " ".join(f"xmlns:a{n}='urn:x'" for n in range(65)) + "/>", "more than 64 attributes"),
        ("<b>" * 2_000 + "</b>" * 2_000, "nested more than 200 deep"),
    ],
)
def test_one_item_that_is_too_much_loses_its_payload_and_nothing_else_does(inner: str, words: str) -> None:
    stream = Stream()

    (found,) = stream.feed(listing(item("a"), item("big", inner), item("c")))

    items = list(found.element[0][0])
    assert found.part is Part.STANZA
    assert [(i.get("id"), i.get("publisher")) for i in items] == [(n, "bob@localhost") for n in ("a", "big", "c")]
    assert [payload.to_xml(payload.first_child(i)) for i in items] == [
        '<ns0:x xmlns:ns0="urn:x">text</ns0:x>',
        "",
        '<ns0:x xmlns:ns0="urn:x">text</ns0:x>',
    ]
    assert [payload.refusal(i) for i in items][0::2] == ["", ""]
    assert words in payload.refusal(items[1])
    assert [each.part for each in stream.feed("<presence/>")] == [Part.STANZA]


def test_an_item_whose_own_tag_is_too_much_keeps_its_name() -> None:
    attributes = " ".join(f"a{n}=''" for n in range(65))

    (found,) = Stream().feed(listing(f"<item id='a' {attributes} publisher='bob@localhost'><x/></item>"))

    (only,) = found.element[0][0]
    assert (only.get("id"), only.get("publisher"), len(only)) == ("a", "bob@localhost", 0)
    assert "64 attributes" in payload.refusal(only)


@pytest.mark.parametrize(
    ("inner", "words"),
    [
        ("<b/>" * 150_000, "too many elements for its size"),
        ("<b a=''/>" * 80_000, "too many elements for its size"),
        ("<b>" * 250 + "</b>" * 250, "nested more than 200 deep"),
        ("<b " + " ".join(f"a{n}=''" for n in range(65)) + "/>", "more than 64 attributes"),
        ("<b>" + "x" * 9 * MIB + "</b>", "more than 8 MiB beside its items"),
    ],
)
def test_a_stanza_that_is_too_much_is_received_without_its_children(inner: str, words: str) -> None:
    stream = Stream()

    (found,) = stream.feed(f"<message from='mallory@localhost/x' id='1'>{inner}</message>")

    assert (found.part, found.element.attrib) == (Part.REFUSED, {"from": "mallory@localhost/x", "id": "1"})
    assert len(found.element) == 0
    assert words in found.why
    assert [each.part for each in stream.feed("<presence/>")] == [Part.STANZA]


def test_an_answer_that_is_too_much_is_an_error_with_the_reason() -> None:
    (found,) = Stream().feed(listing(item("a"), "<b/>" * 150_000))

    text = found.element.findtext("{jabber:client}error/{urn:ietf:params:xml:ns:xmpp-stanzas}text")
    assert (found.element.get("type"), found.element.get("id")) == ("error", "7")
    assert text == "the answer is not taken: it has too many elements for its size"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<!DOCTYPE x>", "malformed"),
        ("<message><!DOCTYPE x [<!ENTITY a 'b'>]></message>", "malformed"),
        ("<message>&a;</message>", "malformed"),
        ("<message></presence>", "malformed"),
        ("<message a='" + "x" * 2 * MAX_TAG + "'/>", "a tag is longer than 256 KiB"),
        ("<message " + " ".join(f"a{n}=''" for n in range(40_000)), "a tag is longer than 256 KiB"),
        ("<message>" + "<b/>" * (MAX_SKIPPED // 2), "does not end, and it has too many elements"),
        ("<message>" + "<b>" * 101_000, "nested more than 100000 deep"),
        ("<message>" + "".join(f"<b{n}/>" for n in range(80_000)), "more than 65536 different names"),
        (listing(*(item(f"{n}", "<x>" + "y" * 60_000 + "</x>") for n in range(400))), "see [xmpp] max_stanza"),
    ],
)
def test_what_does_not_end_ends_the_connection(text: str, words: str) -> None:
    with pytest.raises(TooMuch) as error:
        Stream().feed(text)

    assert words in str(error.value)


@pytest.mark.parametrize("head", ["<!DOCTYPE a [<!ENTITY b 'c'>]>", "<?xml version='1.0'?>\n<!DOCTYPE a SYSTEM 'x'>"])
def test_a_document_type_before_the_stream_is_refused(head: str) -> None:
    stanzas = Stanzas(MIB, ITEM)

    with pytest.raises(TooMuch, match="document type"):
        stanzas.feed(head.encode())


def test_the_answer_that_was_open_is_known_when_the_connection_has_to_end() -> None:
    stream = Stream()
    with pytest.raises(TooMuch):
        stream.feed(listing("<b>")[:-30] + "x" * 13 * MIB)

    found = stream.stanzas.unfinished("too much")

    assert found is not None
    assert (found.element.get("id"), found.element.get("type")) == ("7", "error")


def test_a_node_of_ten_thousand_posts_in_one_stanza_is_taken() -> None:
    post = (
        "<entry xmlns='http://www.w3.org/2005/Atom'><id>x</id><title>x</title><author><name>x</name></author></entry>"
    )
    padding = f"<content xmlns='http://www.w3.org/2005/Atom'>{'x' * 1600}</content>"
    posts = [item(f"i{number}", post.replace("</entry>", f"{padding}</entry>")) for number in range(10_000)]

    (found,) = Stream(max_stanza=64 * MIB).feed(listing(*posts))

    assert found.part is Part.STANZA
    assert len(found.element[0][0]) == 10_000
    assert not any(payload.refusal(each) for each in found.element[0][0])


def test_names_that_never_come_again_do_not_pile_up() -> None:
    stream = Stream()

    for number in range(3 * MANY_NAMES // 100):
        tags = "".join(f"<b{number}-{each}/>" for each in range(100))
        (found,) = stream.feed(f"<message xmlns:stream='urn:other'>{tags}</message>")
        assert len(found.element) == 100

    assert len(stream.stanzas._seen) <= MANY_NAMES + 200
    (end,) = stream.feed("</stream:stream>")
    assert end.part is Part.CLOSED


def test_prefixes_of_the_stream_outlive_a_new_parser() -> None:
    stream = Stream()
    stream.feed("<message>" + "<b>" * 2_000 + "</b>" * 2_000 + "</message>")

    (found,) = stream.feed("<stream:error><x xmlns='urn:x' ref='stream:y'/></stream:error>")

    assert found.element.tag == "{http://etherx.jabber.org/streams}error"
    assert found.element[0].attrib == {"ref": "stream:y", "xmlns:stream": "http://etherx.jabber.org/streams"}

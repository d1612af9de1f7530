# SPDX-License-Identifier: MIT
"""Atom entries as data, ordinary and hostile ones; all of it fits the published schema."""

import json
from typing import Any
from xml.etree import ElementTree as ET

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pubkeep.analysers.atom import ATOM, LANG, THREAD, XHTML
from pubkeep.analysers.blog import ANALYSER, COMMENTS, NODE, parse
from pubkeep.dates import microseconds
from tests.fixtures.changelogs import posts

SCHEMA = jsonschema.Draft202012Validator(ANALYSER["schema"])

ENTRY = """
<entry xmlns='http://www.w3.org/2005/Atom' xml:lang='en' xmlns:thr='http://purl.org/syndication/thread/1.0'>
  <id>tag:montague.lit,2007:entry-32397</id>
  <title type='text'>Soliloquy</title>
  <title type='xhtml'><div xmlns='http://www.w3.org/1999/xhtml'><em>Solilo</em>quy</div></title>
  <summary>To be</summary>
  <content type='xhtml'><div xmlns='http://www.w3.org/1999/xhtml'><p>To <b>be</b></p><p>or not</p></div></content>
  <author><name>Romeo</name><uri>xmpp:romeo@montague.lit</uri><email>r@m.lit</email></author>
  <published>2008-05-08T18:30:02+02:00</published><updated>2008-05-08T18:30:02.5Z</updated>
  <category term='drama'/><category term='drama'/><category term='verse'/>
  <link rel='alternate' type='text/html' href='https://m.lit/1'/>
  <link rel='replies' title='comments' href='xmpp:pubsub.m.lit?;node=urn%3Axmpp%3Amicroblog%3A0%3Acomments%2F1;item=7'/>
  <link rel='enclosure' href='https://m.lit/a.ogg' type='audio/ogg' length='1337' title='song'/>
  <thr:in-reply-to ref='tag:x' href='https://x'/>
  <rights>CC0</rights>
  <source><id>s</id><title>Elsewhere</title></source>
</entry>
"""


def blog(xml: str, node: str = NODE) -> dict[str, Any]:
    item = ET.Element("item", {"id": "x"})
    item.append(ET.fromstring(xml))
    return parse("alice@localhost", item, None, node)


def test_everything_an_entry_says_is_there() -> None:
    values = blog(ENTRY)

    SCHEMA.validate({key: value for key, value in values.items() if key != "text"})
    assert (values["title"], values["summary"], values["content"]) == ("Soliloquy", "To be", "To be or not")
    assert values["title_xhtml"].count("quy") == 1
    assert values["authors"] == [
        {"name": "Romeo", "uri": "xmpp:romeo@montague.lit", "email": "r@m.lit", "jid": "romeo@montague.lit"}
    ]
    assert values["published"] == "2008-05-08T18:30:02+02:00"
    assert values["tags"] == ["drama", "verse"]
    assert values["comments"][0]["node"] == "urn:xmpp:microblog:0:comments/1"
    assert values["comments"][0]["item"] == "7"
    assert values["attachments"] == [
        {"href": "https://m.lit/a.ogg", "type": "audio/ogg", "title": "song", "length": 1337}
    ]
    assert (values["url"], values["language"], values["rights"]) == ("https://m.lit/1", "en", "CC0")
    assert values["in_reply_to"] == [{"ref": "tag:x", "href": "https://x"}]
    assert values["text"] == "Soliloquy To be To be or not Romeo drama verse"


def test_comments_are_a_subtype() -> None:
    assert blog(ENTRY, f"{COMMENTS}1")["subtype"] == "comment"


def test_html_gives_text_without_tags() -> None:
    content = "<content type='html'>&lt;p&gt;a &amp;amp; b&lt;/p&gt;</content>"

    values = blog(f"<entry xmlns='http://www.w3.org/2005/Atom'>{content}</entry>")

    assert values["content"] == "a & b"
    assert values["content_html"] == "<p>a &amp; b</p>"


def test_a_payload_that_is_no_entry_is_refused() -> None:
    with pytest.raises(ValueError, match="not an Atom entry"):
        blog("<feed xmlns='http://www.w3.org/2005/Atom'/>")


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("1970-01-01T00:00:01Z", 1_000_000),
        ("1970-01-01T01:00:01.25+01:00", 1_250_000),
        ("1970-01-01t00:00:00.1234567z", 123_456),
        ("2016-12-31T23:59:60Z", 1_483_228_799_000_000),
        ("2024-02-30T00:00:00Z", 0),
        ("2024-01-01T00:00:00", 0),
        ("yesterday", 0),
        (None, 0),
    ],
)
def test_dates(text: str | None, moment: int) -> None:
    assert microseconds(text) == moment


def test_real_text_fits_the_schema() -> None:
    for _, xml in posts(200):
        SCHEMA.validate({key: value for key, value in blog(xml).items() if key != "text"})


TAGS = [f"{ATOM}{n}" for n in "title summary content author name uri link category published source id rights".split()]
ATTRIBUTES = ["type", "href", "rel", "term", "length", "src", LANG, "ref"]
VALUES = st.sampled_from(
    ["", "xhtml", "html", "text", "replies", "enclosure", "xmpp:a?;node=b", "xmpp:", "-1", "9" * 50, "\t"]
)


@st.composite
def elements(draw: st.DrawFn, depth: int = 0) -> ET.Element:
    tag = draw(st.sampled_from([*TAGS, f"{XHTML}div", f"{THREAD}in-reply-to", "nothing"]))
    element = ET.Element(
        tag if depth else f"{ATOM}entry", draw(st.dictionaries(st.sampled_from(ATTRIBUTES), VALUES, max_size=3))
    )
    element.text = draw(st.none() | st.text(max_size=20) | st.just("2024-01-01T00:00:00Z"))
    if depth < 3:
        element.extend(draw(st.lists(elements(depth + 1), max_size=4)))
    return element


@given(elements())
@settings(max_examples=200, deadline=None)
def test_no_entry_makes_the_parser_fail(entry: ET.Element) -> None:
    item = ET.Element("item")
    item.append(entry)

    values = parse("a@b", item, "s", NODE)

    SCHEMA.validate({key: value for key, value in json.loads(json.dumps(values)).items() if key != "text"})

# SPDX-License-Identifier: MIT
"""Items as people write them, as many as are wanted: English prose (Python's own manual), rare words, tags, people.

Some words stand in a known share of the items: `rarely` in 0.1 %, `sometimes` in 5 %, `mostly` in 70 %.
"""

import json
import pydoc_data.topics
import random
import re
from collections.abc import Iterator
from xml.sax.saxutils import escape

from pubkeep import payload
from pubkeep.model import Analysis, NewItem, NodeKey, NodeRecord, NodeState, Parsed

ACCOUNT = "alice@localhost"
NODES = 1000
LARGEST = 0.2
"""Share of the items that the first node has."""
SHARES = {"zzrarely": 0.001, "zzsometimes": 0.05, "zzmostly": 0.7}
TAGS, PEOPLE, VOCABULARY, BODY = 400, 97, 200_000, 700
YEAR = 31_536_000_000_000
NOW = 1_790_000_000_000_000
BLOG = Analysis("blog", "blog", to_sync=True, version=1)

_PROSE = re.sub(r"\s+", " ", " ".join(pydoc_data.topics.topics.values()))
_SENTENCES = [each for each in re.split(r"(?<=[.]) ", _PROSE) if 30 < len(each) < 300]


def node(number: int) -> NodeRecord:
    """One of them, as it is to be stored."""
    return NodeRecord(0, NodeKey(ACCOUNT, "pubsub.localhost", f"blog/{number}"), NodeState.STALE, analysis=BLOG)


def item(number: int) -> NewItem:
    """The one with this number; always the same."""
    chance = random.Random(number)
    title = chance.choice(_SENTENCES)[:60]
    person = f"juliet{chance.randrange(PEOPLE)}@capulet.lit"
    tags = sorted({f"tag{int(TAGS * chance.random() ** 3)}" for _ in range(chance.randint(0, 3))})
    body: list[str] = [word for word, share in SHARES.items() if chance.random() < share]
    while sum(map(len, body)) < BODY:
        body.append(f"{chance.choice(_SENTENCES)} w{int(VOCABULARY * chance.random() ** 2)}")
    published = NOW - int(10 * YEAR * chance.random())
    text = "\n".join(body)
    name, answered = f"item-{number}", f"urn:example:{number % 1000:04}"
    xml = (
        f'<entry xmlns="http://www.w3.org/2005/Atom"><id>urn:example:{number}</id><title>{escape(title)}</title>'
        f"<author><name>Juliet</name><uri>xmpp:{person}</uri></author><published>{published}</published>"
        f'<in-reply-to xmlns="http://purl.org/syndication/thread/1.0" ref="{answered}"/>'
        + "".join(f'<category term="{tag}"/>' for tag in tags)
        + f'<content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml"><p>{escape(text)}</p></div></content>'
        f'<link rel="alternate" href="xmpp:pubsub.localhost?;item={name}"/></entry>'
    )
    document = {"id": f"urn:example:{number}", "title": title, "content": text, "tags": tags}
    document["in_reply_to"] = [{"ref": answered}]
    parsed = Parsed(json.dumps(document), "", title, f"{title}\n{text}\n{' '.join(tags)}", published, published)
    return NewItem(name, person, xml, payload.digest(xml, person), parsed)


def pages(items: int, size: int) -> Iterator[tuple[int, list[NewItem]]]:
    """(number of the node, so many of its items), as they come when everything is synchronised."""
    chance = random.Random(items)
    for start in range(0, items, size):
        number = 0 if chance.random() < LARGEST else chance.randrange(1, NODES)
        yield number, [item(each) for each in range(start, min(items, start + size))]

# SPDX-License-Identifier: MIT
"""Payloads as others write them, published through us and read back through us, by way of real servers.

What these servers themselves lose is left out: elements of no namespace inside of others (Prosody, ejabberd with SQL),
carriage returns (all), and on Prosody tabs and line feeds in attributes, and prefixes that only values use.
"""

import asyncio
import re
from itertools import count
from xml.etree.ElementTree import Element

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pubkeep import markup
from pubkeep.config import CacheSettings
from tests.daemon.test_markup import canonical, documents, meant, shape
from tests.fixtures.author import Author
from tests.fixtures.backend import Backend
from tests.fixtures.every_server import on_every_server
from tests.fixtures.prosody import Prosody
from tests.fixtures.servers import Server
from tests.system.conftest import SERVICE, until

pytestmark = [pytest.mark.system, pytest.mark.slow, on_every_server]
NUMBER = 20
TRAPS = [
    "<a xmlns='urn:}x' xmlns:p='urn:{y}' p:k='p:v'><b xmlns='}'/></a>",
    "<a xmlns='urn:a' xmlns:xs='urn:xs'><v type='xs:string'>xs:text</v><v select=\"$xs:v='xs:w'\"/></a>",
    "<message xmlns='jabber:client' type='chat'><body>x</body></message>",
    "<event xmlns='http://jabber.org/protocol/pubsub#event'><items node='n'><item id='i'/></items></event>",
    "<a xmlns='urn:a' xml:lang='de' xml:space='preserve'>\n  <b> </b>\t\N{NO-BREAK SPACE}</a>",
    "<a xmlns='urn:a' k='&quot;'>\n]]&gt;</a>",
    "<a xmlns='urn:a'>" + "<b>" * 100 + "deep" + "</b>" * 100 + "</a>",
    "<a xmlns='urn:a'>" + "x&amp;" * 10_000 + "</a>",
    "<a xmlns='urn:a'>e\N{COMBINING ACUTE ACCENT} \N{GRINNING FACE} \N{RIGHT-TO-LEFT MARK} \ue000 \u2028</a>",
    "<\u00e9:x xmlns:\u00e9='urn:a' \u00f6='1'/>",
]
numbers = count()


@st.composite
def payloads_of_others(draw: st.DrawFn) -> str:
    """A document in which each name has a namespace, and no white space but spaces."""
    document = draw(documents(scope=(("p", "urn:p"),)))
    return re.sub("&#(9|10|13);", "", f"<p:payload xmlns:p='urn:p'>{document}</p:payload>")


@given(st.lists(payloads_of_others(), min_size=NUMBER, max_size=NUMBER))
@example(TRAPS)
@settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None)
def test_a_payload_is_read_as_it_was_published(server: Server, payloads: list[str]) -> None:
    told, listed = asyncio.run(published_and_read(server, f"fidelity{next(numbers)}", payloads))

    for number, xml in enumerate(payloads):
        for written in (told[str(number)], listed[str(number)]):
            assert shape(bare(markup.parse(written))) == shape(bare(markup.parse(xml)))
            if "}" not in xml:  # the standard library reads no such namespace
                assert canonical(written) == canonical(xml)
                assert isinstance(server, Prosody) or meant(written) == meant(xml)


def bare(payload: Element) -> Element:
    """Without the declarations that only values use; what these are is compared by `meant`."""
    for element in payload.iter():
        for name in [name for name in element.keys() if name.startswith("xmlns:")]:  # noqa: SIM118
            del element.attrib[name]
    return payload


async def published_and_read(server: Server, node: str, payloads: list[str]) -> tuple[dict[str, str], dict[str, str]]:
    """Publish as one account; returns what another one is told of, and what it then lists."""
    configuration = CacheSettings(fan_out=0.5)
    async with (
        Author(server, "bob") as bob,
        Backend(server, "alice", configuration) as writer,
        Backend(server, "carol", configuration) as reader,
    ):
        await bob.create(SERVICE, node, access_model="open", publish_model="open", max_items="1000")
        job = await reader.cache.synchronise(reader.key(SERVICE, node))

        async def ended() -> bool:
            return job.ended

        await until(ended)
        assert (job.state, job.error) == ("done", None)
        ids = [str(number) for number in range(len(payloads))]
        await writer.cache.writer.publish(writer.key(SERVICE, node), payloads, ids=ids)

        async def come() -> dict[str, str]:
            rows = (await reader.read(SERVICE, node, max=1000, freshness="cache")).page.items
            return {row.id: row.xml for row in rows} if len(rows) == len(ids) else {}

        try:
            told: dict[str, str] = await until(come, 60)
        except TimeoutError:
            pytest.fail(f"not all came: {reader.cache.explain(reader.key(SERVICE, node))}")
        listed = (await reader.read(SERVICE, node, max=1000, freshness="service")).page.items
        return told, {row.id: row.xml for row in listed}

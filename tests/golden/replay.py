# SPDX-License-Identifier: MIT
"""A recorded service for one account: our own client asks, and gets what was answered then, byte for byte."""

import asyncio
from collections.abc import Collection
from xml.etree import ElementTree as ET

from pubkeep.clock import Clock
from pubkeep.config import XmppSection
from pubkeep.model import NodeKey
from pubkeep.xmpp.inbox import Inbox
from pubkeep.xmpp.pubsub import Path, PubSub
from pubkeep.xmpp.requests import Requests
from pubkeep.xmpp.stanzas import Part, Stanzas
from tests.golden.comparing import element
from tests.golden.recording import SENT, Recording
from tests.golden.requests import CAROLS

ACCOUNT = "carol@localhost"


class Reader:
    """Our reader, at a stream that goes on for ever."""

    def __init__(self, head: str) -> None:
        limits = XmppSection()
        self._stanzas = Stanzas(limits.max_stanza, limits.max_item)
        self._stanzas.feed(head.encode())

    def read(self, stanza: str) -> ET.Element:
        """One stanza, as the session gets it."""
        found = [each for each in self._stanzas.feed(stanza.encode()) if each.part is not Part.OPENED]
        assert [each.part for each in found] == [Part.STANZA]
        return found[0].element


class Replay:
    """Answers a request as it was answered in one of these steps. Stands in for the sessions (ports.Sessions)."""

    def __init__(self, recording: Recording, steps: Collection[str], path: Path) -> None:
        self.asked: list[str] = []
        """The steps whose answers were given."""
        self.inbox = Inbox()
        self._reader, self._recording = Reader(recording.head), recording
        self._steps = {
            _canonical(element(recording.head, line.stanza)): words
            for words in steps
            for line in recording.steps[words]
            if line.way == SENT and line.stanza.startswith("<iq")
        }
        self._requests = Requests(self._send, Clock(), 20.0)
        self._requests.session_started()
        self._client = PubSub(ACCOUNT, CAROLS, self._requests, self.inbox, path)

    def client(self, account: str) -> PubSub:
        """See ports.Sessions."""
        assert account == ACCOUNT
        return self._client

    async def drained(self, node: NodeKey) -> None:
        """See ports.Sessions."""
        await self.inbox.drained(node)

    def _send(self, iq: ET.Element) -> None:
        words = self._steps.get(_canonical(iq))
        assert words is not None, f"nobody asked this when it was recorded: {ET.tostring(iq, encoding='unicode')}"
        self.asked.append(words)
        [answer] = (each for each in self._recording.got(words, "carol") if each.startswith("<iq"))
        stanza = self._reader.read(answer)
        stanza.set("id", iq.get("id", ""))
        asyncio.get_running_loop().call_soon(self._requests.take, stanza)


def _canonical(iq: ET.Element) -> str:
    """To whom, and what: the same however it is written."""
    return f"{iq.get('type')} {iq.get('to')} " + ET.canonicalize(ET.tostring(iq[0]), rewrite_prefixes=True)

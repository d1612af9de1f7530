# SPDX-License-Identifier: MIT
"""A client that keeps what it receives as it was sent: no library between the socket and the record."""

import asyncio
import base64
import ssl
from pathlib import Path
from xml.parsers import expat

from tests.fixtures.servers import PASSWORD, Server

DOMAIN = "localhost"
_OPEN = (
    f"<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' "
    f"to='{DOMAIN}' version='1.0'>"
)
_TLS = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
_BIND = "<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>{}</resource></bind></iq>"


class Cutter:
    """The bytes of a stream, cut into its stanzas."""

    def __init__(self) -> None:
        self.head = ""
        """The tag that opened the stream."""
        self._bytes, self._begun, self._depth = b"", 0, 0
        self._found: list[str] = []
        self._expat = expat.ParserCreate()
        self._expat.StartElementHandler = self._start
        self._expat.EndElementHandler = self._end

    def feed(self, data: bytes) -> list[str]:
        """The stanzas that have ended."""
        self._bytes += data
        self._expat.Parse(data, False)
        found, self._found = self._found, []
        return found

    def _start(self, _name: str, _attributes: dict[str, str]) -> None:
        at = self._expat.CurrentByteIndex
        if self._depth == 0:
            self._begun = at
        elif self._depth == 1:
            self.head = self.head or self._bytes[self._begun : at].decode()
            self._begun = at
        self._depth += 1

    def _end(self, _name: str) -> None:
        self._depth -= 1
        if self._depth == 1:
            at = self._expat.CurrentByteIndex
            empty = self._bytes[at : at + 2] != b"</"  # of `<x/>` the end is where it ends
            end = at if empty else self._bytes.index(b">", at) + 1
            self._found.append(self._bytes[self._begun : end].decode())


class Client:
    """`async with Client(server, "bob") as bob: await bob.ask(...)`"""

    def __init__(self, server: Server, user: str, resource: str = "golden") -> None:
        self.user, self.jid = user, f"{user}@{DOMAIN}/{resource}"
        self.received: list[str] = []
        """Stanzas, in the order in which they came."""
        self.head = ""
        self._server, self._resource = server, resource
        self._arrived = asyncio.Condition()
        self._fences = 0
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter
        self._reading: asyncio.Task[None]

    async def __aenter__(self) -> "Client":
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._server.port)
        await self._opened("features")
        await self._negotiate(_TLS, "proceed")
        await self._writer.start_tls(_context(self._server.certificate), server_hostname=DOMAIN)
        await self._opened("features")
        word = base64.b64encode(f"\0{self.user}\0{PASSWORD}".encode()).decode()
        await self._negotiate(
            f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{word}</auth>", "success"
        )
        await self._opened("features")
        await self._negotiate(_BIND.format(self._resource), "iq")
        self.head = self._cutter.head
        self._reading = asyncio.create_task(self._read())
        self.send("<presence/>")
        await self.fence()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)
        self._writer.write(b"</stream:stream>")
        self._writer.close()
        await asyncio.gather(self._writer.wait_closed(), return_exceptions=True)

    def send(self, stanza: str) -> None:
        """Send this, as it is."""
        self._writer.write(stanza.encode())

    async def answered(self, iq_id: str, seconds: float = 30.0) -> None:
        """Return when the answer to this IQ is here."""
        async with asyncio.timeout(seconds), self._arrived:
            await self._arrived.wait_for(lambda: any(_answers(each, iq_id) for each in self.received))

    async def fence(self) -> None:
        """Return when all is here that the server had for us; this itself leaves no trace."""
        self._fences += 1
        name = f"fence{self._fences}"
        self.send(f"<iq type='get' to='{DOMAIN}' id='{name}'><ping xmlns='urn:xmpp:ping'/></iq>")
        await self.answered(name)
        self.received = [each for each in self.received if not _answers(each, name)]

    async def _opened(self, name: str) -> None:
        self._cutter = Cutter()
        await self._negotiate(_OPEN, name)

    async def _negotiate(self, sent: str, name: str) -> None:
        self.send(sent)
        found: list[str] = []
        async with asyncio.timeout(30):
            while not found:
                found = self._cutter.feed(await self._reader.read(65536))
        assert name in found[0].partition(">")[0], found

    async def _read(self) -> None:
        while data := await self._reader.read(65536):
            found = self._cutter.feed(data)
            async with self._arrived:
                self.received += found
                self._arrived.notify_all()


def _answers(stanza: str, iq_id: str) -> bool:
    tag = stanza.partition(">")[0]
    return tag.startswith("<iq") and (f" id='{iq_id}'" in tag or f' id="{iq_id}"' in tag)


def _context(certificate: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(certificate))

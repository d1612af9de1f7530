# SPDX-License-Identifier: MIT
"""The raw XML of an item and the text that a person reads in it, as they lie in the database.

Both are one zstd frame (RFC 8878): the text has nothing but what the XML had before it, and costs a few bytes. A frame
names the dictionary that it was made with; those are trained on the payloads that are there, and stored beside them.
"""

import threading
from collections.abc import Mapping, Sequence
from typing import Any

from zstandard import ZstdCompressionDict, ZstdCompressor, ZstdDecompressor, ZstdError, get_frame_parameters
from zstandard import train_dictionary as train_zstd

from pubkeep import payload
from pubkeep.errors import DamagedItem, Failed

LEVEL = 3
"""Of zstd: above it time doubles and nothing becomes smaller."""
DICTIONARY = 112_640
"""Bytes of a dictionary: the most that zstd makes by itself; half of it costs 15 % of the size."""
PLAIN = 0
"""Number of no dictionary."""


class Payloads(threading.local):
    """Packs and unpacks. A frame's machinery may be used by one thread at a time: each has its own."""

    def __init__(self, dictionaries: Mapping[int, bytes]) -> None:
        self._dictionaries = dictionaries
        self._newest = PLAIN
        self._compressor = ZstdCompressor(level=LEVEL)
        self._decompressors: dict[int, ZstdDecompressor] = {}

    def pack(self, xml: str, text: str) -> bytes:
        """As it is stored, with the newest dictionary."""
        newest = max(self._dictionaries, default=PLAIN)
        if newest != self._newest:
            dictionary = ZstdCompressionDict(self._dictionaries[newest])
            self._newest, self._compressor = newest, ZstdCompressor(level=LEVEL, dict_data=dictionary)
        return self._compressor.compress(f"{xml}\0{text}".encode())

    def of_item(self, data: bytes, publisher: str, digest: bytes, *of: Any) -> tuple[str, str]:
        """The raw XML and the text of an item, held against its digest.

        Args:
            of: the number of its node, and its id.

        Raises:
            DamagedItem: they are not what was stored.
        """
        found = self.whole(data, publisher, digest)
        if found is None:
            raise DamagedItem(*of)
        return found

    def whole(self, data: bytes, publisher: str, digest: bytes) -> tuple[str, str] | None:
        """The raw XML and the text of an item; None where they are not what was stored.

        One that was refused has no XML, and its digest is another thing's. Before revision 0003 the publisher was not
        part of it.
        """
        try:
            xml, text = self.unpack(data)
        except Failed:
            return None
        whole = not xml or digest == payload.digest(xml, publisher) or digest == payload.digest(xml)
        return (xml, text) if whole else None

    def unpack(self, data: bytes) -> tuple[str, str]:
        """The raw XML, and the text.

        Raises:
            Failed: the stored bytes, or the dictionary, are damaged.
        """
        try:
            number = get_frame_parameters(data).dict_id
            if (decompressor := self._decompressors.get(number)) is None:
                dictionary = ZstdCompressionDict(self._dictionaries[number]) if number else None
                decompressor = self._decompressors[number] = ZstdDecompressor(dict_data=dictionary)
            xml, _, text = decompressor.decompress(data).decode().partition("\0")
        except (ZstdError, KeyError, UnicodeDecodeError, TypeError) as error:  # SQLite holds any type anywhere
            raise Failed(
                "the database: a stored payload is damaged; `pubkeep database check` says whether others are"
            ) from error
        return xml, text


def train(number: int, packed: Sequence[bytes], dictionaries: Mapping[int, bytes]) -> bytes:
    """A dictionary of this number, made of stored payloads. It takes a second or so."""
    payloads = Payloads(dictionaries)
    samples: list[bytes | bytearray | memoryview[int]] = ["\0".join(payloads.unpack(data)).encode() for data in packed]
    return train_zstd(DICTIONARY, samples, dict_id=number, level=LEVEL).as_bytes()

# SPDX-License-Identifier: MIT
"""What an item is, as words of the full-text index: a rare node, tag or publisher is found as fast as a rare word.

A mark begins with a letter for private use, which no word has in it (query/words.py), and holds a digest: nothing that
somebody wrote can be read as another mark.
"""

import hashlib
from collections.abc import Iterable
from functools import lru_cache

from pubkeep.query.conditions import Json
from pubkeep.query.values import Missing, folded

_NODE, _TAG, _PUBLISHER = "\ue000", "\ue001", "\ue002"


def of_node(number: int) -> str:
    """An item of this node has it."""
    return f"{_NODE}{number}"


@lru_cache(maxsize=4096)
def of_tag(tag: str) -> str:
    """An item with this tag has it, whatever its case."""
    return _TAG + _digest(str(folded(tag)))


@lru_cache(maxsize=4096)
def of_publisher(publisher: str) -> str:
    """An item by this publisher has it: a bare JID, a domain, or the part before the @ (matching.publisher_matches)."""
    return _PUBLISHER + _digest(publisher)


def marks(node: int, publisher: str, tags: Iterable[str]) -> list[str]:
    """All marks of an item."""
    bare = publisher.partition("/")[0]
    publishers = dict.fromkeys((bare, bare.partition("@")[0])) if bare else ()
    return [of_node(node), *map(of_publisher, publishers), *dict.fromkeys(map(of_tag, tags))]


def tags_of(document: Json | Missing) -> tuple[str, ...]:
    """The tags that an analyser gives: the strings of its list `tags`."""
    tags = document.get("tags") if isinstance(document, dict) else None
    return tuple(tag for tag in tags if isinstance(tag, str)) if isinstance(tags, list) else ()


def _digest(value: str) -> str:
    return hashlib.blake2b(value.encode(errors="surrogatepass"), digest_size=10).hexdigest()

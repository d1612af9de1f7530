# SPDX-License-Identifier: MIT
"""Identity in one string: `xmpp://ACCOUNT/SERVICE?;node=NODE;item=ID` (RFC 5122, XEP-0060 12.22).

The same node and item always give the same bytes: every octet but RFC 3986's unreserved ones
(and `@` in the JIDs) is percent-encoded, with upper-case digits.
"""

import re
from functools import lru_cache
from urllib.parse import quote, unquote

from pubkeep.errors import InvalidArgs
from pubkeep.model import NodeKey

_UNRESERVED = re.compile("[A-Za-z0-9._~-]*")
"""Most ids: to find that out takes a tenth of what quoting takes."""


@lru_cache(maxsize=4096)
def node_uri(key: NodeKey) -> str:
    """The URI of a node."""
    return f"xmpp://{quote(key.account, '@')}/{quote(key.service, '@')}?;node={quote(key.node, '')}"


def item_uri(key: NodeKey, item_id: str) -> str:
    """The URI of an item of this node."""
    return f"{node_uri(key)};item={item_id if _UNRESERVED.fullmatch(item_id) else quote(item_id, '')}"


def parse_item_uri(uri: str) -> tuple[NodeKey, str]:
    """The node and the item id that a URI names.

    Raises:
        InvalidArgs: it is not the URI of an item, or not in the one form that we write.
    """
    head, separator, query = uri.partition("?;node=")
    node, item_separator, item_id = query.partition(";item=")
    account, slash, service = head.removeprefix("xmpp://").partition("/")
    key = NodeKey(unquote(account), unquote(service), unquote(node))
    if not (separator and item_separator and slash) or item_uri(key, unquote(item_id)) != uri:
        raise InvalidArgs(f"uri {uri!r} is not the address of an item: xmpp://ACCOUNT/SERVICE?;node=NODE;item=ID")
    return key, unquote(item_id)

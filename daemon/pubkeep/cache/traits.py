# SPDX-License-Identifier: MIT
"""Which kinds of change a service is known to tell, and what shows that it does not. Pure.

All is untold until something shown speaks for it: the meta-data of XEP-0460, or a configuration that we may
read. What a service was believed to tell and kept to itself once is untold for good, at that service.
"""

from collections.abc import Mapping
from functools import lru_cache

from pubkeep.model import NodeKey
from pubkeep.protocol import FieldValue

KINDS = (
    "retract",
    "purge",
    "delete",
    "trim",
    "expiry",
    "configuration",
    "access",
    "item-access",
    "mute",
    "subscription",
    "transit",
)
"""retract, purge, delete: by whoever may; trim: the oldest goes where max_items is reached; expiry: pubsub#item_expire;
configuration, access, item-access: who may read; mute: notifications switched off; subscription: ended by others;
transit: a notification lost between the service and our server while both ends look well."""
_TRUE = ("1", "true")


def told(key: NodeKey, metadata: Mapping[str, str], configuration: Mapping[str, FieldValue]) -> frozenset[str]:
    """What is promised of this node.

    Args:
        metadata: of disco#info (XEP-0060 5.4), with the hints of XEP-0460, whose field is spelt `alway-notify` in
            its schema and `always-notify` in its text.
        configuration: the node's form (XEP-0060 8.2.1) where we may read it, else empty. What it promises to tell is
            not believed: ejabberd tells nobody that a node of PEP is deleted, Prosody no change of configuration.
    """
    kinds: set[str] = set()
    if hint(metadata, "always-notify") or hint(metadata, "alway-notify"):
        kinds |= {"retract", "purge", "trim"}
    if configuration and configuration.get("pubsub#item_expire", "") in ("", "0"):
        kinds.add("expiry")
    if key.is_own_pep:
        kinds |= {"access", "item-access", "transit"}  # it is ours, and no other server is on the way
    return frozenset(kinds)


def keeps(configuration: Mapping[str, FieldValue]) -> int:
    """How many items the service keeps of a node (pubsub#max_items, XEP-0060 16.4.4); 0 where it does not say."""
    number = configuration.get("pubsub#max_items", "")
    return int(number) if isinstance(number, str) and number.isdecimal() and len(number) < 10 else 0


def untold(key: NodeKey, promised: frozenset[str], revoked: frozenset[str]) -> tuple[str, ...]:
    """The kinds that may happen without our being told."""
    return _untold(promised, revoked, own=key.is_own_pep)


@lru_cache(512)
def _untold(promised: frozenset[str], revoked: frozenset[str], *, own: bool) -> tuple[str, ...]:
    """Of a thousand nodes at each search, and there are few such sets."""
    told_here = frozenset(("transit",)) if own else frozenset[str]()
    return tuple(kind for kind in KINDS if kind not in (promised | told_here) - revoked)


def dynamic(metadata: Mapping[str, str]) -> bool:
    """Whether the same item may be another one for another reader or at another time (XEP-0460 consistent-items)."""
    return hint(metadata, "consistent-items", "0") and not hint(metadata, "consistent-items")


def hint(metadata: Mapping[str, str], name: str, *values: str) -> bool:
    """Whether a hint of XEP-0460 has one of these values, by default a true one; fields differ in their prefix only."""
    wanted = tuple(v for value in values for v in (value, {"0": "false", "1": "true"}.get(value, value))) or _TRUE
    return any(
        field.rpartition("#")[2].rpartition("}")[2] == name and value in wanted for field, value in metadata.items()
    )


def contradicted(promised: frozenset[str], *, extra: bool, missing: bool) -> frozenset[str]:
    """What a difference between a copy that was thought synced and the service shows to be untold.

    Args:
        extra: the copy has items that the service has not.
        missing: the service has items, or contents, that the copy has not.
    """
    kinds = {"retract", "purge", "trim", "expiry"} if extra else set()
    return promised & (kinds | ({"mute", "transit"} if missing else set()))

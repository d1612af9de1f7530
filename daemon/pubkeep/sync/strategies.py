# SPDX-License-Identifier: MIT
"""Ways of asking what changed in a node since its last proof; each says what it showed (proofs.py).

None is believed because it is advertised. An archive must hold what we hold from before, since servers that archive
nothing of a node answer "nothing" all the same; an order must not be the one that comes unasked.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pubkeep import payload
from pubkeep.cache.links import Link
from pubkeep.cache.parts import as_it_is
from pubkeep.cache.wanted import Node
from pubkeep.clock import CLOCKS_DIFFER
from pubkeep.errors import NotAllowed, NotFound, NotSupported, Refused
from pubkeep.ports import PubSubClient
from pubkeep.protocol import ItemsQuery, OrderBy, WireItem
from pubkeep.sync.proofs import TABLE, Proves, Way

MAM = "urn:xmpp:mam:2"
ORDER_BY = "urn:xmpp:order-by:"
PUBSUB = "http://jabber.org/protocol/pubsub"
ARCHIVED = 100
"""Publications asked for in a page of an archive."""
ARCHIVE_PAGES = 20
OVERLAP = 10
"""So many of the newest must be as they are held, one after the other, so that the gap is closed."""
TRIES = 3
"""Each with four times as many."""
NOTHING = (NotAllowed, NotFound, NotSupported, Refused)
"""It cannot be asked in this way; a list of the items decides what that means."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What an answer showed of a node since its last proof."""

    by: frozenset[Way] = frozenset()
    proves: Proves = field(default_factory=Proves)
    edits: Mapping[str, WireItem] = field(default_factory=dict)
    """What was published since, as it was last, whether it is still there or not."""
    ids: tuple[str, ...] | None = None
    """All ids, in the order of the service or the other way round."""
    lied: frozenset[Way] = frozenset()
    """The answer contradicts what is known: not to be asked again."""


def uses(link: Link, way: Way) -> bool:
    """Whether the service offers it, as far as is known, and was not shown to be wrong about it."""
    if way in link.traits.distrusted:
        return False
    match way:
        case Way.ARCHIVE:
            return way in link.traits.shown or MAM in (link.features or ())
        case Way.ORDER_BY:
            return order_version(link) != ""
        case Way.COUNT:
            return bool(link.traits.rsm)
        case _:
            return True


def order_version(link: Link) -> str:
    """Which version of XEP-0413 the service showed that it honours; empty: none."""
    shown = (each.rpartition(":")[2] for each in sorted(link.traits.shown) if each.startswith(Way.ORDER_BY))
    return next(shown, "") if Way.ORDER_BY not in link.traits.distrusted else ""


def advertised_order(features: Iterable[str]) -> str:
    """Which version is advertised, for PubSub or for all; the newer one where both are."""
    named = {feature.removesuffix(f"@{PUBSUB}") for feature in features}
    return next((version for version in ("1", "0") if f"{ORDER_BY}{version}" in named), "")


def order_by(field: str, version: str) -> OrderBy:
    """The newest first, by `creation` or `modification`."""
    return OrderBy("creation" if field == "creation" else "modification", "1" if version == "1" else "0")


async def listed_ids(node: Node, client: PubSubClient) -> Shown | None:
    """All ids (XEP-0060 5.5); never an empty list, which some services give to those whom they refuse."""
    if "!" in node.key.node:
        return None  # ejabberd lists nothing of such a node
    try:
        listed = await client.disco_items(node.key.service, node.key.node)
    except NOTHING:
        return None
    ids = tuple(each.name for each in listed)
    if not ids or "" in ids or len(set(ids)) != len(ids):
        return None
    return Shown(frozenset((Way.IDS,)), TABLE[Way.IDS], ids=ids)


async def archived(node: Node, client: PubSubClient, held: Mapping[str, bytes]) -> Shown | None:
    """What was published since the last proof (XEP-0442), if the archive agrees with the copy before that.

    It is read from its end backwards, until something older than the proof is seen. What it has from then must be
    what is held: an archive of another node, or none at all, shows nothing of the kind.
    """
    since = node.record.verified_at - CLOCKS_DIFFER
    latest: dict[str, WireItem] = {}
    older: dict[str, WireItem] = {}
    before = ""
    for _ in range(ARCHIVE_PAGES):
        try:
            page = await client.archive(node.key, ARCHIVED, before)
        except NOTHING:
            return None
        for at, item in reversed(page.published):
            if item.id not in latest:
                (latest if at >= since or not at else older).setdefault(item.id, item)
        if older or page.begins or page.first in ("", before):
            break
        before = page.first
    kept = [item for item_id, item in older.items() if item_id in held]
    same = [item for item in kept if payload.of_item(item.element)[1] == held[item.id]]
    if len(same) < len(kept):
        return Shown(lied=frozenset((Way.ARCHIVE,)))
    if not same:
        return None
    return Shown(frozenset((Way.ARCHIVE,)), TABLE[Way.ARCHIVE], latest)


async def last_modified(node: Node, client: PubSubClient, held: Mapping[str, bytes]) -> Shown | None:
    """What was modified last (XEP-0413), until some are as they are held.

    Raises:
        NotFound, NotAllowed: it is the items that were asked for, and this is the service's verdict.
    """
    version, number = order_version(node.link), OVERLAP * 2
    for _ in range(TRIES):
        query = ItemsQuery(rsm_max=number, order=order_by("modification", version))
        try:
            items = (await client.items(node.key, query, as_it_is)).items
        except (NotSupported, Refused):
            return None
        ids = [item.id for item in items]
        if len(set(ids)) != len(ids) or ids == list(held)[: len(ids)]:
            return Shown(lied=frozenset((Way.ORDER_BY,)))  # that is what comes without an order, too
        edited = [item for item in items if held.get(item.id) != payload.of_item(item.element)[1]]
        if len(items) >= OVERLAP and not {item.id for item in items[-OVERLAP:]} & {item.id for item in edited}:
            return Shown(frozenset((Way.ORDER_BY,)), TABLE[Way.ORDER_BY], {item.id: item for item in edited})
        number *= 4
        if number > len(held) / 2:
            break
    return None


async def honours_order(node: Node, client: PubSubClient, newest: list[str], version: str) -> bool | None:
    """Whether the service orders as it is asked to (XEP-0413); None where its answers do not show it.

    They show it where the two orders differ, and one is that of the list. It then also shows which one that is.

    Args:
        newest: the newest ids as they are held, the newest first.

    Raises:
        NotFound, NotAllowed: the service's verdict on the node.
    """
    answers = []
    for by in ("creation", "modification"):
        query = ItemsQuery(rsm_max=len(newest), order=order_by(by, version))
        try:
            answers.append([item.id for item in (await client.items(node.key, query, as_it_is)).items])
        except (NotSupported, Refused):
            return False
    if newest not in answers:
        return False
    if answers[0] == answers[1]:
        return None
    node.link.learn(order="creation" if answers[0] == newest else "publish")
    return True

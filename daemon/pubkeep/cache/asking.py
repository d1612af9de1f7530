# SPDX-License-Identifier: MIT
"""One meaning for GetItems, whatever the service makes of the wire request.

The same request means different things on three servers: RSM on Prosody gives the whole node, `max_items`
on ejabberd with SQL comes newest first, its anchors are time stamps, `ids` come in request order or in
stored order. Here the answer is put into the one form that the cache gives too: the part of the node's list
that the options name, oldest first.
"""

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, replace

from pubkeep import payload
from pubkeep.cache import direction
from pubkeep.cache.conversion import parse
from pubkeep.cache.links import Link
from pubkeep.errors import InvalidArgs, LimitExceeded, NotAllowed, NotFound, NotSupported, PubkeepError, Unavailable
from pubkeep.model import Analysis, ItemRow, NodeKey, NodeRecord, NodeState
from pubkeep.ports import Analysers, PubSubClient
from pubkeep.protocol import ItemsQuery, Listing, OrderBy, WireItem
from pubkeep.questions import ItemsRequest, Page
from pubkeep.slices import Slices
from pubkeep.sync import strategies
from pubkeep.sync.pager import NOT_KEPT, Pager, pages_refused
from pubkeep.sync.proofs import Way
from pubkeep.uri import item_uri

DEFAULT_MAX = 50
"""Items of a request that names none."""
_KEPT = {"creation": "creation", "modification": "publish"}
"""Which order of a service's own is the one that is asked for."""

Feed = Callable[[Listing, Collection[str] | None, Collection[str] | None], Awaitable[None]]
"""Given an answer, the ids that it covers (None: the newest), and all ids of the node where it ends a whole list."""
LONG = 100
"""Items; a longer answer is not asked for a second time to see which end of it is the newer one: a short one is."""
WALKS = 3
"""So often a list is begun anew where it changed while it was read."""


class NoAnchor(Exception):
    """The node is there, but has no such item to count from: it says nothing against the node."""


class _Changed(Exception):
    """The pages do not fit together."""

    def __init__(self, ids: list[str]) -> None:
        super().__init__()
        self.ids = ids


@dataclass(frozen=True, slots=True)
class Asked:
    """What the service said, in our form."""

    items: tuple[WireItem, ...]
    more: bool
    sent_at: float
    index: int | None = None
    count: int | None = None
    pages: int = 1
    """Requests that it took: several show no single moment."""


def check(link: Link, key: NodeKey, request: ItemsRequest) -> None:
    """Refuse what has no meaning.

    Raises:
        InvalidArgs: options that exclude each other.
        NotSupported: an order that this service cannot give, or that cannot be proved.
    """
    chosen = [name for name in ("before", "after", "index") if getattr(request, name) is not None]
    if request.ids is not None and (chosen or request.max is not None or request.order != "service"):
        other = (chosen or ["max" if request.max is not None else "order"])[0]
        raise InvalidArgs(f"ids: cannot be combined with {other}")
    if len(chosen) > 1:
        raise InvalidArgs(f"{chosen[1]}: cannot be combined with {chosen[0]}")
    if request.order != "service" and link.order != _KEPT[request.order] and other_order(link, request) is None:
        raise NotSupported(f"order {request.order!r}: {key.service} does not show that it keeps this order")
    if request.freshness == "cache" and other_order(link, request) is not None:
        raise NotSupported(f"order {request.order!r}: only {key.service} knows it, the copy has its own")


def other_order(link: Link, request: ItemsRequest) -> OrderBy | None:
    """How to ask for an order that is not that of the list (XEP-0413); None: it is, or it cannot be asked for."""
    version = strategies.order_version(link)
    if request.order == "service" or link.order == _KEPT[request.order] or not version:
        return None
    return strategies.order_by(request.order, version)


async def ask(
    client: PubSubClient, link: Link, key: NodeKey, request: ItemsRequest, feed: Feed, max_items: int
) -> Asked:
    """Ask the service. `feed` gets each answer inside the node's inbox, with the ids that it covers.

    Raises:
        NotFound: no such node.
        NoAnchor: the node has no such item to count from.
        LimitExceeded: the answer needs the whole node, which has more than `max_items`.
    """

    async def take(listing: Listing, ids: Collection[str] | None) -> Listing:
        await feed(listing, ids, None)
        return listing

    if request.ids is not None:
        wanted = list(dict.fromkeys(request.ids))
        query = ItemsQuery(ids=tuple(wanted))
        listing = await client.items(key, query, lambda got: take(got, wanted))
        by_id = {item.id: item for item in listing.items}
        return Asked(tuple(by_id[item_id] for item_id in wanted if item_id in by_id), False, listing.sent_at)
    order = other_order(link, request)
    if request.index is None and not request.after and not request.before:
        number = request.max if request.max is not None else DEFAULT_MAX
        if order is None:
            newest = await _newest(client, link, key, number, take)
        else:
            newest = await _newest_in(order, client, key, number, take)
        if newest is not None:
            return newest
    before: list[str] = []
    for _ in range(WALKS):
        try:
            return await _part_of_all(client, link, key, request, feed, max_items, before)
        except _Changed as changed:
            before = changed.ids
    raise Unavailable(f"{key.node} at {key.service}: it changed each time while it was listed; try again")


async def _newest(
    client: PubSubClient,
    link: Link,
    key: NodeKey,
    number: int,
    take: Callable[[Listing, Collection[str] | None], Awaitable[Listing]],
) -> Asked | None:
    """The newest `number`; one more is asked for, so that `more` is known. None: the service cut its answer."""
    listing = await client.items(key, ItemsQuery(max_items=number + 1), lambda got: take(got, None))
    items = tuple({item.id: item for item in listing.items}.values())  # each once, whatever it lists
    if listing.rsm and listing.rsm.count is not None and len(items) < min(number + 1, listing.rsm.count):
        return None
    if len(items) > 1 and link.traits.reversed is None:

        async def again(query: ItemsQuery) -> Listing:
            return await client.items(key, query, lambda got: take(got, None))

        if len(items) > LONG:
            await direction.learn(link, again, direction.FEW, await again(direction.FEW))
        else:
            await direction.learn(link, again, listing.query, listing)
        if link.traits.reversed is None:
            return None  # something came in between: the whole list shows the order
    items = tuple(link.oldest_first(items))
    return Asked(items[max(len(items) - number, 0) :], len(items) > number, listing.sent_at)


async def _newest_in(
    order: OrderBy,
    client: PubSubClient,
    key: NodeKey,
    number: int,
    take: Callable[[Listing, Collection[str] | None], Awaitable[Listing]],
) -> Asked | None:
    """The newest `number` in this order, which comes newest first. None: it does not page as it did."""
    query = ItemsQuery(rsm_max=number + 1, order=order)
    listing = await client.items(key, query, lambda got: take(got, [item.id for item in got.items]))
    each: dict[str, WireItem] = {}
    for item in listing.items:
        each.setdefault(item.id, item)  # each once, whatever it lists
    listed, items = len(listing.items), tuple(each.values())
    if listing.rsm is None or listed > number + 1 or len(items) <= number < listed:
        return None
    return Asked(items[:number][::-1], len(items) > number, listing.sent_at)


async def _part_of_all(
    client: PubSubClient,
    link: Link,
    key: NodeKey,
    request: ItemsRequest,
    feed: Feed,
    max_items: int,
    before: list[str],
) -> Asked:
    """List the whole node and cut the part out: anchors and positions mean nothing on the wire."""
    pager = Pager(link.paged, max_items, order=other_order(link, request))
    items: list[WireItem] = []
    pages = 0

    async def take(listing: Listing) -> None:
        nonlocal pages
        fresh = pager.take(listing)
        pages += bool(fresh) or not pages
        items.extend(fresh)
        await feed(listing, [item.id for item in listing.items], None if pager.doubt(()) else pager.ids)

    while (query := pager.query()) is not None:
        try:
            await client.items(key, query, take)
        except NotFound:
            if not pages:
                raise
            raise _Changed([]) from None  # the item to go on after is gone, not the node
        except NotSupported as error:
            if query.rsm_max is None or not pages_refused(error):
                raise
            link.distrust((Way.PAGES, Way.COUNT))
            raise _Changed([]) from None
    if pager.cut or (pager.fault and len(pager.ids) <= max_items):
        raise _Changed([])
    if pager.fault:
        raise LimitExceeded(f"{key.node} at {key.service}: {pager.fault}")
    if pager.order is not None:
        items.reverse()
    exact = not pager.doubt(())  # what was told meanwhile is of the next answer
    if not exact and pager.pages > 1:
        pages = pager.pages  # an empty page may be empty because the item moved after which it begins
    number = request.max if request.max is not None else DEFAULT_MAX
    ids = [item.id for item in items]
    for anchor in (request.before, request.after):
        if anchor and anchor not in pager.ids and pages > 1 and ids != before:
            raise _Changed(ids)  # it may have moved from a page that was still to come to one that was not
        if anchor and anchor not in pager.ids:
            raise NoAnchor(no_anchor(key, request))
    if request.after:
        start = ids.index(request.after) + 1
    elif request.index is not None:
        start = request.index
    else:
        end = ids.index(request.before) if request.before else len(ids)
        start = max(end - number, 0)
        number = end - start
    part = items[start : start + number]
    forward = bool(request.after) or request.index is not None
    more = start + number < len(items) if forward else start > 0
    assert pager.sent_at is not None
    return Asked(
        tuple(part), more, pager.sent_at, start if exact and part else None, len(items) if exact else None, pages
    )


def no_anchor(key: NodeKey, request: ItemsRequest) -> str:
    """What is said where the item to count from is not there."""
    return f"{key.node} at {key.service}: no item {request.before or request.after!r} to count from"


async def rows(
    analysers: Analysers, key: NodeKey, analysis: Analysis | None, items: Sequence[WireItem], request: ItemsRequest
) -> tuple[ItemRow, ...]:
    """The items of an answer as frontends see them, without the store."""
    result = []
    slices = Slices()
    for item in items:
        parsed = await parse(analysers, key, analysis, item)
        extra: dict[str, object] = {}
        if request.extra:
            extra |= {"subtype": parsed.subtype} if parsed.subtype else {}
            extra |= {"error": parsed.error} if parsed.error else {}
        result.append(
            ItemRow(
                item_uri(key, item.id),
                key.account,
                key.service,
                key.node,
                item.id,
                analysis.type if analysis else "",
                parsed.title,
                parsed.published,
                parsed.updated,
                item.publisher,
                payload.to_xml(payload.first_child(item.element)) if request.format in ("xml", "both") else "",
                parsed.json if request.format in ("json", "both") else "",
                extra,
            )
        )
        await slices.pause()
    return tuple(result)


def fit(page: Page, request: ItemsRequest) -> Page:
    """Cut a page to `max_bytes`, at least one row: the oldest go where the newest were asked for, else the last."""
    size, kept = 0, 0
    backwards = request.ids is None and not request.after and request.index is None
    for row in reversed(page.items) if backwards else page.items:
        size += row.octets
        if kept and size > request.max_bytes:
            break
        kept += 1
    if kept == len(page.items):
        return page
    cut = page.items[-kept:] if backwards else page.items[:kept]
    index = page.index + len(page.items) - kept if backwards and page.index is not None else page.index
    return Page(cut, True, False, cut[0].id, cut[-1].id, index, page.count, page.unknown, page.sequence)


def inside(page: Page, request: ItemsRequest, *, older: bool) -> Page | None:
    """The page, if all that the request names is among the newest items, without a gap; else None.

    Args:
        older: there are items before the oldest that is kept; else nobody knows whether there are.
    """
    if request.ids is not None:
        return None if page.unknown else page
    if request.index is not None:
        return None
    if not request.after and len(page.items) < (DEFAULT_MAX if request.max is None else request.max):
        return None
    if not (request.after or page.more or older):
        return None
    return replace(page, index=None, count=None, more=page.more or not request.after)


def shown(page: Page) -> tuple[bool, list[tuple[str, str, str]]]:
    """What readers see of it: whether there are more, and its rows."""
    return page.more, [(row.id, row.xml, row.json) for row in page.items]


def of_the_node(error: PubkeepError) -> bool:
    """Whether it says something of the node: that it is gone, denied, or keeps no items (any more)."""
    return isinstance(error, NotFound | NotAllowed) or (isinstance(error, NotSupported) and NOT_KEPT in str(error))


def keeps_again(record: NodeRecord) -> bool:
    """Whether a node that just gave a list did not keep items when it was asked before."""
    return record.state is NodeState.IGNORED and NOT_KEPT in record.reason

# SPDX-License-Identifier: MIT
"""What services make of an `<items/>` request (XEP-0060 6.5, XEP-0059), as recorded in tests/golden. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pubkeep.protocol import ItemsQuery, OrderBy, Rsm
from tests.simulation.refusals import Refusal

EJABBERD_PAGE = 1000
"""Where a `<set/>` names no number."""


class Held(NamedTuple):
    """An item, and the stamp of its creation."""

    id: str
    text: str
    stamp: str


@dataclass(frozen=True, slots=True)
class Asked:
    """An `<items/>` request as it stands in the stanza, RSM included."""

    ids: tuple[str, ...] = ()
    max_items: int | None = None
    paged: bool = False
    """Whether there is a `<set/>`."""
    max: int | None = None
    after: str | None = None
    before: str | None = None
    index: int | None = None
    order: OrderBy | None = None


Part = tuple[list[Held], Rsm | None]


def asked(query: ItemsQuery) -> Asked:
    """What the daemon asks."""
    paged = query.rsm_max is not None
    return Asked(query.ids, query.max_items, paged, query.rsm_max, query.rsm_after, query.rsm_before, order=query.order)


def prosody(items: Sequence[Held], request: Asked) -> Part:
    """RSM is ignored; ids come as often and in the order as they were asked; of no item one is given."""
    if request.ids:
        by_id = {item.id: item for item in items}
        found = [by_id[each] for each in request.ids if each in by_id]
        return found[: request.max_items], None
    if request.max_items is not None:
        return list(items[-max(request.max_items, 1) :]), None
    return list(items), None


def ejabberd(items: Sequence[Held], request: Asked, *, sql: bool) -> Part:
    """Cursors are stamps of creation, a `<set/>` is before max_items, and ids are sought in the page only."""
    page, rsm = _ejabberd_page(list(items), request, sql=sql)
    return [item for item in page if not request.ids or item.id in request.ids], rsm


def _ejabberd_page(items: list[Held], request: Asked, *, sql: bool) -> Part:
    count = len(items)
    number = EJABBERD_PAGE if request.max is None else request.max
    if not request.paged and request.max_items is None:
        return items, None
    if request.max_items is not None and request.max_items < 0:
        raise Refusal("modify", "bad-request")
    if not request.paged:
        return _backwards(items, request.max_items or 0, count, sql=sql)
    if request.after == "" or number < 0 or (request.index or 0) < 0:
        raise Refusal("modify", "bad-request")
    if request.after is not None and request.before is not None:
        raise Refusal("wait", "internal-server-error")
    if request.after is not None:
        start = next((place for place, item in enumerate(items) if item.stamp > request.after), count)
        return _forwards(items, start, number, count, 0 if sql else start)
    if request.before is not None:
        older = [item for item in items if not request.before or item.stamp < request.before]
        return _backwards(older, number, count, sql=sql)
    start = request.index or 0
    if start >= count > 0 and not sql:
        raise Refusal("wait", "internal-server-error")
    return _forwards(items, start, number, count, start)


def _forwards(items: list[Held], start: int, number: int, count: int, index: int) -> Part:
    return _with_edges(items[start : start + number], index, count)


def _backwards(items: list[Held], number: int, count: int, *, sql: bool) -> Part:
    """The newest: in SQL they come first, and the index is always 0; in Mnesia it may be below 0."""
    page = items[-number:] if number else []
    return _with_edges(page[::-1], 0, count) if sql else _with_edges(page, len(items) - number, count)


def _with_edges(page: list[Held], index: int, count: int) -> Part:
    if not page:
        return [], Rsm(count=count)
    return page, Rsm(page[0].stamp, page[-1].stamp, index, count)


def by_ids(items: Sequence[Held], request: Asked, *, page: int, cut: int) -> Part:
    """A service whose cursors are item ids, oldest first; it makes pages of `page`, cuts what is unpaged to `cut`."""
    if request.ids:
        by_id = {item.id: item for item in items}
        return [by_id[each] for each in dict.fromkeys(request.ids) if each in by_id], None
    if request.max_items is not None:
        return (list(items[-request.max_items :]) if request.max_items else []), None
    if request.paged and page:
        size = min(request.max or page, page)
    elif cut and not request.paged:
        size = cut
    else:
        return list(items), None
    ids = [item.id for item in items]
    if (request.after is not None and request.after not in ids) or (request.before and request.before not in ids):
        raise Refusal("cancel", "item-not-found")
    start = ids.index(request.after) + 1 if request.after is not None else 0
    if request.before is not None:
        end = ids.index(request.before) if request.before else len(ids)
        start, size = max(0, end - size), min(size, end)
    part = list(items[start : start + size])
    return part, Rsm(part[0].id if part else None, part[-1].id if part else None, start, len(items))

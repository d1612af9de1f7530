# SPDX-License-Identifier: MIT
"""A service that keeps a record of what it is asked, and answers late, wrongly or not at all, as it is told."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar
from xml.etree.ElementTree import Element, SubElement

from pubkeep.clock import Clock
from pubkeep.errors import PubkeepError, TimedOut, Unavailable
from pubkeep.model import NodeKey
from pubkeep.protocol import EventKind, FieldValue, ItemsQuery, Listing, NodeEvent, ServiceInfo, WireItem
from tests.daemon.cache.service import PUBSUB, FakeService, wire

T = TypeVar("T")

ATOM = "{http://www.w3.org/2005/Atom}"

METADATA = "http://jabber.org/protocol/pubsub#meta-data"
LATE = 0.5
"""Seconds that each answer takes on its way to the service."""


class ScriptedService(FakeService):
    """One node of one service. `sent` names what it was asked: `items`, `newest 2`, `ids a b`, `subscribe`."""

    def __init__(self, key: NodeKey, clock: Clock) -> None:
        super().__init__(clock, key)
        self.sent: list[str] = []
        self.error: PubkeepError | None = None
        """What it answers to every question about the node; where it is no verdict, to all others, too."""
        self.fault: Callable[[ItemsQuery], PubkeepError | None] = lambda _query: None
        """What it answers to this question."""
        self.twice = False
        """Listings of the whole name an item twice."""
        self.lossy = True
        """What it answers is a sign of loss on the way."""
        self.mute = False
        """It answers nothing."""
        self.foreign = False
        """Its payloads are of a namespace that nobody knows."""
        self.subscription = "subscribed"
        """What it says to who subscribes."""
        self.metadata: dict[str, str] = {}
        self.features = frozenset((METADATA,))
        self._now = clock

    def notify(self, kind: EventKind = EventKind.ITEMS, **fields: Any) -> None:
        """An event enters the stream."""
        event = NodeEvent(self.key, kind, self._now.boottime(), **fields)
        self.inbox.put(self.key, lambda: self.listener.handle(event))

    def item(self, item_id: str, text: str) -> WireItem:
        """What it tells of an item."""
        if not self.foreign:
            post = wire(item_id, text)
            day = 1 + ord(item_id[0]) - ord("a")
            SubElement(post.element[0], f"{ATOM}updated").text = f"2024-01-{day:02}T00:00:00Z"
            return post
        element = Element(f"{PUBSUB}item", {"id": item_id})
        SubElement(element, "{urn:nobody:knows:this}thing").text = text
        return WireItem(item_id, "", element)

    async def _asked(self, what: str, *, node: bool = True) -> None:
        self.sent.append(what)
        await asyncio.sleep(LATE + 0.001)  # the request leaves a moment later than it is wished for
        if self.mute:
            await asyncio.sleep(20 - LATE)
            raise TimedOut("no answer within 20 s")
        if self.error is not None and (node or isinstance(self.error, TimedOut)):
            if isinstance(self.error, Unavailable) and self.lossy:
                self.listener.path_lost(self.key.account, self.key.service)
            raise self.error

    async def items(self, node: NodeKey, query: ItemsQuery, apply: Callable[[Listing], Awaitable[Any]]) -> Any:
        what = f"ids {' '.join(query.ids)}" if query.ids else "items"
        await self._asked(what if query.max_items is None else f"newest {query.max_items}")
        if (fault := self.fault(query)) is not None:
            raise fault

        async def take(listing: Listing) -> Any:
            items = tuple(self.item(each.id, self.items_held.get(each.id, "")) for each in listing.items)
            if self.twice and not query.ids:
                items += items[:1]
            return await apply(replace(listing, items=items, sent_at=listing.sent_at - LATE))

        return await super().items(node, query, take)

    async def publish(self, node: NodeKey, item_id: str, *arguments: Any) -> Any:
        await self._asked(f"publish {item_id}")
        return await super().publish(node, item_id, *arguments)

    async def subscribe(self, node: NodeKey) -> str:
        await self._asked("subscribe")
        await super().subscribe(node)
        self.subscribed = self.subscription == "subscribed"
        return self.subscription

    async def unsubscribe(self, node: NodeKey) -> None:
        await self._asked("unsubscribe")
        await super().unsubscribe(node)

    async def subscriptions(self, node: NodeKey) -> tuple[str, ...]:
        await self._asked("subscriptions")
        states = await super().subscriptions(node)
        return states if self.subscription == "subscribed" else (self.subscription,)

    async def configuration(self, node: NodeKey) -> Mapping[str, FieldValue]:
        await self._asked("configuration")
        return await super().configuration(node)

    async def info(self, service: str, node: str = "") -> ServiceInfo:
        await self._asked("meta-data" if node else "info", node=bool(node))
        return replace(await super().info(service, node), metadata=self.metadata if node else {})

    async def _in_order(self, sent_at: float, work: Callable[[], Awaitable[Any]]) -> Any:
        return await super()._in_order(sent_at - LATE, work)

# SPDX-License-Identifier: MIT
"""A PubSub service whose answers and events race, as no server does on command."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal, TypeVar
from xml.etree.ElementTree import Element, SubElement

from pubkeep.clock import Clock
from pubkeep.errors import NotAllowed, NotFound, NotSupported, PubkeepError, TimedOut, Unavailable
from pubkeep.model import NodeKey
from pubkeep.protocol import (
    ArchivePage,
    Confirmation,
    DiscoItem,
    EventKind,
    FieldValue,
    ItemsQuery,
    Listing,
    NodeEvent,
    Rsm,
    ServiceInfo,
    Subscription,
    WireItem,
)
from pubkeep.xmpp.inbox import Inbox

T = TypeVar("T")

KEY = NodeKey("alice@localhost", "pubsub.localhost", "urn:xmpp:microblog:0")
PUBSUB = "{http://jabber.org/protocol/pubsub}"


def wire(item_id: str, text: str, publisher: str = "") -> WireItem:
    """An `<item/>` with a post that is its text; one that begins with `?` is no post."""
    element = Element(f"{PUBSUB}item", {"id": item_id})
    entry = SubElement(element, "{urn:x}thing" if text.startswith("?") else "{http://www.w3.org/2005/Atom}entry")
    SubElement(entry, "{http://www.w3.org/2005/Atom}title").text = text
    return WireItem(item_id, publisher, element)


async def nothing() -> None:
    """What happens between the reading of an answer and its arrival, by default."""


class FakeService:
    """One service for one account; stands in for the sessions and for the client."""

    def __init__(self, clock: Clock, key: NodeKey = KEY) -> None:
        self.key = key
        self.items_held: dict[str, str] = {}
        self.inbox = Inbox()
        self.listener: Any = None
        self.online = True
        self.deleted = False
        self.closed = False
        """The account may not read it."""
        self.between: Callable[[], Awaitable[None]] = nothing
        """Runs after the service has read its table, before the answer enters the stream."""
        self.after_look: Callable[[], Awaitable[None]] = nothing
        """Runs after a subscription was looked for, before whoever asked goes on."""
        self.asked: list[ItemsQuery] = []
        self.page = 0
        """Items in each page of a list of all; 0: it gives all of them at once."""
        self.counts = False
        """Whether it says with the newest how many there are in all."""
        self.subscribed = False
        self.features: frozenset[str] = frozenset()
        self.archived: list[tuple[int, float, str, str]] = []
        """What was published: (its stamp, in microseconds; from when on, in boottime, it is shown; id; text)."""
        self.form: dict[str, FieldValue] = {}
        """The configuration; who may not read it gets an error where it is empty."""
        self.deaf: tuple[str, ...] = ()
        """Fields of the configuration that it ignores without a word."""
        self.options: list[Mapping[str, FieldValue]] = []
        """The publish-options of each item."""
        self.refused: tuple[str, ...] = ()
        """Ids that it neither takes nor deletes."""
        self.silent: Literal["", "lost", "done"] = ""
        """Writes are not answered; they came too late, or were done all the same."""
        self.moves = True
        """An item that we overwrite moves to the end."""
        self.stuck = False
        """It does not even fail to answer."""
        self.writes = 0
        """Requests of type set that came in."""
        self.shows_ids = True
        """False: disco#items lists nothing, as ejabberd does where access is refused."""
        self.trouble: PubkeepError | None = None
        """The next request for items fails with it."""
        self.subscribes = True
        """False: it knows no subscriptions."""
        self._clock = clock

    # -- what others do ----------------------------------------------------------------------------

    def publish_elsewhere(self, item_id: str, text: str, *, told: bool = True) -> None:
        """Another client publishes; an overwrite moves to the end."""
        self.items_held.pop(item_id, None)
        self.items_held[item_id] = text
        if told:
            self.tell(wire(item_id, text))

    def tell(self, *items: WireItem, retracted: tuple[str, ...] = (), kind: EventKind = EventKind.ITEMS) -> None:
        """An event enters the stream."""
        event = NodeEvent(self.key, kind, self._clock.boottime(), items, retracted)
        self.inbox.put(self.key, lambda: self.listener.handle(event))

    # -- ports.Sessions ------------------------------------------------------------------------------

    def client(self, account: str) -> "FakeService":
        if not self.online:
            raise Unavailable(f"{account}: the account is not connected")
        return self

    async def drained(self, node: NodeKey) -> None:
        await self.inbox.drained(node)

    # -- ports.PubSubClient --------------------------------------------------------------------------

    async def items(self, node: NodeKey, query: ItemsQuery, apply: Callable[[Listing], Awaitable[Any]]) -> Any:
        self.asked.append(query)
        trouble, self.trouble = self.trouble, None
        if trouble is not None:
            raise trouble
        if self.deleted:
            raise NotFound("there is no such node")
        if self.closed:
            raise NotAllowed("access is not allowed")
        sent_at = self._clock.boottime()
        found, rsm = list(self.items_held.items()), None
        if query.ids:
            found = [(item_id, self.items_held[item_id]) for item_id in query.ids if item_id in self.items_held]
        elif query.max_items is not None:
            rsm = Rsm(count=len(found)) if self.counts else None
            found = found[-query.max_items :]
        elif self.page:
            found, rsm = self._part(found, query)
        between, self.between = self.between, nothing
        await between()
        listing = Listing(query, tuple(wire(*each) for each in found), rsm, sent_at, self._clock.boottime())
        return await self._in_order(sent_at, lambda: apply(listing))

    def _part(self, found: list[tuple[str, str]], query: ItemsQuery) -> tuple[list[tuple[str, str]], Rsm]:
        """The page that follows its cursor, which is the last id of the page before."""
        ids = [item_id for item_id, _ in found]
        if query.rsm_after and query.rsm_after not in ids:
            raise NotFound("there is no such item")
        start = ids.index(query.rsm_after) + 1 if query.rsm_after else 0
        part = found[start : start + self.page]
        first, last = (part[0][0], part[-1][0]) if part else (None, None)
        return part, Rsm(first, last, start, len(found))

    async def publish(
        self,
        node: NodeKey,
        item_id: str,
        xml: str,
        options: Mapping[str, FieldValue],
        apply: Callable[[Confirmation], Awaitable[T]],
    ) -> T:
        self.options.append(options)

        def do() -> None:
            if self.moves:
                self.items_held.pop(item_id, None)
            self.items_held[item_id] = xml.partition("title>")[2].partition("<")[0]

        return await self._write(do, apply, item_id)

    async def retract(self, node: NodeKey, item_id: str, apply: Callable[[Confirmation], Awaitable[T]]) -> T:
        if item_id not in self.items_held:
            raise NotFound("there is no such item")
        return await self._write(lambda: self.items_held.pop(item_id), apply, item_id)

    async def purge_node(self, node: NodeKey, apply: Callable[[Confirmation], Awaitable[T]]) -> T:
        return await self._write(self.items_held.clear, apply)

    async def _write(
        self, do: Callable[[], object], apply: Callable[[Confirmation], Awaitable[T]], item_id: str = ""
    ) -> T:
        sent_at = self._clock.boottime()
        self._takes(do, item_id)
        between, self.between = self.between, nothing
        await between()
        confirmation = Confirmation((item_id,) if item_id else (), sent_at, self._clock.boottime())
        result: T = await self._in_order(sent_at, lambda: apply(confirmation))
        return result

    def _takes(self, do: Callable[[], object], item_id: str = "") -> None:
        self.writes += 1
        if item_id and item_id in self.refused:
            raise NotAllowed("access is not allowed")
        if self.silent != "lost":
            do()
        if self.silent:
            raise TimedOut("no answer within 20 s")

    async def subscribe(self, node: NodeKey) -> str:
        if not self.subscribes:
            raise NotSupported("the service cannot do this")
        self.subscribed = True
        self.listener.answered(node.account, node.service, self._clock.boottime())
        return "subscribed"

    async def unsubscribe(self, node: NodeKey) -> None:
        if self.stuck:
            await asyncio.Event().wait()
        if self.silent:
            raise TimedOut("no answer within 20 s")
        self.subscribed = False

    async def subscriptions(self, node: NodeKey) -> tuple[str, ...]:
        self.listener.answered(node.account, node.service, self._clock.boottime())
        found = ("subscribed",) if self.subscribed else ()
        after, self.after_look = self.after_look, nothing
        await after()
        return found

    async def all_subscriptions(self, node: NodeKey) -> tuple[Subscription, ...]:
        return (Subscription(node.node, f"{node.account}/x", "subscribed", ""),) if self.subscribed else ()

    async def create_node(self, node: NodeKey, config: Mapping[str, FieldValue]) -> str:
        return node.node

    async def delete_node(self, node: NodeKey) -> None:
        self._takes(self.items_held.clear)

    async def configuration(self, node: NodeKey) -> Mapping[str, FieldValue]:
        if not self.form:
            raise NotAllowed("only the owner may read it")
        return self.form

    async def configure(self, node: NodeKey, fields: Mapping[str, FieldValue]) -> None:
        self._takes(lambda: self.form.update({name: v for name, v in fields.items() if name not in self.deaf}))

    async def affiliations(self, node: NodeKey) -> Mapping[str, str]:
        return {node.account: "owner"}

    async def set_affiliations(self, node: NodeKey, affiliations: Mapping[str, str]) -> None:
        self._takes(lambda: None)

    async def info(self, service: str, node: str = "") -> ServiceInfo:
        if node and self.deleted:
            raise NotFound("there is no such node")
        return ServiceInfo((), self.features, {})

    async def disco_items(self, service: str, node: str = "") -> tuple[DiscoItem, ...]:
        if not self.form:
            raise NotAllowed("only the owner may list it")
        return tuple(DiscoItem(service, "", item_id) for item_id in self.items_held if self.shows_ids)

    async def archive(self, node: NodeKey, number: int, before: str) -> ArchivePage:
        if not self.archived:
            raise NotSupported("it archives nothing")
        there = [(at, wire(*item)) for at, since, *item in self.archived if since <= self._clock.boottime()]
        return ArchivePage(tuple(there), "", begins=True)

    async def _in_order(self, sent_at: float, work: Callable[[], Awaitable[Any]]) -> Any:
        self.listener.answered(self.key.account, self.key.service, sent_at)
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        async def queued() -> None:
            if future.cancelled():
                return
            try:
                result = await work()
            except Exception as error:  # noqa: BLE001 (it is the waiter's)
                future.set_exception(error)
            else:
                future.set_result(result)

        self.inbox.put(self.key, queued)
        return await future

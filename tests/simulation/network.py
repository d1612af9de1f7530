# SPDX-License-Identifier: MIT
"""The stream to the simulated services, with its faults (ports.Sessions and ports.PubSubClient)."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from pubkeep.clock import Clock
from pubkeep.errors import NotAllowed, NotSupported, PubkeepError, TimedOut, Unavailable
from pubkeep.model import (
    ArchivePage,
    Confirmation,
    DiscoItem,
    EventKind,
    FieldValue,
    ItemsQuery,
    Listing,
    NodeEvent,
    NodeKey,
    ServiceInfo,
    Subscription,
)
from pubkeep.xmpp.inbox import Inbox
from tests.simulation.refusals import Refusal
from tests.simulation.services import Notice, Service, wire

T = TypeVar("T")
REPLY = 20.0
NOT_OWNER = "only the owner may do that"


class Stream:
    """What our server sends us: in order, a little later; held while the link is cut, lost with the session."""

    def __init__(self, loop: asyncio.AbstractEventLoop, chance: random.Random) -> None:
        self._loop, self._chance = loop, chance
        self.session = 0
        self.up = False
        self._held: list[Callable[[], None]] = []
        self._last = 0.0

    def push(self, deliver: Callable[[], None]) -> None:
        # never at the same moment: a loop's heap does not keep the order of equal times
        self._last = max(self._last + 1e-6, self._loop.time() + self._chance.uniform(0.005, 0.05))
        self._loop.call_at(self._last, self._arrive, deliver, self.session)

    def _arrive(self, deliver: Callable[[], None], session: int) -> None:
        if session == self.session:
            if self.up:
                deliver()
            else:
                self._held.append(deliver)

    def resume(self) -> None:
        self.up = True
        held, self._held = self._held, []
        for deliver in held:
            deliver()

    def new_session(self) -> None:
        self.session += 1
        self.up, self._held = True, []


class _Subscriber:
    """What only owners may ask is refused: the simulated account is a plain subscriber."""

    async def create_node(self, node: NodeKey, config: Mapping[str, FieldValue]) -> str:
        raise NotAllowed(NOT_OWNER)

    async def delete_node(self, node: NodeKey) -> None:
        raise NotAllowed(NOT_OWNER)

    async def configuration(self, node: NodeKey) -> Mapping[str, FieldValue]:
        raise NotAllowed(NOT_OWNER)

    async def configure(self, node: NodeKey, fields: Mapping[str, FieldValue]) -> None:
        raise NotAllowed(NOT_OWNER)

    async def affiliations(self, node: NodeKey) -> Mapping[str, str]:
        raise NotAllowed(NOT_OWNER)

    async def set_affiliations(self, node: NodeKey, affiliations: Mapping[str, str]) -> None:
        raise NotAllowed(NOT_OWNER)

    async def all_subscriptions(self, node: NodeKey) -> tuple[Subscription, ...]:
        raise NotAllowed(NOT_OWNER)


class Network(_Subscriber):
    """All services, as one account sees them."""

    def __init__(self, account: str, clock: Clock, chance: random.Random, seen: Counter[str]) -> None:
        self.account, self._clock, self._chance, self.seen = account, clock, chance, seen
        self._loop = asyncio.get_running_loop()
        self.stream = Stream(self._loop, chance)
        self.inbox = Inbox()
        self.listener: Any = None
        self.online = False
        self.services: dict[str, Service] = {}
        self.pending: dict[asyncio.Future[Any], bool] = {}

    # -- the link ----------------------------------------------------------------------------------

    def connect(self) -> None:
        """A new session: what was under way is lost."""
        self.stream.new_session()
        self.online = True
        for future, write in list(self.pending.items()):
            if not future.done():
                future.set_exception(TimedOut("lost with the session") if write else Unavailable("lost"))
        self.listener.session_started(self.account)
        for service in self.services.values():
            for node in sorted(service.subscribed) if service.profile.last_item == "late" else ():
                for notice in service.last(node, "put"):  # at our first presence, and without a delay
                    self._tell(service, node, notice)

    def cut(self) -> None:
        self.stream.up = False
        self.listener.session_lost(self.account)

    def resume(self) -> None:
        """Replayed, then the answer to a ping."""
        self.stream.resume()
        session = self.stream.session

        def passed() -> None:
            if session == self.stream.session and self.stream.up:
                self.listener.session_resumed(self.account)

        self.stream.push(passed)

    # -- changes -----------------------------------------------------------------------------------

    def change(self, service: Service, node: str, *op: str) -> int:
        """Somebody changes a node. Returns the number of the change. Raises Refusal."""
        number, notices = service.change(node, self._clock.boottime(), *op)
        self.seen[f"{op[0]}{'' if notices else ' untold'}"] += 1
        for notice in notices:
            self._tell(service, node, notice)
        return number

    def _tell(self, service: Service, node: str, op: Notice) -> None:
        key = NodeKey(self.account, service.jid, node)

        def arrive() -> None:
            kinds = {"purge": EventKind.PURGE, "gone": EventKind.DELETE}
            items = (wire(op[1], op[2]),) if op[0] in ("put", "late") else ()
            retracted = (op[1],) if op[0] == "del" else ()
            kind, at = kinds.get(op[0], EventKind.ITEMS), self._clock.boottime()
            event = NodeEvent(key, kind, at, items, retracted, delayed=op[0] == "late")
            self.inbox.put(key, lambda: self.listener.handle(event))

        copies = 2 if service.profile.ejabberd and self._chance.random() < 0.3 else 1
        for _ in range(copies):
            self._late(service, lambda: self.stream.push(arrive))

    def _late(self, service: Service, work: Callable[[], None]) -> None:
        if service.profile.fan_out and self._chance.random() < 0.6:
            self._loop.call_later(self._chance.uniform(0, service.profile.fan_out), work)
        else:
            work()

    # -- ports.Sessions ------------------------------------------------------------------------------

    def client(self, account: str) -> "Network":
        if not self.online:
            raise Unavailable(f"{account}: the account is not connected")
        return self

    async def drained(self, node: NodeKey) -> None:
        await self.inbox.drained(node)

    # -- ports.PubSubClient ----------------------------------------------------------------------------

    async def items(self, node: NodeKey, query: ItemsQuery, apply: Callable[[Listing], Awaitable[T]]) -> T:
        self.seen[f"asks {'ids' if query.ids else 'newest' if query.max_items is not None else 'list'}"] += 1

        def read(sent_at: float) -> Callable[[float], Listing]:
            found, rsm = self.services[node.service].items(node.node, query)
            return lambda taken_at: Listing(query, tuple(wire(*each) for each in found), rsm, sent_at, taken_at)

        return await self._ask(node, read, apply)

    async def publish(
        self,
        node: NodeKey,
        item_id: str,
        xml: str,
        options: Mapping[str, FieldValue],
        apply: Callable[[Confirmation], Awaitable[T]],
    ) -> T:
        text = xml.partition("title>")[2].partition("<")[0]
        return await self._write(node, ("put", item_id, text), apply, (item_id,))

    async def retract(self, node: NodeKey, item_id: str, apply: Callable[[Confirmation], Awaitable[T]]) -> T:
        return await self._write(node, ("del", item_id), apply, (item_id,))

    async def purge_node(self, node: NodeKey, apply: Callable[[Confirmation], Awaitable[T]]) -> T:
        return await self._write(node, ("purge",), apply, ())

    async def _write(
        self, node: NodeKey, op: tuple[str, ...], apply: Callable[[Confirmation], Awaitable[T]], ids: tuple[str, ...]
    ) -> T:
        service = self.services[node.service]

        def do(sent_at: float) -> Callable[[float], Confirmation]:
            service.readable(node.node)
            number = self.change(service, node.node, *op)
            service.nodes[node.node].own[ids or op] = number
            return lambda taken_at: Confirmation(ids, sent_at, taken_at)

        return await self._ask(node, do, apply, write=True)

    async def subscribe(self, node: NodeKey) -> str:
        def do(_: float) -> str:
            service = self.services[node.service]
            for notice in service.subscribe(node.node):
                self._tell(service, node.node, notice)
            return service.holding(node.node).subscription

        return await self._plainly(node, do)

    async def unsubscribe(self, node: NodeKey) -> None:
        await self._plainly(node, lambda _: self.services[node.service].unsubscribe(node.node))

    async def subscriptions(self, node: NodeKey) -> tuple[str, ...]:
        def do(_: float) -> tuple[str, ...]:
            return self.services[node.service].subscriptions(node.node)

        return await self._plainly(node, do)

    async def info(self, service: str, node: str = "") -> ServiceInfo:
        key = NodeKey(self.account, service, node)
        return await self._plainly(key, lambda _: self.services[service].info(node))

    async def disco_items(self, service: str, node: str = "") -> tuple[DiscoItem, ...]:
        key = NodeKey(self.account, service, node)
        return await self._plainly(key, lambda _: self.services[service].listed(node))

    async def archive(self, node: NodeKey, number: int, before: str) -> ArchivePage:
        raise NotSupported("no simulated service archives anything")

    # -- inside ------------------------------------------------------------------------------------------

    async def _plainly(self, node: NodeKey, do: Callable[[float], T]) -> T:
        def at_service(sent_at: float) -> Callable[[float], T]:
            value = do(sent_at)
            return lambda _: value

        return await self._ask(node, at_service, None)

    async def _ask(
        self,
        node: NodeKey,
        do: Callable[[float], Callable[[float], Any]],
        apply: Callable[[Any], Awaitable[T]] | None,
        *,
        write: bool = False,
    ) -> T:
        service = self.services[node.service]
        sent_at, session = self._clock.boottime(), self.stream.session
        future: asyncio.Future[T] = self._loop.create_future()
        self.pending[future] = write

        def there() -> None:
            if not self.stream.up and session == self.stream.session:
                self._loop.call_later(0.2, there)  # sent again when the session goes on
                return
            if session != self.stream.session:
                return
            outcome: Any
            try:
                if service.unreachable:
                    raise Unavailable("the server did not answer")
                outcome = do(sent_at)
            except Refusal as refusal:
                outcome = refusal.meaning()
            except PubkeepError as error:
                outcome = error
            self._late(service, lambda: self.stream.push(lambda: back(outcome)))

        def back(outcome: Any) -> None:
            if session != self.stream.session:
                return  # it was lost with its session: nobody waits for it
            if isinstance(outcome, Unavailable):
                self.listener.path_lost(node.account, node.service)
            if isinstance(outcome, PubkeepError):
                self.seen[f"error {type(outcome).__name__}"] += 1
                if not future.done():
                    future.set_exception(outcome)
                return
            self.listener.answered(node.account, node.service, sent_at)
            value = outcome(self._clock.boottime())
            if apply is None:
                if not future.done():
                    future.set_result(value)
            else:
                self.inbox.put(node, lambda: work(value))

        async def work(value: Any) -> None:
            assert apply is not None
            if future.cancelled() and not write:
                return
            try:
                result = await apply(value)
            except PubkeepError as error:
                if not future.done():
                    future.set_exception(error)
            else:
                if not future.done():
                    future.set_result(result)

        self._loop.call_later(self._chance.uniform(0.005, 0.05), there)
        try:
            async with asyncio.timeout(REPLY):
                return await future
        except TimeoutError:
            raise TimedOut("no answer within 20 s") from None
        finally:
            del self.pending[future]

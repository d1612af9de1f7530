# SPDX-License-Identifier: MIT
"""The streams to the simulated services, with their faults (ports.Sessions and ports.PubSubClient)."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, TypeVar
from xml.etree import ElementTree as ET

from pubkeep.clock import Clock
from pubkeep.errors import NotAllowed, PubkeepError, TimedOut, Unavailable
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
    ServiceInfo,
    Subscription,
    WireItem,
)
from pubkeep.xmpp.inbox import Inbox
from tests.simulation.history import Change
from tests.simulation.loop import Elsewhere
from tests.simulation.refusals import FORBIDDEN, Refusal
from tests.simulation.services import PUBSUB, Notice, Service, wire
from tests.simulation.watcher import Watcher

T = TypeVar("T")
REPLY = 20.0
NOT_OWNER = "only the owner may do that"
KINDS = {"purge": EventKind.PURGE, "gone": EventKind.DELETE, "config": EventKind.CONFIGURATION}


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


@dataclass(slots=True)
class Path:
    """The way between our server and one service, with what goes wrong on it."""

    hole: bool = False
    """Nothing gets through, and nobody says so."""
    condition: PubkeepError | None = None
    """What our server answers in the service's name, while it is set."""
    errors: list[PubkeepError] = field(default_factory=list)
    """What the next lists are answered with, at any page."""
    drop: int = 0
    """So many of the next notifications are lost."""
    bare: bool = False
    """Notifications come without payload."""
    late: bool = False
    """Notifications come marked as old."""
    copies: int = 1
    together: bool = False
    """Retractions come several at a time."""
    delay: float = 0.0
    """Seconds that everything takes."""
    answer_late: float = 0.0
    """Seconds that answers take, notifications overtaking them."""
    lose_answers: bool = False
    """What is done is not confirmed."""
    refuse_writes: bool = False
    """The account may read, and not write."""
    twice: int = 0
    """So many of the next lists of all show an item twice."""
    refuse_subscriptions: str = ""
    """`pending`: so they are answered."""
    subids: int = 1
    heard: float | None = None
    """When the service worked on the last request that it answered in this epoch."""
    lost: tuple[float, float | None] = (0.0, None)
    """When it was forgotten last, and what it was."""
    last: float = 0.0

    def forget(self, now: float) -> None:
        """Another epoch begins."""
        self.lost = now, self.heard
        self.heard = None

    def heard_since(self, begun: float) -> float | None:
        """`heard`, now or at some moment since `begun`."""
        known = [each for each in (self.heard, self.lost[1] if self.lost[0] >= begun else None) if each is not None]
        return max(known, default=None)


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

    def __init__(
        self, account: str, services: Mapping[str, Service], clock: Clock, chance: random.Random, seen: Counter[str]
    ) -> None:
        self.account, self.services = account, services
        self._clock, self._chance, self.seen = clock, chance, seen
        self._loop = asyncio.get_running_loop()
        self.elsewhere = Elsewhere(self._loop)
        self.stream = Stream(self._loop, chance)
        self.inbox = Inbox()
        self.listener: Any = None
        self.online = self.parted = False
        """Connected; not an account any more."""
        self.paths = {jid: Path() for jid in services}
        self.pending: dict[asyncio.Future[Any], bool] = {}
        self._life = 0
        self.wrote: Callable[[str, str, tuple[str, ...]], None] = lambda _service, _node, _op: None
        """Called with what we did ourselves."""
        self.requests = 0
        self.changed: list[Callable[[str, str, str, tuple[str, ...]], None]] = []
        """Called with account, service, node and what happened to it."""
        self.own: dict[tuple[NodeKey, tuple[str, ...]], int] = {}
        """What we wrote where -> number of the change."""
        self.listing: Counter[NodeKey] = Counter()
        """How many lists of a node are under way."""
        self.listed_at: dict[NodeKey, float] = {}
        """When the service made the last list of a node that has reached us."""
        self.refused_at: dict[NodeKey, float] = {}
        """When it gave the last refusal of one that has reached us."""
        self.told: list[Callable[[NodeEvent], None]] = []
        """Called with each notification that arrives."""
        self.watcher = Watcher()

    # -- the link ----------------------------------------------------------------------------------

    def connect(self) -> None:
        """A new session: what was under way is lost."""
        if self.parted:
            return
        self.stream.new_session()
        self.online = True
        self._forget_answers()
        self._fail_all("lost with the session")
        self.watcher.linked(self.account, "new session")
        self.listener.session_started(self.account)
        for service in self.services.values():
            for node in sorted(service.subscribed) if service.profile.last_item == "late" else ():
                for notice in service.last(node, "put"):  # at our first presence, and without a delay
                    self._tell(service, node, notice)

    def cut(self) -> None:
        self.stream.up = False
        self.watcher.linked(self.account, "cut")
        self.listener.session_lost(self.account)

    def resume(self) -> None:
        """Replayed, then the answer to a ping."""
        self.stream.resume()
        session = self.stream.session

        def passed() -> None:
            if session == self.stream.session and self.stream.up:
                self.watcher.linked(self.account, "resumed")
                self.listener.session_resumed(self.account)

        self.stream.push(passed)

    def part(self) -> None:
        """The account goes: its session is ended in order."""
        self.online, self.parted = False, True
        self._fail_all("the account was disconnected meanwhile")
        self.leave()
        self.listener.session_lost(self.account)

    def leave(self) -> None:
        """The program is no more: nothing reaches it, and nothing of it is sent any more."""
        self.stream.new_session()
        self.stream.up = self.online = False
        self._life += 1
        self._forget_answers()
        self.pending.clear()

    def renew(self) -> None:
        """Another process begins with nothing."""
        self.inbox = Inbox()
        self.listing.clear()
        self.refused_at.clear()

    def _fail_all(self, words: str) -> None:
        for future, write in list(self.pending.items()):
            if not future.done():
                future.set_exception(TimedOut(words) if write else Unavailable(words))

    def _forget_answers(self) -> None:
        for path in self.paths.values():
            path.forget(self._clock.boottime())

    # -- changes -----------------------------------------------------------------------------------

    def change(self, service: Service, node: str, *op: str, silent: bool = False) -> int:
        """Somebody changes a node. Returns the number of the change. Raises Refusal.

        Args:
            silent: whatever the service is, it tells nobody.
        """
        history, path, at = service.nodes[node], self.paths[service.jid], self._clock.boottime()
        notices: list[Notice] = []
        if silent:
            number = history.commit(Change(at, op, told=False))
            if op == ("gone",):
                service.forget(node)
        else:
            before = len(history.changes)
            number, notices = service.change(node, at, *op)
            if op == ("keep",) and service.hears(node):
                notices, history.changes[-1].told = [("purge",)], True
            if notices and (path.hole or path.drop):
                path.drop = max(0, path.drop - 1)
                self.seen["notification lost"] += 1
                notices = []
            if not notices:
                for change in history.changes[before:]:
                    change.told = False
        self.seen[f"change {op[0]}{'' if notices else ' untold'}"] += 1
        for listener in self.changed:
            listener(self.account, service.jid, node, op)
        for notice in notices:
            self._tell(service, node, notice)
        return number

    def _tell(self, service: Service, node: str, op: Notice) -> None:
        """A notification is on its way."""
        key, path = NodeKey(self.account, service.jid, node), self.paths[service.jid]
        items = ((bare(op[1]) if path.bare else wire(op[1], op[2])),) if op[0] in ("put", "late") else ()
        retracted: tuple[str, ...] = (op[1],) if op[0] == "del" else ()
        if op[0] == "purge" and path.together:
            retracted = tuple(item_id for item_id, _ in service.nodes[node].states[-2].items)
            if not retracted:
                service.nodes[node].changes[-1].told = False
                return
            service.nodes[node].changes[-1].op = ("del", *retracted)  # who holds more is not told that it went
        late = op[0] == "late" or (path.late and op[0] in ("put", "del"))
        kind = EventKind.ITEMS if retracted else KINDS.get(op[0], EventKind.ITEMS)
        redirect = "elsewhere.localhost" if op[0] == "gone" and self._chance.random() < 0.3 else ""
        for what, so in (("payload-less", path.bare and items), ("old", late), ("redirect", redirect)):
            self.seen[f"notification {what}"] += bool(so)

        def arrive() -> None:
            self.deliver(NodeEvent(key, kind, self._clock.boottime(), items, retracted, late, redirect=redirect))

        copies = 2 if service.profile.ejabberd and self._chance.random() < 0.3 else path.copies
        for _ in range(copies):
            self._late(service, arrive)

    def deliver(self, event: NodeEvent) -> None:
        """A notification arrives."""
        for listener in self.told:
            listener(event)
        self.watcher.told(event)
        self.inbox.put(event.node, lambda: self.listener.handle(event))

    def whisper(self, event: NodeEvent) -> None:
        """Something comes that is told to this account alone."""
        self.stream.push(lambda: self.deliver(replace(event, at=self._clock.boottime())))

    def _late(self, service: Service, deliver: Callable[[], None]) -> None:
        """Over the path, in its order but for what the service itself mixes up."""
        path, session = self.paths[service.jid], self.stream.session

        def sent() -> None:
            if path.delay or path.last > self._loop.time():
                path.last = max(path.last + 1e-6, self._loop.time() + path.delay)
                self.elsewhere.at(path.last, passed)
            else:
                self.stream.push(deliver)

        def passed() -> None:
            if session == self.stream.session:
                self.stream.push(deliver)

        if service.profile.fan_out and self._chance.random() < 0.6:
            self.elsewhere.after(self._chance.uniform(0, service.profile.fan_out), sent)
        elif path.last > self._loop.time():
            path.last += 1e-6
            self.elsewhere.at(path.last, passed)
        else:
            sent()

    # -- ports.PubSubClient ----------------------------------------------------------------------------

    async def items(self, node: NodeKey, query: ItemsQuery, apply: Callable[[Listing], Awaitable[T]]) -> T:
        self.seen[f"asks {'ids' if query.ids else 'newest' if query.max_items is not None else 'list'}"] += 1
        path, lied, worked_at = self.paths[node.service], False, 0.0

        def read(sent_at: float) -> Callable[[float], Listing]:
            nonlocal lied, worked_at
            if path.errors:
                raise path.errors.pop()
            worked_at = self._clock.boottime()
            found, rsm = self.services[node.service].items(node.node, query)
            if path.twice and found and not query.ids and query.max_items is None:
                path.twice, lied = path.twice - 1, True
                found = [*found, found[0]]

            def listing(taken_at: float) -> Listing:
                self.listed_at[node] = max(worked_at, self.listed_at.get(node, worked_at))
                return Listing(query, tuple(wire(*each) for each in found), rsm, sent_at, taken_at)

            return listing

        self.listing[node] += 1
        self.watcher.asked(node)
        try:
            result = await self._ask(node, read, apply)
        except PubkeepError as error:
            if isinstance(error, NotAllowed):
                self.refused_at[node] = max(worked_at, self.refused_at.get(node, worked_at))
            self.watcher.listed(node, error, exists=self.services[node.service].nodes[node.node].state().exists)
            raise
        else:
            self.watcher.listed(node, None, exists=True)
            if lied:
                self.watcher.happened("not proved", node)
            return result
        finally:
            self.listing[node] -= 1

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
            service.admitted(node.node)
            if self.paths[node.service].refuse_writes:
                raise Refusal(*FORBIDDEN)
            self.own[node, op] = self.change(service, node.node, *op)
            self.wrote(service.jid, node.node, op)
            return lambda taken_at: Confirmation(ids, sent_at, taken_at)

        return await self._ask(node, do, apply, write=True)

    async def subscribe(self, node: NodeKey) -> str:
        service, path = self.services[node.service], self.paths[node.service]

        def do(_: float) -> str:
            if path.refuse_subscriptions:
                service.readable(node.node)
                self.watcher.happened("pending", node)
                return path.refuse_subscriptions
            for notice in service.subscribe(node.node):
                self._tell(service, node.node, notice)
            return service.holding(node.node).subscription

        return await self._plainly(node, do)

    async def unsubscribe(self, node: NodeKey) -> None:
        await self._plainly(node, lambda _: self.services[node.service].unsubscribe(node.node))

    async def subscriptions(self, node: NodeKey) -> tuple[str, ...]:
        path = self.paths[node.service]
        found = await self._plainly(node, lambda _: self.services[node.service].subscriptions(node.node) * path.subids)
        self.watcher.subscriptions(node, found)
        return found

    async def info(self, service: str, node: str = "") -> ServiceInfo:
        key = NodeKey(self.account, service, node)
        return await self._plainly(key, lambda _: self.services[service].info(node))

    async def disco_items(self, service: str, node: str = "") -> tuple[DiscoItem, ...]:
        key = NodeKey(self.account, service, node)
        return await self._plainly(key, lambda _: self.services[service].listed(node))

    async def archive(self, node: NodeKey, number: int, before: str) -> ArchivePage:
        service, clock = self.services[node.service], self._clock
        return await self._plainly(node, lambda _: service.archived(node.node, clock.boottime(), number, before))

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
        service, path = self.services[node.service], self.paths[node.service]
        sent_at, session, life = self._clock.boottime(), self.stream.session, self._life
        sent_again_at = sent_at
        future: asyncio.Future[T] = self._loop.create_future()
        self.pending[future] = write
        self.requests += 1

        def there() -> None:
            nonlocal sent_again_at
            if not self.stream.up and session == self.stream.session:
                sent_again_at = self._clock.boottime() + 0.2
                self._loop.call_later(0.2, there)  # sent again when the session goes on
                return
            if session != self.stream.session or path.hole:
                return
            outcome: Any
            try:
                if path.condition is not None:
                    raise path.condition
                outcome = do(sent_at)
            except Refusal as refusal:
                outcome = refusal.meaning()
            except PubkeepError as error:
                outcome = error
            if path.lose_answers:
                self.seen["answer lost"] += 1
                return
            worked_at = self._clock.boottime()
            deliver = lambda: back(outcome, worked_at)  # noqa: E731
            if path.answer_late:
                self.elsewhere.after(path.answer_late, lambda: self._late(service, deliver))
            else:
                self._late(service, deliver)

        def back(outcome: Any, worked_at: float) -> None:
            if life != self._life or session != self.stream.session:
                return  # it was lost with its session: nobody waits for it
            self.seen["answer too late"] += future.cancelled()
            if future.done() and not future.cancelled():
                return
            if isinstance(outcome, Unavailable):
                path.forget(self._clock.boottime())
                self.watcher.path_lost(node.account, node.service)
                self.listener.path_lost(node.account, node.service)
            if isinstance(outcome, PubkeepError):
                self.seen[f"error {type(outcome).__name__}"] += 1
                outcome.sent_at = sent_again_at
                if not future.done():
                    future.set_exception(outcome)
                return
            path.heard = max(worked_at, path.heard or 0.0)
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
            self.pending.pop(future, None)


class Sessions:
    """The sessions of all accounts (ports.Sessions)."""

    def __init__(self, networks: Mapping[str, Network]) -> None:
        self._networks = networks

    def client(self, account: str) -> Network:
        network = self._networks[account]
        if not network.online:
            raise Unavailable(f"{account}: the account is not connected")
        return network

    async def drained(self, node: NodeKey) -> None:
        await self._networks[node.account].inbox.drained(node)


@lru_cache(64)
def bare(item_id: str) -> WireItem:
    """An `<item/>` of which only the id is told."""
    return WireItem(item_id, "", ET.Element(f"{PUBSUB}item", {"id": item_id}))

# SPDX-License-Identifier: MIT
"""What it costs to catch up with a node of 10,000 items of which five changed while away, against a list of all of it.

In one process with the parts of the daemon, so that pauses of the event loop are theirs.
"""

import asyncio
import gc
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from pubkeep.config import CacheSettings
from tests.bench.figures import line, pauses, ranked
from tests.fixtures.author import Author
from tests.fixtures.backend import Backend
from tests.fixtures.component import JID, NODE, Remote, entry, serving
from tests.fixtures.prosody import Prosody
from tests.fixtures.proxy import Proxy
from tests.system.conftest import SERVICE

ITEMS = 10_000
WAYS = {
    "newest, count": ((), False),
    "newest, ids": ((), True),
    "archive, count": (("creation", "mam"), False),
    "archive, ids": (("creation", "mam"), True),
    "order-by, ids": (("creation", "order1"), True),
}
"""By what shall prove it: the ways of the component, and whether an item goes, which the number of all cannot show."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one synchronisation."""

    seconds: float
    received: int
    late: list[float]
    """Pauses of the event loop."""
    by: tuple[str, ...]
    """What proved it."""


class Measured:
    """A copy whose service is behind a proxy that counts."""

    def __init__(self, backend: Backend, proxy: Proxy, service: str) -> None:
        self._backend, self._proxy = backend, proxy
        self._service = service
        self._key = backend.key(service, NODE)
        gc.freeze()  # as the daemon does when it has started

    async def first(self) -> Cost:
        """The first list, of a node of which nothing is held."""
        return await self._cost(lambda: self._backend.synchronise(self._service, NODE))

    def knows_the_order(self) -> bool:
        """Whether overwrites have shown which order the service keeps."""
        return self._backend.cache.explain(self._key)["order"] != "unknown"

    async def whole(self) -> Cost:
        """List all of it, all of which is held."""
        return await self._cost(lambda: self._backend.synchronise(self._service, NODE))

    async def verified(self) -> Cost:
        """Compare all of it."""

        async def verify() -> None:
            job = await self._backend.cache.verify(self._key, repair=False)
            while not job.ended:
                await asyncio.sleep(0.005)

        return await self._cost(verify)

    async def caught_up(self, change: Callable[[], Awaitable[object]]) -> Cost:
        """Others change it while we are away; from the new session on."""
        async with self._backend.away():
            await change()
        return await self._cost(self.synced)

    async def synced(self) -> None:
        """Wait until it is, without a read."""
        async with asyncio.timeout(120):
            while self._backend.cache.explain(self._key)["state"] != "synced":
                await asyncio.sleep(0.005)

    async def _cost(self, work: Callable[[], Awaitable[object]]) -> Cost:
        before, started = self._proxy.passed, time.perf_counter()
        async with pauses() as late:
            await work()
        by = self._backend.cache.explain(self._key)["proved_by"]
        assert isinstance(by, list)
        return Cost(time.perf_counter() - started, self._proxy.passed - before, late, tuple(by))


def show(what: str, cost: Cost, whole: Cost) -> None:
    """One way, as a share of the whole list."""
    line(
        f"catch-up, {what}: bytes, of a list of all",
        f"{cost.received / 1024:.0f} kB {cost.received / whole.received:.1%}",
        "10 %",
    )
    line("  its time, of a list of all", f"{cost.seconds * 1e3:.0f} ms {cost.seconds / whole.seconds:.0%}", "25 %")
    line("  its longest pause of the event loop", f"{max(cost.late) * 1e3:.0f} ms", "20 ms")
    print(f"    proved by {', '.join(cost.by)}", flush=True)


async def five(service: Remote, *, retract: bool) -> None:
    """Five changes that nobody is told."""
    await service.publish("new", "1", told=False)
    await service.publish(f"i{ITEMS - 20}", "edited", told=False)
    await service.publish("i3", "edited", told=False)
    await service.publish("newer", "2", told=False)
    await (service.retract("i100", told=False) if retract else service.publish("newest", "3", told=False))


async def component(prosody: Prosody) -> None:
    """Each way at a service that has it."""
    for number, (what, (ways, retract)) in enumerate(WAYS.items()):
        async with (
            serving(prosody, ITEMS, *ways) as service,
            Proxy(prosody.port) as proxy,
            Backend(prosody, settings=CacheSettings(fan_out=0.2), port=proxy.port) as backend,
        ):
            here = Measured(backend, proxy, JID)
            whole = await here.first()
            await service.overwrite(here.knows_the_order, here.synced)
            again = await here.whole()
            if not number:
                p50, p99, highest = ranked(whole.late)
                line("pauses of the event loop in a sync of 10,000: longest", f"{highest * 1e3:.0f} ms", "20 ms")
                line("the same, p50 and p99", f"{p50 * 1e3:.1f} {p99 * 1e3:.1f} ms", "2 20 ms")
                verified = await here.verified()
                share = whole.seconds / verified.seconds
                line("verify, against a first sync", f"{ITEMS / verified.seconds:.0f}/s {share:.1f}x", "1x")
            show(what, await here.caught_up(lambda: five(service, retract=retract)), again)  # noqa: B023


async def stored_in_sql(prosody: Prosody) -> None:
    """Prosody's own service, with its SQL storage: no pages, no archive of a node; ids, and the newest."""
    async with Author(prosody, "bob") as bob, Proxy(prosody.port) as proxy:
        await bob.create(SERVICE, NODE, max_items=str(2 * ITEMS), access_model="open")
        await bob.publish_all(SERVICE, NODE, [(f"i{n}", entry(n)) for n in range(ITEMS)])

        async def change() -> None:
            for item_id in ("new", f"i{ITEMS - 20}", "i3", "newer"):
                await bob.publish(SERVICE, NODE, item_id, entry(f"{item_id} again"))
            await bob.retract(SERVICE, NODE, "i100", notify=False)

        async with Backend(prosody, settings=CacheSettings(fan_out=0.2), port=proxy.port) as backend:
            here = Measured(backend, proxy, SERVICE)
            await here.first()
            whole = await here.whole()
            show("Prosody", await here.caught_up(change), whole)


async def catching_up(prosody: Prosody) -> None:
    """All of it."""
    await component(prosody)
    await stored_in_sql(prosody)

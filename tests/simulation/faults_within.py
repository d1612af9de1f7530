# SPDX-License-Identifier: MIT
"""What goes wrong with the daemon itself: its machine, its disk, its accounts and analysers (faults.py)."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from pubkeep.analysers.blog import ANALYSER
from pubkeep.errors import PubkeepError
from pubkeep.model import NodeKey
from pubkeep.questions import ItemsRequest, NodeFilter
from tests.simulation.network import Network
from tests.simulation.services import LARGE
from tests.simulation.store import copied
from tests.simulation.users import Killed, Wrong

if TYPE_CHECKING:
    from tests.simulation.world import World

OTHERS = (
    ({**ANALYSER, "version": 2},),
    ({**ANALYSER, "to_sync": False},),
    (),
    ({"name": "notes", "type": "note", "node": ANALYSER["node"], "to_sync": True}, ANALYSER),
)
"""What analysers there may be one day: another version, one that wants nothing, none, and one before it."""


async def suspended(world: "World", network: Network, service: str) -> None:
    world.cells.linked(network.account, "suspend")
    seconds = world.chance.choice((10.0, 8 * 3600.0)) * world.chance.random()
    world.clock.slept += seconds
    for each in world.networks.values():
        each.elsewhere.slept(seconds)


async def wall_clock_set(world: "World", network: Network, service: str) -> None:
    world.clock.shifted += world.chance.randint(-86_400, 86_400) * 1_000_000
    world.most_shifted = max(world.clock.shifted, world.most_shifted)


async def restarted(world: "World", network: Network, service: str) -> None:
    await world.restart()


async def killed(world: "World", network: Network, service: str) -> None:
    work = world.chance.choice(("save node", "forget node", "event", "event", "swap", "swap", "save traits"))
    world.daemon.disk.kill_at = f"{world.chance.choice(('before', 'after'))} {work}"


async def restored_from_a_backup(world: "World", network: Network, service: str) -> None:
    copy, joined = copied(world.daemon.disk.raw), {key: sight.joined for key, sight in world.sights.items()}
    await asyncio.sleep(world.chance.uniform(1, 10))

    def put_back() -> None:
        world.daemon.disk.restore(copy)
        # a clock that is set back at the same time would give numbers of the lost file again
        world.clock.shifted = world.most_shifted = max(world.clock.shifted, world.most_shifted)
        for key, sight in world.sights.items():
            # an older file knows of no verdict that came after it, nor that an account was removed: what it holds is
            # stale until it is proved
            sight.sequence, sight.gone, sight.joined = 0, 0, joined[key]
        for each in world.networks.values():
            each.refused_at.clear()

    await world.restart(put_back)
    await world.users.decide_again()


async def _failing(world: "World", name: str, *, busy: bool = False) -> None:
    disk = world.daemon.disk
    disk.failing, disk.busy = {name: world.chance.randint(1, 3)}, busy
    await asyncio.sleep(world.chance.uniform(1, 6))
    disk.failing = {}


async def disk_full(world: "World", network: Network, service: str) -> None:
    await _failing(world, "any")


async def forgetting_fails(world: "World", network: Network, service: str) -> None:
    world.daemon.disk.failing, world.daemon.disk.busy = {"forget node": 2}, False
    await world.users.decide("forget", NodeKey(network.account, service, world.chance.choice(world.kept_nodes)))
    world.daemon.disk.failing = {}


async def event_not_stored(world: "World", network: Network, service: str) -> None:
    await _failing(world, "event")


async def swap_not_stored(world: "World", network: Network, service: str) -> None:
    await _failing(world, "swap")


async def database_locked(world: "World", network: Network, service: str) -> None:
    await _failing(world, "any", busy=True)


async def slow_commits(world: "World", network: Network, service: str) -> None:
    world.daemon.disk.slow = world.chance.uniform(0.05, 1.0)
    await asyncio.sleep(world.chance.uniform(1, 5))
    world.daemon.disk.slow = 0.0


async def loop_stalls(world: "World", network: Network, service: str) -> None:
    world.loop.stall(world.chance.uniform(0.5, 5))


# -- accounts and analysers ----------------------------------------------------------------------------


async def account_removed(world: "World", network: Network, service: str) -> None:
    """While its nodes are read, listed and written to, some of them refused; later it is added again."""
    jid, daemon, users = network.account, world.daemon, world.users
    keys = [key for key in world.keys if key.account == jid]
    if world.chance.random() < 0.4 and world.sights[keys[0]].history.state().shown:
        network.change(network.services[service], keys[0].node, "deny")
        await users.read(keys[0], ItemsRequest(freshness="service", format="json"))
    elif world.wanted(keys[-1]):
        await users.decide("forget", keys[-1])  # one that is not kept is to be among them
    busy = [
        daemon.user(users.write(world.chance.choice(keys))),
        daemon.user(users.read(world.chance.choice(keys), ItemsRequest(freshness="service", format="json"))),
        daemon.user(users.decide("synchronise", world.chance.choice(keys))),
    ]
    await asyncio.sleep(world.chance.uniform(0, 0.1))
    for key in keys:
        world.cells.happened("removed", key)
    await _insist(world, lambda: daemon.remove_account(jid))
    await asyncio.gather(*busy)
    await asyncio.sleep(world.chance.uniform(0, 5))
    if not daemon.has(jid) and (left := world.cache.get_nodes(NodeFilter(), [jid])):
        raise Wrong(f"the account was removed, and there is {left}")
    users.removed(jid)
    await _insist(world, lambda: daemon.add_account(jid))


async def _insist(world: "World", work: Callable[[], Awaitable[None]]) -> None:
    """Until it is done."""
    while True:
        try:
            await world.daemon.running.wait()
            await world.daemon.call(work())
        except (Killed, PubkeepError):
            await asyncio.sleep(0.3)
        else:
            return


async def analysers_changed(world: "World", network: Network, service: str) -> None:
    """With another program; later it is as it was."""
    await world.users.decide("synchronise", NodeKey(network.account, service, world.chance.choice(world.kept_nodes)))
    await asyncio.sleep(world.chance.uniform(0, 0.2))
    for key in world.keys:
        world.cells.happened("analysers changed", key)
    for analysers in (world.chance.choice(OTHERS), (ANALYSER,)):
        world.daemon.analysers = analysers
        await world.restart()
        await asyncio.sleep(world.chance.uniform(1, 8))


async def parser_fails(world: "World", network: Network, service: str) -> None:
    """For some items it raises, for others it gives what no JSON can hold: they are kept as they are."""
    world.daemon.misparses = True
    for _ in range(world.chance.randint(1, 5)):
        world.publish(world.chance.choice(world.kept_nodes))
        await asyncio.sleep(world.chance.uniform(0, 2))
    world.daemon.misparses = False


async def item_too_large(world: "World", network: Network, service: str) -> None:
    """Somebody publishes more than we take: of it the name is kept, and why."""
    node = world.chance.choice(world.kept_nodes)
    for _ in range(world.chance.randint(1, 3)):
        world.change(node, "put", world.chance.choice(world.ids(world.keys[0])), f"{LARGE}{world.text()}")
        await asyncio.sleep(world.chance.uniform(0, 2))


FAULTS = (
    suspended,
    wall_clock_set,
    restarted,
    killed,
    restored_from_a_backup,
    disk_full,
    forgetting_fails,
    event_not_stored,
    swap_not_stored,
    database_locked,
    slow_commits,
    loop_stalls,
    account_removed,
    analysers_changed,
    parser_fails,
    item_too_large,
)

# SPDX-License-Identifier: MIT
"""What goes wrong, each with a name; a fault begins, lasts, and is over when its coroutine ends.

What goes wrong with the daemon itself is in faults_within.py.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from pubkeep.errors import PubkeepError
from pubkeep.model import NodeKey
from pubkeep.protocol import EventKind, NodeEvent
from pubkeep.questions import ItemsRequest
from pubkeep.xmpp.conditions import STANZAS, meaning
from tests.simulation import faults_within
from tests.simulation.network import KINDS, Network, Path
from tests.simulation.services import wire

if TYPE_CHECKING:
    from tests.simulation.world import World

Fault = Callable[["World", Network, str], Awaitable[None]]
"""Given the network of an account and the service to which it happens."""
TRANSIENT = (
    *("remote-server-not-found", "remote-server-timeout", "service-unavailable", "internal-server-error"),
    *("recipient-unavailable", "resource-constraint"),
)
"""Conditions that say nothing of the node (facts: error condition -> verdict)."""


def condition(name: str) -> PubkeepError:
    """The error that a stanza error of this condition becomes."""
    error = ET.Element("error", {"type": "wait" if name == "resource-constraint" else "cancel"})
    ET.SubElement(error, f"{STANZAS}{name}")
    return meaning(error, "simulated", foreign=True)


def _path(network: Network, service: str) -> Path:
    return network.paths[service]


# -- the link ------------------------------------------------------------------------------------------


async def cut_and_resumed(world: "World", network: Network, service: str) -> None:
    network.cut()
    await asyncio.sleep(world.chance.uniform(0, 5))
    if network.online and not network.stream.up:
        network.resume()


async def resume_refused(world: "World", network: Network, service: str) -> None:
    if world.chance.random() < 0.5:  # and nobody noticed the cut
        network.connect()
        return
    network.cut()
    await asyncio.sleep(world.chance.uniform(0, 5))
    if network.online and not network.stream.up:
        network.connect()


async def interrupted(world: "World", network: Network, service: str) -> None:
    """The session is lost, something happens meanwhile, and another one begins: there is something to catch up with."""
    network.cut()
    node = world.kept_nodes[0]
    for _ in range(world.chance.choice((0, 1, 1, 2, 3, 12))):
        await asyncio.sleep(world.chance.uniform(0, 0.5))
        state = world.state(node)
        if state.items and world.chance.random() < 0.3:
            world.change(node, "del", world.chance.choice(state.items)[0])
        elif state.exists:
            world.publish(node)
    if world.chance.random() < 0.2:
        world.hide_edit(node)
    await asyncio.sleep(world.chance.uniform(0, 5))
    if network.online and not network.stream.up:
        network.connect()
    await asyncio.sleep(world.chance.uniform(0, 5))


async def half_open(world: "World", network: Network, service: str) -> None:
    """Both sides think that the link is up, and nothing gets through."""
    network.stream.up = False
    await asyncio.sleep(world.chance.choice((5, 70)) * world.chance.random())
    if network.online and not network.stream.up:
        network.cut()
        network.connect()


async def old_news_at_login(world: "World", network: Network, service: str) -> None:
    """Notifications that waited at the server: old values, marked as such."""
    network.cut()
    network.connect()
    for node, history in network.services[service].nodes.items():
        puts = [change.op for change in history.changes[-6:] if change.op[0] == "put"]
        for op in puts[: world.chance.randint(1, 3)]:
            key = NodeKey(network.account, service, node)
            network.whisper(NodeEvent(key, EventKind.ITEMS, 0.0, (wire(op[1], op[2]),), delayed=True))


# -- the path ------------------------------------------------------------------------------------------


async def unreachable(world: "World", network: Network, service: str) -> None:
    name = world.chance.choice(TRANSIENT)
    world.seen[f"condition {name}"] += 1
    _path(network, service).condition = condition(name)
    await asyncio.sleep(world.chance.uniform(0, 8))
    _path(network, service).condition = None


async def error_in_a_listing(world: "World", network: Network, service: str) -> None:
    for name in world.chance.sample(TRANSIENT, world.chance.randint(1, 3)):
        world.seen[f"condition {name}"] += 1
        _path(network, service).errors.append(condition(name))


async def notification_dropped(world: "World", network: Network, service: str) -> None:
    _path(network, service).drop = world.chance.randint(1, 3)
    await asyncio.sleep(world.chance.uniform(0, 5))
    _path(network, service).drop = 0


async def black_hole(world: "World", network: Network, service: str) -> None:
    """Nothing passes between the servers, in both directions, and the session lives."""
    _path(network, service).hole = True
    await asyncio.sleep(world.chance.choice((2, 30)) * world.chance.random())
    _path(network, service).hole = False


async def delay(world: "World", network: Network, service: str) -> None:
    _path(network, service).delay = world.chance.uniform(0.1, 3.0)
    await asyncio.sleep(world.chance.uniform(1, 8))
    _path(network, service).delay = 0.0


async def late_answers(world: "World", network: Network, service: str) -> None:
    """After the time for answers is over; what the service tells is not late."""
    if network.services[service].profile.fan_out:
        _path(network, service).answer_late = world.chance.choice((6.0, 25.0))
        await asyncio.sleep(world.chance.uniform(0, 2))
        _path(network, service).answer_late = 0.0


async def answers_lost(world: "World", network: Network, service: str) -> None:
    path = _path(network, service)
    path.lose_answers = True
    world.loop.call_later(world.chance.uniform(0.1, 2), setattr, path, "lose_answers", False)
    keys = [NodeKey(network.account, service, node) for node in world.all_nodes]
    chosen = (world.chance.choice(keys), keys[-1])
    await asyncio.gather(*(world.daemon.user(world.users.write(key)) for key in chosen))


async def writes_refused(world: "World", network: Network, service: str) -> None:
    """The account may read, and not publish."""
    _path(network, service).refuse_writes = True
    for _ in range(world.chance.randint(1, 3)):
        key = NodeKey(network.account, service, world.chance.choice(world.all_nodes))
        if world.kept(key):
            await world.users.decide("synchronise", key)
        await world.users.write(key)
    _path(network, service).refuse_writes = False


async def item_listed_twice(world: "World", network: Network, service: str) -> None:
    _path(network, service).twice = world.chance.randint(1, 3)
    key = NodeKey(network.account, service, world.chance.choice(world.kept_nodes))
    await world.users.decide(world.chance.choice(("verify", "synchronise")), key)
    await asyncio.sleep(world.chance.uniform(1, 8))
    _path(network, service).twice = 0


# -- the service ---------------------------------------------------------------------------------------


async def notifications_without_payload(world: "World", network: Network, service: str) -> None:
    _path(network, service).bare = True
    await asyncio.sleep(world.chance.uniform(1, 10))
    _path(network, service).bare = False


async def notifications_marked_old(world: "World", network: Network, service: str) -> None:
    _path(network, service).late = True
    await asyncio.sleep(world.chance.uniform(1, 10))
    _path(network, service).late = False


async def notifications_repeated(world: "World", network: Network, service: str) -> None:
    _path(network, service).copies = world.chance.randint(2, 3)
    await asyncio.sleep(world.chance.uniform(1, 10))
    _path(network, service).copies = 1


async def purge_told_as_retractions(world: "World", network: Network, service: str) -> None:
    _path(network, service).together = True
    world.change(world.chance.choice(world.kept_nodes), "purge")
    _path(network, service).together = False


async def purge_keeps_the_last(world: "World", network: Network, service: str) -> None:
    world.change(world.chance.choice(world.kept_nodes), "keep")


async def last_item_again(world: "World", network: Network, service: str) -> None:
    """As some services send it at a subscription or a presence, once or twice."""
    node = world.chance.choice(world.kept_nodes)
    state = world.state(node)
    if state.shown and state.items and node in network.services[service].subscribed:
        key, item = NodeKey(network.account, service, node), wire(*state.items[-1])
        for _ in range(world.chance.randint(1, 2)):
            network.whisper(NodeEvent(key, EventKind.ITEMS, 0.0, (item,), delayed=True))


async def trimmed(world: "World", network: Network, service: str) -> None:
    """The oldest items go where there are too many, and nobody is told."""
    node = world.chance.choice(world.kept_nodes)
    for item_id, _ in world.state(node).items[:-4]:
        world.change(node, "del", item_id, silent=True)


async def trimmed_by_publisher(world: "World", network: Network, service: str) -> None:
    """The oldest of one publisher's items go, wherever they stand."""
    node = world.chance.choice(world.kept_nodes)
    mine = [item_id for item_id, _ in world.state(node).items if item_id[-1] in "02468"]
    for item_id in mine[:-2]:
        world.change(node, "del", item_id, silent=True)


async def expired(world: "World", network: Network, service: str) -> None:
    node = world.chance.choice(world.kept_nodes)
    if items := world.state(node).items:
        world.change(node, "del", world.chance.choice(items)[0], silent=True)
        if world.chance.random() < 0.8:
            await world.users.decide("verify", NodeKey(network.account, service, node))


async def deleted_and_made_anew(world: "World", network: Network, service: str) -> None:
    node = world.chance.choice(world.all_nodes)
    if world.state(node).exists:
        if world.chance.random() < 0.5:  # while it is listed
            await world.users.decide("synchronise", NodeKey(network.account, service, node))
            await asyncio.sleep(world.chance.uniform(0, 0.3))
        world.change(node, "gone")
        await world.users.read(NodeKey(network.account, service, node), ItemsRequest(format="json"))
        await asyncio.sleep(world.chance.choice((0.0, 0.05, 1.0)))
        world.change(node, "made")
        for number in range(3):
            world.change(node, "put", f"i{number}", world.text())


async def told_while_refused(world: "World", network: Network, service: str) -> None:
    """Access goes, and what happens goes on being told, as ejabberd does."""
    key = NodeKey(network.account, service, world.chance.choice(world.all_nodes))
    at = network.services[service]
    if not world.sights[key].history.state().shown:
        return
    network.change(at, key.node, "deny")
    await world.users.read(key, ItemsRequest(freshness="service", format="json"))
    await asyncio.sleep(world.chance.uniform(0, 1))
    if world.chance.random() < 0.5:
        await world.users.decide(world.chance.choice(("never", "always", "forget", "forget")), key)
    if world.sights[key].history.state().allowed or not world.sights[key].history.state().exists:
        return
    network.whisper(NodeEvent(key, EventKind.ITEMS, 0.0, retracted=("i99",)))
    network.whisper(NodeEvent(key, EventKind.CONFIGURATION, 0.0))
    last = world.chance.choice(("purge", "gone", "gone"))
    network.change(at, key.node, last, silent=True)
    world.also(key.account, key.node, (last,))
    network.whisper(NodeEvent(key, KINDS[last], 0.0))


async def subscription_ended(world: "World", network: Network, service: str) -> None:
    """Another program ends it, at times with a word. A second time within an hour is not fought: it happens once."""
    node = world.chance.choice(world.kept_nodes)
    if (network.account, service) not in world.ended and "gone" not in network.services[service].profile.silent:
        world.ended.add((network.account, service))
        key = NodeKey(network.account, service, node)
        await world.users.read(key, ItemsRequest(format="json"))  # where somebody looks, it is synced more often
        network.services[service].subscribed.discard(node)
        if (state := world.chance.choice(("", "none", *("pending",) * 3))) != "":
            network.whisper(NodeEvent(key, EventKind.SUBSCRIPTION, 0.0, subscription=state))


async def subscriptions_pending(world: "World", network: Network, service: str) -> None:
    _path(network, service).refuse_subscriptions = "pending"
    await asyncio.sleep(world.chance.uniform(1, 8))
    _path(network, service).refuse_subscriptions = ""


async def several_subscriptions(world: "World", network: Network, service: str) -> None:
    _path(network, service).subids = 2
    await asyncio.sleep(world.chance.uniform(1, 8))
    _path(network, service).subids = 1


async def service_restarted(world: "World", network: Network, service: str) -> None:
    """Its state is kept; for a moment nobody answers at its address, and what happens is told to nobody."""
    await _away(world, service)


async def service_wiped(world: "World", network: Network, service: str) -> None:
    """It is restarted with nothing of its state; most owners make their nodes anew, and nobody is told."""
    for each in world.networks.values():
        each.services[service].wipe(world.clock.boottime())
        world.seen["change gone untold"] += 1
    if world.chance.random() < 0.8:  # somebody looks before anybody else finds out
        await world.users.decide("verify", NodeKey(network.account, service, world.chance.choice(world.kept_nodes)))
        await asyncio.sleep(world.chance.uniform(0.2, 1))
    await _away(world, service)
    for node in world.all_nodes:
        if world.chance.random() < 0.8 and not world.state(node).exists:
            world.change(node, "made")
            for _ in range(world.chance.randint(0, 3)):
                world.publish(node)


async def nothing_stored(world: "World", network: Network, service: str) -> None:
    """A node keeps no items any more, and tells of them all the same; later it keeps them. At times this is told."""
    node = world.chance.choice(world.kept_nodes)
    told = not network.services[service].profile.prosody and world.chance.random() < 0.5
    for each in world.networks.values():
        each.services[service].holding(node).rules.notify_config = told
    key, users = NodeKey(network.account, service, node), world.users
    looks: list[Callable[[], Awaitable[object]]] = [
        lambda: users.read(key, ItemsRequest(freshness="service", format="both")),
        lambda: users.write(key),
        lambda: users.decide("synchronise", key),
    ]
    world.change(node, "off")
    for _ in range(world.chance.randint(1, 4)):
        await asyncio.sleep(world.chance.uniform(0, 3))
        world.publish(node)
        await world.chance.choice(looks)()
    world.change(node, "on")


async def _away(world: "World", service: str) -> None:
    """Nobody answers at its address for a moment, and what happens is told to nobody."""
    paths = [each.paths[service] for each in world.networks.values()]
    for path in paths:
        path.condition, path.drop = condition("service-unavailable"), 99
    await asyncio.sleep(world.chance.uniform(0.1, 3))
    for path in paths:
        path.condition, path.drop = None, 0


async def hostile_notifications(world: "World", network: Network, service: str) -> None:
    """From others than the service: in the name of another one, or of a node that nobody keeps."""
    item = wire("evil", "evil")
    for key in (
        NodeKey(network.account, "evil.localhost", world.kept_nodes[0]),
        NodeKey(network.account, service, "evil"),
    ):
        network.whisper(NodeEvent(key, EventKind.ITEMS, 0.0, (item,), delayed=world.chance.random() < 0.3))
        network.whisper(NodeEvent(key, EventKind.ITEMS, 0.0, retracted=("evil",)))
        for kind in (EventKind.PURGE, EventKind.CONFIGURATION, EventKind.DELETE):
            network.whisper(NodeEvent(key, kind, 0.0))
    for why in ("error", "wrapped", "sender"):
        network.listener.dropped(network.account, why)


async def notification_not_understood(world: "World", network: Network, service: str) -> None:
    key = NodeKey(network.account, service, world.kept_nodes[0])
    network.whisper(NodeEvent(key, world.chance.choice((EventKind.UNKNOWN, EventKind.COLLECTION)), 0.0))


async def configured(world: "World", network: Network, service: str) -> None:
    for _ in range(world.chance.randint(1, 3)):
        key = NodeKey(network.account, service, world.chance.choice(world.kept_nodes))
        network.whisper(NodeEvent(key, EventKind.CONFIGURATION, 0.0))
        await asyncio.sleep(world.chance.uniform(0, 2))


FAULTS: tuple[Fault, ...] = (
    cut_and_resumed,
    resume_refused,
    half_open,
    old_news_at_login,
    unreachable,
    error_in_a_listing,
    notification_dropped,
    black_hole,
    delay,
    late_answers,
    answers_lost,
    writes_refused,
    item_listed_twice,
    notifications_without_payload,
    notifications_marked_old,
    notifications_repeated,
    purge_told_as_retractions,
    purge_keeps_the_last,
    last_item_again,
    trimmed,
    trimmed_by_publisher,
    expired,
    deleted_and_made_anew,
    told_while_refused,
    subscription_ended,
    subscriptions_pending,
    several_subscriptions,
    service_restarted,
    service_wiped,
    nothing_stored,
    hostile_notifications,
    notification_not_understood,
    configured,
    *faults_within.FAULTS,
)
OFTEN: tuple[Fault, ...] = (
    faults_within.killed,
    faults_within.killed,
    service_wiped,
    late_answers,
    answers_lost,
    subscription_ended,
    subscription_ended,
)
"""More often: much of what they begin comes to nothing."""


def name_of(fault: Fault) -> str:
    """What it is called in the counters."""
    return getattr(fault, "__name__", "?").replace("_", " ")

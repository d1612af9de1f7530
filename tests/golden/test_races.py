# SPDX-License-Identifier: MIT
"""Where the real servers race, the simulated ones do; where they do not, they do not."""

import asyncio
import random
from collections import Counter
from typing import Any

import pytest

from pubkeep.clock import Clock
from pubkeep.model import NodeKey
from pubkeep.protocol import ItemsQuery, Listing, NodeEvent
from tests.fixtures.ejabberd import Ejabberd
from tests.fixtures.prosody import Prosody
from tests.fixtures.servers import Server, running
from tests.golden.client import Client
from tests.golden.comparing import element
from tests.golden.races import LAST, LISTING, ORDER, Listed, Told, reordered, seen
from tests.golden.requests import SERVICE, create, get, publish, subscribe
from tests.simulation.history import History
from tests.simulation.loop import VirtualClock, VirtualLoop
from tests.simulation.network import Network
from tests.simulation.services import EJABBERD, PROSODY, Profile, Service

NODE = "race"
HELD = 100
"""Items that take a while to list."""
ROUNDS = 150
"""At most; the rarest of the three came in 17 of 150."""
QUIET_ROUNDS = 4
KEY = NodeKey("carol@localhost", SERVICE, NODE)
_ITEM = "{http://jabber.org/protocol/pubsub}item"
_TOLD = "{http://jabber.org/protocol/pubsub#event}item"


class Race:
    """Several people at one node of a real server; carol sees what comes."""

    def __init__(self, bob: Client, again: Client, alice: Client, carol: Client) -> None:
        self.bob, self.again, self.alice, self.carol = bob, again, alice, carol
        self._number = 0

    async def at_once(self, *said: tuple[Client, list[str]]) -> None:
        """All of it is sent before any is answered."""
        asked: list[tuple[Client, str]] = []
        for client, stanzas in said:
            for stanza in stanzas:
                self._number += 1
                asked.append((client, f"race{self._number}"))
                client.send(stanza.replace("<iq ", f"<iq id='race{self._number}' ", 1))
        for client, iq_id in asked:
            await client.answered(iq_id)
        await self.carol.fence()

    async def stored(self) -> dict[str, str]:
        """What is there, oldest first."""
        self.carol.received = []
        await self.at_once((self.carol, [get(NODE)]))
        [listed] = self.stream()
        assert not isinstance(listed, Told)
        return dict(listed)

    def stream(self) -> list[Told | Listed]:
        """What carol received, in the order in which it came."""
        found: list[Told | Listed] = []
        for stanza in self.carol.received:
            each = element(self.carol.head, stanza)
            if each.tag == "{jabber:client}message":
                found += [Told(item.get("id", ""), "".join(item.itertext())) for item in each.iter(_TOLD)]
            else:
                found.append([(item.get("id", ""), "".join(item.itertext())) for item in each.iter(_ITEM)])
        self.carol.received = []
        return found

    async def round(self, number: int) -> set[str]:
        """Listings beside publications, two who write over one item, and three who publish new ones."""
        listings = [get(NODE)] * 3
        await self.at_once(
            (self.carol, listings), (self.alice, [publish(NODE, f"t{number}-{n}", "1") for n in range(5)])
        )
        beside = self.stream()
        one, other = ([publish(NODE, "same", f"{number}-{who}-{n}") for n in range(4)] for who in "ab")
        await self.at_once((self.bob, one), (self.again, other))
        over = self.stream()
        who = {"a": self.alice, "b": self.bob, "c": self.again}
        await self.at_once(*((who[n], [publish(NODE, f"n{number}-{n}{k}", "1") for k in range(8)]) for n in who))
        new = [each.id for each in self.stream() if isinstance(each, Told)]
        stored = await self.stored()
        return seen(beside, stored) | seen(over, stored) | reordered(new, list(stored))


async def real(server: Server, rounds: int) -> set[str]:
    """What shows in so many rounds, or until all has shown."""
    found: set[str] = set()
    async with (
        Client(server, "bob") as bob,
        Client(server, "bob", "again") as again,
        Client(server, "alice") as alice,
        Client(server, "carol") as carol,
    ):
        race = Race(bob, again, alice, carol)
        await race.at_once((bob, [create(NODE, max_items="10000", access_model="open", publish_model="open")]))
        await race.at_once((bob, [publish(NODE, f"i{n}", "1") for n in range(HELD)]))
        await race.at_once((carol, [subscribe(NODE)]))
        for number in range(rounds):
            if found == {LISTING, LAST, ORDER}:
                break
            carol.received = []
            found |= await race.round(number)
    return found


@pytest.mark.slow
@pytest.mark.system
def test_prosody_tells_in_the_order_in_which_things_happen() -> None:
    with running(Prosody()) as server:
        assert asyncio.run(real(server, QUIET_ROUNDS)) == set()


@pytest.mark.slow
@pytest.mark.system
def test_ejabberd_with_mnesia_tells_in_any_order() -> None:
    with running(Ejabberd()) as server:
        assert asyncio.run(real(server, ROUNDS)) == {LISTING, LAST, ORDER}


class Carol:
    """Keeps what comes, in its order (ports.Listener)."""

    def __init__(self) -> None:
        self.stream: list[Told | Listed] = []

    async def handle(self, event: NodeEvent) -> None:
        self.stream += [Told(item.id, "".join(item.element.itertext())) for item in event.items]

    async def take(self, listing: Listing) -> None:
        self.stream.append([(item.id, "".join(item.element.itertext())) for item in listing.items])

    def __getattr__(self, name: str) -> Any:
        return lambda *_: None


async def simulated(profile: Profile, seed: int, clock: Clock) -> set[str]:
    """One round at a simulated service."""
    carol, service = Carol(), Service(SERVICE, profile)
    network = Network(KEY.account, {SERVICE: service}, clock, random.Random(seed), Counter())
    network.listener = carol
    service.nodes[NODE] = History(profile.order)
    network.connect()
    network.change(service, NODE, "put", "same", "0")
    await network.subscribe(KEY)
    carol.stream.clear()
    listings = [asyncio.create_task(network.items(KEY, ItemsQuery(), carol.take)) for _ in range(3)]
    new = [f"n{n}" for n in range(5)]
    for item_id in new:
        network.change(service, NODE, "put", item_id, "1")
        network.change(service, NODE, "put", "same", item_id)
        await asyncio.sleep(0.01)
    await asyncio.gather(*listings)
    await asyncio.sleep(10)
    await network.inbox.close()
    told = list(dict.fromkeys(each.id for each in carol.stream if isinstance(each, Told) and each.id != "same"))
    items = service.nodes[NODE].state().items
    return seen(carol.stream, dict(items)) | reordered(told, [item_id for item_id, _ in items])


def shown(profile: Profile, seeds: int) -> set[str]:
    """What shows in so many histories."""
    found: set[str] = set()
    for seed in range(seeds):
        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            loop = runner.get_loop()
            assert isinstance(loop, VirtualLoop)
            found |= runner.run(simulated(profile, seed, VirtualClock(loop, random.Random(seed))))
    return found


def test_the_simulated_prosody_tells_in_the_order_in_which_things_happen() -> None:
    assert shown(PROSODY, 40) == set()


def test_the_simulated_ejabberd_tells_in_any_order() -> None:
    assert shown(EJABBERD, 40) == {LISTING, LAST, ORDER}

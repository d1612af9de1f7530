# SPDX-License-Identifier: MIT
"""Those who read, write and decide, and hold every answer against the oracle."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pubkeep.errors import NotAllowed, NotFound, PubkeepError, TimedOut
from pubkeep.model import NodeKey, Policy
from pubkeep.questions import Format, Freshness, ItemsRequest, NodeFilter
from tests.simulation.oracle import HIDDEN, judge, judge_refusal, text_of

if TYPE_CHECKING:
    from tests.simulation.world import World

NEAR = 0.05
"""Seconds after a change within which a read counts as near to it."""


ON_ITS_WAY = 2.0
"""Seconds that a service may take to tell what happened (services.py, fan_out)."""


class Wrong(AssertionError):
    """An answer that may not be."""


class Killed(Exception):
    """The process died while it was asked."""


class Users:
    """All that goes on outside, on one daemon."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._chance, self._seen = world.chance, world.seen
        self._decided: dict[NodeKey, Policy] = {}

    # -- reading ---------------------------------------------------------------------------------

    def request(self, ids: Sequence[str]) -> ItemsRequest:
        """Any request that there is."""
        chance = self._chance
        options: dict[str, Any] = chance.choice(
            (
                {},
                {"max": chance.randint(0, 9)},
                {"ids": tuple(chance.sample(ids, chance.randint(1, 4)))},
                {"before": chance.choice(ids), "max": 3},
                {"before": "", "max": 2},
                {"after": chance.choice(ids), "max": 3},
                {"index": chance.randint(0, 9), "max": 3},
                {"max_bytes": 700},
                {"order": chance.choice(("creation", "modification")), "max": 4},
            )
        )
        freshness: Freshness = chance.choice(("auto",) * 8 + ("cache", "service", "quick"))
        if freshness == "auto" and chance.random() < 0.1:
            options["max_age"] = chance.choice((0, 30))
        form: Format = "json" if chance.random() < 0.8 else "both"
        return ItemsRequest(**options, freshness=freshness, format=form, extra=chance.random() < 0.1)

    async def reader(self) -> None:
        """Reads something somewhere; often just when something happens."""
        world, dice = self._world, self._chance.random()
        key = world.some_key()
        if dice < 0.45:
            await world.next_change(key)
            await asyncio.sleep(self._chance.random() * NEAR * 0.9)
        elif dice < 0.6:
            await world.next_listing(key)
        await self.read(key, self.request(world.ids(key)))

    async def read(self, key: NodeKey, request: ItemsRequest) -> Any:
        """Read, and hold the answer against what was. Returns it; None where there was none."""
        world = self._world
        await world.daemon.there(key.account)
        sight = world.sights[key]
        network = world.networks[key.account]
        sight.refused_at = network.refused_at.get(key, float("-inf"))
        begun, before, state = world.clock.boottime(), sight.now(), world.cells.state(key)
        kept, shifted = world.wanted(key), world.clock.shifted
        self._note_moment(key, begun)
        world.say(f"reads {key.node} {request}")
        try:
            answer = await world.daemon.call(world.cache.get_items(key, request))
        except Killed:
            return None
        except (NotFound, NotAllowed) as error:
            self._seen[f"reader {type(error).__name__}"] += 1
            world.cells.hit("read" if request.freshness == "auto" else "", state)
            ended = world.clock.boottime()
            if wrong := judge_refusal(sight, request, error, begun, ended, known=kept):
                raise Wrong(f"{key.node} {request}: {wrong}") from None
            return None
        except PubkeepError as error:
            self._seen[f"reader {type(error).__name__}"] += 1
            fair = request.freshness == "cache" or request.order != "service" or "changed each time" in str(error)
            if not (world.faults or fair):
                raise Wrong(f"{key.node} {request}: without any fault: {error}") from None
            return None
        ended = world.clock.boottime()
        self._seen[f"read {answer.source}{' stale' if answer.stale else ''}"] += 1
        self._seen[f"state {answer.state}"] += 1
        if request.freshness == "auto" and not answer.stale:
            world.cells.hit("read", state)
        plain = request.freshness == "auto" and request.max_age is None and request.order == "service"
        if plain and kept and world.busy:
            calm = "faulty" if world.faults else "calm"
            self._seen[f"auto {calm}"] += 1
            self._seen[f"auto {calm} from the cache"] += answer.source == "cache" and not answer.stale
        rows = [(row.id, text_of(row.title, row.xml)) for row in answer.page.items]
        world.say(f"read {key.node} {answer.source} {answer.stale} {answer.reason} {rows}")
        sight.readable_at = network.listed_at.get(key, float("-inf"))
        heard = network.paths[key.service].heard_since(begun)
        if shifted != world.clock.shifted:
            return answer  # nobody knows by which clock its dates are told
        interrupted = network.paths[key.service].lost[0]
        verdict = judge(sight, request, answer, begun, ended, before, heard, world.moment, interrupted)
        self._seen["edits may hide"] += answer.source == "cache" and not answer.stale and HIDDEN in answer.untold
        self._seen["not judged"] += not verdict.judged
        if verdict.wrong:
            raise Wrong(f"{key.account} {key.node} {request}: {verdict.wrong}")
        if not answer.stale:
            sight.floor = max(sight.floor, verdict.earliest)
        return answer

    def _note_moment(self, key: NodeKey, now: float) -> None:
        world = self._world
        self._seen["reads"] += 1
        self._seen["reads near a change"] += now - world.changed_at.get(key, -9e9) <= NEAR
        self._seen["reads while a list is open"] += world.networks[key.account].listing[key] > 0

    # -- writing -----------------------------------------------------------------------------------

    async def writer(self) -> None:
        """Publishes, retracts, purges as the account itself."""
        await asyncio.sleep(self._chance.expovariate(0.2 if self._world.faults and not self._world.long else 0.05))
        await self.write(self._world.some_key())

    async def write(self, key: NodeKey) -> None:
        """Something, to this node."""
        world, chance = self._world, self._chance
        await world.daemon.there(key.account)
        sight, network = world.sights[key], world.networks[key.account]
        item_id, dice, text = chance.choice(world.ids(key)), chance.random(), world.text()
        entry = f"<entry xmlns='http://www.w3.org/2005/Atom'><title>{text}</title></entry>"
        op: tuple[str, ...] = ("put", item_id, text) if dice < 0.7 else ("del", item_id) if dice < 0.97 else ("purge",)
        world.say(f"writes {key.node} {op}")
        network.own.pop((key, op), None)
        state, ended = world.cells.state(key), ""
        try:
            if op[0] == "put":
                await world.daemon.call(world.cache.writer.publish(key, [entry], ids=[item_id]))
            elif op[0] == "del":
                await world.daemon.call(world.cache.writer.retract(key, [item_id]))
            else:
                await world.daemon.call(world.cache.nodes.purge(key))
        except Killed:
            return
        except TimedOut:
            self._seen["write without answer"] += 1
            ended = "unanswered"
        except PubkeepError as error:
            self._seen[f"write {type(error).__name__}"] += 1
            ended = "refused" if isinstance(error, NotAllowed | NotFound) else ""
        else:
            self._seen["write confirmed"] += 1
            ended = "confirmed"
            if (number := network.own.get((key, op))) is not None:
                sight.floor = max(sight.floor, number)
                sight.own.add(number)
            world.say(f"wrote {key.node} {op}")
        if ended and op[0] == "put":
            world.cells.hit(f"write {ended}", state)

    # -- deciding ----------------------------------------------------------------------------------

    async def decider(self) -> None:
        """Synchronise, Verify, policies, Forget, Cancel, now and then."""
        world, chance = self._world, self._chance
        await asyncio.sleep(chance.expovariate(0.1))
        key = world.some_key()
        odd = [each for each in world.keys if world.cells.state(each) != "synced"]
        if odd and chance.random() < 0.4:
            key = chance.choice(odd)
        await self.decide(chance.choice(DECISIONS), key)
        if not world.kept(key) and world.wanted(key):
            await asyncio.sleep(chance.uniform(0, 5))
            await self.decide("never", key)  # else it would be kept for ever

    async def decide(self, what: str, key: NodeKey) -> None:
        """One of them."""
        world, chance = self._world, self._chance
        await world.daemon.there(key.account)
        world.say(f"decides {what} of {key.node}")
        self._seen[f"decides {what}"] += 1
        world.cells.compared()
        state = world.cells.state(key)
        if what in CELLS:
            world.cells.hit(CELLS[what], state)
        try:
            match what:
                case "synchronise":
                    await world.daemon.call(world.cache.synchronise(key))
                case "cancel":
                    job = await world.daemon.call(world.cache.synchronise(key))
                    await asyncio.sleep(chance.uniform(0, 0.1))
                    world.cells.hit("cancelled" if not job.ended else "", world.cells.state(key))
                    job.cancel()
                case "verify" | "verify and repair":
                    job = await world.daemon.call(world.cache.verify(key, repair=what != "verify"))
                    world.cells.verifies(job, state)
                case "max_items":
                    await self._policy(key, Policy(max_items=chance.randint(2, 5)))
                    await asyncio.sleep(chance.uniform(0, 8))
                    await self._policy(key, Policy())
                case "max_age":
                    await self._policy(key, Policy(max_age=5))
                    await asyncio.sleep(chance.uniform(0, 8))
                    await self._policy(key, Policy())
                case "never":
                    await self._policy(key, Policy("never"))
                    await asyncio.sleep(chance.uniform(0, 3))
                    await self._policy(key, Policy())
                case "always":
                    await self._policy(key, Policy("always"))
                case "forget":
                    where = NodeFilter(key.account, key.service, key.node)
                    await world.daemon.call(world.cache.forget(where, [key.account]))
        except Killed:
            return
        except PubkeepError as error:
            self._seen[f"decision {type(error).__name__}"] += 1

    def removed(self, account: str) -> None:
        """An account is no more: what was decided for it, and what was held for it."""
        world = self._world
        for key, sight in world.sights.items():
            if key.account == account:
                self._decided.pop(key, None)
                sight.max_age = 900
                sight.joined = sight.history.number(world.clock.boottime() - ON_ITS_WAY)

    async def decide_again(self) -> None:
        """Another file holds the decisions of another time, perhaps of an account that was removed since."""
        for key in self._world.sights:
            await self._policy(key, self._decided.get(key, Policy()))

    async def _policy(self, key: NodeKey, policy: Policy) -> None:
        """Until it is so: people insist."""
        self._decided[key] = policy
        sight = self._world.sights[key]
        if not policy.max_age:
            sight.max_age = 900
        while True:
            try:
                await self._world.daemon.there(key.account)
                await self._world.daemon.running.wait()
                await self._world.daemon.call(self._world.cache.set_policy(key, policy))
            except (Killed, PubkeepError):
                await asyncio.sleep(0.3)
            else:
                if policy.max_age and self._decided.get(key) is policy:
                    sight.max_age = policy.max_age
                return


CELLS = {"synchronise": "policy always", "never": "policy never", "always": "policy always", "forget": "forget all"}
"""Decision -> trigger of the table of states."""
DECISIONS = (
    *("synchronise", "cancel", "verify", "verify and repair"),
    *("max_items", "max_age", "never", "always", "forget"),
)

# SPDX-License-Identifier: MIT
"""What can happen to a node, as it is done to the stage: one function for each trigger of states.py, and variants."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from pubkeep.analysers.registry import Registry
from pubkeep.errors import NotAllowed, NotFound, PubkeepError, Unavailable
from pubkeep.model import Policy
from pubkeep.protocol import EventKind
from pubkeep.questions import NodeFilter
from tests.daemon.cache.conftest import ENTRY
from tests.daemon.cache.scripted import LATE
from tests.daemon.cache.service import KEY
from tests.daemon.cache.stage import QUIET, TOO_OLD, Stage

AFTER_A = 1_704_110_400_000_000
"""Noon of the day on which the item a was written (scripted.py): the others are younger."""
MINUTE = 61.0
"""Seconds after which a denied or gone node is asked for again."""


async def _asked_again(stage: Stage) -> None:
    """A node that is kept is listed; of another one somebody asks."""
    if stage.explained()["state"] in ("unknown", "ignored"):
        await stage.answer()
    elif stage.explained()["state"] == "syncing":
        await asyncio.sleep(LATE + 0.05)
    else:
        await stage.synchronise()


async def read(stage: Stage) -> None:
    if stage.explained()["state"] in ("denied", "gone"):
        stage.clock.slept += MINUTE
        stage.service.error = None
    await stage.answer()


async def proved(stage: Stage) -> None:
    stage.service.error = None
    if stage.explained()["state"] == "partial":
        await stage.cache.set_policy(stage.key, Policy())
    await _asked_again(stage)


async def not_proved(stage: Stage) -> None:
    stage.service.twice = True
    await _asked_again(stage)


async def spoiled(stage: Stage) -> None:
    stage.cache.path_lost(KEY.account, KEY.service)


async def unreachable(stage: Stage) -> None:
    stage.service.error = Unavailable("nobody answers at this address")
    await _asked_again(stage)


async def refused(stage: Stage) -> None:
    stage.service.error = NotAllowed("access is not allowed")
    await _asked_again(stage)


async def absent(stage: Stage) -> None:
    stage.service.error = NotFound("there is no such node")
    await _asked_again(stage)


async def event(stage: Stage) -> None:
    if stage.explained()["state"] == "gone":
        stage.service.error = None  # somebody made it again
    stage.service.items_held["z"] = "new"
    stage.service.notify(items=(stage.service.item("z", "new"),))


async def event_unsettled(stage: Stage) -> None:
    stage.service.items_held["z"] = "new"
    stage.service.notify(items=(stage.service.item("z", "new"),), delayed=True)


async def retract(stage: Stage) -> None:
    del stage.service.items_held["b"]
    stage.service.notify(retracted=("b",))


async def odd_retract(stage: Stage) -> None:
    stage.service.notify(retracted=("q",))


async def purge(stage: Stage) -> None:
    stage.service.items_held = {"c": "2"}  # XEP-0060 8.5: the last one may stay
    stage.service.notify(EventKind.PURGE)


async def delete(stage: Stage) -> None:
    stage.service.error = NotFound("there is no such node")
    stage.service.notify(EventKind.DELETE, redirect="xmpp:pubsub.localhost?;node=new")


async def configuration(stage: Stage) -> None:
    stage.service.notify(EventKind.CONFIGURATION)


async def unsubscribed(stage: Stage) -> None:
    stage.service.subscribed = False
    stage.service.notify(EventKind.SUBSCRIPTION, subscription="none")


async def pending(stage: Stage) -> None:
    stage.service.subscription = "pending"
    stage.service.notify(EventKind.SUBSCRIPTION, subscription="pending")


async def cut(stage: Stage) -> None:
    stage.cut()


async def resumed(stage: Stage) -> None:
    stage.cut()
    await asyncio.sleep(1)
    stage.service.online = True
    stage.cache.session_resumed(KEY.account)


async def new_session(stage: Stage) -> None:
    stage.cut()
    await asyncio.sleep(1)
    stage.connect()


async def suspend(stage: Stage) -> None:
    stage.clock.slept += 300


async def max_age(stage: Stage) -> None:
    stage.clock.slept += TOO_OLD


async def hole(stage: Stage) -> None:
    stage.disk.failing["any"] = 1
    stage.service.items_held |= {"c": "other"}
    stage.service.notify(items=(stage.service.item("c", "other"),))


async def _publish(stage: Stage) -> None:
    with contextlib.suppress(PubkeepError):
        await stage.cache.writer.publish(stage.key, [ENTRY.format("ours")], ids=["z"])


async def write_confirmed(stage: Stage) -> None:
    await _publish(stage)


async def write_unanswered(stage: Stage) -> None:
    stage.service.silent = "done"
    await _publish(stage)


async def write_refused(stage: Stage) -> None:
    stage.service.refused = ("z",)
    await _publish(stage)


async def policy_never(stage: Stage) -> None:
    await stage.cache.set_policy(stage.key, Policy("never"))


async def policy_always(stage: Stage) -> None:
    stage.service.error = None
    await stage.cache.set_policy(stage.key, Policy("always"))
    await stage.cache.synchronise(stage.key)


async def forget_some(stage: Stage) -> None:
    where = NodeFilter(node=stage.key.node)
    await stage.cache.forget(where, [KEY.account], updated_before=AFTER_A)


async def forget_all(stage: Stage) -> None:
    await stage.cache.forget(NodeFilter(node=stage.key.node), [KEY.account])


async def analysers_changed(stage: Stage) -> None:
    await stage.close()
    stage.analysers = Registry()
    stage.analysers.register_analyser({"name": "other", "type": "thing", "node": KEY.node, "to_sync": True})
    await stage.open()
    stage.connect()


async def verified_same(stage: Stage) -> None:
    await stage.ended(await stage.cache.verify(stage.key, repair=False))


async def verified_other(stage: Stage) -> None:
    stage.service.items_held |= {"c": "other"}
    await stage.ended(await stage.cache.verify(stage.key, repair=False))


async def emptied(stage: Stage) -> None:
    stage.service.items_held.clear()
    if stage.explained()["state"] == "syncing":
        await asyncio.sleep(QUIET)
    else:
        await stage.synchronise()


async def start(stage: Stage) -> None:
    await stage.close()
    await stage.open()


async def cancelled(stage: Stage) -> None:
    job = await stage.cache.synchronise(stage.key)
    job.cancel()


async def removed(stage: Stage) -> None:
    await stage.cache.close_account(KEY.account)
    stage.cut()
    await stage.store.remove_account(1)


FIRED: dict[str, Callable[[Stage], Awaitable[None]]] = {
    name.replace("_", " "): function
    for name, function in list(globals().items())
    if not name.startswith("_") and asyncio.iscoroutinefunction(function)
}
"""Trigger -> how it is done."""

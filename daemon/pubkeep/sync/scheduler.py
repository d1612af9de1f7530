# SPDX-License-Identifier: MIT
"""Which node is synchronised next, how many at a time, and when again after a failure.

Attention first: what frontends read last comes before the rest. Refusals and absences are states, not
failures; everything else is tried again after a growing, jittered delay.
"""

import asyncio
import contextlib
import logging
from collections.abc import Coroutine
from typing import Any

from pubkeep.cache.applying import Applier
from pubkeep.cache.parts import Part, Tools
from pubkeep.cache.wanted import Node
from pubkeep.errors import Cancelled, Failed, NotAllowed, NotFound, NotSupported, PubkeepError, TimedOut, Unavailable
from pubkeep.model import Copy, NodeState
from pubkeep.sync.jobs import Job, Jobs
from pubkeep.sync.listing import Report
from pubkeep.sync.renewing import DAY, Renewing
from pubkeep.sync.settling import Settler
from pubkeep.sync.syncing import Syncer

log = logging.getLogger(__name__)

FIRST_DELAY = 2.0
LAST_DELAY = 3600.0
"""Seconds between two attempts after failures: doubled each time, with jitter, up to an hour."""
PACE = 0.5
"""Seconds between two nodes that nobody reads."""
NAMED = 1000
"""Ids of each kind that the result of a verification names at most."""
NO_ANSWER = (Unavailable.__name__, TimedOut.__name__)
"""Errors that say nothing of a node, and may have been the link's."""


class Scheduler(Part):
    """Runs synchronisations and settles doubts in the background."""

    def __init__(self, tools: Tools, syncer: Syncer, settler: Settler, applier: Applier, jobs: Jobs) -> None:
        super().__init__(tools)
        self._syncer = syncer
        self._settler = settler
        self._applier = applier
        self._jobs = jobs
        self._wake = asyncio.Event()
        self._syncs: dict[Node, asyncio.Task[None]] = {}
        self._watchers: dict[Node, list[Job]] = {}
        """Jobs that are told of the synchronisation under way."""
        self._began: dict[Node, float] = {}
        """When the listing of a whole node, now under way, began."""
        self._queued: dict[Node, list[Job]] = {}
        """Jobs of the next one."""
        self._settling: dict[Node, asyncio.Task[None]] = {}
        self._settle_due: dict[Node, float] = {}
        self._reports: dict[Node, Report] = {}
        self._free_at: dict[str, float] = {}
        """By account: the next free moment for a node that nobody reads."""
        self._compare: set[Node] = set()
        """Nodes whose next listing only compares, unless another session began, or nobody could read them."""
        self._renewing = Renewing(tools, self.want)
        applier.verify = self.want
        applier.settle = self.settle

    # -- wishes ----------------------------------------------------------------------------------

    def want(self, node: Node, *, urgent: bool = False) -> None:
        """Synchronise it: next (urgent), or when its turn comes and its last failure is long enough ago."""
        now = self._clock.boottime()
        if node.orphaned:
            return
        if now < node.harm.rests_until:
            node.next_attempt = node.harm.rests_until
        elif urgent:
            node.urgent = True
            node.next_attempt = now if node.failures == 0 else min(node.next_attempt or now, now + FIRST_DELAY)
        elif node.next_attempt is None:
            node.next_attempt = self._turn_of_unread(node, now) if now - node.read_at > DAY else now
        self._wake.set()

    def settle(self, node: Node) -> None:
        """Plan to end the doubts of a node, if there are any; where nothing is held, its synchronisation ends them."""
        if node.record.copy is Copy.NONE or node.hidden:
            return
        due = node.settle.next_due(self._clock.boottime())
        if due is not None:
            self._settle_due[node] = due
            self._wake.set()

    def session_started(self, account: str) -> None:
        """All nodes of the account need a new proof, those read last first; old failures do not count.

        Those that nobody has read since the start come one by one, so that a login is no storm.
        """
        now = self._clock.boottime()
        self._free_at[account] = now
        for node in self._known.nodes(account):
            node.failures, node.next_attempt = 0, None
            self.want(node)

    def _turn_of_unread(self, node: Node, now: float) -> float:
        """The next moment that is free, PACE after the one before: also for those who come while others are served."""
        moment = max(now, self._free_at.get(node.key.account, now))
        self._free_at[node.key.account] = moment + PACE
        return moment

    def session_resumed(self, account: str) -> None:
        """What waited for the link goes on now: wishes, doubts whose question was cut off, and failures of the cut."""
        now = self._clock.boottime()
        for node in self._known.nodes(account):
            if node.next_attempt is not None and node.record.error in NO_ANSWER:
                node.failures, node.next_attempt = 0, now
            self.settle(node)
        self._wake.set()

    def synchronise(self, node: Node) -> Job:
        """Synchronise it now, as a job.

        Raises:
            Unavailable: the account is not connected.
        """
        return self._start_job(node, "synchronise")

    def verify(self, node: Node, *, repair: bool) -> Job:
        """Compare it with the service now, as a job; without `repair` differences are reported and leave a doubt.

        Raises:
            Unavailable: the account is not connected.
        """
        if not repair and node.next_attempt is None and not self._queued.get(node):
            self._compare.add(node)
        return self._start_job(node, "verify")

    def _start_job(self, node: Node, kind: str) -> Job:
        self._sessions.client(node.key.account)
        node.orphaned, node.harm.rests_until = False, self._clock.boottime()  # now somebody wants it
        job = self._jobs.start(kind, node.key)
        job.cancel = lambda: self._cancel(node, job)
        node.failures = 0
        if kind == "synchronise" and self._unfinished(node):
            self._watchers.setdefault(node, []).append(job)
        else:  # what is verified is what the service has from now on
            self._queued.setdefault(node, []).append(job)
            self.want(node, urgent=True)
        return job

    def _unfinished(self, node: Node) -> bool:
        """Whether all of it is being listed, and nothing is proved yet."""
        began = self._began.get(node)
        return began is not None and (node.proof is None or node.proof.verified_at < began)

    def drop(self, node: Node) -> None:
        """Nobody wants the node any more."""
        node.next_attempt = None
        self._settle_due.pop(node, None)
        if task := self._syncs.get(node):
            task.cancel()
        self._watchers.setdefault(node, []).extend(self._queued.pop(node, []))
        self._end_jobs(node, Cancelled(f"{node.key.node}: it is not kept any more"))

    def _cancel(self, node: Node, job: Job) -> None:
        if job in (queued := self._queued.get(node, [])):
            queued.remove(job)
            if not queued:
                node.next_attempt = None
                self._again(node)
        elif job in (watchers := self._watchers.get(node, [])):
            watchers.remove(job)
            if not watchers and (task := self._syncs.get(node)):
                task.cancel()
                self._again(node)
        self._jobs.end(job, "cancelled", Cancelled(f"{job.key.node}: the synchronisation was cancelled"))

    def _again(self, node: Node) -> None:
        """Nobody waits for the synchronisation of a node any more; what had to be proved before still has to."""
        if node.record.copy is Copy.NONE and not node.record.items and node.record.wanted_by == "request":
            self._applier.unwanted(node)  # who wanted it does not; a read shows whether an analyser does
        elif self._known.needs_proof(node):
            node.next_attempt = self._clock.boottime() + FIRST_DELAY

    # -- work ------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Work until cancelled."""
        try:
            while True:
                self._wake.clear()  # first: what is wanted meanwhile is started at once, too
                pause = self._start_what_is_due()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._wake.wait()
        finally:
            tasks = [*self._syncs.values(), *self._settling.values(), *self._renewing.tasks]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _start_what_is_due(self) -> float:
        """Start tasks; returns the seconds until the next one is due."""
        now = self._clock.boottime()
        nodes = [n for n in self._known.nodes() if n.next_attempt is not None and self._known.live(n.key.account)]
        due = [node for node in nodes if node.next_attempt is not None and node.next_attempt <= now]
        waiting_for_a_turn = [node for node in due if node not in self._syncs]
        while waiting_for_a_turn and len(self._syncs) < self._settings.concurrent_syncs:
            node = min(waiting_for_a_turn, key=self._turn)
            waiting_for_a_turn.remove(node)
            node.next_attempt, node.urgent = None, False
            self._start(self._syncs, node, self._sync(node))
        for node, moment in list(self._settle_due.items()):
            if moment <= now and node not in self._settling and self._known.live(node.key.account):
                del self._settle_due[node]
                self._start(self._settling, node, self._settle(node))
        due_again = self._renewing.renew(now, self._syncs)
        waiting = [node.next_attempt for node in nodes if node.next_attempt is not None and node not in due]
        settling = [moment for moment in self._settle_due.values() if moment > now]
        return max(0.0, min([due_again, *waiting, *settling]) - now)

    def _turn(self, node: Node) -> tuple[bool, int, float]:
        """Whose turn it is: what somebody waits for, then the service with the least under way, then the last read."""
        under_way = sum(other.link is node.link for other in self._syncs)
        return not node.urgent, under_way, -node.read_at

    def _start(self, tasks: dict[Node, asyncio.Task[None]], node: Node, work: Coroutine[Any, Any, None]) -> None:
        def done(_: asyncio.Task[None]) -> None:
            tasks.pop(node, None)
            self._wake.set()

        tasks[node] = asyncio.create_task(work)
        tasks[node].add_done_callback(done)

    async def _sync(self, node: Node) -> None:
        def progress(done: int, total: int) -> None:
            for job in self._watchers.get(node, []):
                self._jobs.progress(job, done, total)

        key = node.key
        proved = node.proof is not None and node.proof.epoch == node.link.epoch and not node.hidden
        report = self._reports[node] = Report(repair=node not in self._compare or not proved)
        self._compare.discard(node)
        self._watchers[node] = self._queued.pop(node, [])
        briefly = not self._watchers[node] and self._syncer.can_catch_up(node)
        if not briefly:
            self._began[node] = self._clock.boottime()
        try:
            progress(0, 0)
            outcome = await self._syncer.synchronise(node, progress, report, briefly=briefly)
        except (NotAllowed, NotFound) as error:
            self._end_jobs(node, error)
        except PubkeepError as error:
            await self._failed(node, error)
        except asyncio.CancelledError:
            self._end_jobs(node, Cancelled(f"{key.node}: the synchronisation was cancelled"))
            raise
        except Exception:
            log.exception("%s at %s: the synchronisation failed", key.node, key.service)
            await self._failed(
                node, Failed(f"{key.node} at {key.service}: the synchronisation failed; the log says why")
            )
        else:
            if outcome.proved:
                node.failures = 0
                node.counts["proofs"] += 1
                if not self._known.needs_proof(node) and node.subscribed_epoch == node.link.epoch:
                    node.next_attempt = None  # who wished for it meanwhile has it
                self._end_jobs(node, None)
                await self._keep_traits(node)
                if self._queued.get(node):
                    self.want(node, urgent=True)
            elif outcome.partly:
                self._end_jobs(node, None)
                await self._keep_traits(node)
                node.next_attempt = None
                self.want(node)
            elif outcome.final:
                self._end_jobs(node, NotSupported(outcome.reason))
            else:
                await self._failed(node, Failed(f"{key.node} at {key.service}: {outcome.reason}"))

    async def _failed(self, node: Node, error: PubkeepError) -> None:
        """Keep what is held, say why, try again later."""
        node.failures += 1
        node.counts["failures"] += 1
        delay = min(LAST_DELAY, FIRST_DELAY * 2 ** (node.failures - 1))
        if not self._queued.get(node):  # who asks now does not wait for that
            node.next_attempt = self._clock.boottime() + self._clock.jitter(delay / 2, delay)
        log.info("%s at %s: not synchronised: %s", node.key.node, node.key.service, error)
        state = node.record.state if node.record.state is NodeState.PARTIAL else NodeState.ERROR
        try:
            if not (node.hidden or node.record.state is NodeState.IGNORED):  # of that no answer says nothing
                await self._applier.save(node, state=state, reason=str(error), error=type(error).__name__)
        except PubkeepError as trouble:
            log.warning("%s at %s: its state could not be stored: %s", node.key.node, node.key.service, trouble)
        self._end_jobs(node, error)

    def _end_jobs(self, node: Node, error: PubkeepError | None) -> None:
        report = self._reports.pop(node, Report())
        self._began.pop(node, None)
        for job in self._watchers.pop(node, []):
            if error is None and job.kind == "verify":
                ids = {"missing": report.missing, "extra": report.extra, "different": report.different}
                self._jobs.end(job, "done", None, items=node.record.items, **{k: v[:NAMED] for k, v in ids.items()})
            elif error is None:
                self._jobs.end(job, "done", items=node.record.items)
            else:
                self._jobs.end(job, "cancelled" if isinstance(error, Cancelled) else "failed", error)

    async def _keep_traits(self, node: Node) -> None:
        """What the service showed holds after a restart too."""
        link = node.link
        if link.traits != link.kept:
            kept = link.traits
            try:
                await self._store.save_traits(node.key.account, node.key.service, kept)
            except PubkeepError as error:
                log.warning("%s: what it showed of itself could not be stored: %s", node.key.service, error)
            else:
                link.kept = kept

    async def _settle(self, node: Node) -> None:
        began = self._clock.boottime()
        try:
            if await self._settler.settle(node):
                await self._keep_traits(node)
                self.settle(node)
                if node.settle.exhausted or node.hole or node.subscribed_epoch != node.link.epoch:
                    self.want(node)
                return
            node.punch("the order of the newest items could not be settled", untold=False)
        except NotAllowed as error:
            await self._denied(node, error, began)
        except PubkeepError as error:
            if isinstance(error, Unavailable) and not self._known.live(node.key.account):
                return  # the session settles everything anew when it is back
            log.info("%s at %s: doubts not settled: %s", node.key.node, node.key.service, error)
        self.want(node)  # which ends them, or has its delays

    async def _denied(self, node: Node, error: NotAllowed, began: float) -> None:
        """What was refused while doubts were settled is shown to nobody; the synchronisation that follows says more."""
        try:
            await self._applier.denied(node, error, began)
        except PubkeepError as trouble:
            log.warning("%s at %s: its state could not be stored: %s", node.key.node, node.key.service, trouble)

# SPDX-License-Identifier: MIT
"""Which object stands where, and who tells its changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pubkeep.errors import NotReady
from pubkeep_bridge.bus import Bus
from pubkeep_bridge.contract import ROOT
from pubkeep_bridge.service.account import Account
from pubkeep_bridge.service.analysers import Analysers
from pubkeep_bridge.service.cache import Cache
from pubkeep_bridge.service.database import Database
from pubkeep_bridge.service.errors import name_of
from pubkeep_bridge.service.gate import Core, Gate
from pubkeep_bridge.service.job import Job, job_path
from pubkeep_bridge.service.manager import Manager, account_path
from pubkeep_bridge.service.objects import Objects
from pubkeep_bridge.service.pubsub import PubSub
from pubkeep_bridge.service.rows import RESULT, variants
from pubkeep_bridge.service.signals import NodeChanges, Pacer
from pubkeep_bridge.service.streams import Streams
from pubkeep_bridge.service.sync import Sync

MIGRATING = 1.0
"""Seconds between two signals that say how far a migration is."""

if TYPE_CHECKING:
    from pubkeep.model import Account as StoredAccount
    from pubkeep.model import NodeChange
    from pubkeep.sync.jobs import Job as Work


class Tree:
    """The daemon's objects."""

    def __init__(self, bus: Bus) -> None:
        self.gate = Gate()
        self._streams = Streams()
        self._objects = Objects(bus, ROOT)
        self._core: Core | None = None
        self._pacer, self._progress = Pacer(), Pacer(MIGRATING)
        self._changes = NodeChanges(self._emit_change)
        at_root = (Manager(self.gate, bus), Cache(self.gate, self._streams), Analysers(self.gate))
        self._objects.export(ROOT, *at_root, Database(self.gate, bus))

    def attach(self, core: Core) -> None:
        """Follow the backend; call it before the backend takes up what it stored."""
        self._core = core
        core.accounts.appeared = self._account_appeared
        core.accounts.changed = self._account_changed
        core.accounts.vanished = lambda account: self._objects.unexport(account_path(account.number))
        core.jobs.appeared = lambda job: self._objects.export(job_path(job), Job(job))
        core.jobs.changed = self._job_changed
        core.jobs.finished = self._job_finished
        core.jobs.vanished = lambda job: self._objects.unexport(job_path(job))
        core.cache.listeners.append(self._changes.tell)

    async def detach(self, message: str) -> None:
        """The backend cannot come up, or goes, and comes again: its objects go, and so do the calls it works on."""
        self.gate.shut(message)
        self.state_changed()
        await self._objects.close(message)
        core, self._core = self._core, None
        if core is not None:
            for job in core.jobs.all():
                core.jobs.end(job, "failed", NotReady(message))
                self._objects.unexport(job_path(job))
            for account in core.accounts.all():
                self._objects.unexport(account_path(account.number))

    def migrating(self, message: str) -> None:
        """The database is migrated, and so far."""
        self.gate.migrate(message)
        self._progress.call(ROOT, self.state_changed)

    def read_only(self, message: str) -> None:
        """The database takes no writes, or (empty) takes them again."""
        self.gate.read_only(message)
        self.state_changed()

    def state_changed(self) -> None:
        """The gate has another state or message."""
        self._objects.changed(ROOT, Manager.interface, "State", "StateMessage")

    async def close(self) -> None:
        """End what is being worked on."""
        self.gate.close()
        self.state_changed()
        await self._objects.close()
        await self._streams.close()

    def _account_appeared(self, account: StoredAccount) -> None:
        number = account.number
        assert self._core is not None
        served = (Account(self._core.accounts, number), PubSub(self._core, number), Sync(self._core, number))
        self._objects.export(account_path(number), *served)

    def _account_changed(self, account: StoredAccount) -> None:
        names = ("State", "ErrorName", "ErrorMessage", "Enabled")
        self._objects.changed(account_path(account.number), Account.interface, *names)

    def _job_changed(self, job: Work) -> None:
        path = job_path(job)
        names = (
            ("State", "Done", "Total", "ErrorName", "ErrorMessage", "Result")
            if job.ended
            else ("State", "Done", "Total")
        )
        self._pacer.call(path, lambda: self._objects.changed(path, Job.interface, *names))

    def _job_finished(self, job: Work) -> None:
        arguments = (job_path(job), job.state, name_of(job.error), str(job.error or ""), variants(job.result, RESULT))
        self._objects.signal(ROOT, Manager.interface, "JobFinished", *arguments)

    def _emit_change(self, change: NodeChange) -> None:
        arguments = (*change.key, change.what, change.sequence, list(change.published), list(change.retracted))
        self._objects.signal(ROOT, Cache.interface, "NodeChanged", change.type, *arguments)

# SPDX-License-Identifier: MIT
"""im.pubkeep.Pubkeep1.Database"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pubkeep_bridge.bus import Bus, Descriptor
from pubkeep_bridge.service import options as opt
from pubkeep_bridge.service import rows
from pubkeep_bridge.service.gate import Gate
from pubkeep_bridge.service.job import job_path
from pubkeep_bridge.service.manager import NONE
from pubkeep_bridge.service.objects import Served

if TYPE_CHECKING:
    from pubkeep.maintenance import Maintenance


class Database(Served):
    """The database as a whole."""

    interface = "im.pubkeep.Pubkeep1.Database"
    wants_sender = ("GetStatistics", "Check", "Backup", "Vacuum", "Move")

    def __init__(self, gate: Gate, bus: Bus) -> None:
        self._gate = gate
        self._bus = bus

    async def GetStatistics(self, options: dict[str, Any], *, sender: str) -> dict[str, Any]:
        maintenance = await self._of(sender, options)
        return rows.statistics(await maintenance.statistics())

    async def Check(self, options: dict[str, Any], *, sender: str) -> str:
        maintenance = await self._of(sender, options)
        return job_path(maintenance.check())

    async def Backup(self, options: dict[str, Any], *, sender: str) -> list[Any]:
        maintenance = await self._of(sender, options)
        job, copy = maintenance.backup()
        return [job_path(job), Descriptor(copy)]

    async def Vacuum(self, options: dict[str, Any], *, sender: str) -> str:
        maintenance = await self._of(sender, options)
        return job_path(maintenance.vacuum())

    async def Move(self, place: str, options: dict[str, Any], *, sender: str) -> str:
        maintenance = await self._of(sender, options)
        return job_path(maintenance.move(await self._bus.owner_uid(sender), place))

    async def _of(self, sender: str, options: dict[str, Any]) -> Maintenance:
        """What this caller asks, if they may."""
        opt.parse(options, NONE)
        core = await self._gate.core()
        core.maintenance.allow(await self._bus.owner_uid(sender))
        return core.maintenance

# SPDX-License-Identifier: MIT
"""im.pubkeep.Pubkeep1.Sync"""

from typing import Any

from pubkeep_bridge.service import options as opt
from pubkeep_bridge.service import rows
from pubkeep_bridge.service.gate import Core
from pubkeep_bridge.service.job import job_path
from pubkeep_bridge.service.manager import NONE
from pubkeep_bridge.service.objects import Served


class Sync(Served):
    """Bringing nodes here."""

    interface = "im.pubkeep.Pubkeep1.Sync"

    def __init__(self, core: Core, number: int) -> None:
        self._cache = core.cache
        self._accounts = core.accounts
        self._number = number

    async def Synchronise(self, service: str, node: str, options: dict[str, Any]) -> str:
        opt.parse(options, NONE)
        job = await self._cache.synchronise(self._accounts.key(self._number, service, node))
        return job_path(job)

    async def Explain(self, service: str, node: str, options: dict[str, Any]) -> dict[str, Any]:
        opt.parse(options, NONE)
        explanation = self._cache.explain(self._accounts.key(self._number, service, node))
        return rows.variants(explanation, rows.EXPLANATION)

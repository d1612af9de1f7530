# SPDX-License-Identifier: MIT
"""im.pubkeep.Pubkeep1.Sync"""

from typing import Any

from pubkeep.model import Policy
from pubkeep_bridge.service import options as opt
from pubkeep_bridge.service import rows
from pubkeep_bridge.service.gate import Core
from pubkeep_bridge.service.job import job_path
from pubkeep_bridge.service.manager import NONE
from pubkeep_bridge.service.objects import Served

VERIFY = {"repair": "b"}
POLICY = {"sync": "s", "max_items": "u", "max_age": "u"}


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

    async def Verify(self, service: str, node: str, options: dict[str, Any]) -> str:
        given = opt.parse(options, VERIFY)
        key = self._accounts.key(self._number, service, node)
        return job_path(await self._cache.verify(key, repair=given.get("repair", False)))

    async def SetPolicy(self, service: str, node: str, policy: dict[str, Any]) -> None:
        given = opt.parse(policy, POLICY, "policy")
        opt.choice(given, "sync", ("auto", "always", "never"))
        await self._cache.set_policy(self._accounts.key(self._number, service, node), Policy(**given))

    async def GetPolicy(self, service: str, node: str) -> dict[str, Any]:
        return rows.policy(self._cache.get_policy(self._accounts.key(self._number, service, node)))

    async def Explain(self, service: str, node: str, options: dict[str, Any]) -> dict[str, Any]:
        opt.parse(options, NONE)
        explanation = self._cache.explain(self._accounts.key(self._number, service, node))
        return rows.variants(explanation, rows.EXPLANATION)

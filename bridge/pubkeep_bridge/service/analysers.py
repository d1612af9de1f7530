# SPDX-License-Identifier: MIT
"""im.pubkeep.Pubkeep1.Analysers"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pubkeep_bridge.service import rows
from pubkeep_bridge.service.gate import Core, Gate
from pubkeep_bridge.service.objects import Served

if TYPE_CHECKING:
    from pubkeep.analysers.registry import Analyser


class Analysers(Served):
    """What decides which nodes are kept."""

    interface = "im.pubkeep.Pubkeep1.Analysers"

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    async def List(self) -> list[Any]:
        core = await self._gate.core()
        return [[_row(core, analyser) for analyser in core.analysers.all()]]

    async def Describe(self, name: str) -> dict[str, Any]:
        core = await self._gate.core()
        analyser = core.analysers.get(name)
        schema = json.dumps(analyser.schema, ensure_ascii=False) if analyser.schema else ""
        return _row(core, analyser) | rows.variants({"schema": schema}, rows.ANALYSER)

    async def Test(self, name: str, xml: str) -> str:
        core = await self._gate.core()
        return await core.analysers.test(name, xml)


def _row(core: Core, analyser: Analyser) -> dict[str, Any]:
    trouble = core.analysers.troubles[analyser.name]
    values = {
        "name": analyser.name,
        "type": analyser.type,
        "node": analyser.node,
        "namespace": analyser.namespace,
        "to_sync": analyser.to_sync,
        "version": analyser.version,
        "source": analyser.source,
        "matched": core.cache.matched(analyser.name),
        "parse_errors": trouble.count,
        "last_error": trouble.last,
    }
    return rows.variants(values, rows.ANALYSER)

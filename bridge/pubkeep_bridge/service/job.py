# SPDX-License-Identifier: MIT
"""im.pubkeep.Pubkeep1.Job"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pubkeep_bridge.contract import ROOT
from pubkeep_bridge.service import rows
from pubkeep_bridge.service.errors import name_of
from pubkeep_bridge.service.objects import Served

if TYPE_CHECKING:
    from pubkeep.sync.jobs import Job as Work


def job_path(job: Work) -> str:
    """The object of a job."""
    return f"{ROOT}/jobs/{job.number}"


class Job(Served):
    """Long work."""

    interface = "im.pubkeep.Pubkeep1.Job"

    def __init__(self, job: Work) -> None:
        self._job = job

    async def Cancel(self) -> None:
        self._job.cancel()

    @property
    def Kind(self) -> str:
        return self._job.kind

    @property
    def Account(self) -> str:
        return self._job.key.account

    @property
    def Service(self) -> str:
        return self._job.key.service

    @property
    def Node(self) -> str:
        return self._job.key.node

    @property
    def State(self) -> str:
        return self._job.state

    @property
    def Done(self) -> int:
        return self._job.done

    @property
    def Total(self) -> int:
        return self._job.total

    @property
    def ErrorName(self) -> str:
        return name_of(self._job.error)

    @property
    def ErrorMessage(self) -> str:
        return str(self._job.error or "")

    @property
    def Result(self) -> dict[str, Any]:
        return rows.variants(self._job.result, rows.RESULT)

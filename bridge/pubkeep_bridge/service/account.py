# SPDX-License-Identifier: MIT
"""im.pubkeep.Pubkeep1.Account"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pubkeep_bridge.service import options as opt
from pubkeep_bridge.service.errors import full_name
from pubkeep_bridge.service.manager import NONE
from pubkeep_bridge.service.objects import Served

if TYPE_CHECKING:
    from pubkeep.accounts import Accounts


class Account(Served):
    """One XMPP account."""

    interface = "im.pubkeep.Pubkeep1.Account"

    def __init__(self, accounts: Accounts, number: int) -> None:
        self._accounts = accounts
        self._number = number

    async def Connect(self) -> None:
        self._accounts.connect(self._number)

    async def SetPassword(self, password: str, options: dict[str, Any]) -> None:
        opt.parse(options, NONE)
        self._accounts.set_password(self._number, password)

    @property
    def Jid(self) -> str:
        return self._accounts.get(self._number).jid

    @property
    def State(self) -> str:
        return self._accounts.status(self._number).state.value

    @property
    def ErrorName(self) -> str:
        return full_name(self._accounts.status(self._number).error)

    @property
    def ErrorMessage(self) -> str:
        return self._accounts.status(self._number).message

    @property
    def Enabled(self) -> bool:
        return self._accounts.get(self._number).enabled

    async def set_Enabled(self, value: bool) -> None:
        await self._accounts.enable(self._number, value)

    @property
    def Uid(self) -> int:
        return self._accounts.get(self._number).uid

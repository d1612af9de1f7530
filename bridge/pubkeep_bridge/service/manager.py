# SPDX-License-Identifier: MIT
"""im.pubkeep.Pubkeep1.Manager"""

from typing import Any

from pubkeep import __version__
from pubkeep.errors import NotSupported, UnknownObject
from pubkeep_bridge.bus import Bus
from pubkeep_bridge.contract import ROOT
from pubkeep_bridge.service import options as opt
from pubkeep_bridge.service.gate import Gate
from pubkeep_bridge.service.objects import Served

API_VERSION = 6

ADD_ACCOUNT = {"password": "s", "remember": "b", "host": "s", "port": "q", "enabled": "b", "tls": "s"}
NONE: dict[str, str] = {}


def account_path(number: int) -> str:
    """The object of an account."""
    return f"{ROOT}/accounts/{number}"


def account_number(path: str) -> int:
    """The account of an object. Raises UnknownObject."""
    number = path.removeprefix(f"{ROOT}/accounts/")
    if not number.isdecimal():
        raise UnknownObject(f"{path}: it is no account")
    return int(number)


class Manager(Served):
    """The daemon and its accounts."""

    interface = "im.pubkeep.Pubkeep1.Manager"
    wants_sender = ("AddAccount",)

    def __init__(self, gate: Gate, bus: Bus) -> None:
        self._gate = gate
        self._bus = bus

    async def AddAccount(self, jid: str, options: dict[str, Any], *, sender: str) -> str:
        given = opt.parse(options, ADD_ACCOUNT)
        opt.choice(given, "tls", ("required", "direct", "allow-plaintext"))
        if given.pop("remember", False):
            raise NotSupported("remember: there is no keyring support; use password_command in the settings")
        core = await self._gate.core()
        account = await core.accounts.add(jid, uid=await self._bus.owner_uid(sender), **given)
        return account_path(account.number)

    async def RemoveAccount(self, account: str, options: dict[str, Any]) -> None:
        opt.parse(options, NONE)
        core = await self._gate.core()
        await core.accounts.remove(account_number(account))

    @property
    def Version(self) -> str:
        return __version__

    @property
    def ApiVersion(self) -> int:
        return API_VERSION

    @property
    def State(self) -> str:
        return self._gate.state

    @property
    def StateMessage(self) -> str:
        return self._gate.message

    @property
    def Sequence(self) -> int:
        core = self._gate.now()
        return core.cache.sequence if core else 0

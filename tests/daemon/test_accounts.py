# SPDX-License-Identifier: MIT
"""Accounts, where the database does not do what they need."""

import pytest

from pubkeep.accounts import Accounts
from pubkeep.errors import StorageFull
from pubkeep.model import Account
from tests.daemon.cache.service import KEY
from tests.daemon.cache.stage import Stage, play


class NoSessions:
    """Nobody is connected."""

    def __init__(self) -> None:
        self.started: list[str] = []

    async def start(self, account: Account, _password: str) -> None:
        """See ports.Sessions."""
        self.started.append(account.jid)

    async def stop(self, _jid: str) -> None:
        """See ports.Sessions."""


def test_an_account_that_cannot_be_deleted_goes_on() -> None:
    async def scene() -> None:
        stage, sessions = Stage(KEY), NoSessions()
        await stage.enter("synced")
        stage.cut()
        await stage.cache.close()
        accounts = Accounts(stage.store, sessions, stage.cache, {}, stage.clock, str, {KEY.account: "secret"})  # type: ignore[arg-type]
        await accounts.open()
        (account,) = accounts.all()

        stage.disk.failing["any"] = 1000
        with pytest.raises(StorageFull):
            await accounts.remove(account.number)
        stage.disk.failing.clear()

        assert accounts.all() == [account]
        assert (await stage.answer("cache"), await stage.held()) == ("stale", "abc")
        assert sessions.started[-1] == KEY.account

        await accounts.remove(account.number)

        assert (accounts.all(), await stage.held()) == ([], "")
        await accounts.close()
        await stage.close()

    play(scene)

# SPDX-License-Identifier: MIT
"""The accounts: adding, connecting, their passwords.

A password comes from the caller (kept in memory only), from the file that systemd's LoadCredential=
puts at `$CREDENTIALS_DIRECTORY/<jid>`, or from the `password_command` of the settings, in this order.
It is handed to the session and to nothing else.
"""

import asyncio
import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from pubkeep.cache.cache import Cache
from pubkeep.clock import Clock
from pubkeep.config import AccountSettings
from pubkeep.errors import Conflict, InvalidArgs, NotFound, PubkeepError, UnknownObject
from pubkeep.model import Account, AccountState, NodeKey, Tls
from pubkeep.ports import AccountStore, Sessions, SessionStatus

log = logging.getLogger(__name__)

COMMAND_TIMEOUT = 60.0
"""Seconds a password_command may take: it may have to ask a person."""
LOOPBACK = ("localhost", "127.0.0.1", "::1")


class SessionControl(Sessions, Protocol):
    """Sessions as their owner sees them."""

    async def start(self, account: Account, password: str) -> None:
        """Make the session and connect it."""

    async def stop(self, account: str) -> None:
        """Disconnect in order and forget the session."""

    def connect_now(self, account: str) -> None:
        """Do not wait out the delay; nothing happens when connected."""

    async def suspend(self) -> None:
        """Disconnect all, in order, until `wake`."""

    async def wake(self) -> None:
        """Connect again what `suspend` disconnected."""


class Accounts:
    """All accounts with their sessions."""

    def __init__(
        self,
        store: AccountStore,
        sessions: SessionControl,
        cache: Cache,
        settings: Mapping[str, AccountSettings],
        clock: Clock,
        parse_jid: Callable[[str], str],
        passwords: dict[str, str] | None = None,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self._store = store
        self._sessions = sessions
        self._cache = cache
        self.settings = settings
        self._clock = clock
        self._parse_jid = parse_jid
        self._environ = environ
        self._accounts: dict[int, Account] = {}
        self._passwords = {} if passwords is None else passwords
        self._status: dict[str, SessionStatus] = {}
        self._services: dict[str, str] = {}
        self._starting: dict[str, asyncio.Task[None]] = {}
        self.appeared: Callable[[Account], None] = lambda _account: None
        self.changed: Callable[[Account], None] = lambda _account: None
        self.vanished: Callable[[Account], None] = lambda _account: None

    # -- life ------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Take up the stored accounts and connect those that are enabled."""
        for account in await self._store.accounts():
            self._accounts[account.number] = account
        await self._cache.open([account.jid for account in self._accounts.values()])
        for account in self._accounts.values():
            self.appeared(account)
            self._start(account)

    async def close(self) -> None:
        """Disconnect all, in order."""
        for task in self._starting.values():
            task.cancel()
        await asyncio.gather(*self._starting.values(), return_exceptions=True)
        await asyncio.gather(*(self._sessions.stop(account.jid) for account in self._accounts.values()))

    def tell(self, jid: str, status: SessionStatus) -> None:
        """A session changed its state."""
        self._status[jid] = status
        for account in self._accounts.values():
            if account.jid == jid:
                self.changed(account)

    # -- what frontends ask ----------------------------------------------------------------------

    def all(self) -> list[Account]:
        """All accounts, in the order of their numbers."""
        return list(self._accounts.values())

    def jids(self) -> tuple[str, ...]:
        """Whose data may be asked for."""
        return tuple(account.jid for account in self._accounts.values())

    def chosen(self, jid: str) -> tuple[str, ...]:
        """This account, or all where none is named. Raises NotFound where it is not there."""
        if jid and jid not in self.jids():
            raise NotFound(f"option 'account': there is no account {jid}")
        return (jid,) if jid else self.jids()

    def status(self, number: int) -> SessionStatus:
        """The state of the session."""
        return self._status.get(self.get(number).jid, SessionStatus(AccountState.OFFLINE))

    def get(self, number: int) -> Account:
        """An account by its number. Raises UnknownObject."""
        if number not in self._accounts:
            raise UnknownObject(f"account {number}: there is no such account")
        return self._accounts[number]

    def key(self, number: int, service: str, node: str) -> NodeKey:
        """A node as this account addresses it; an empty service is the account's own PEP.

        Raises:
            InvalidArgs: the service is not a JID, or the node has no name.
        """
        if not node:
            raise InvalidArgs("node: the name is empty")
        return self.place(number, service, node)

    def place(self, number: int, service: str, node: str) -> NodeKey:
        """Like `key`; without a name it is the service as such.

        Raises:
            InvalidArgs: the service is not a JID.
        """
        jid = self.get(number).jid
        if not service:
            return NodeKey(jid, jid, node)
        normalised = self._services.get(service)
        if normalised is None:
            normalised = self.normalise(service, "service")
            if len(self._services) < 10_000:
                self._services[service] = normalised
        return NodeKey(jid, normalised, node)

    def normalise(self, jid: str, what: str) -> str:
        """The one form of a JID; `what` is the argument that holds it.

        Raises:
            InvalidArgs: it is none.
        """
        try:
            return self._parse_jid(jid)
        except ValueError as error:
            raise InvalidArgs(f"{what} {jid[:100]!r}: not a JID: {error}") from None

    async def add(
        self,
        jid: str,
        *,
        uid: int,
        password: str = "",
        host: str = "",
        port: int = 0,
        enabled: bool = True,
        tls: Tls = "required",
    ) -> Account:
        """Store a new account; it connects in the background.

        Raises:
            InvalidArgs: not a bare JID with a local part, or plain text to a host that is not this one.
            Conflict: the account is there already.
        """
        bare = self.normalise(jid, "jid")
        if "@" not in bare or "/" in bare:
            raise InvalidArgs(f"jid {jid!r}: an account is written user@example.org")
        if tls == "allow-plaintext" and (host or bare.partition("@")[2]) not in LOOPBACK:
            raise InvalidArgs("tls: allow-plaintext is for servers on this machine only; give host 127.0.0.1")
        if any(account.jid == bare for account in self._accounts.values()):
            raise Conflict(f"{bare}: this account is there already")
        resource = f"pubkeep-{self._clock.token(4)}"
        account = await self._store.add_account(bare, resource, uid=uid, enabled=enabled, host=host, port=port, tls=tls)
        self._accounts[account.number] = account
        if password:
            self._passwords[bare] = password
        await self._cache.open_account(bare)
        self.appeared(account)
        self._start(account)
        return account

    async def remove(self, number: int) -> None:
        """End subscriptions and session, delete what is held.

        Raises:
            UnknownObject: there is no such account.
            StorageFull, ReadOnly, Unavailable: it is not deleted, and goes on as an account.
        """
        account = self.get(number)
        await self._cache.close_account(account.jid)
        await self._stop(account)
        try:
            await self._store.remove_account(number)
        except PubkeepError:
            await self._cache.open_account(account.jid)
            self._start(account)
            raise
        self._passwords.pop(account.jid, None)
        self._status.pop(account.jid, None)
        del self._accounts[number]
        self.vanished(account)

    def connect(self, number: int) -> None:
        """Connect now, without waiting out the delay."""
        account = self.get(number)
        if account.enabled and account.jid not in self._starting:
            if self.status(number).state in (AccountState.NEEDS_PASSWORD, AccountState.REFUSED):
                self._start(account)
            else:
                self._sessions.connect_now(account.jid)

    def set_password(self, number: int, password: str) -> None:
        """Use this password from now on, and connect with it."""
        if not password:
            raise InvalidArgs("password: it is empty")
        account = self.get(number)
        self._passwords[account.jid] = password
        self._start(account)

    async def enable(self, number: int, enabled: bool) -> None:
        """Stay offline (False) or connect (True), after a restart too."""
        account = self.get(number)
        if account.enabled == enabled:
            return
        await self._store.enable_account(number, enabled)
        self._accounts[number] = account = replace(account, enabled=enabled)
        self.changed(account)
        if enabled:
            self._start(account)
        else:
            await self._stop(account)

    # -- sessions --------------------------------------------------------------------------------

    def _start(self, account: Account) -> None:
        """Find the password and start the session, in the background."""
        if not account.enabled:
            return
        if before := self._starting.get(account.jid):
            before.cancel()
        task = self._starting[account.jid] = asyncio.create_task(self._find_and_start(account))

        def done(_: asyncio.Task[None]) -> None:
            if self._starting.get(account.jid) is task:
                del self._starting[account.jid]

        task.add_done_callback(done)

    async def _find_and_start(self, account: Account) -> None:
        self.tell(account.jid, SessionStatus(AccountState.WAITING, "", "waiting for the password"))
        password, trouble = await self._password(account.jid)
        await self._sessions.stop(account.jid)
        if password is None:
            words = trouble or "no password is known: give one with SetPassword, or set password_command"
            self.tell(account.jid, SessionStatus(AccountState.NEEDS_PASSWORD, "NotAllowed", words))
        else:
            await self._sessions.start(account, password)

    async def _stop(self, account: Account) -> None:
        if task := self._starting.get(account.jid):
            task.cancel()
        await self._sessions.stop(account.jid)
        self.tell(account.jid, SessionStatus(AccountState.OFFLINE))

    async def _password(self, jid: str) -> tuple[str | None, str]:
        """The password, or None and why there is none."""
        if jid in self._passwords:
            return self._passwords[jid], ""
        if directory := self._environ.get("CREDENTIALS_DIRECTORY"):
            try:
                text = (Path(directory) / jid).read_text(encoding="utf-8")
                return text.partition("\n")[0], ""
            except FileNotFoundError:
                pass
            except (OSError, UnicodeDecodeError) as error:
                return None, f"the credential {jid} cannot be read: {type(error).__name__}"
        command = self.settings.get(jid, AccountSettings()).password_command
        return await _ask_command(command) if command else (None, "")


async def _ask_command(command: tuple[str, ...]) -> tuple[str | None, str]:
    """Run a password_command; its output appears in no message."""
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except OSError as error:
        return None, f"password_command {command[0]!r} cannot be run: {error.strerror}"
    try:
        async with asyncio.timeout(COMMAND_TIMEOUT):
            output, _ = await process.communicate()
    except TimeoutError:
        return None, f"password_command {command[0]!r} gave no answer within {COMMAND_TIMEOUT:.0f} s"
    finally:
        if process.returncode is None:
            process.kill()
    password = output.decode(errors="replace").partition("\n")[0]
    if process.returncode or not password:
        return None, f"password_command {command[0]!r} ended with status {process.returncode} and no password"
    return password, ""

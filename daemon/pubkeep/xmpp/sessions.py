# SPDX-License-Identifier: MIT
"""The sessions of all accounts (ports.Sessions)."""

import asyncio
from collections.abc import Callable

from pubkeep.clock import Clock
from pubkeep.config import XmppSection
from pubkeep.errors import Unavailable
from pubkeep.model import Account, AccountState, NodeKey
from pubkeep.ports import SessionListener, SessionStatus
from pubkeep.xmpp.inbox import Inbox
from pubkeep.xmpp.pubsub import PubSub
from pubkeep.xmpp.session import Session


class Sessions:
    """Starts, stops and finds sessions."""

    def __init__(self, settings: XmppSection, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._inbox = Inbox()
        self._sessions: dict[str, Session] = {}
        self._suspended: dict[str, tuple[Account, str]] = {}
        self._passwords: dict[str, str] = {}
        self.listener: SessionListener
        """The cache; set before the first start."""
        self.interests: frozenset[str] = frozenset()
        """Nodes of which contacts' events are wanted (XEP-0163 4)."""
        self.tell: Callable[[str, SessionStatus], None]
        """Told each change of state; set before the first start."""

    async def start(self, account: Account, password: str) -> None:
        """Make the session of an account and connect it."""
        await self.stop(account.jid)
        self._passwords[account.jid] = password
        self._sessions[account.jid] = Session(
            account, password, self._inbox, self.listener, self.tell, self._settings, self._clock, self.interests
        )

    async def interested(self, interests: frozenset[str]) -> None:
        """Be notified of these nodes of contacts from now on, in all sessions (XEP-0163 4)."""
        self.interests = interests
        await asyncio.gather(*(session.interested(interests) for session in self._sessions.values()))

    async def stop(self, account: str) -> None:
        """Disconnect in order and forget the session and its password."""
        self._suspended.pop(account, None)
        self._passwords.pop(account, None)
        if session := self._sessions.pop(account, None):
            await session.stop()

    def connect_now(self, account: str) -> None:
        """Do not wait out the delay; a link that is up is asked for a sign of life."""
        if session := self._sessions.get(account):
            session.connect_now()

    async def suspend(self) -> None:
        """Disconnect all, in order, until `wake`."""
        for jid, session in list(self._sessions.items()):
            self._suspended[jid] = (session.account, self._passwords[jid])
        sessions, self._sessions = list(self._sessions.values()), {}
        await asyncio.gather(*(session.stop() for session in sessions))
        for jid in self._suspended:
            self.tell(jid, SessionStatus(AccountState.OFFLINE, "", "the machine sleeps"))

    async def wake(self) -> None:
        """Connect again what `suspend` disconnected."""
        suspended, self._suspended = self._suspended, {}
        for account, password in suspended.values():
            await self.start(account, password)

    def client(self, account: str) -> PubSub:
        """See ports.Sessions."""
        session = self._sessions.get(account)
        if session is None or not session.online:
            raise Unavailable(f"{account}: the account is not connected")
        return session.pubsub

    async def drained(self, node: NodeKey) -> None:
        """See ports.Sessions."""
        await self._inbox.drained(node)

    async def close(self) -> None:
        """End all sessions, then what they left in the inbox."""
        await asyncio.gather(*(session.stop() for session in self._sessions.values()))
        self._sessions.clear()
        await self._inbox.close()

# SPDX-License-Identifier: MIT
"""Being available, what we want to be notified of (XEP-0163 +notify, by XEP-0115), and whom we know (RFC 6121 2).

A `+notify` event wakes us and proves nothing: nobody acknowledges that our capabilities were read, and a server may
send a contact's events only while the contact is there.
"""

import logging
from collections.abc import Callable, Iterable

from slixmpp.exceptions import IqError, IqTimeout

from pubkeep.xmpp.stream import Stream

log = logging.getLogger(__name__)

PRIORITY = -1
"""Messages to the bare JID go past us: at 0 we would take the user's offline messages away."""
REPLY = 20


class Presence:
    """Announces one account, and follows its roster."""

    def __init__(self, stream: Stream, interests: Iterable[str], contacts: Callable[[frozenset[str]], None]) -> None:
        self._stream = stream
        self._contacts = contacts
        self._interests = frozenset(interests)
        for node in self._interests:
            stream.plugin["xep_0030"].add_feature(f"{node}+notify")
        stream.add_event_handler("roster_update", self._roster)

    async def interested(self, interests: frozenset[str], *, online: bool) -> None:
        """Other nodes are wanted: who is online says so (XEP-0115 5). Prosody sends the last items of the new ones."""
        disco = self._stream.plugin["xep_0030"]
        for node in self._interests - interests:
            await disco.del_feature(feature=f"{node}+notify")
        for node in interests - self._interests:
            disco.add_feature(f"{node}+notify")
        self._interests = interests
        if online:
            await self._tell()

    async def _tell(self) -> None:
        await self._stream.plugin["xep_0115"].update_caps(broadcast=False)
        self._stream.make_presence(ppriority=PRIORITY).send()

    async def announce(self) -> None:
        """After the login: capabilities first, since the first presence tells them; then the roster."""
        await self._tell()
        try:
            await self._stream.get_roster(timeout=REPLY)
        except (IqError, IqTimeout) as error:
            log.info("%s: the roster was not given: %s", self._stream.boundjid.bare, type(error).__name__)

    def _roster(self, _: object) -> None:
        """The roster came, or a push changed it. Events of others are nobody's who wants us to know."""
        roster = self._stream.client_roster
        self._contacts(frozenset(str(jid).lower() for jid in roster if roster[jid]["subscription"] in ("to", "both")))

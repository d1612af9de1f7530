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
        for node in interests:
            stream.plugin["xep_0030"].add_feature(f"{node}+notify")
        stream.add_event_handler("roster_update", self._roster)

    async def announce(self) -> None:
        """After the login: capabilities first, since the first presence tells them; then the roster."""
        await self._stream.plugin["xep_0115"].update_caps(broadcast=False)
        self._stream.make_presence(ppriority=PRIORITY).send()
        try:
            await self._stream.get_roster(timeout=REPLY)
        except (IqError, IqTimeout) as error:
            log.info("%s: the roster was not given: %s", self._stream.boundjid.bare, type(error).__name__)

    def _roster(self, _: object) -> None:
        """The roster came, or a push changed it. Events of others are nobody's who wants us to know."""
        roster = self._stream.client_roster
        self._contacts(frozenset(str(jid).lower() for jid in roster if roster[jid]["subscription"] in ("to", "both")))

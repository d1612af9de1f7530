# SPDX-License-Identifier: MIT
"""The daemon, as coroutines."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

from pubkeep_bridge.bus import Bus, BusError, Variant
from pubkeep_bridge.client import values, wire
from pubkeep_bridge.client.account import Account, Format
from pubkeep_bridge.client.database import Database
from pubkeep_bridge.client.errors import NotFound, NotReady, NotRunning, translated
from pubkeep_bridge.client.signals import Signals
from pubkeep_bridge.client.values import (
    AccountProperties,
    Analyser,
    Change,
    Item,
    LoggedChange,
    Node,
    SearchAnswer,
    Status,
)

NAME = "im.pubkeep.Pubkeep1"
ROOT = "/im/pubkeep/Pubkeep1"
TIMEOUT = 30.0
"""Seconds for one call; the daemon answers within 20."""
OPEN = ("ready", "read-only")
"""States in which what needs the database is answered."""


@asynccontextmanager
async def connect(address: str = "session") -> AsyncIterator["Pubkeep"]:
    """A connection to the daemon on this bus: `session`, `system`, or an address.

    The first call starts the daemon where it can be started by its name.

    Raises:
        NoBus: there is no bus.
    """
    bus = await Bus.connect(address, fds=True)
    try:
        yield Pubkeep(bus)
    finally:
        await bus.close()


def not_ready(state: Status) -> NotReady:
    """What is said of a daemon whose database is not open."""
    words = state["StateMessage"] or "try again in a moment"
    return NotReady(f"{NAME}.Error.NotReady", f"pubkeepd is {state['State']}: {words}")


class Pubkeep:
    """The daemon: its accounts, and what is held over all of them.

    All methods raise PubkeepError (errors.py), and NoBus when the bus goes away.
    """

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def call(self, path: str, interface: str, member: str, signature: str = "", *body: Any) -> list[Any]:
        """Call a method of the contract that has no method here.

        Args:
            interface: `Manager`, `PubSub` and so on.

        Raises:
            PubkeepError: the daemon's answer, or NotRunning.
        """
        return await self._call(path, f"{NAME}.{interface}", member, signature, *body)

    async def _call(self, path: str, interface: str, member: str, signature: str = "", *body: Any) -> list[Any]:
        checked = [wire.argument(each) for each in body]
        try:
            return await self._bus.call(NAME, path, interface, member, signature, checked, timeout=TIMEOUT)
        except BusError as error:
            raise translated(error) from None

    async def properties(self, path: str, interface: str) -> dict[str, Any]:
        """All properties of an interface."""
        face = "org.freedesktop.DBus.Properties"
        return wire.plain((await self._call(path, face, "GetAll", "s", f"{NAME}.{interface}"))[0])

    async def set_property(self, path: str, interface: str, name: str, value: Variant) -> None:
        """Set a property."""
        face = "org.freedesktop.DBus.Properties"
        await self._call(path, face, "Set", "ssv", f"{NAME}.{interface}", name, value)

    async def status(self) -> Status:
        """The daemon's version and state. Answers in every state."""
        return cast(Status, await self.properties(ROOT, "Manager"))

    async def states(self) -> AsyncGenerator[Status, None]:
        """`status`, and again whenever the state or its message changes (while a migration goes on, once a second).

        Raises:
            NotRunning: the daemon left the bus.
        """
        signals = Signals(self._bus)
        try:
            await signals.listen_owner(NAME)
            changed = {"interface": "org.freedesktop.DBus.Properties", "member": "PropertiesChanged"}
            await signals.listen(sender=NAME, path=ROOT, arg0=f"{NAME}.Manager", **changed)
            yield await self.status()
            while True:
                signal = await signals.next()
                if signal.member == "PropertiesChanged":
                    yield await self.status()
                elif signal.body[1]:
                    raise NotRunning(f"{NAME}.Error.NotReady", "pubkeepd left the bus")
        finally:
            await signals.close()

    @property
    def database(self) -> Database:
        """The database as a whole."""
        return Database(self)

    async def statistics(self, account: str = "") -> dict[str, int]:
        """What happened since the start, of one account or of all, and how many nodes are in which state.

        Raises:
            NotFound: there is no such account.
        """
        options = wire.options({"account": account or None})
        return wire.plain((await self.call(ROOT, "Cache", "GetStatistics", "a{sv}", options))[0])

    # -- accounts --------------------------------------------------------------------------------

    async def accounts(self) -> list[Account]:
        """All accounts, in the order in which they were added. Answers in every state."""
        found = await self._call(ROOT, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects")
        accounts = [
            Account(self, path, cast(AccountProperties, wire.plain(interfaces[f"{NAME}.Account"])))
            for path, interfaces in found[0].items()
            if f"{NAME}.Account" in interfaces
        ]
        return sorted(accounts, key=lambda account: int(account.path.rpartition("/")[2]))

    async def account(self, jid: str = "") -> Account:
        """The account with this JID; without one, the only account.

        Raises:
            NotFound: there is none, or there are several; the text names them.
            NotReady: the database is not open, so nobody knows.
        """
        accounts = await self.accounts() or await self._accounts_by_now()
        fitting = [account for account in accounts if jid in ("", account.jid)]
        if len(fitting) == 1:
            return fitting[0]
        names = ", ".join(account.jid for account in accounts)
        if not accounts:
            raise NotFound(f"{NAME}.Error.NotFound", "there is no account yet: add one with `pubkeep account add JID`")
        words = f"there is no account {jid}" if jid else "there are several accounts: say which with --account"
        raise NotFound(f"{NAME}.Error.NotFound", f"{words} ({names})")

    async def _accounts_by_now(self) -> list[Account]:
        """Where none was seen: those that are there when the database is open."""
        state = await self.status()
        if state["State"] not in OPEN:
            raise not_ready(state)
        return await self.accounts()

    async def add_account(
        self,
        jid: str,
        *,
        password: str | None = None,
        host: str | None = None,
        port: int | None = None,
        tls: str | None = None,
        enabled: bool | None = None,
    ) -> Account:
        """Add an account. Does not wait for the network: `Account.online` does.

        Args:
            password: kept in the daemon's memory.
            host, port: where to connect to, instead of what DNS says.
            tls: `required` (default), `direct`, or `allow-plaintext` (servers on this machine only).
            enabled: False stays offline.

        Raises:
            Conflict: it is there already.
        """
        given = {"password": password, "host": host, "port": port, "tls": tls, "enabled": enabled}
        path = (await self.call(ROOT, "Manager", "AddAccount", "sa{sv}", jid, wire.options(given)))[0]
        return Account(self, path, cast(AccountProperties, await self.properties(path, "Account")))

    async def remove_account(self, path: str) -> None:
        """Remove the account at this object, with what is held for it."""
        await self.call(ROOT, "Manager", "RemoveAccount", "oa{sv}", path, {})

    # -- what is held ----------------------------------------------------------------------------

    async def search(
        self,
        query: str,
        *,
        limit: int | None = None,
        cursor: str | None = None,
        since: int | None = None,
        order_by: Sequence[str] | None = None,
        format: Format | None = None,
        extra: bool | None = None,
        max_bytes: int | None = None,
        tag: str | None = None,
    ) -> SearchAnswer:
        """Items of all accounts, newest first. Never asks the network.

        Args:
            query: what is typed into a search box, or a JSON object (query.schema.json).
            order_by: `published`, `updated`, `creation`, `modification`, `rank`, `id` or places in the json (`/start`),
                with `-` in front for descending.
            limit: so many (default 50); `cursor` of the answer goes on after them.
            since: only what changed after this sequence number: the live view. Search once; then, on each `watch`
                event, again with the last answer's `sequence`. Who keeps several pages asks once more first, with the
                smallest `sequence` of them, until all comes in one page, or no later number is told: what later pages
                show is newer than that number says, and may be lost with the power.
            extra: fill `extra` of the items; `snippet` and `rank` of it say why they were found.
            tag: a newer search with the same tag ends this one.

        Raises:
            Cancelled: it was ended so.
        """
        given = {"limit": limit, "cursor": cursor, "since": since, "format": format, "extra": extra}
        options = wire.options(given | {"order_by": order_by, "max_bytes": max_bytes, "tag": tag})
        found, removed, meta = await self.call(ROOT, "Cache", "Search", "sa{sv}", query, options)
        return SearchAnswer(values.items(found), removed, wire.plain(meta))

    async def lookup(
        self, uris: Sequence[str], *, format: Format | None = None, extra: bool | None = None
    ) -> tuple[list[Item], list[str]]:
        """Items by their addresses: those that are held, and the addresses of the others."""
        options = wire.options({"format": format, "extra": extra})
        found, missing = await self.call(ROOT, "Cache", "Lookup", "asa{sv}", list(uris), options)
        return values.items(found), missing

    async def nodes(
        self,
        *,
        account: str | None = None,
        service: str | None = None,
        node: str | None = None,
        node_prefix: str | None = None,
        type: str | None = None,
        state: str | None = None,
        analyser: str | None = None,
        since: int | None = None,
    ) -> list[Node]:
        """The nodes that are kept and fit all that is given; all pages."""
        where = {"account": account, "service": service, "node": node, "node_prefix": node_prefix}
        where |= {"type": type, "state": state, "analyser": analyser}
        given = wire.options(where | {"since": since})
        found: list[Node] = []
        cursor = None
        while True:
            options = wire.options({"cursor": cursor})
            rows, meta = await self.call(ROOT, "Cache", "GetNodes", "a{sv}a{sv}", given, options)
            found += [cast(Node, wire.plain(row)) for row in rows]
            if "cursor" not in meta:
                return found
            cursor = meta["cursor"].value

    async def forget(
        self, where: Mapping[str, str | int], *, everything: bool | None = None, dry_run: bool | None = None
    ) -> int:
        """Drop our copy, never the service's. Returns how many items went, or would go.

        Args:
            where: the keys of `nodes`, and `created_before`, `updated_before` (microseconds).
            everything: an empty `where` needs it.
        """
        options = wire.options({"everything": everything, "dry_run": dry_run})
        return int((await self.call(ROOT, "Cache", "Forget", "a{sv}a{sv}", wire.options(where), options))[0])

    async def changes(
        self, since: int, where: Mapping[str, str] | None = None, *, limit: int | None = None
    ) -> tuple[list[LoggedChange], int, bool]:
        """What changed after a sequence number, oldest first; of each item and node its last change.

        Args:
            where: the keys of `nodes` but `since`.

        What `lookup` shows of them is newer: who keeps it goes on until no item is named any more.

        Returns:
            The changes, the next `since`, and whether there are more already.

        Raises:
            CursorTooOld: that cannot be told from this number on: read anew.
        """
        options = wire.options({**(where or {}), "limit": limit})
        found, following, more = await self.call(ROOT, "Cache", "Changes", "ta{sv}", since, options)
        return [LoggedChange(*(*row[:6], wire.plain(row[6]))) for row in found], following, more

    async def export(self, query: str, *, format: Format | None = None) -> int:
        """All items that match, as JSON Lines (the interface Cache documents them).

        Returns:
            A file descriptor to read from, and to close. It is complete when its last line says `"end": true`.
        """
        options = wire.options({"format": format})
        return int((await self.call(ROOT, "Cache", "Export", "sa{sv}", query, options))[0])

    # -- analysers -------------------------------------------------------------------------------

    async def analysers(self) -> list[Analyser]:
        """All analysers."""
        return [cast(Analyser, wire.plain(row)) for row in (await self.call(ROOT, "Analysers", "List"))[0]]

    async def describe_analyser(self, name: str) -> Analyser:
        """One analyser, with the schema of its JSON."""
        return cast(Analyser, wire.plain((await self.call(ROOT, "Analysers", "Describe", "s", name))[0]))

    async def test_analyser(self, name: str, xml: str) -> str:
        """The JSON that its parser makes of an item."""
        return str((await self.call(ROOT, "Analysers", "Test", "ss", name, xml))[0])

    # -- changes ---------------------------------------------------------------------------------

    async def watch(self, type: str = "") -> AsyncGenerator[Change, None]:
        """Changes of nodes of one type, or of all; never ends by itself, not even when the daemon does (see Change).

        Raises:
            NoBus: the bus went away.
        """
        signals = Signals(self._bus)
        try:
            await signals.listen_owner(NAME)
            arg0 = {"arg0": type} if type else {}
            await signals.listen(sender=NAME, path=ROOT, interface=f"{NAME}.Cache", member="NodeChanged", **arg0)
            while True:
                signal = await signals.next()
                if signal.member == "NodeChanged":
                    yield Change(*signal.body)
                    continue
                for what, owner in (("stopped", signal.body[1]), ("started", signal.body[2])):
                    if owner:
                        yield Change("", "", "", "", what, 0, (), ())
        finally:
            await signals.close()

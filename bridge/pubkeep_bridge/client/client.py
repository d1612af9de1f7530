# SPDX-License-Identifier: MIT
"""Pubkeep and its accounts, as coroutines."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from pubkeep_bridge.bus import Bus, BusError, Signal, Variant
from pubkeep_bridge.client import values
from pubkeep_bridge.client.errors import NotFound, NotRunning, PubkeepError, translated
from pubkeep_bridge.client.jobs import Job
from pubkeep_bridge.client.values import Change, ItemsAnswer, SearchAnswer

NAME = "im.pubkeep.Pubkeep1"
ROOT = "/im/pubkeep/Pubkeep1"
OPTIONS = {
    "after": "s",
    "before": "s",
    "created_before": "x",
    "cursor": "s",
    "dry_run": "b",
    "enabled": "b",
    "everything": "b",
    "extra": "b",
    "format": "s",
    "freshness": "s",
    "host": "s",
    "ids": "as",
    "if_sequence": "t",
    "index": "u",
    "limit": "u",
    "max": "u",
    "max_age": "u",
    "max_bytes": "u",
    "order": "s",
    "password": "s",
    "port": "q",
    "publish_options": "a{sv}",
    "since": "t",
    "tls": "s",
    "updated_before": "x",
}
"""Types of all options; every other key is a string (filters)."""


def options(given: Mapping[str, Any]) -> dict[str, Any]:
    """Keyword arguments as a{sv}; None means not given."""
    return {key: Variant(OPTIONS.get(key, "s"), value) for key, value in given.items() if value is not None}


def fields(config: Mapping[str, Any]) -> dict[str, Any]:
    """A form's fields as a{sv}: bool, str or a list of str."""
    kinds = {bool: "b", str: "s", list: "as"}
    return {key: Variant(kinds[type(value)], value) for key, value in config.items()}


@asynccontextmanager
async def connect(address: str = "session") -> AsyncIterator["Pubkeep"]:
    """A connection to the daemon on this bus.

    Raises:
        NoBus: there is no bus.
    """
    bus = await Bus.connect(address)
    try:
        yield Pubkeep(bus)
    finally:
        await bus.close()


class Pubkeep:
    """The daemon."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def call(self, path: str, interface: str, member: str, signature: str = "", *body: Any) -> list[Any]:
        """Call a method of the contract.

        Raises:
            PubkeepError: the daemon's answer, or NotRunning.
        """
        try:
            return await self._bus.call(NAME, path, f"{NAME}.{interface}", member, signature, body, timeout=30.0)
        except BusError as error:
            raise translated(error) from None

    async def properties(self, path: str, interface: str) -> dict[str, Any]:
        """All properties of an interface."""
        try:
            found = await self._bus.call(
                NAME, path, "org.freedesktop.DBus.Properties", "GetAll", "s", [f"{NAME}.{interface}"]
            )
        except BusError as error:
            raise translated(error) from None
        return values.plain(found[0])

    # -- accounts --------------------------------------------------------------------------------

    async def accounts(self) -> "list[Account]":
        """All accounts, in the order in which they were added."""
        try:
            found = await self._bus.call(NAME, ROOT, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects")
        except BusError as error:
            raise translated(error) from None
        accounts = {
            path: values.plain(interfaces[f"{NAME}.Account"])
            for path, interfaces in found[0].items()
            if f"{NAME}.Account" in interfaces
        }
        return [
            Account(self, path, accounts[path]) for path in sorted(accounts, key=lambda p: int(p.rpartition("/")[2]))
        ]

    async def account(self, jid: str = "") -> "Account":
        """The account with this JID; without one, the only account.

        Raises:
            NotFound: there is none, or there are several.
        """
        accounts = await self.accounts()
        fitting = [account for account in accounts if jid in ("", account.jid)]
        if len(fitting) == 1:
            return fitting[0]
        names = ", ".join(account.jid for account in accounts)
        if not accounts:
            raise NotFound(f"{NAME}.Error.NotFound", "there is no account yet: add one with `pubkeep account add JID`")
        words = f"there is no account {jid}" if jid else "there are several accounts: say which with --account"
        raise NotFound(f"{NAME}.Error.NotFound", f"{words} ({names})")

    async def add_account(self, jid: str, **given: Any) -> "Account":
        """Add an account; options as of Manager.AddAccount."""
        path = (await self.call(ROOT, "Manager", "AddAccount", "sa{sv}", jid, options(given)))[0]
        return Account(self, path, await self.properties(path, "Account"))

    async def status(self) -> dict[str, Any]:
        """The properties of Manager."""
        return await self.properties(ROOT, "Manager")

    # -- what is held ----------------------------------------------------------------------------

    async def search(self, query: str, **given: Any) -> SearchAnswer:
        """Cache.Search."""
        found, removed, meta = await self.call(ROOT, "Cache", "Search", "sa{sv}", query, options(given))
        return SearchAnswer(values.items(found), removed, values.plain(meta))

    async def lookup(self, uris: Sequence[str], **given: Any) -> tuple[list[values.Item], list[str]]:
        """Cache.Lookup: the items held, and the uris of the others."""
        found, missing = await self.call(ROOT, "Cache", "Lookup", "asa{sv}", list(uris), options(given))
        return values.items(found), missing

    async def nodes(self, **where: Any) -> list[dict[str, Any]]:
        """Cache.GetNodes, all pages."""
        found: list[dict[str, Any]] = []
        cursor = None
        while True:
            rows, meta = await self.call(
                ROOT, "Cache", "GetNodes", "a{sv}a{sv}", options(where), options({"cursor": cursor})
            )
            found += [values.plain(row) for row in rows]
            if "cursor" not in meta:
                return found
            cursor = meta["cursor"].value

    async def forget(self, where: Mapping[str, Any], **given: Any) -> int:
        """Cache.Forget."""
        found = await self.call(ROOT, "Cache", "Forget", "a{sv}a{sv}", options(where), options(given))
        return int(found[0])

    async def analysers(self) -> list[dict[str, Any]]:
        """Analysers.List."""
        return [values.plain(row) for row in (await self.call(ROOT, "Analysers", "List"))[0]]

    async def describe_analyser(self, name: str) -> dict[str, Any]:
        """Analysers.Describe."""
        return values.plain((await self.call(ROOT, "Analysers", "Describe", "s", name))[0])

    async def test_analyser(self, name: str, xml: str) -> str:
        """Analysers.Test: the JSON."""
        return str((await self.call(ROOT, "Analysers", "Test", "ss", name, xml))[0])

    async def watch(self, kind: str = "") -> AsyncGenerator[Change, None]:
        """NodeChanged signals, of one type or of all; begins before it yields, and never ends by itself.

        Raises:
            NotRunning: the daemon left the bus.
        """
        queue: asyncio.Queue[Signal | None] = asyncio.Queue()
        rule = {"path": ROOT, "interface": f"{NAME}.Cache", "member": "NodeChanged", "sender": NAME}
        end = await self._bus.subscribe(queue.put_nowait, **rule, **({"arg0": kind} if kind else {}))
        gone = {"sender": "org.freedesktop.DBus", "member": "NameOwnerChanged", "arg0": NAME}

        def left(signal: Signal) -> None:
            if not signal.body[2]:
                queue.put_nowait(None)

        end_gone = await self._bus.subscribe(left, **gone)
        try:
            while True:
                signal = await queue.get()
                if signal is None:
                    raise NotRunning(f"{NAME}.Error.NotReady", "pubkeepd has left the bus")
                yield Change(*signal.body)
        finally:
            await end()
            await end_gone()


class Account:
    """One account."""

    def __init__(self, pubkeep: Pubkeep, path: str, properties: Mapping[str, Any]) -> None:
        self._pubkeep = pubkeep
        self.path = path
        self.properties = properties
        """As they were when this object was made; `refresh` reads them again."""

    @property
    def jid(self) -> str:
        """The bare JID."""
        return str(self.properties["Jid"])

    async def refresh(self) -> Mapping[str, Any]:
        """Read the properties again."""
        self.properties = await self._pubkeep.properties(self.path, "Account")
        return self.properties

    async def online(self, seconds: float = 20.0) -> None:
        """Wait until the account is connected.

        Raises:
            PubkeepError: it is refused, or has no password.
            TimeoutError: not within this time.
        """
        async with asyncio.timeout(seconds):
            while (state := (await self.refresh())["State"]) != "online":
                if state in ("refused", "needs-password"):
                    raise PubkeepError(self.properties["ErrorName"], self.properties["ErrorMessage"])
                await asyncio.sleep(0.05)

    async def remove(self) -> None:
        """Manager.RemoveAccount."""
        await self._pubkeep.call(ROOT, "Manager", "RemoveAccount", "oa{sv}", self.path, {})

    async def connect(self) -> None:
        """Account.Connect."""
        await self._pubkeep.call(self.path, "Account", "Connect")

    async def set_password(self, password: str) -> None:
        """Account.SetPassword."""
        await self._pubkeep.call(self.path, "Account", "SetPassword", "sa{sv}", password, {})

    async def get_items(self, service: str, node: str, **given: Any) -> ItemsAnswer:
        """PubSub.GetItems; an empty service is the account's own PEP."""
        found, meta = await self._call("PubSub", "GetItems", "ssa{sv}", service, node, options(given))
        return ItemsAnswer(values.items(found), values.plain(meta))

    async def publish(self, service: str, node: str, payloads: Sequence[str], **given: Any) -> list[str]:
        """PubSub.Publish: the ids."""
        if "publish_options" in given:
            given["publish_options"] = fields(given["publish_options"])
        body = (service, node, list(payloads), options(given))
        return list((await self._call("PubSub", "Publish", "ssasa{sv}", *body))[0])

    async def retract(self, service: str, node: str, ids: Sequence[str]) -> None:
        """PubSub.Retract."""
        await self._call("PubSub", "Retract", "ssasa{sv}", service, node, list(ids), {})

    async def subscribe(self, service: str, node: str) -> str:
        """PubSub.Subscribe: the state."""
        return str((await self._call("PubSub", "Subscribe", "ssa{sv}", service, node, {}))[0]["state"].value)

    async def unsubscribe(self, service: str, node: str) -> None:
        """PubSub.Unsubscribe."""
        await self._call("PubSub", "Unsubscribe", "ssa{sv}", service, node, {})

    async def create_node(self, service: str, node: str, config: Mapping[str, Any] | None = None) -> str:
        """PubSub.CreateNode: the name."""
        found = await self._call("PubSub", "CreateNode", "ssa{sv}a{sv}", service, node, fields(config or {}), {})
        return str(found[0])

    async def delete_node(self, service: str, node: str) -> None:
        """PubSub.DeleteNode."""
        await self._call("PubSub", "DeleteNode", "ssa{sv}", service, node, {})

    async def explain(self, service: str, node: str) -> dict[str, Any]:
        """Sync.Explain."""
        return values.plain((await self._call("Sync", "Explain", "ssa{sv}", service, node, {}))[0])

    async def synchronise(self, service: str, node: str) -> Job:
        """Sync.Synchronise; nothing of its progress is lost."""
        job = Job(self._pubkeep._bus)
        await job.listen()
        job.path = (await self._call("Sync", "Synchronise", "ssa{sv}", service, node, {}))[0]
        return job

    async def _call(self, interface: str, member: str, signature: str, *body: Any) -> list[Any]:
        return await self._pubkeep.call(self.path, interface, member, signature, *body)

# SPDX-License-Identifier: MIT
"""One account: PubSub as it sees it."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, cast

from pubkeep_bridge.bus import Variant
from pubkeep_bridge.client import values, wire
from pubkeep_bridge.client.errors import named
from pubkeep_bridge.client.jobs import Job
from pubkeep_bridge.client.values import (
    AccountProperties,
    Discovery,
    Entry,
    Explanation,
    ItemsAnswer,
    Policy,
    Subscription,
)
from pubkeep_bridge.client.wire import Fields

if TYPE_CHECKING:
    from pubkeep_bridge.client.client import Pubkeep

Format = Literal["xml", "json", "both", "none"]
Freshness = Literal["auto", "cache", "service", "quick"]
Order = Literal["service", "creation", "modification"]


class Account:
    """One account. A `service` is a JID; empty, it is the account's own PEP.

    All methods raise PubkeepError (errors.py): NotFound, NotAllowed, Refused, Unavailable and TimedOut say what the
    service answered, or that it did not.
    """

    def __init__(self, pubkeep: "Pubkeep", path: str, properties: AccountProperties) -> None:
        self._pubkeep = pubkeep
        self.path = path
        self.properties = properties
        """As they were when this object was made; `refresh` reads them again."""

    @property
    def jid(self) -> str:
        """The bare JID."""
        return self.properties["Jid"]

    async def refresh(self) -> AccountProperties:
        """Read the properties again."""
        self.properties = cast(AccountProperties, await self._pubkeep.properties(self.path, "Account"))
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
                    raise named(self.properties["ErrorName"], self.properties["ErrorMessage"])
                await asyncio.sleep(0.05)

    async def remove(self) -> None:
        """Remove it, with what is held for it."""
        await self._pubkeep.remove_account(self.path)

    async def connect(self) -> None:
        """Connect now, without waiting out the delay; nothing happens when it is connected."""
        await self._call("Account", "Connect")

    async def set_password(self, password: str) -> None:
        """Give another password, and connect with it."""
        await self._call("Account", "SetPassword", "sa{sv}", password, {})

    async def enable(self, enabled: bool) -> None:
        """Whether it shall be connected; that is kept over restarts."""
        await self._pubkeep.set_property(self.path, "Account", "Enabled", Variant("b", enabled))

    async def get_items(
        self,
        service: str,
        node: str,
        *,
        ids: Sequence[str] | None = None,
        max: int | None = None,
        before: str | None = None,
        after: str | None = None,
        index: int | None = None,
        order: Order | None = None,
        format: Format | None = None,
        extra: bool | None = None,
        freshness: Freshness | None = None,
        max_age: int | None = None,
        max_bytes: int | None = None,
    ) -> ItemsAnswer:
        """Read a part of the node's list, oldest first: from a copy that can be vouched for, or from the service.

        Without `ids`, `max`, `before`, `after` or `index` it is the newest 50.

        Args:
            ids: these, in this order; those that the service does not have are left out.
            max: the newest so many, or so many beside the anchor.
            before: those just before this item (`meta["first"]` of a page).
            after: those just after this item.
            index: from this position on, the oldest being 0.
            freshness: `auto` (default); `cache`: never the network; `service`: always asks; `quick`: what is held, at
                once, NodeChanged coming if the service has something else.
            max_age: seconds; a whole copy proved no longer ago will do. 0: one round trip proves it.
            max_bytes: where the answer is cut off (default 2 MiB).
        """
        options = wire.options(
            {
                "ids": ids,
                "max": max,
                "before": before,
                "after": after,
                "index": index,
                "order": order,
                "format": format,
                "extra": extra,
                "freshness": freshness,
                "max_age": max_age,
                "max_bytes": max_bytes,
            }
        )
        found, meta = await self._call("PubSub", "GetItems", "ssa{sv}", service, node, options)
        return ItemsAnswer(values.items(found), wire.plain(meta))

    async def publish(
        self,
        service: str,
        node: str,
        payloads: Sequence[str],
        *,
        ids: Sequence[str] | None = None,
        publish_options: Fields | None = None,
        if_sequence: int | None = None,
    ) -> list[str]:
        """Publish, one XML element for each item. Returns the ids, also those that the daemon made.

        Args:
            publish_options: fields of the form, `pubsub#access_model` and so on.
            if_sequence: Conflict if one of the ids changed after it.

        Raises:
            TimedOut: it may have happened; publishing again with the same `ids` makes no second item.
        """
        options = wire.options({"ids": ids, "if_sequence": if_sequence})
        if publish_options is not None:
            options["publish_options"] = Variant("a{sv}", wire.fields(publish_options))
        return list((await self._call("PubSub", "Publish", "ssasa{sv}", service, node, list(payloads), options))[0])

    async def retract(self, service: str, node: str, ids: Sequence[str]) -> None:
        """Delete items at the service, for everybody."""
        await self._call("PubSub", "Retract", "ssasa{sv}", service, node, list(ids), {})

    async def subscribe(self, service: str, node: str) -> str:
        """Subscribe. Returns the state: `subscribed`, `pending` or `unconfigured`."""
        return str((await self._call("PubSub", "Subscribe", "ssa{sv}", service, node, {}))[0]["state"].value)

    async def unsubscribe(self, service: str, node: str) -> None:
        """End the subscription."""
        await self._call("PubSub", "Unsubscribe", "ssa{sv}", service, node, {})

    async def subscriptions(self, service: str, node: str = "") -> list[Subscription]:
        """The account's own subscriptions to a node; without one, to all nodes of the service."""
        found = (await self._call("PubSub", "GetSubscriptions", "ssa{sv}", service, node, {}))[0]
        return [cast(Subscription, wire.plain(each)) for each in found]

    async def create_node(self, service: str, node: str, config: Fields | None = None) -> str:
        """Create a node, with fields of its configuration form. Returns its name, which the service may have made."""
        found = await self._call("PubSub", "CreateNode", "ssa{sv}a{sv}", service, node, wire.fields(config or {}), {})
        return str(found[0])

    async def delete_node(self, service: str, node: str) -> None:
        """Delete a node at the service, for everybody."""
        await self._call("PubSub", "DeleteNode", "ssa{sv}", service, node, {})

    async def purge_node(self, service: str, node: str) -> None:
        """Delete all items at the service, for everybody."""
        await self._call("PubSub", "PurgeNode", "ssa{sv}", service, node, {})

    async def configuration(self, service: str, node: str) -> dict[str, bool | str | list[str]]:
        """The configuration, of a node that this account owns."""
        return wire.plain((await self._call("PubSub", "GetConfiguration", "ssa{sv}", service, node, {}))[0])

    async def configure(self, service: str, node: str, config: Fields) -> None:
        """Change these fields; they are of the types that `configuration` gives."""
        await self._call("PubSub", "SetConfiguration", "ssa{sv}a{sv}", service, node, wire.fields(config), {})

    async def affiliations(self, service: str, node: str) -> dict[str, str]:
        """JID to affiliation, of a node that this account owns."""
        return dict((await self._call("PubSub", "GetAffiliations", "ssa{sv}", service, node, {}))[0])

    async def set_affiliations(self, service: str, node: str, affiliations: Mapping[str, str]) -> None:
        """Change these affiliations; `none` ends one."""
        given = {wire.argument(jid, "affiliations"): wire.argument(word, jid) for jid, word in affiliations.items()}
        await self._call("PubSub", "SetAffiliations", "ssa{ss}a{sv}", service, node, given, {})

    async def discover(self, service: str, node: str = "", *, max_bytes: int | None = None) -> Discovery:
        """What a service says of itself and which nodes it has, or the same of a node and its items."""
        options = wire.options({"max_bytes": max_bytes})
        info, entries = await self._call("PubSub", "Discover", "ssa{sv}", service, node, options)
        return Discovery(wire.plain(info), [cast(Entry, wire.plain(each)) for each in entries])

    async def explain(self, service: str, node: str) -> Explanation:
        """Why the node is, or is not, answered from the cache. Asks nobody."""
        found = await self._call("Sync", "Explain", "ssa{sv}", service, node, {})
        return cast(Explanation, wire.plain(found[0]))

    async def synchronise(self, service: str, node: str) -> Job:
        """Fetch the node whole and keep it. Nothing of the job's progress is lost; its result has `items`."""
        return await self._job("Synchronise", service, node)

    async def verify(self, service: str, node: str, *, repair: bool | None = None) -> Job:
        """Compare the copy with the service; the result has `missing`, `extra` and `different` (ids)."""
        return await self._job("Verify", service, node, repair=repair)

    async def get_policy(self, service: str, node: str) -> Policy:
        """What was decided about the node."""
        return cast(Policy, wire.plain((await self._call("Sync", "GetPolicy", "ss", service, node))[0]))

    async def set_policy(
        self,
        service: str,
        node: str,
        *,
        sync: Literal["auto", "always", "never"] | None = None,
        max_items: int | None = None,
        max_age: int | None = None,
    ) -> None:
        """Decide about the node; what is not given is as by default.

        Args:
            sync: `auto`: the analysers decide.
            max_items: only so many of the newest are kept.
            max_age: seconds a proof of the copy holds.
        """
        policy = wire.options({"sync": sync, "max_items": max_items, "max_age": max_age})
        await self._call("Sync", "SetPolicy", "ssa{sv}", service, node, policy)

    async def _job(self, member: str, service: str, node: str, **given: object) -> Job:
        job = Job(self._pubkeep._bus)
        await job.begin(lambda: self._call("Sync", member, "ssa{sv}", service, node, wire.options(given)))
        return job

    async def _call(self, interface: str, member: str, signature: str = "", *body: Any) -> list[Any]:
        return await self._pubkeep.call(self.path, interface, member, signature, *body)

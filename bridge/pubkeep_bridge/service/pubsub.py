# SPDX-License-Identifier: MIT
"""im.pubkeep.Pubkeep1.PubSub"""

from typing import Any

from pubkeep.errors import InvalidArgs
from pubkeep.questions import ItemsRequest
from pubkeep_bridge.bus import Variant
from pubkeep_bridge.service import options as opt
from pubkeep_bridge.service import rows
from pubkeep_bridge.service.gate import Core
from pubkeep_bridge.service.manager import NONE
from pubkeep_bridge.service.objects import Served

GET_ITEMS = {
    "ids": "as",
    "max": "u",
    "before": "s",
    "after": "s",
    "index": "u",
    "order": "s",
    "format": "s",
    "extra": "b",
    "max_age": "u",
    "freshness": "s",
    "max_bytes": "u",
}
PUBLISH = {"ids": "as", "publish_options": "a{sv}", "if_sequence": "t"}
DISCOVER = {"max_bytes": "u"}
FORMATS = ("xml", "json", "both", "none")
MAX_BYTES = 16 * 1024 * 1024
LISTED_BYTES = 256 * 1024
"""Of entries, unless more is asked for: some 2,000, since each of their texts is a D-Bus value to be made."""


class PubSub(Served):
    """PubSub as one account sees it."""

    interface = "im.pubkeep.Pubkeep1.PubSub"

    def __init__(self, core: Core, number: int) -> None:
        self._cache = core.cache
        self._writer = core.cache.writer
        self._nodes = core.cache.nodes
        self._accounts = core.accounts
        self._number = number

    async def GetItems(self, service: str, node: str, options: dict[str, Any]) -> list[Any]:
        request = items_request(options) if options else _NEWEST
        answer = await self._cache.get_items(self._accounts.key(self._number, service, node), request)
        return [rows.items(answer.page.items), rows.answer_meta(answer)]

    async def Publish(self, service: str, node: str, payloads: list[str], options: dict[str, Any]) -> list[Any]:
        given = opt.parse(options, PUBLISH)
        given["publish_options"] = opt.plain(given.get("publish_options", {}), "publish_options")
        key = self._accounts.key(self._number, service, node)
        return [list(await self._writer.publish(key, payloads, **given))]

    async def Retract(self, service: str, node: str, ids: list[str], options: dict[str, Any]) -> None:
        opt.parse(options, NONE)
        await self._writer.retract(self._accounts.key(self._number, service, node), ids)

    async def Subscribe(self, service: str, node: str, options: dict[str, Any]) -> list[Any]:
        opt.parse(options, NONE)
        state = await self._writer.subscribe(self._accounts.key(self._number, service, node))
        return [{"state": Variant("s", state)}]

    async def Unsubscribe(self, service: str, node: str, options: dict[str, Any]) -> None:
        opt.parse(options, NONE)
        await self._writer.unsubscribe(self._accounts.key(self._number, service, node))

    async def GetSubscriptions(self, service: str, node: str, options: dict[str, Any]) -> list[Any]:
        opt.parse(options, NONE)
        found = await self._nodes.subscriptions(self._accounts.place(self._number, service, node))
        return [rows.subscriptions(found)]

    async def CreateNode(self, service: str, node: str, config: dict[str, Any], options: dict[str, Any]) -> str:
        opt.parse(options, NONE)
        form = opt.plain(config, "config")
        return await self._nodes.create(self._accounts.key(self._number, service, node), form)

    async def DeleteNode(self, service: str, node: str, options: dict[str, Any]) -> None:
        opt.parse(options, NONE)
        await self._nodes.delete(self._accounts.key(self._number, service, node))

    async def PurgeNode(self, service: str, node: str, options: dict[str, Any]) -> None:
        opt.parse(options, NONE)
        await self._nodes.purge(self._accounts.key(self._number, service, node))

    async def GetConfiguration(self, service: str, node: str, options: dict[str, Any]) -> dict[str, Any]:
        opt.parse(options, NONE)
        form = await self._nodes.configuration(self._accounts.key(self._number, service, node))
        return rows.fields(form)

    async def SetConfiguration(self, service: str, node: str, config: dict[str, Any], options: dict[str, Any]) -> None:
        opt.parse(options, NONE)
        form = opt.plain(config, "config")
        await self._nodes.configure(self._accounts.key(self._number, service, node), form)

    async def GetAffiliations(self, service: str, node: str, options: dict[str, Any]) -> dict[str, str]:
        opt.parse(options, NONE)
        return dict(await self._nodes.affiliations(self._accounts.key(self._number, service, node)))

    async def SetAffiliations(
        self, service: str, node: str, affiliations: dict[str, str], options: dict[str, Any]
    ) -> None:
        opt.parse(options, NONE)
        given = {self._accounts.normalise(jid, "affiliations"): word for jid, word in affiliations.items()}
        await self._nodes.set_affiliations(self._accounts.key(self._number, service, node), given)

    async def Discover(self, service: str, node: str, options: dict[str, Any]) -> list[Any]:
        given = opt.parse(options, DISCOVER)
        check_bytes(given)
        found = await self._nodes.discover(self._accounts.place(self._number, service, node))
        return rows.discovery(found, given.get("max_bytes", LISTED_BYTES))


def items_request(options: dict[str, Any]) -> ItemsRequest:
    """The options of GetItems. Raises InvalidArgs."""
    given = opt.parse(options, GET_ITEMS)
    opt.choice(given, "order", ("service", "creation", "modification"))
    opt.choice(given, "freshness", ("auto", "cache", "service", "quick"))
    opt.choice(given, "format", FORMATS)
    check_bytes(given)
    if "ids" in given:
        given["ids"] = tuple(given["ids"])
    return ItemsRequest(**given)


def check_bytes(given: dict[str, Any]) -> None:
    """Refuse an answer that no bus would carry. Raises InvalidArgs."""
    if not 1 <= given.get("max_bytes", 1) <= MAX_BYTES:
        raise InvalidArgs(f"option 'max_bytes': {given['max_bytes']} is not from 1 to {MAX_BYTES}")


_NEWEST = ItemsRequest()

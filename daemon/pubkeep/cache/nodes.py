# SPDX-License-Identifier: MIT
"""Nodes as wholes, at the service: made, deleted, purged, configured, shared and found."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pubkeep.cache.applying import Applier
from pubkeep.cache.parts import Part, Tools, in_time, words
from pubkeep.cache.reading import Reader
from pubkeep.errors import InvalidArgs, NotAllowed, NotSupported, Refused, TimedOut
from pubkeep.model import NodeKey
from pubkeep.protocol import Confirmation, DiscoItem, FieldValue, ServiceInfo, Subscription
from pubkeep.sync.scheduler import Scheduler

AFFILIATIONS = ("owner", "publisher", "publish-only", "member", "none", "outcast")
"""XEP-0060 4.1."""

UNSET: Mapping[str, FieldValue] = {
    **{f"pubsub#{name}": "" for name in ("title", "description", "type", "language", "item_expire")},
    "pubsub#contact": (),
}
"""Fields that a form may leave out as long as they have no value (XEP-0060 16.4.4)."""


@dataclass(frozen=True, slots=True)
class Discovery:
    """What can be found out of a service or node; `refused` says why nothing is listed, where it was refused."""

    info: ServiceInfo
    entries: Sequence[DiscoItem] = ()
    refused: str = ""


class Nodes(Part):
    """Requests of owners, and of those who look around."""

    def __init__(self, tools: Tools, applier: Applier, reader: Reader, scheduler: Scheduler) -> None:
        super().__init__(tools)
        self._applier = applier
        self._reader = reader
        self._scheduler = scheduler

    async def create(self, key: NodeKey, config: Mapping[str, FieldValue]) -> str:
        """Create a node (XEP-0060 8.1). Returns its name."""
        name = await self._sessions.client(key.account).create_node(key, config)
        self._reader.forget_refusal(key._replace(node=name))
        if (node := self._known.node(key._replace(node=name))) is not None and node.hidden:
            await self._applier.gone(node, f"{words(key)}: created anew by you")  # what is held is of another one
            await self._applier.reveal(node)
            self._scheduler.want(node, urgent=True)
        return name

    async def delete(self, key: NodeKey) -> None:
        """Delete the node at the service, for everybody (XEP-0060 8.4)."""
        with self._unsure(key, "a deletion"):
            await self._sessions.client(key.account).delete_node(key)
        await self._sessions.drained(key)  # what came before the answer is of the node that was
        self._reader.forget_refusal(key)
        if (node := self._known.node(key)) is not None:
            await self._applier.gone(node, f"{words(key)}: deleted by you")

    async def purge(self, key: NodeKey) -> None:
        """Delete all items at the service, for everybody (XEP-0060 8.5); the next read sees it."""

        async def confirm(confirmation: Confirmation) -> None:
            if (node := self._known.node(key)) is not None:
                await self._applier.confirm_purge(node, confirmation)

        with self._unsure(key, "a purge"):
            await self._sessions.client(key.account).purge_node(key, confirm)

    async def configuration(self, key: NodeKey) -> Mapping[str, FieldValue]:
        """The fields of the configuration form (XEP-0060 8.2).

        Raises:
            NotSupported: the service shows none.
        """
        form = await self._sessions.client(key.account).configuration(key)
        if not form:
            raise NotSupported(f"{words(key)}: the service shows no configuration")
        return form

    async def configure(self, key: NodeKey, fields: Mapping[str, FieldValue]) -> None:
        """Change these fields of the configuration and leave the others (XEP-0060 8.2).

        The form is asked for first: services ignore without a word what they do not know. ejabberd leaves out of it
        what is not set: such fields are looked for in the form afterwards.

        Raises:
            InvalidArgs: a field that the form does not have, or has with another type.
            NotSupported: the service did not take a field; the others are changed.
        """
        if not fields:
            raise InvalidArgs("config: there is nothing to change")
        with self._unsure(key, "a change of its configuration"):
            async with in_time(key):
                form = await self.configuration(key)
                for name, value in fields.items():
                    _check_field(name, value, {**UNSET, **form})
                unset = [name for name in fields if name not in form]
                await self._sessions.client(key.account).configure(key, fields)
                self._configured(key)
                if unset:
                    form = await self.configuration(key)
        for name in unset:
            if form.get(name, UNSET[name]) != fields[name]:
                raise NotSupported(f"config {name!r}: {words(key)} did not take it; all else is changed")

    async def affiliations(self, key: NodeKey) -> Mapping[str, str]:
        """Who may do what, as the node's owner sees it (XEP-0060 8.9.1)."""
        return await self._sessions.client(key.account).affiliations(key)

    async def set_affiliations(self, key: NodeKey, affiliations: Mapping[str, str]) -> None:
        """Change these and leave the others (XEP-0060 8.9.2).

        Raises:
            InvalidArgs: there are none, or a word that is no affiliation.
        """
        if not affiliations:
            raise InvalidArgs("affiliations: there is nothing to change")
        for jid, word in affiliations.items():
            if word not in AFFILIATIONS:
                raise InvalidArgs(f"affiliations {jid!r}: {word[:100]!r} is not one of {', '.join(AFFILIATIONS)}")
        with self._unsure(key, "a change of affiliations"):
            await self._sessions.client(key.account).set_affiliations(key, affiliations)
        if key.account in affiliations:
            self._verify(key, "your affiliation was changed by you")

    async def subscriptions(self, key: NodeKey) -> Sequence[Subscription]:
        """The account's own subscriptions to a node, or (without its name) at the service (XEP-0060 5.6)."""
        return await self._sessions.client(key.account).all_subscriptions(key)

    async def discover(self, key: NodeKey) -> Discovery:
        """What a service or node says of itself, and what it lists (XEP-0030, XEP-0060 5).

        A node may show its meta-data to those who may not see what is in it: then there are no entries.
        """
        client = self._sessions.client(key.account)
        async with in_time(key):
            info = await client.info(key.service, key.node)
            try:
                return Discovery(info, await client.disco_items(key.service, key.node))
            except (NotAllowed, NotSupported, Refused) as error:
                return Discovery(info, (), str(error))

    @contextlib.contextmanager
    def _unsure(self, key: NodeKey, what: str) -> Iterator[None]:
        """What was sent and not answered may have happened."""
        try:
            yield
        except TimedOut:
            self._verify(key, f"{what} was not answered")
            raise

    def _configured(self, key: NodeKey) -> None:
        self._verify(key, "its configuration was changed by you")
        if (node := self._known.node(key)) is not None:
            node.described_epoch = -1
            self._applier.tell(node, "configured", None)

    def _verify(self, key: NodeKey, reason: str) -> None:
        """The copy cannot be vouched for until the node was listed anew."""
        if (node := self._known.node(key)) is not None:
            node.punch(reason)
            self._scheduler.want(node, urgent=True)


def _check_field(name: str, value: FieldValue, form: Mapping[str, FieldValue]) -> None:
    """Raises InvalidArgs."""
    if name not in form:
        raise InvalidArgs(f"config {name!r}: there is no such field; there are {', '.join(form)}")
    if type(value) is not type(form[name]):
        raise InvalidArgs(f"config {name!r}: it is of type {_TYPES[type(form[name])]} here")


_TYPES: dict[type, str] = {bool: "b", str: "s", tuple: "as"}

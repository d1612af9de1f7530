# SPDX-License-Identifier: MIT
"""Who looks on at what goes over the streams, before the daemon hears of it."""

from pubkeep.errors import PubkeepError
from pubkeep.model import NodeKey
from pubkeep.protocol import NodeEvent


class Watcher:
    """One who counts nothing."""

    def happened(self, trigger: str, key: NodeKey) -> None:
        """Something happens to a node."""

    def linked(self, account: str, trigger: str) -> None:
        """The stream of an account: cut, resumed, new session."""

    def path_lost(self, account: str, service: str) -> None:
        """A sign of loss on the way to a service."""

    def told(self, event: NodeEvent) -> None:
        """A notification arrives."""

    def subscriptions(self, key: NodeKey, states: tuple[str, ...]) -> None:
        """The account's subscriptions to a node were listed."""

    def asked(self, key: NodeKey) -> None:
        """Items of a node are asked for."""

    def listed(self, key: NodeKey, error: PubkeepError | None, *, exists: bool) -> None:
        """This is over; with an error the daemon does not know yet. `exists`: whether there is such a node."""

# SPDX-License-Identifier: MIT
"""Stanza errors of simulated services."""

from xml.etree import ElementTree as ET

from pubkeep.errors import PubkeepError
from pubkeep.xmpp.conditions import PUBSUB_ERRORS, STANZAS, meaning


class Refusal(Exception):
    """An error as it stands in a stanza (RFC 6120 8.3, XEP-0060): type, condition, and what PubSub adds to it."""

    def __init__(self, kind: str, condition: str, detail: str = "") -> None:
        super().__init__(" ".join(["error", kind, *sorted(each for each in (condition, detail) if each)]))
        self.kind, self.condition, self.detail = kind, condition, detail

    def meaning(self) -> PubkeepError:
        """What the daemon's client raises for it."""
        error = ET.Element("{jabber:client}error", {"type": self.kind})
        ET.SubElement(error, f"{STANZAS}{self.condition}")
        if self.detail:
            ET.SubElement(error, f"{PUBSUB_ERRORS}{self.detail}")
        return meaning(error, "the simulated service")


NOT_FOUND = ("cancel", "item-not-found")
FORBIDDEN = ("auth", "forbidden")
CLOSED = ("cancel", "not-allowed", "closed-node")
CONTACTS_ONLY = ("auth", "not-authorized", "presence-subscription-required")

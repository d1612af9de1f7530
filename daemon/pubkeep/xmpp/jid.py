# SPDX-License-Identifier: MIT
"""Addresses (RFC 7622)."""

from slixmpp.jid import JID, InvalidJID


def normalise(text: str) -> str:
    """The one form of a JID.

    Raises:
        ValueError: it is none; the text says why.
    """
    try:
        jid = JID(text)
    except InvalidJID as error:
        raise ValueError(str(error) or "not an address") from None
    if not jid.domain:
        raise ValueError("it has no domain")
    return str(jid.full)

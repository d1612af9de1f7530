# SPDX-License-Identifier: MIT
"""Stanza errors (RFC 6120 8.3, XEP-0060) and what they mean to us: the one table."""

from xml.etree.ElementTree import Element

from pubkeep.errors import Conflict, NotAllowed, NotFound, NotSupported, PubkeepError, Refused, Unavailable

STANZAS = "{urn:ietf:params:xml:ns:xmpp-stanzas}"
PUBSUB_ERRORS = "{http://jabber.org/protocol/pubsub#errors}"

_MEANING: dict[str, type[PubkeepError]] = {
    "item-not-found": NotFound,
    "gone": NotFound,
    "forbidden": NotAllowed,
    "not-allowed": NotAllowed,
    "not-authorized": NotAllowed,
    "subscription-required": NotAllowed,
    "registration-required": NotAllowed,
    "payment-required": NotAllowed,
    "conflict": Conflict,
    "feature-not-implemented": NotSupported,
    "remote-server-not-found": Unavailable,
    "remote-server-timeout": Unavailable,
    "service-unavailable": Unavailable,
    "recipient-unavailable": Unavailable,
    "internal-server-error": Unavailable,
}
_WORDS = {
    "item-not-found": "there is no such node or item",
    "gone": "it was deleted",
    "forbidden": "access is not allowed",
    "not-allowed": "the service does not allow it",
    "not-authorized": "you are not authorized",
    "subscription-required": "a subscription is required",
    "conflict": "it is there already, or a precondition is not met",
    "feature-not-implemented": "the service cannot do this",
    "not-acceptable": "the service does not accept these values",
    "remote-server-not-found": "the server was not found",
    "remote-server-timeout": "the server did not answer",
    "service-unavailable": "nobody answers at this address",
}


def meaning(error: Element | None, what: str, *, foreign: bool = False, write: bool = False) -> PubkeepError:
    """The error for an `<error/>` element; `what` is the request in words, and begins the message.

    Args:
        foreign: the service is of another domain than the account: a plain `not-allowed` is then our own
            server's, which does not speak to others (Prosody without s2s), and says nothing of the node.
        write: it was to change something: `resource-constraint` then speaks of the request and not of the moment
            (ejabberd says so, with type `wait`, of a field in publish-options that it does not know).
    """
    if error is None:
        return Refused(f"undefined-condition: {what}: the service answered with an error that names no reason")
    names = [child.tag.removeprefix(STANZAS) for child in error if child.tag.startswith(STANZAS)]
    condition = next((name for name in names if name != "text"), "undefined-condition")
    detail = next((c.tag.removeprefix(PUBSUB_ERRORS) for c in error if c.tag.startswith(PUBSUB_ERRORS)), "")
    text = (error.findtext(f"{STANZAS}text") or "").strip()
    kind = _MEANING.get(condition, Refused)
    later = error.get("type") == "wait" and not (write and condition == "resource-constraint")
    if later or (condition == "not-allowed" and not detail and foreign):
        kind = Unavailable
    words = "; ".join(part for part in (_WORDS.get(condition, ""), detail, text) if part)
    if kind is Refused:
        return Refused(f"{condition}: {what}: {words or 'refused'}")
    return kind(f"{what}: {words or condition}")

# SPDX-License-Identifier: MIT
"""Every condition has its verdict."""

from xml.etree import ElementTree as ET

import pytest

from pubkeep import errors
from pubkeep.xmpp.conditions import meaning


def error(inner: str, kind: str = "cancel") -> ET.Element:
    return ET.fromstring(f"<error xmlns='jabber:client' type='{kind}'>{inner}</error>")


STANZAS = "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'"


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("item-not-found", errors.NotFound),
        ("gone", errors.NotFound),
        ("forbidden", errors.NotAllowed),
        ("not-authorized", errors.NotAllowed),
        ("subscription-required", errors.NotAllowed),
        ("registration-required", errors.NotAllowed),
        ("payment-required", errors.NotAllowed),
        ("feature-not-implemented", errors.NotSupported),
        ("conflict", errors.Conflict),
        ("remote-server-not-found", errors.Unavailable),
        ("remote-server-timeout", errors.Unavailable),
        ("service-unavailable", errors.Unavailable),
        ("recipient-unavailable", errors.Unavailable),
        ("internal-server-error", errors.Unavailable),
        ("bad-request", errors.Refused),
    ],
)
def test_conditions(condition: str, expected: type[errors.PubkeepError]) -> None:
    assert type(meaning(error(f"<{condition} {STANZAS}/>"), "news at x")) is expected


def test_whatever_may_pass_is_unavailable() -> None:
    found = meaning(error(f"<resource-constraint {STANZAS}/>", "wait"), "news at x")

    assert type(found) is errors.Unavailable


def test_a_plain_not_allowed_for_a_foreign_service_is_our_own_servers() -> None:
    plain = error(f"<not-allowed {STANZAS}/>")
    closed = error(f"<not-allowed {STANZAS}/><closed-node xmlns='http://jabber.org/protocol/pubsub#errors'/>")

    assert type(meaning(plain, "n")) is errors.NotAllowed
    assert type(meaning(plain, "n", foreign=True)) is errors.Unavailable
    assert type(meaning(closed, "n", foreign=True)) is errors.NotAllowed


def test_the_message_begins_with_what_it_is_about_and_a_refusal_with_its_condition() -> None:
    text = f"<text {STANZAS}>go away</text>"

    assert (
        str(meaning(error(f"<forbidden {STANZAS}/>{text}"), "news at x")) == "news at x: access is not allowed; go away"
    )
    assert str(meaning(error(f"<bad-request {STANZAS}/>"), "news at x")) == "bad-request: news at x: refused"
    assert str(meaning(None, "news at x")).startswith("undefined-condition: news at x")

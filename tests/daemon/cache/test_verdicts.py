# SPDX-License-Identifier: MIT
"""Each error condition and its verdict: what it is to us, and what it makes of a node that was synced."""

import asyncio
from dataclasses import dataclass
from xml.etree import ElementTree as ET

import pytest

from pubkeep import errors
from pubkeep.sync.syncing import RSM
from pubkeep.xmpp.conditions import meaning
from pubkeep.xmpp.pubsub import LOSS
from tests.daemon.cache.service import KEY
from tests.daemon.cache.stage import Stage, play

STANZAS = "urn:ietf:params:xml:ns:xmpp-stanzas"
PUBSUB_ERRORS = "http://jabber.org/protocol/pubsub#errors"


@dataclass(frozen=True)
class Verdict:
    """What must come of an error to a request for items."""

    error: type[errors.PubkeepError]
    state: str
    """Of a node that was synced, after the synchronisation that met it."""
    held: str = "abc"
    found: str = "abc"


GONE = Verdict(errors.NotFound, "gone", "", "")
DENIED = Verdict(errors.NotAllowed, "denied", "abc", "")
LOST = Verdict(errors.Unavailable, "error")
LATER = Verdict(errors.Unavailable, "synced")
"""It says nothing of the copy, and is no sign of loss on the way."""
IGNORED = Verdict(errors.NotSupported, "ignored", "", "")
OURS = Verdict(errors.Refused, "error")
"""The subscription could not be seen."""

VERDICTS: dict[str, Verdict] = {
    "cancel item-not-found": GONE,
    "cancel gone": GONE,
    "auth forbidden": DENIED,
    "cancel not-allowed closed-node": DENIED,
    "cancel not-allowed": DENIED,
    "cancel not-allowed closed-node, of another domain": DENIED,
    "auth not-authorized": DENIED,
    "auth not-authorized presence-subscription-required": DENIED,
    "auth not-authorized not-in-roster-group": DENIED,
    "auth not-authorized not-subscribed": DENIED,
    "auth subscription-required": DENIED,
    "auth registration-required": DENIED,
    "auth payment-required": DENIED,
    "wait resource-constraint": LATER,
    "wait policy-violation": LATER,
    "wait forbidden": LATER,
    "wait item-not-found": LATER,
    "cancel not-allowed, of another domain": LATER,
    "cancel remote-server-not-found": LOST,
    "wait remote-server-timeout": LOST,
    "cancel service-unavailable": LOST,
    "wait recipient-unavailable": LATER,
    "wait internal-server-error": LATER,
    "cancel internal-server-error": LATER,
    "cancel feature-not-implemented persistent-items": IGNORED,
    "cancel feature-not-implemented": IGNORED,
    "modify bad-request": OURS,
    "modify jid-malformed": OURS,
    "cancel undefined-condition": OURS,
}
"""Type, condition and what XEP-0060 adds to it."""


def said(words: str) -> tuple[ET.Element, bool]:
    """The `<error/>`, and whether its service is of another domain."""
    names, _, foreign = words.partition(", ")
    kind, condition, *details = names.split()
    error = ET.Element("{jabber:client}error", {"type": kind})
    ET.SubElement(error, f"{{{STANZAS}}}{condition}")
    for detail in details:
        ET.SubElement(error, f"{{{PUBSUB_ERRORS}}}{detail}")
    return error, bool(foreign)


@pytest.mark.parametrize("words", VERDICTS)
def test_what_a_condition_means(words: str) -> None:
    error, foreign = said(words)

    assert type(meaning(error, "news at x", foreign=foreign)) is VERDICTS[words].error


@pytest.mark.parametrize("words", VERDICTS)
def test_what_a_condition_makes_of_a_node(words: str) -> None:
    verdict, (error, foreign) = VERDICTS[words], said(words)

    async def scene() -> None:
        stage = Stage(KEY)
        await stage.enter("synced")
        stage.service.error = meaning(error, "news at x", foreign=foreign)
        stage.service.lossy = words.split()[1].rstrip(",") in LOSS

        job = await stage.synchronise()

        assert job.state == "failed"
        assert type(job.error) is verdict.error
        assert stage.explained()["state"] == verdict.state
        assert (await stage.held(), await stage.found()) == (verdict.held, verdict.found)
        await stage.close()

    play(scene)


def test_no_answer_says_nothing_of_a_node() -> None:
    async def scene() -> None:
        stage = Stage(KEY)
        await stage.enter("synced")
        stage.service.mute = True

        job = await stage.synchronise()
        await asyncio.sleep(60)

        assert type(job.error) is errors.TimedOut
        assert await stage.answer("cache") == "stale"  # 60 s without a sign of life
        assert (await stage.held(), await stage.found()) == ("abc", "abc")
        await stage.close()

    play(scene)


@pytest.mark.parametrize(
    ("detail", "state", "held", "distrusted"),
    [("", "synced", "abc", ["count", "pages"]), ("persistent-items", "ignored", "", [])],
)
def test_a_page_that_is_refused_is_not_the_end_of_a_node(
    detail: str, state: str, held: str, distrusted: list[str]
) -> None:
    error, _ = said(f"cancel feature-not-implemented {detail}")

    async def scene() -> None:
        stage = Stage(KEY)
        stage.service.features |= {RSM}
        await stage.enter("synced")
        stage.service.fault = lambda query: meaning(error, "news at x") if query.rsm_max or detail else None

        await stage.synchronise()

        assert (stage.explained()["state"], await stage.held()) == (state, held)
        assert stage.explained()["distrusted"] == distrusted
        await stage.close()

    play(scene)

# SPDX-License-Identifier: MIT
"""The simulated services say to the script what the real ones said when they were recorded."""

import pytest

from tests.golden.comparing import element
from tests.golden.essence import essence
from tests.golden.recording import ATOMIC, GOT, USERS, Recording, load
from tests.golden.script import STEPS
from tests.golden.simulated import Conversation
from tests.simulation.services import EJABBERD, EJABBERD_PEP, EJABBERD_SQL, PROSODY, PROSODY_PEP

PROFILES = {
    "prosody": (PROSODY, PROSODY_PEP),
    "ejabberd": (EJABBERD, EJABBERD_PEP),
    "ejabberd-sql": (EJABBERD_SQL, EJABBERD_PEP),
}
OUTSIDE = {
    "carol lists the ids in pages": "the daemon asks for no pages of ids",
    "carol gets with type set": "it sends no such thing",
    "carol asks what nobody knows": "it sends no such thing",
    "carol asks for the archive": "nobody has one",
    "bob gets from home": "the simulated account is no owner",
    "carol lists a stranger": "an account is no simulated service",
    "carol lists a contact": "an account is no simulated service",
    "carol gets from nobody": "nobody is simulated there",
    "carol asks a component that is down": "nobody is simulated there",
    "carol asks a host that is not there": "nobody is simulated there",
    "carol asks a client that is not there": "nobody is simulated there",
}
"""Steps in which the simulated services have no part, and why."""
LEAST = 250

Said = list[tuple[str, str]]


def recorded(recording: Recording, words: str, who: str) -> Said:
    """What the one who spoke was answered, and what carol was told; only she is told of anything in a simulation."""
    return [
        (line.who, essence(element(recording.head, line.stanza)))
        for line in recording.steps[words]
        if line.way == GOT and (line.who == "carol" or (line.who == who and line.stanza.startswith("<iq")))
    ]


def parted(said: Said, *, racing: bool) -> list[list[str]]:
    """By person: two streams have no common order. One of a service that races has none either."""
    each = [[what for whom, what in said if whom == who] for who in USERS]
    return [sorted(one) for one in each] if racing else each


@pytest.mark.parametrize("name", PROFILES)
def test_a_simulated_service_says_what_the_real_one_said(name: str) -> None:
    recording, conversation, racing = load(name), Conversation(*PROFILES[name]), name not in ATOMIC
    steps = [step for step in STEPS if step.words not in OUTSIDE]
    different: list[str] = []

    for step in steps:
        said, real = conversation.step(step), recorded(recording, step.words, step.who)
        if parted(said, racing=racing) != parted(real, racing=racing):
            different.append(f"{step.words}: {said}, and the real one: {real}")

    assert not different, "\n".join(different)
    assert len(STEPS) - len(OUTSIDE) == len(steps) >= LEAST

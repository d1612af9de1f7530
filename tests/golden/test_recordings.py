# SPDX-License-Identifier: MIT
"""The real servers say what they said when the conversations were recorded: a new version shows as a diff."""

import asyncio

import pytest

from tests.fixtures.every_server import MAKERS
from tests.fixtures.servers import running
from tests.golden.comparing import differences
from tests.golden.recording import ATOMIC, load, record
from tests.golden.script import STEPS

LEAST = 150


@pytest.mark.slow
@pytest.mark.system
@pytest.mark.parametrize("name", MAKERS)
def test_a_server_says_what_it_said(name: str) -> None:
    with running(MAKERS[name]()) as server:
        now = asyncio.run(record(server))

    found = differences(load(name), now, racing=name not in ATOMIC)

    assert not found, "\n".join([f"{name} (python -m tests.golden --write keeps it):", *found])


@pytest.mark.parametrize("name", MAKERS)
def test_a_recording_has_each_step_of_the_script(name: str) -> None:
    recording = load(name)

    assert list(recording.steps) == [step.words for step in STEPS]
    assert len(set(recording.steps)) == len(STEPS) >= LEAST

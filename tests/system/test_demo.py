# SPDX-License-Identifier: MIT
"""`make demo ONCE=1` shows what it promises."""

import subprocess
import sys

import pytest

pytestmark = [pytest.mark.system, pytest.mark.slow]


def test_the_demo_ends_by_itself_and_shows_the_main_job() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "tests.system.demo", "--once"], capture_output=True, text=True, timeout=180
    )

    assert run.returncode == 0, run.stderr
    for words in (
        "bob published 1",
        "First read, nothing is known of this node yet",
        "from the service",
        "items in",
        "The same read again",
        "from the cache (synced)",
        "Search for security",
        "the bus says: items of urn:xmpp:microblog:0: hello",
        "'Hello, Alice!', from the cache",
        "blog: nodes urn:xmpp:microblog:0*",
        "is kept because the analyser blog takes it for a blog",
        "busctl --user tree im.pubkeep.Pubkeep1",
    ):
        assert words in run.stdout, run.stdout

# SPDX-License-Identifier: MIT
"""Logging: prefixes for the journal, lines for people."""

import logging

from pubkeep.logs import _Formatter


def record(level: int) -> logging.LogRecord:
    return logging.LogRecord("pubkeep.cache", level, "", 0, "first\nsecond", None, None)


def test_each_line_for_the_journal_has_its_priority() -> None:
    formatter = _Formatter(journal=True)

    assert formatter.format(record(logging.ERROR)) == "<3>pubkeep.cache: first\n<3>second"
    assert formatter.format(record(logging.WARNING)).startswith("<4>")
    assert formatter.format(record(logging.INFO)).startswith("<6>")
    assert formatter.format(record(logging.DEBUG)).startswith("<7>")


def test_people_read_time_and_level() -> None:
    assert "WARNING pubkeep.cache: first" in _Formatter(journal=False).format(record(logging.WARNING))

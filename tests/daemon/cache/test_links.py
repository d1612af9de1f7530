# SPDX-License-Identifier: MIT
"""How old a change may be of which a service tells, with times given by hand."""

from pubkeep.cache.links import STALLED, Link
from pubkeep.config import CacheSettings


def test_a_change_may_be_older_than_fan_out_when_it_was_held_up_on_the_way() -> None:
    link = Link(CacheSettings(fan_out=2.0))

    assert link.committed_since(100.0) == 100.0 - 2.0 - STALLED * 2.0


def test_what_comes_behind_an_answer_was_told_after_the_service_had_worked_on_it() -> None:
    link = Link(CacheSettings(fan_out=2.0))
    link.answered(97.5, 99.0)

    assert link.committed_since(100.0) == 97.5 - 2.0


def test_an_answer_says_nothing_of_what_came_before_it() -> None:
    link = Link(CacheSettings(fan_out=2.0))
    link.answered(99.0, 101.0)

    assert link.committed_since(100.0) == 100.0 - 2.0 - STALLED * 2.0


def test_an_answer_of_another_session_says_nothing() -> None:
    link = Link(CacheSettings(fan_out=2.0))
    link.answered(97.5, 99.0)

    link.new_epoch(99.5)

    assert link.committed_since(100.0) == 100.0 - 2.0 - STALLED * 2.0


def test_a_service_that_tells_at_once_tells_in_order() -> None:
    link = Link(CacheSettings(fan_out=0.0))

    assert link.committed_since(100.0) == 100.0

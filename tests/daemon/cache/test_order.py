# SPDX-License-Identifier: MIT
"""Which order a service keeps, learnt from an overwrite that was the last change of all."""

from pubkeep.cache.order import Lesson


def lesson(behind: set[str]) -> Lesson:
    made = Lesson()
    made.overwritten("x", behind)
    return made


def test_an_overwritten_item_behind_those_that_followed_it_has_moved() -> None:
    made = lesson({"y", "z"})

    made.listed(["a", "y", "z", "x"], 10.0)

    assert made.learnt(10.0, 0.0) == "publish"
    assert made.learnt(10.0, 0.0) is None


def test_one_before_them_has_stayed() -> None:
    made = lesson({"y", "z"})

    made.listed(["a", "x", "y", "z"], 10.0)

    assert made.learnt(10.0, 0.0) == "creation"


def test_one_between_them_shows_that_others_moved() -> None:
    made = lesson({"y", "z"})

    made.listed(["a", "y", "x", "z"], 10.0)

    assert made.learnt(10.0, 0.0) is None


def test_with_nothing_behind_it_nothing_is_learnt() -> None:
    made = lesson(set())

    made.listed(["a", "x", "new"], 10.0)

    assert made.learnt(10.0, 0.0) is None


def test_what_a_late_service_shows_holds_when_nothing_was_told_for_so_long() -> None:
    made = lesson({"y"})
    made.listed(["y", "x"], 10.0)

    assert made.learnt(11.9, 2.0) is None
    assert made.due(2.0) == 12.0
    assert made.learnt(12.0, 2.0) == "publish"


def test_a_change_that_is_told_late_takes_it_back() -> None:
    made = lesson({"y"})
    made.listed(["x", "y"], 10.0)  # y was published again, and nobody had told it yet

    made.forget(11.0, 2.0)

    assert made.learnt(13.0, 2.0) is None


def test_a_change_after_that_time_does_not() -> None:
    made = lesson({"y"})
    made.listed(["x", "y"], 10.0)

    made.forget(12.5, 2.0)

    assert made.learnt(13.0, 2.0) == "creation"

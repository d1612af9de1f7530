# SPDX-License-Identifier: MIT
"""How well an item fits what was typed."""

import pytest

from pubkeep.query.conditions import terms
from pubkeep.query.document import read
from pubkeep.query.relevance import relevance
from pubkeep.query.words import words

FILLER = "other words that stand between "


def fits(query: str, text: str) -> float:
    return relevance(terms(read(query)), words(text))


@pytest.mark.parametrize(
    ("query", "better", "worse"),
    [
        pytest.param("garden", "garden garden", "garden other", id="it stands there more often"),
        pytest.param("garden", "garden", "garden " + FILLER * 30, id="the text is shorter"),
        pytest.param("garden OR onions", "garden onions", "garden garden", id="more of the terms stand there"),
        pytest.param('"spring onions"', "spring onions " * 2, "spring onions onions", id="a phrase counts as a whole"),
        pytest.param("gard*", "garden gardener", "garden other", id="all that a beginning begins counts"),
    ],
)
def test_an_item_fits_better_where(query: str, better: str, worse: str) -> None:
    assert fits(query, better) > fits(query, worse) > 0


def test_what_is_not_wanted_adds_nothing() -> None:
    assert fits("garden -onions", "garden onions") == fits("garden", "garden onions")


def test_a_word_that_is_repeated_without_end_is_not_worth_more_than_another_one() -> None:
    assert fits("garden OR onions", "garden " * 500) < fits("garden OR onions", "garden onions")

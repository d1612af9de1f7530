# SPDX-License-Identifier: MIT
"""What is marked is what was looked for, in a part of the text as it was written."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pubkeep.model import NodeKey
from pubkeep.query import typed
from pubkeep.query.conditions import Text, terms
from pubkeep.query.document import read
from pubkeep.query.matching import Candidate, matches
from pubkeep.query.snippets import ELLIPSIS, RUN, WIDTH, Looked, Pieces, better, snippet
from pubkeep.query.words import MAX_WORDS, places, words

KEY = NodeKey("alice@localhost", "pubsub.localhost", "urn:xmpp:microblog:0")
FILLING = "and so it goes on and on, "


class Counting(Looked):
    """Counts the words that are looked at."""

    words = 0

    def at(self, found: Sequence[str], start: int) -> list[int]:
        self.words += 1
        return super().at(found, start)


def made(query: str, text: str) -> Pieces:
    return snippet(text, Looked(terms(read(query))))


def shown(query: str, text: str) -> str:
    """The snippet with its hits in brackets."""
    return "".join(f"[{piece}]" if at % 2 else piece for at, piece in enumerate(made(query, text)))


@pytest.mark.parametrize(
    ("query", "text", "expected"),
    [
        ("securite", "La Sécurité d'abord", "La [Sécurité] d'abord"),
        ("strasse", "in der Straße", "in der [Straße]"),
        ("cafe", "un cafe\u0301!", "un [cafe\u0301]!"),
        ("cooperate", "co\u00adoperate", "[co\u00adoperate]"),
        ("fiancee", "the ﬁancée", "the [ﬁancée]"),
        ("gard*", "a garden, a guard", "a [garden], a guard"),
        ("g* gar* garden*", "a garden, ga", "a [garden], [ga]"),
        ('"spring onions"', "onions, spring, Spring -- Onions", "onions, spring, [Spring -- Onions]"),
        ("onions -rolls", "spring onions", "spring [onions]"),
        ("rolls OR onions", "onions and rolls", "[onions] and [rolls]"),
        ("foo-bar", "a foo-bar", "a [foo-bar]"),
        ("東京", "私は東京駅にいる", "私は[東京]駅にいる"),
        ("東京駅", "私は東京駅にいる", "私は[東京駅]にいる"),
        ("京", "私は東京駅にいる", "私は東[京]駅にいる"),
        ("駅", "東京駅", "東京[駅]"),
        ("東京 京駅", "東京駅", "[東京駅]"),
        ("iPhone東京", "my iPhone東京駅", "my [iPhone東京]駅"),
        ("서울", "서울에서 왔다", "[서울]에서 왔다"),
        ("ไทย", "ภาษาไทยง่าย", "ภาษา[ไทย]ง่าย"),
        ("が", "かがか", "か[が]か"),
        ("1", "about ½ of it", "about [½] of it"),
        ("会", "㍿です", "[㍿]です"),
        ('{"words": "spring oni"}', "spring onions", "[spring] [onions]"),
        ('{"any": [{"text": "a"}, {"not": {"text": "b"}}]}', "a b", "[a] b"),
    ],
)
def test_what_matched_is_marked_as_it_was_written(query: str, text: str, expected: str) -> None:
    assert shown(query, text) == expected


@pytest.mark.parametrize("query", ["missing", "-onions", "type:blog", "{}", "!!!", '{"not": {"text": "onions"}}'])
def test_there_is_none_where_nothing_is_looked_for_or_it_is_not_in_the_text(query: str) -> None:
    assert made(query, "spring onions") == ()


def test_it_shows_the_place_with_most_of_the_different_terms() -> None:
    text = f"spring {FILLING * 30} onions onions {FILLING * 30} spring with onions {FILLING * 30} onions"

    found = made("spring onions", text)

    assert found[1::2] == ("spring", "onions")
    assert found[2] == " with "
    assert (found[0][0], found[-1][-1]) == (ELLIPSIS, ELLIPSIS)


def test_the_first_of_equal_places_is_shown_and_the_text_before_it() -> None:
    text = f"{FILLING * 30}the first onions {FILLING * 30}the second onions {FILLING * 30}"

    assert made("onions", text)[0].endswith("the first ")


@pytest.mark.parametrize("before", range(150, 450, 7))
def test_terms_that_stand_together_are_found_together_wherever_the_text_is_parted(before: int) -> None:
    text = f"onions {'x ' * before}spring {'of all the ' * 10} onions {'y ' * 500}"

    assert {"spring", "onions"} <= set(made("spring onions", text))


def test_it_is_cut_at_words_and_says_where() -> None:
    start, end = made("middle", f"{'abcdef ' * 100}middle {'ghijkl ' * 100}")[::2]

    assert start.removeprefix(ELLIPSIS).split() == ["abcdef"] * len(start.split())
    assert end.removesuffix(ELLIPSIS).split() == ["ghijkl"] * len(end.split())
    assert made("abcdef", "  abcdef  ") == ("", "abcdef", "")
    assert made("abcdef", "abcdef " + "x" * 300)[2] == " " + "x" * 193 + ELLIPSIS


def test_a_text_without_spaces_is_cut_between_letters() -> None:
    found = made("駅", "が" * 300 + "駅" + "か\u3099" * 300)

    assert found[1] == "駅"
    assert set(found[0].removeprefix(ELLIPSIS)) == {"が"}
    assert found[2].removesuffix(ELLIPSIS).replace("か\u3099", "") == ""


def test_a_phrase_that_is_longer_than_a_snippet_is_not_marked() -> None:
    phrase = " ".join(["word"] * 60)

    assert made(f'"{phrase}"', phrase) == ()
    assert made(f'"{phrase}" OR word', phrase)


_LETTERS = st.sampled_from(
    [*"abAB 12.-'\n", "é", "e\u0301", "ß", "東", "京", "駅", "が", "か\u3099", "각", "ᄀ", "ᅡ", "ᆨ"]
)
_STRANGE = st.sampled_from([*"½㍿ﷺ¨™ﬁ²İ春😀", "\u00ad", "\u200b", "\u09be", "\u09c7", "\u0f71", "\u0f73", "\u0345"])
_TEXTS = st.lists(_LETTERS | _STRANGE | st.characters(exclude_categories=["Cs"]), max_size=60).map("".join)


@given(_TEXTS)
@settings(deadline=None)
def test_words_and_their_places_are_the_same_words(text: str) -> None:
    found = places(text)

    assert [place.word for place in found] == words(text)
    assert all(0 <= place.start < place.letter <= place.end <= len(text) for place in found)


@given(_TEXTS, _TEXTS, _TEXTS, st.integers(0, 3))
@settings(max_examples=400, deadline=None)
def test_whatever_is_typed_and_written_the_pieces_are_the_text_and_the_hits_are_terms(
    query: str, before: str, after: str, filling: int
) -> None:
    text = f"{before} {FILLING * filling * 10}{query} {FILLING * filling * 10}{after}"
    condition = typed.text(query)
    wanted = Looked(terms(condition))
    positive = Text(condition.groups)

    found = snippet(text, wanted)

    whole = "".join(found)
    assert len(whole) <= WIDTH + 2
    assert any(part in text for part in (whole, whole[1:], whole[:-1], whole[1:-1]))
    assert len(found) % 2 == bool(found)
    for hit in found[1::2]:
        inside = words(hit)
        assert any(wanted.at(inside, at) for at in range(len(inside)))
    for between in found[2:-1:2]:
        assert between
    if condition.groups and matches(positive, Candidate(KEY, "i", text=text)):
        assert found or all(len(" ".join(term.words)) > WIDTH // 4 for term in wanted.terms)


@pytest.mark.parametrize(
    "text",
    [
        "spring onions " * 75_000,
        "лук и чеснок " * 80_000 + "onions",
        "私は東京駅にいる。" * 110_000,
        "a" * 1_000_000 + " onions",
        "é" * 1_000_000,
        " " * 1_000_000 + "onions",
        "\u0301" * 1_000_000,
        "ab-" * 330_000,
        ("字" * RUN + "。") * 1000,
        "onions " * 140_000,
    ],
    ids=["ascii", "cyrillic", "cjk", "one word", "one strange word", "spaces", "marks", "dashes", "runs", "hits"],
)
def test_a_text_of_1_mb_is_done_in_short_steps_that_are_not_too_many(text: str) -> None:
    looked = Counting(terms(read(" OR ".join(["missing", "onions", "東京", "字", *[f"w{n}*" for n in range(45)]]))))

    steps = []
    for _ in better(text, looked):
        steps.append(looked.words)
        looked.words = 0

    assert len(steps) > min(len(text), MAX_WORDS) // (2 * (WIDTH + RUN))
    assert max(steps) <= 6 * (WIDTH + RUN)  # of at most three blocks, twice
    assert sum(steps) <= 4 * len(text)


def test_what_nobody_reads_is_passed_over_and_what_is_not_indexed_is_not_looked_at() -> None:
    assert made("onions", f"first {'x' * 2 * RUN} {FILLING * 20} onions")[1] == "onions"
    assert made("onions", "x " * MAX_WORDS + FILLING * 20 + "onions") == ()

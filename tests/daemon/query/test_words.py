# SPDX-License-Identifier: MIT
"""Text as words: the same for what is indexed and for what is typed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pubkeep.model import NodeKey
from pubkeep.query.conditions import Term, Text
from pubkeep.query.matching import Candidate, matches
from pubkeep.query.typed import text
from pubkeep.query.words import MAX_WORD, MAX_WORDS, fold, words

KEY = NodeKey("alice@localhost", "pubsub.localhost", "urn:xmpp:microblog:0")


def found(typed: str, read: str) -> bool:
    return matches(text(typed), Candidate(KEY, "i", text=read))


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("securite", "La Sécurité d'abord"),
        ("SÉCURITÉ", "securite"),
        ("strasse", "Straße"),
        ("istanbul", "İstanbul"),
        ("fiancee", "ﬁancée"),
        ("αθηνα", "Αθήνα"),
        ("елка", "Ёлка"),
        ("שלום", "שָׁלוֹם"),
        ("محمد", "مُحَمَّد"),
        ("हिन्दी", "हिन्दी में लिखा"),
        ("cafe", "cafe\u0301"),
        ("cooperate", "co\u00adoperate"),
        ("o'brien", "Mrs O'Brien"),
        ("2026", "in 2026."),
    ],
)
def test_case_and_diacritics_do_not_matter(typed: str, read: str) -> None:
    assert found(typed, read)


@pytest.mark.parametrize(
    ("typed", "read"),
    [("कि", "कु"), ("か", "が"), ("ไม่", "ไม้"), ("word", "words"), ("ork", "work"), ("가", "나")],
)
def test_marks_that_make_another_letter_do(typed: str, read: str) -> None:
    assert not found(typed, read)


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("東京", "私は東京駅にいる"),
        ("京", "私は東京駅にいる"),
        ("京", "東京"),
        ("京", "東京 tower"),
        ("東京駅", "私は東京駅にいる"),
        ('"東京 tower"', "東京 tower"),
        ("iPhone東京", "my iPhone東京駅"),
        ("カード", "カード"),
        ("서울", "서울에서 왔다"),
        ("ไทย", "ภาษาไทยง่าย"),
        ("𠮷野", "𠮷野家"),
        ("東京 tower", "tower in 東京"),
        ("東京0東京", "東京0東京"),
    ],
)
def test_scripts_without_spaces_are_found_in_the_middle_of_a_run(typed: str, read: str) -> None:
    assert found(typed, read)


@pytest.mark.parametrize(("typed", "read"), [("京東", "東京"), ("東駅", "東京駅"), ('"東京 tower"', "東京駅 tower")])
def test_letters_that_do_not_follow_each_other_are_no_word(typed: str, read: str) -> None:
    assert not found(typed, read)


@given(st.text())
def test_folded_text_is_folded(typed: str) -> None:
    assert fold(fold(typed)) == fold(typed)


@given(st.text(st.characters() | st.sampled_from("aZ9 é\u0301\u0338ﬁ“\u2013ß\u00ad\u212a")))
def test_texts_of_latin_letters_are_folded_as_all_others_are(typed: str) -> None:
    assert fold(f"{typed} я") == f"{fold(typed)} я".strip()


@given(st.text(), st.text(), st.text())
def test_what_was_copied_from_a_text_with_its_words_whole_is_found_there(before: str, middle: str, after: str) -> None:
    phrase = " ".join(part for part in middle.replace('"', " ").split() if words(part))
    typed = text(f'"{phrase}"')

    if typed.groups:
        assert matches(typed, Candidate(KEY, "i", text=f"{before} {phrase} {after}"))


@given(st.text(alphabet="東京駅カード서울ไทย", min_size=1, max_size=12), st.data())
def test_every_part_of_an_unparted_run_is_found(run: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(run) - 1))
    end = data.draw(st.integers(start + 1, len(run)))

    assert found(run[start:end], f"a {run}, b")


def test_a_word_and_a_text_count_to_a_limit() -> None:
    many = words("a" * (MAX_WORD + 50) + " b" * (MAX_WORDS + 50))

    assert len(many) == MAX_WORDS
    assert many[0] == "a" * MAX_WORD


def test_a_text_of_64_kb_is_folded_whole() -> None:
    assert len(words("é" * 65536)) == 1


@pytest.mark.parametrize(
    ("typed", "groups", "unwanted"),
    [
        ("red boat", [["red"], ["boat"]], []),
        ("red OR boat OR tree green", [["red", "boat", "tree"], ["green"]], []),
        ("OR red", [["red"]], []),
        ('red -boat -"big tree"', [["red"]], ["boat", "big tree"]),
        ('"spring onions', [["spring onions"]], []),
        ("pack*", [["pack*"]], []),
        ('"spring oni"*', [["spring oni*"]], []),
        ("foo-bar", [["foo bar"]], []),
        ("http://example.org/a?b", [["http example org a b"]], []),
        ("title:x AND NEAR(a b) ^c {d} + - *", [["title x"], ["and"], ["near a"], ["b"], ["c"], ["d"]], []),
        ("-- ' \" ;", [], []),
        ("or", [["or"]], []),
    ],
)
def test_what_a_person_types(typed: str, groups: list[list[str]], unwanted: list[str]) -> None:
    def shown(term: Term) -> str:
        return " ".join(term.words) + "*" * term.prefix

    read = text(typed)

    assert [[shown(term) for term in group] for group in read.groups] == groups
    assert [shown(term) for term in read.unwanted] == unwanted


def test_where_only_unwanted_words_are_typed_all_others_match() -> None:
    assert found("-boat", "a tree")
    assert not found("-boat", "a boat")


def test_what_has_no_word_matches_nothing() -> None:
    assert text("*** !!!") == Text()
    assert not found("*** !!!", "a tree")

# SPDX-License-Identifier: MIT
"""The oracle lets right answers pass, and no wrong one."""

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import zstandard

from pubkeep.errors import NotAllowed, NotFound
from pubkeep.model import ItemRow, NodeState
from pubkeep.questions import Answer, ItemsRequest, Page
from pubkeep.storage.marks import of_node
from tests.simulation.history import Change, History
from tests.simulation.ledger import Ledger
from tests.simulation.oracle import Sight, judge, judge_refusal
from tests.simulation.store import blank, copied

NOW = 1000.0
ALL = ItemsRequest(format="json")


@pytest.fixture
def sight() -> Sight:
    """a=1 at 10 s, b=2 at 20 s, a=3 at 30 s (told to nobody), b goes at 40 s; it is 1000 s."""
    history = History("creation")
    for at, op, told in (
        (10.0, ("put", "a", "1"), True),
        (20.0, ("put", "b", "2"), True),
        (990.0, ("put", "a", "3"), False),
        (995.0, ("del", "b"), True),
    ):
        history.commit(Change(at, op, told))
    return Sight("alice@localhost", history)


def row(item_id: str, title: str) -> ItemRow:
    return ItemRow("", "", "", "", item_id, "", title, 0, 0, "", "", "")


def answer(*rows: tuple[str, str], as_of: float = 998.0, verified_at: float = 998.0, **page: Any) -> Answer:
    """A synced answer from the cache."""
    first, last = (rows[0][0], rows[-1][0]) if rows else ("", "")
    meta = {"first": first, "last": last, "index": 0 if rows else None, "count": len(rows)} | page
    of = Page(tuple(row(*each) for each in rows), **meta)
    return Answer(of, "cache", NodeState.SYNCED, False, "", int(as_of * 1e6), int(verified_at * 1e6), ("transit",))


def wrong(sight: Sight, given: Answer, request: ItemsRequest = ALL, heard: float | None = 999.0) -> str:
    """What the oracle says."""
    return judge(sight, request, given, NOW, NOW + 0.1, sight.now(), heard, lambda wall: wall / 1e6).wrong


def test_what_the_service_has_passes(sight: Sight) -> None:
    assert wrong(sight, answer(("a", "3"))) == ""


def test_a_change_that_nobody_was_told_of_may_be_lacking_until_it_is_verified(sight: Sight) -> None:
    assert wrong(sight, answer(("a", "1"), verified_at=980.0)) == ""
    assert wrong(sight, answer(("a", "1"), verified_at=998.0)).startswith("O1")


def test_a_mixture_of_two_moments_does_not_pass(sight: Sight) -> None:
    assert wrong(sight, answer(("a", "1"), ("b", "2"), as_of=996.0, verified_at=980.0)).startswith("O1")


@pytest.mark.parametrize("page", [{"more": True}, {"index": 1}, {"count": 2}])
def test_numbers_around_the_rows_must_be_right(sight: Sight, page: dict[str, Any]) -> None:
    assert wrong(sight, answer(("a", "3"), **page)).startswith("O1")


def test_first_and_last_must_be_of_the_rows(sight: Sight) -> None:
    assert "first and last" in wrong(sight, answer(("a", "3"), first="b"))


def test_an_age_that_is_claimed_must_be_true(sight: Sight) -> None:
    assert wrong(sight, answer(("a", "3")), heard=997.0).startswith("O2: as_of is 1.000 s above")
    assert wrong(sight, answer(("a", "3")), heard=None).startswith("O2: nothing was heard")
    assert wrong(sight, answer(("a", "1"), ("b", "2"), as_of=930.0, verified_at=930.0)).startswith("O2: as_of is 70")
    assert wrong(sight, answer(("a", "3"), verified_at=50.0)).startswith("O2: verified_at is 950")


def test_an_answer_of_the_service_was_asked_for_in_the_call(sight: Sight) -> None:
    assert wrong(sight, replace(answer(("a", "3")), source="service")).startswith("O2: asked at 998")


def test_answers_do_not_go_back(sight: Sight) -> None:
    sight.floor = 4
    assert wrong(sight, answer(("a", "1"), ("b", "2"), as_of=980.0, verified_at=980.0)).startswith("O3")


def test_an_item_does_not_go_back(sight: Sight) -> None:
    sight.shown("a", 3)
    assert wrong(sight, answer(("a", "1"), verified_at=980.0)).startswith("O3: ('a', '1') was overwritten")


def test_an_item_that_was_shown_does_not_vanish_without_a_removal(sight: Sight) -> None:
    sight.shown("a", 3)
    lacking = replace(answer(), page=Page(()))
    history = sight.history
    history.commit(Change(999.0, ("gone",), told=False))
    history.commit(Change(999.5, ("made",), told=False))

    assert wrong(sight, lacking, ItemsRequest(ids=("a",))) == ""
    sight.shown("c", 1)
    assert wrong(sight, lacking, ItemsRequest(ids=("c",))) == ""


def test_an_item_that_no_parser_understood_is_there_all_the_same(sight: Sight) -> None:
    raw = ItemRow("", "", "", "", "a", "", "", 0, 0, "", "<entry><title>2</title></entry>", "")
    shown = answer(("a", ""))

    assert wrong(sight, shown) == ""
    assert wrong(sight, replace(shown, page=replace(shown.page, items=(raw,)))).startswith("O1")
    assert wrong(sight, answer()).startswith("O1")
    assert wrong(sight, answer(("b", ""))).startswith("O1")


def test_nothing_of_an_account_that_was_removed_is_shown_when_it_is_back(sight: Sight) -> None:
    stale = replace(answer(("a", "1"), index=None, count=None), stale=True)

    assert wrong(sight, stale) == ""
    sight.joined = 3
    assert wrong(sight, stale) == "stale row of before the account was removed: ('a', '1')"
    assert wrong(sight, replace(answer(("b", "2"), index=None, count=None), stale=True)) == ""


def test_what_is_told_of_a_node_that_stores_nothing_passes_until_that_shows(sight: Sight) -> None:
    sight.history.commit(Change(996.0, ("off",), told=False))
    sight.history.commit(Change(997.0, ("put", "c", "4"), told=True))
    held = answer(("a", "3"), ("c", "4"), as_of=998.0, verified_at=995.5)

    assert wrong(sight, held) == ""
    assert wrong(sight, replace(held, verified_at=998_000_000)).startswith("O1")
    sight.history.commit(Change(997.5, ("on",), told=False))
    assert wrong(sight, answer(as_of=998.0, verified_at=998.0)) == ""


def test_a_read_after_a_signal_is_not_older_than_it(sight: Sight) -> None:
    sight.sequence = 7
    assert wrong(sight, answer(("a", "3"), sequence=6)).startswith("O3: sequence 6")


def test_what_we_wrote_is_shown(sight: Sight) -> None:
    sight.floor = sight.history.commit(Change(999.9, ("put", "c", "4"), told=False))
    sight.own.add(sight.floor)
    assert wrong(sight, answer(("a", "3"))).startswith("O3")
    assert wrong(sight, answer(("a", "3"), ("c", "4"))) == ""


def test_an_edit_may_hide_where_that_is_said_and_another_session_began_since(sight: Sight) -> None:
    sight.history.commit(Change(996.0, ("put", "a", "4"), told=True))
    held = replace(answer(("a", "3"), as_of=998.5, verified_at=995.5), untold=("edit", "transit"))

    def judged(given: Answer, interrupted: float) -> str:
        return judge(sight, ALL, given, NOW, NOW + 0.1, sight.now(), 999.0, lambda wall: wall / 1e6, interrupted).wrong

    assert judged(held, 997.0) == ""
    assert judged(held, 995.8).startswith("O1")
    assert judged(replace(held, untold=("transit",)), 997.0).startswith("O1")
    assert judged(replace(held, verified_at=997_000_000), 997.0).startswith("O1")
    assert judged(replace(held, page=answer(("a", "1")).page), 997.0).startswith("O1")


def test_another_order_is_told_from_that_of_the_list(sight: Sight) -> None:
    sight.history.commit(Change(996.0, ("put", "c", "4"), told=True))
    sight.history.commit(Change(997.0, ("put", "a", "5"), told=True))
    listed, modified = (("a", "5"), ("c", "4")), (("c", "4"), ("a", "5"))
    fresh = replace(answer(*modified, as_of=1000.05, index=None, count=None), source="service")
    request = replace(ALL, order="modification")

    assert wrong(sight, fresh, request) == ""
    assert wrong(sight, fresh).startswith("O1")
    assert wrong(sight, replace(fresh, page=answer(*listed).page), request).startswith("O1")
    assert wrong(sight, answer(*listed), replace(ALL, order="creation")) == ""


def test_what_was_removed_and_published_again_was_created_then(sight: Sight) -> None:
    history = History("publish")
    for op in (("put", "a", "1"), ("put", "b", "2"), ("put", "a", "3"), ("del", "b"), ("put", "b", "4")):
        history.commit(Change(1.0, op, told=True))

    assert history.ordered(3, "creation") == (("a", "3"), ("b", "2"))
    assert history.ordered(3, "modification") == (("b", "2"), ("a", "3"))
    assert history.ordered(5, "creation") == (("a", "3"), ("b", "4"))


def test_a_refusal_must_have_been_so(sight: Sight) -> None:
    denied, absent = NotAllowed("x"), NotFound("x")
    assert judge_refusal(sight, ALL, denied, NOW, NOW, known=True).startswith("O5")
    assert judge_refusal(sight, ALL, absent, NOW, NOW, known=True).startswith("O5")
    sight.history.commit(Change(999.0, ("deny",), told=False))
    assert judge_refusal(sight, ALL, denied, NOW, NOW, known=True) == ""


def test_no_item_to_count_from_must_be_true(sight: Sight) -> None:
    error = NotFound("no item 'a' to count from")
    request = ItemsRequest(after="a", freshness="service")
    assert judge_refusal(sight, request, error, NOW, NOW, known=True).startswith("O5")
    assert judge_refusal(sight, replace(request, after="b"), error, NOW, NOW, known=True) == ""


def stale(*rows: tuple[str, str], **page: Any) -> Answer:
    return replace(answer(*rows, index=None, count=None, **page), stale=True)


def test_stale_rows_were_there_once(sight: Sight) -> None:
    assert wrong(sight, stale(("a", "1"), ("b", "2"))) == ""
    assert "never there" in wrong(sight, stale(("a", "2")))


def test_stale_rows_are_not_of_a_node_that_is_known_to_be_gone(sight: Sight) -> None:
    sight.history.commit(Change(996.0, ("gone",), told=True))
    sight.deleted(NOW)
    assert "earlier incarnation" in wrong(sight, stale(("a", "3")))


def test_stale_rows_are_not_shown_after_a_refusal(sight: Sight) -> None:
    sight.refused_at = 999.0
    assert "refused" in wrong(sight, stale(("a", "3")))


def test_a_stale_answer_does_not_claim_to_be_complete_or_to_know_its_place(sight: Sight) -> None:
    by_id = ItemsRequest(ids=("a", "z"))
    assert "complete" in wrong(sight, stale(("a", "3"), unknown=("z",)), by_id)
    assert "complete" in wrong(sight, stale(("a", "3")), by_id)
    assert "not vouched for" in wrong(sight, replace(answer(("a", "3")), stale=True))


# ---- O7 ------------------------------------------------------------------------------------------------


@pytest.fixture
def raw() -> Iterator[sqlite3.Connection]:
    """A database with one node of one item."""
    connection = copied(blank())
    connection.executescript(
        "INSERT INTO account VALUES (1, 'a@b', 'x', 0, 1, '', 0, 'required');"
        "INSERT INTO node (number, account, service, name, state, reason, analyser, type, subtype, to_sync, version,"
        " final, namespace, extra, wanted_by, copy, items, newest, sequence, verified_at, subscribed, title, error)"
        " VALUES (1, 'a@b', 's', 'n', 'stale', '', '', '', '', 0, 0, 0, '', '', '', 'whole', 1, 0, 1, 0, 0, '', '');"
        "INSERT INTO item VALUES (1, 1, 'i', 1, 1, '', 0, 0, 0, 0, '', 't', '', '', 0, '', x'00', 5, 5);"
        f"INSERT INTO payload VALUES (1, x'{zstandard.compress(b'<x/>' + bytes(1) + b'word').hex()}');"
        f"INSERT INTO item_fts (rowid, words, marks) VALUES (1, 'word', '{of_node(1)}');"
    )
    yield connection
    connection.close()


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ("UPDATE node SET items = 2", "counts 2 items and has 1"),
        ("UPDATE node SET state = 'ignored'", "is ignored and has 1 rows"),
        ("UPDATE node SET state = 'synced'", "is stored as synced"),
        ("DELETE FROM payload", "0 payloads"),
        ("UPDATE payload SET item = 2", "0 of them together"),
        ("UPDATE item SET sequence = 4", "the sequence went from 5 to 4"),
        ("UPDATE item SET node = 7", "counts 1 items and has 0"),
    ],
)
def test_a_damaged_table_is_seen_at_the_commit(raw: sqlite3.Connection, damage: str, words: str) -> None:
    ledger = Ledger(raw)
    ledger.committed()
    assert (ledger.wrong, ledger.index_fault()) == ("", "")

    raw.execute("PRAGMA foreign_keys=OFF")
    raw.execute(damage)
    ledger.committed()

    assert words in ledger.wrong


def test_an_index_that_holds_other_words_is_seen(raw: sqlite3.Connection) -> None:
    raw.execute("UPDATE payload SET data = ?", (zstandard.compress(b"<x/>\0other"),))

    assert Ledger(raw).index_fault().startswith("O7")

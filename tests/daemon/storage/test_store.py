# SPDX-License-Identifier: MIT
"""The contract of the store (ports.Store)."""

import os
import sqlite3
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from pubkeep.clock import Clock
from pubkeep.errors import Conflict, Failed, NotFound, UnknownObject
from pubkeep.model import NodeKey, NodeRecord, NodeState, Parsed
from pubkeep.questions import SearchRequest
from pubkeep.storage.store import Store
from pubkeep.storage.tables import AccountRow
from tests.daemon.storage.conftest import KEY, item, opened
from tests.fixtures.places import Place


async def ids(store: Store, node: NodeRecord) -> list[str]:
    return [row.id for row in (await store.page(node, limit=100)).items]


async def test_new_items_go_to_the_end_and_changed_ones_stay(store: Store, node: NodeRecord) -> None:
    first = await store.apply(node, [item("a"), item("b"), item("c")])
    second = await store.apply(node, [item("b", "other"), item("d")])

    assert first.published == ("a", "b", "c")
    assert second.published == ("b", "d")
    assert second.items == 4
    assert await ids(store, node) == ["a", "b", "c", "d"]


async def test_an_equal_item_is_no_change(store: Store, node: NodeRecord) -> None:
    first = await store.apply(node, [item("a")])

    again = await store.apply(node, [item("a")])

    assert again.published == ()
    assert again.sequence == first.sequence


async def test_where_overwritten_items_move_equal_ones_move_too(store: Store, node: NodeRecord) -> None:
    await store.apply(node, [item("a"), item("b"), item("c")])

    applied = await store.apply(node, [item("a"), item("b", "other")], moves=True)

    assert applied.published == ("b",)
    assert await ids(store, node) == ["c", "a", "b"]


async def test_an_item_named_twice_stands_where_the_service_has_put_it_last(store: Store, node: NodeRecord) -> None:
    await store.apply(node, [item("a"), item("b")])

    applied = await store.apply(node, [item("a", "one"), item("b", "two"), item("a", "three")], moves=True)

    assert applied.items == 2
    assert await ids(store, node) == ["b", "a"]
    assert [row.xml for row in (await store.by_ids(node, ["a"])).items] == ["<entry xmlns='urn:x'>three</entry>"]


async def test_an_order_is_written_and_what_it_does_not_name_keeps_its_place(store: Store, node: NodeRecord) -> None:
    await store.apply(node, [item(name) for name in "abcde"])

    await store.apply(node, order=["e", "c", "a"])

    assert await ids(store, node) == ["d", "e", "b", "c", "a"]


async def test_removed_items_leave_tombstones_and_unknown_ones_nothing(store: Store, node: NodeRecord) -> None:
    await store.apply(node, [item("a"), item("b")])
    since = store.sequence

    applied = await store.apply(node, removals=["a", "unknown"])

    assert applied.retracted == ("a",)
    assert applied.items == 1
    assert applied.sequence > since


async def test_pages_walk_in_the_services_order(store: Store, node: NodeRecord) -> None:
    await store.apply(node, [item(f"i{n}") for n in range(10)])
    node = replace(node, items=10)

    newest = await store.page(node, limit=3)
    before = await store.page(node, limit=3, before="i7")
    after = await store.page(node, limit=3, after="i7")
    index = await store.page(node, limit=3, index=4)

    assert [(row.id) for row in newest.items] == ["i7", "i8", "i9"]
    assert (newest.more, newest.first, newest.last, newest.index, newest.count) == (True, "i7", "i9", 7, 10)
    assert ([row.id for row in before.items], before.index) == (["i4", "i5", "i6"], 4)
    assert ([row.id for row in after.items], after.more, after.index) == (["i8", "i9"], False, 8)
    assert [row.id for row in index.items] == ["i4", "i5", "i6"]
    with pytest.raises(NotFound, match="nothing"):
        await store.page(node, limit=3, before="nothing")


async def test_a_page_has_the_columns_that_were_asked_for(store: Store, node: NodeRecord) -> None:
    await store.apply(node, [item("a")])

    pages = {form: await store.page(node, limit=1, format=form, extra=True) for form in ("xml", "json", "both", "none")}

    filled = {form: (bool(page.items[0].xml), bool(page.items[0].json)) for form, page in pages.items()}
    assert filled == {"xml": (True, False), "json": (False, True), "both": (True, True), "none": (False, False)}
    assert set(pages["none"].items[0].extra) == {"stored", "sequence"}
    assert (
        pages["none"].items[0].uri == "xmpp://alice@localhost/pubsub.localhost?;node=urn%3Axmpp%3Amicroblog%3A0;item=a"
    )


async def test_items_by_id_come_in_the_order_asked(store: Store, node: NodeRecord) -> None:
    await store.apply(node, [item(f"i{n}") for n in range(600)])
    wanted = [f"i{n}" for n in range(599, -1, -1)]

    page = await store.by_ids(node, ["missing", *wanted])

    assert [row.id for row in page.items] == wanted
    assert page.unknown == ("missing",)


async def test_a_hundred_thousand_items_may_have_one_date(tmp_path: Path) -> None:
    store, node = await opened(tmp_path / "pubkeep.db")
    date = 1_700_000_000_000_000

    for start in range(0, 100_000, 5000):
        await store.apply(node, [item(f"i{n}", published=date) for n in range(start, start + 5000)])

    assert len(await store.digests(node.number)) == 100_000
    await store.close()


async def test_numbers_grow_and_go_on_above_the_clock_after_a_restart(place: Place) -> None:
    class Late(Clock):
        def wall(self) -> int:
            return super().wall() + 10**12

    first = await Store.open(place.where, Late())
    late = first.sequence
    await first.close()

    second = await Store.open(place.where, Clock())

    assert second.sequence >= late
    await second.close()


async def test_an_account_that_is_there_is_a_conflict_and_numbers_are_not_used_again(store: Store) -> None:
    with pytest.raises(Conflict):
        await store.add_account("alice@localhost", "x", uid=0, enabled=True, host="", port=0, tls="required")
    await store.remove_account(1)

    again = await store.add_account("alice@localhost", "x", uid=0, enabled=True, host="", port=0, tls="required")

    assert again.number == 2


async def test_removing_an_account_leaves_tombstones(store: Store, node: NodeRecord) -> None:
    await store.apply(node, [item("a")])
    since = store.sequence

    await store.remove_account(1)

    result = await store.search(SearchRequest(since=since), ["alice@localhost"])
    assert await store.nodes("alice@localhost") == []
    assert result.removed == ("xmpp://alice@localhost/pubsub.localhost?;node=urn%3Axmpp%3Amicroblog%3A0;item=a",)


async def test_what_is_not_there_any_more_is_said_in_our_terms(store: Store, node: NodeRecord) -> None:
    await store.forget_node(node.number, "forgotten")

    assert (await store.forget_node(node.number, "forgotten")).retracted == ()
    with pytest.raises(Conflict, match="forgotten"):
        await store.apply(node, [item("a")])
    with pytest.raises(UnknownObject, match="account 7"):
        await store.remove_account(7)


@pytest.mark.parametrize("parsed", [Parsed(title="half \ud800"), Parsed(published=2**70)])
async def test_what_cannot_be_stored_is_refused_whole(store: Store, node: NodeRecord, parsed: Parsed) -> None:
    with pytest.raises(Failed, match="not stored"):
        await store.apply(node, [item("good"), replace(item("bad"), parsed=parsed)])

    assert await store.digests(node.number) == {}
    assert (await store.apply(node, [item("good")])).items == 1


async def test_a_node_comes_back_as_it_was_stored(store: Store, node: NodeRecord) -> None:
    await store.apply(node, [item("a")], record=replace(node, reason="why", subscribed=True, verified_at=5))

    (stored,) = await store.nodes("alice@localhost")

    assert (stored.reason, stored.subscribed, stored.verified_at, stored.items) == ("why", True, 5, 1)
    assert stored.analysis == node.analysis


async def test_forgetting_by_date_leaves_the_younger_items(store: Store, node: NodeRecord) -> None:
    await store.apply(node, [item("old", published=10**15), item("new", published=17 * 10**14)])

    assert await store.count_before(node.number, 12 * 10**14, 0) == 1
    applied = await store.forget_node(node.number, "forgotten", created_before=12 * 10**14)

    assert applied.retracted == ("old",)
    assert len(await store.nodes("alice@localhost")) == 1
    await store.forget_node(node.number, "forgotten")
    assert await store.nodes("alice@localhost") == []


async def test_items_are_looked_up_across_nodes(store: Store, node: NodeRecord) -> None:
    await store.apply(node, [item("a")])

    rows, missing = await store.lookup(
        [(KEY, "a"), (KEY, "b"), (NodeKey("x", "y", "z"), "a")], format="json", extra=False
    )

    assert [row.id for row in rows] == ["a"]
    assert missing == [1, 2]


async def test_a_plug_in_reads_the_mapped_classes_and_cannot_write(store: Store) -> None:
    async with store.session() as session:
        found = await session.get(AccountRow, 1)
        assert found is not None
        assert found.jid == "alice@localhost"

        found.jid = "eve@localhost"
        with pytest.raises(Exception, match=r"read-?only"):
            await session.flush()
        await session.rollback()


async def test_a_folder_that_others_use_keeps_its_mode(tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o1777)
    old_mask = os.umask(0)
    try:
        store = await Store.open(folder / "pubkeep.db", Clock())
        await store.close()
    finally:
        os.umask(old_mask)

    assert stat.S_IMODE(folder.stat().st_mode) == 0o1777
    assert stat.S_IMODE((folder / "pubkeep.db").stat().st_mode) == 0o600


async def test_a_database_that_others_could_read_is_made_private(tmp_path: Path) -> None:
    path = tmp_path / "data" / "pubkeep.db"
    store = await Store.open(path, Clock())
    for file in path.parent.iterdir():
        file.chmod(0o644)

    again = await Store.open(path, Clock())
    await again.close()

    assert {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()} == {0o600}
    await store.close()


async def test_folder_and_files_are_private(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    store, node = await opened(folder / "pubkeep.db")
    await store.apply(node, [item("a")])

    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}
    await store.close()


async def test_what_was_learnt_of_the_tables_is_kept_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "x" / "pubkeep.db"
    store = await Store.open(path, Clock())
    await store.add_account(KEY.account, "x", uid=0, enabled=True, host="", port=0, tls="required")
    node = await store.save_node(NodeRecord(0, KEY, NodeState.STALE))
    await store.apply(node, [item(f"i{n}") for n in range(100)])

    await store.close()

    database = sqlite3.connect(path)
    assert database.execute("SELECT count(*) FROM sqlite_stat1 WHERE tbl = 'item'").fetchone()[0]
    database.close()


async def test_counters_and_the_full_text_index_fit_the_items(place: Place, store: Store, node: NodeRecord) -> None:
    await store.apply(node, [item(f"i{n}", f"word{n}") for n in range(50)])
    await store.apply(node, [item("i3", "other")], removals=["i4", "i5"])
    node = await store.save_node(replace(node, state=NodeState.PARTIAL))

    rows = place.rows("SELECT count(*), count(DISTINCT pos), count(DISTINCT sequence) FROM item")
    assert rows == [(48, 48, 48)]
    assert place.fault() == ""
    assert node.items == 48


async def test_who_walks_along_a_node_is_told_where_each_page_stands(store: Store, node: NodeRecord) -> None:
    applied = await store.apply(node, [item(f"i{n}") for n in range(10)])
    node = replace(node, items=applied.items, sequence=applied.sequence)
    newest = await store.page(node, limit=3)
    before = await store.page(node, limit=3, before=newest.first)
    again = await store.page(node, limit=3, after=before.last)
    assert (newest.index, before.index, again.index) == (7, 4, 7)

    await store.apply(node, [item("i0", "anew")], moves=True)

    assert (await store.page(node, limit=3, before=newest.first)).index == 3
    with pytest.raises(NotFound, match="'i99'"):
        await store.page(node, limit=3, before="i99")


async def test_a_record_of_before_spoils_nothing_for_others(store: Store, node: NodeRecord) -> None:
    first = await store.apply(node, [item(f"i{n}") for n in range(5)])
    before = replace(node, items=first.items, sequence=first.sequence)
    second = await store.apply(before, [item(f"j{n}") for n in range(5)])
    await store.page(before, limit=2)

    now = replace(node, items=second.items, sequence=second.sequence)
    assert (await store.page(now, limit=2, before="j3")).index == 6

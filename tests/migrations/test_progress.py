# SPDX-License-Identifier: MIT
"""What is told of a migration, and how it is stopped, on both engines."""

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import make_url

from pubkeep.clock import Clock
from pubkeep.errors import Cancelled
from pubkeep.storage.migrate import HEAD, PAGES, migrate
from pubkeep.storage.postgresql import PATIENCE, PostgresWriter
from pubkeep.storage.progress import Report
from pubkeep.storage.sqlite import SqliteWriter, writer_engine
from pubkeep.storage.store import Store
from tests.daemon.storage.conftest import item, opened
from tests.fixtures.places import Place
from tests.migrations.checking import check
from tests.migrations.earlier import Earlier, EarlierFiles, config

COPIED = ["the database is copied before it is migrated", "the database is copied before it is migrated: PAGES, 100 %"]
TOLD = [
    "the database is migrated, step 1 of 3 (0006)",
    "the database is migrated, step 2 of 3 (0007)",
    "the database is migrated, step 2 of 3 (0007): 15 of 15 rows, 100 %",
    "the database is migrated, step 3 of 3 (0008)",
    "the database is migrated, step 3 of 3 (0008): 15 of 15 rows, 100 %",
    "the database is migrated; what was changed is checked and written to the disk",
]
FROM = "0005"
ITEMS = 3000


def told(place: Place) -> list[str]:
    """All of it; how many pages a file has does not matter."""
    pages = place.rows("PRAGMA page_count")[0][0] if isinstance(place.where, Path) else 0
    copied = [words.replace("PAGES", f"{pages} of {pages} pages") for words in COPIED]
    return [*(copied if pages else []), *TOLD]


async def migrated(place: Place, report: Report) -> None:
    """As the daemon does it."""
    if isinstance(where := place.where, Path):
        file = SqliteWriter(writer_engine(where))
        try:
            await file.call(lambda engine: migrate(engine, where, report))
        finally:
            await file.abandon()
        return
    server = PostgresWriter(make_url(where), PATIENCE)
    try:
        await server.migrate(report)
    finally:
        await server.abandon()


def state(place: Place) -> list[object]:
    """What a migration would change."""
    return [place.rows(f"SELECT * FROM {table}") for table in ("alembic_version", "payload", "change", "item_text")]


def ending_at(chosen: str) -> Report:
    """One that is told to end as soon as these words are said."""

    def tell(words: str) -> None:
        if words == chosen:
            report.stop()

    report = Report(tell)
    return report


async def test_each_step_is_told_and_how_far_it_is_where_that_is_known(earlier: Earlier) -> None:
    place, said = earlier.of(FROM), list[str]()
    expected = told(place)

    await migrated(place, Report(said.append))

    assert said == expected


async def test_told_to_end_at_any_word_it_changes_nothing_and_the_next_start_does_it_all(earlier: Earlier) -> None:
    place = earlier.of(FROM)
    before = state(place)

    for words in told(place)[:-1]:
        with pytest.raises(Cancelled):
            await migrated(place, ending_at(words))
        assert state(place) == before, words

    await check(place, FROM)
    assert earlier.left(place) <= {"pubkeep.before-migration.db"}
    await check(place, FROM)
    assert earlier.left(place) == set()


async def test_a_copy_that_was_not_finished_is_not_kept(tmp_path: Path) -> None:
    earlier = EarlierFiles(tmp_path)
    place = earlier.of(FROM)
    place.execute("CREATE TABLE large AS SELECT zeroblob(9000000) AS large")
    pages = place.rows("PRAGMA page_count")[0][0]

    with pytest.raises(Cancelled):
        await migrated(place, ending_at(f"{COPIED[0]}: {PAGES} of {pages} pages, {100 * PAGES // pages} %"))

    assert earlier.left(place) == set()


async def test_it_is_told_in_the_event_loop_and_only_while_it_is_migrated(earlier: Earlier) -> None:
    place, threads, said = earlier.of(FROM), set[int](), list[str]()
    expected = told(place)

    def tell(words: str) -> None:
        threads.add(threading.get_ident())
        said.append(words)

    for _ in range(2):
        await (await Store.open(place.where, Clock(), tell=tell)).close()

    assert (said, threads) == (expected, {threading.get_ident()})


async def test_a_database_that_is_created_is_not_called_migrated(tmp_path: Path) -> None:
    said = list[str]()

    await (await Store.open(tmp_path / "pubkeep.db", Clock(), tell=said.append)).close()

    assert said == []


async def test_who_gives_up_waiting_for_it_to_be_opened_leaves_it_as_it_was_or_done(earlier: Earlier) -> None:
    place = earlier.of(FROM)
    before = state(place)
    opening = asyncio.create_task(Store.open(place.where, Clock(), tell=lambda _: opening.cancel()))

    with pytest.raises(asyncio.CancelledError):
        await opening

    done = place.rows("SELECT version_num FROM alembic_version") == [(HEAD,)]
    assert done or state(place) == before
    await check(place, FROM)


async def test_given_up_at_any_moment_it_ends_at_once_and_is_done_by_who_comes_next(place: Place) -> None:
    store, node = await opened(place.where)
    for first in range(0, ITEMS, 500):
        await store.apply(node, [item(f"i{number}", f"word{number}") for number in range(first, first + 500)])
    await store.close()
    await asyncio.to_thread(command.downgrade, config(place.where), "0006")

    for moment in range(15):
        begun = asyncio.Event()
        opening = asyncio.create_task(Store.open(place.where, Clock(), tell=_setting(begun)))
        await begun.wait()
        await asyncio.sleep(moment * 0.02)
        opening.cancel()
        await asyncio.wait([opening], timeout=8.0)
        assert opening.done()
        if not opening.cancelled():
            await opening.result().close()
        if place.rows("SELECT version_num FROM alembic_version") == [(HEAD,)]:
            break  # before it was given up

    store = await Store.open(place.where, Clock())
    assert len((await store.page(node, limit=2 * ITEMS)).items) == ITEMS
    await store.close()


def _setting(begun: asyncio.Event) -> Callable[[str], None]:
    return lambda _: begun.set()

# SPDX-License-Identifier: MIT
"""Created, migrated, refused: the same on a PostgreSQL server."""

import asyncio
from collections.abc import Iterator

import pytest
from alembic import command

from pubkeep.clock import Clock
from pubkeep.errors import Failed, Unavailable
from pubkeep.query.document import read
from pubkeep.questions import SearchRequest
from pubkeep.storage.migrate import HEAD
from pubkeep.storage.store import Store
from tests.daemon.storage.conftest import KEY, item, opened
from tests.fixtures.places import Database, Databases, databases
from tests.migrations.earlier import config

TABLES = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' ORDER BY 1"


@pytest.fixture(scope="module")
def postgresql() -> Iterator[Databases]:
    yield from databases()


@pytest.fixture
def database(postgresql: Databases) -> Database:
    return postgresql.empty()


def schema(database: Database) -> list[tuple[str, ...]]:
    columns = (
        "SELECT table_name, column_name, data_type, is_nullable, column_default FROM information_schema.columns"
        " WHERE table_schema = 'public' ORDER BY 1, 2"
    )
    indexes = "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1"
    return database.rows(columns) + database.rows(indexes)


async def filled(database: Database) -> None:
    store, node = await opened(database.where)
    await store.apply(node, [item(f"i{n}", f"word{n}") for n in range(50)])
    await store.close()


async def held(database: Database) -> list[str]:
    """What the program finds in it: ids, and one item by its words when the index is filled."""
    store = await Store.open(database.where, Clock())
    (node,) = await store.nodes(KEY.account)
    page = await store.page(node, limit=100)
    async with asyncio.timeout(20):
        while (found := await store.search(SearchRequest(read("word7")), [KEY.account])).indexing:
            await asyncio.sleep(0.01)
    await store.close()
    assert [row.id for row in found.items] == ["i7"]
    return [row.id for row in page.items]


async def test_autogenerate_finds_no_difference(database: Database) -> None:
    await asyncio.to_thread(command.upgrade, config(database.where), "head")

    await asyncio.to_thread(command.check, config(database.where))


async def test_up_down_and_up_again_with_rows_in(database: Database) -> None:
    await filled(database)
    before = schema(database)

    await asyncio.to_thread(command.downgrade, config(database.where), "base")
    left = database.rows(TABLES)
    await asyncio.to_thread(command.upgrade, config(database.where), "head")

    assert left == [("alembic_version",)]
    assert schema(database) == before


async def test_a_newer_database_is_refused_and_not_touched(database: Database) -> None:
    await filled(database)
    database.execute("UPDATE alembic_version SET version_num = 'zz9'")
    before = schema(database)

    with pytest.raises(Failed, match=f"newer version of this program wrote it .revision zz9, this one knows {HEAD}"):
        await Store.open(database.where, Clock())

    assert schema(database) == before


async def test_a_database_of_another_program_is_refused_and_not_touched(database: Database) -> None:
    database.execute("CREATE TABLE theirs (x int)")

    with pytest.raises(Failed, match="belongs to another program"):
        await Store.open(database.where, Clock())

    assert database.rows(TABLES) == [("theirs",)]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"database": "nothing"}, "no database of this name; create it"),
        ({"username": "nobody"}, "refuses the user or the password"),
        ({"port": 1}, "cannot be reached"),
    ],
)
async def test_where_it_cannot_be_reached_a_sentence_says_why(
    database: Database, change: dict[str, object], words: str
) -> None:
    from sqlalchemy import make_url

    url = make_url(database.where).set(**change)  # type: ignore[arg-type]

    with pytest.raises(Unavailable, match=words):
        await Store.open(url.render_as_string(hide_password=False), Clock())


async def test_two_daemons_starting_together_both_come_up_one_after_the_other(database: Database) -> None:
    async def daemon() -> None:
        store = await Store.open(database.where, Clock())
        await store.close()

    await asyncio.gather(daemon(), daemon(), daemon())

    assert database.rows("SELECT version_num FROM alembic_version") == [(HEAD,)]


async def test_a_migration_that_is_cut_off_changes_nothing(database: Database) -> None:
    await filled(database)
    await asyncio.to_thread(command.downgrade, config(database.where), "0006")
    before = schema(database)
    database.execute("ALTER TABLE payload RENAME COLUMN xml TO broken")

    with pytest.raises(Failed):
        await Store.open(database.where, Clock())
    database.execute("ALTER TABLE payload RENAME COLUMN broken TO xml")

    assert schema(database) == before
    assert len(await held(database)) == 50

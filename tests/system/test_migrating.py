# SPDX-License-Identifier: MIT
"""A migration that takes long, as its owner sees it: on the bus, and in the command line."""

import asyncio
import contextlib
import os
import pty
import time
from collections.abc import AsyncIterator, Iterator

import pytest

from pubkeep.storage.migrate import HEAD
from pubkeep_bridge.client import Pubkeep, connect
from pubkeep_bridge.client.errors import NotReady, PubkeepError
from tests.fixtures.daemon import DaemonProcess
from tests.fixtures.places import File, Place, databases
from tests.migrations.earlier import EarlierOnServer
from tests.migrations.keep import unpacked
from tests.system.conftest import until
from tests.system.test_command_line import PROGRAM

pytestmark = pytest.mark.system
FROM = "0006"
STEP = "the database is migrated, step 2 of 2 (0008)"
HELD = {
    "sqlite": (
        "CREATE TRIGGER held AFTER UPDATE ON item BEGIN"
        " SELECT count(*) FROM item a, item b, item c, item d, item e, item f, item g, item h, item i; END",
    ),
    "postgresql": (
        "CREATE TABLE released AS SELECT 1 WHERE false",
        "CREATE FUNCTION held() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN WHILE NOT EXISTS (SELECT FROM released)"
        " LOOP PERFORM pg_sleep(0.05); END LOOP; RETURN NULL; END'",
        "CREATE TRIGGER held AFTER UPDATE ON item EXECUTE FUNCTION held()",
    ),
}
"""A statement of the migration takes years then."""
RELEASED = {"sqlite": "DROP TRIGGER held", "postgresql": "INSERT INTO released VALUES (1)"}


@pytest.fixture(scope="module")
def on_server() -> Iterator[EarlierOnServer]:
    for servers in databases():
        yield EarlierOnServer(servers)


@pytest.fixture
def daemon(private_bus: str) -> Iterator[DaemonProcess]:
    process = DaemonProcess(private_bus)
    yield process
    process.remove()


@pytest.fixture(params=list(HELD))
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def place(engine: str, daemon: DaemonProcess, request: pytest.FixtureRequest) -> Place:
    """The daemon's database, of an earlier revision, whose migration is held up."""
    made: Place
    if engine == "sqlite":
        made = File(unpacked(FROM, daemon.database))
    else:
        made = request.getfixturevalue("on_server").of(FROM)
        daemon.environ["PUBKEEP_STORAGE_URL"] = str(made.where)
    for sql in HELD[engine]:
        made.execute(sql)
    return made


@pytest.fixture
async def pubkeep(daemon: DaemonProcess, place: Place, private_bus: str) -> AsyncIterator[Pubkeep]:
    """The daemon, in the middle of it."""
    async with connect(private_bus) as client:
        daemon.start()

        async def there() -> bool:
            with contextlib.suppress(PubkeepError):
                return (await client.status())["StateMessage"].startswith(STEP)
            return False

        await until(there)
        yield client


async def is_ready(pubkeep: Pubkeep) -> bool:
    with contextlib.suppress(PubkeepError):
        return (await pubkeep.status())["State"] == "ready"
    return False


def revision(place: Place) -> str:
    return str(place.rows("SELECT version_num FROM alembic_version")[0][0])


async def typed(daemon: DaemonProcess, *words: str) -> tuple[int | None, str, str]:
    """A command, and where nobody sees what it says meanwhile: (exit status, standard output, standard error)."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(PROGRAM, *words, env=daemon.environ, stdout=pipe, stderr=pipe)
    out, errors = await process.communicate()
    return process.returncode, out.decode(), errors.decode()


async def test_who_calls_meanwhile_is_told_how_far_it_is_and_properties_are_answered_at_once(
    pubkeep: Pubkeep, daemon: DaemonProcess
) -> None:
    async def call() -> str:
        with pytest.raises(NotReady) as caught:
            await pubkeep.search("garden")
        return str(caught.value)

    async def usual() -> float:
        taken = []
        for _ in range(50):
            began = time.monotonic()
            assert (await pubkeep.status())["State"] == "migrating"
            taken.append(time.monotonic() - began)
            await asyncio.sleep(0.05)
        return sorted(taken)[len(taken) // 2]

    said, taken, shown, searched, listed = await asyncio.gather(
        call(), usual(), typed(daemon, "status"), typed(daemon, "search", "garden"), typed(daemon, "account", "list")
    )

    assert said == f"{STEP}; try again later"
    with pytest.raises(NotReady, match="pubkeepd is migrating"):  # and not that there is no account
        await pubkeep.account()
    assert taken < 1.0
    assert shown[0] == 0
    assert shown[1].endswith(f"is migrating: {STEP}\n")
    assert shown[2] == ""
    assert searched == listed == (4, "", f"pubkeep: pubkeepd is migrating: {STEP}\n")


async def test_told_to_stop_it_does_so_at_once_and_the_next_start_does_all_of_it(
    pubkeep: Pubkeep, daemon: DaemonProcess, place: Place, engine: str
) -> None:
    assert daemon.stop() == 0
    assert revision(place) == FROM
    place.execute(RELEASED[engine])

    daemon.start()
    await until(lambda: is_ready(pubkeep))

    assert revision(place) == HEAD
    assert (await pubkeep.status())["StateMessage"] == ""
    answer = await until(lambda: pubkeep.search("concert"))
    assert sorted(item.id for item in answer.items) == ["e0", "e1", "e2"]


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)  # it can be released while it runs
async def test_in_a_terminal_a_command_shows_it_in_one_line_and_goes_on_when_it_is_done(
    pubkeep: Pubkeep, daemon: DaemonProcess, place: Place, engine: str
) -> None:
    assert (await pubkeep.status())["State"] == "migrating"
    terminal, its = pty.openpty()
    environ, pipe = {**daemon.environ, "COLUMNS": "100"}, asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(PROGRAM, "search", "concert", env=environ, stdout=pipe, stderr=its)
    os.close(its)
    seen = ""
    while STEP not in seen:
        seen += (await asyncio.to_thread(os.read, terminal, 4096)).decode()
    await asyncio.sleep(6.0)  # longer than a call waits
    at_work = process.returncode is None
    place.execute(RELEASED[engine])

    out, _ = await process.communicate()
    seen += os.read(terminal, 4096).decode()
    os.close(terminal)

    assert (at_work, process.returncode) == (True, 0)
    assert out.decode().count("concert") == 3
    shown, _, after = seen.rpartition(f"{' ' * 99}\r")
    assert "\n" not in shown
    assert {line.strip() for line in shown.split("\r")} >= {"", STEP}
    assert after.startswith("3 found")

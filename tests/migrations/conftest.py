# SPDX-License-Identifier: MIT
"""Each test that asks for a database is run on both engines."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures.places import Databases, File, Place, databases
from tests.migrations.earlier import Earlier, EarlierFiles, EarlierOnServer


@pytest.fixture(scope="module")
def servers() -> Iterator[Databases]:
    yield from databases()


@pytest.fixture(scope="module")
def on_server(servers: Databases) -> EarlierOnServer:
    return EarlierOnServer(servers)


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def earlier(engine: str, tmp_path: Path, request: pytest.FixtureRequest) -> Earlier:
    """Databases of earlier revisions."""
    return EarlierFiles(tmp_path) if engine == "sqlite" else request.getfixturevalue("on_server")


@pytest.fixture
def place(engine: str, tmp_path: Path, request: pytest.FixtureRequest) -> Place:
    """An empty one."""
    return File(tmp_path / "pubkeep.db") if engine == "sqlite" else request.getfixturevalue("servers").empty()

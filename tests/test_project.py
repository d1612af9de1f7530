# SPDX-License-Identifier: MIT
"""What the project promises of itself."""

import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from dataclasses import fields
from pathlib import Path

import pytest

from pubkeep import __version__
from pubkeep.config import Settings
from pubkeep_bridge import __version__ as bridge_version

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_all_say_the_same_version() -> None:
    assert PROJECT["project"]["version"] == __version__ == bridge_version


@pytest.mark.slow
def test_wheel_and_sdist_carry_migrations_interfaces_and_units(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)]
    run = subprocess.run(build, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    interfaces = [file.name for file in (ROOT / "dbus-interfaces").iterdir()]

    wheel = zipfile.ZipFile(next(tmp_path.glob("*.whl"))).namelist()
    with tarfile.open(next(tmp_path.glob("*.tar.gz"))) as archive:
        sdist = [name.partition("/")[2] for name in archive.getnames()]

    data = f"pubkeep-{__version__}.data/data/share"
    for name in interfaces:
        assert f"pubkeep_bridge/interfaces/{name}" in wheel
        assert f"dbus-interfaces/{name}" in sdist
    assert f"{data}/systemd/user/pubkeep.service" in wheel
    assert f"{data}/dbus-1/services/im.pubkeep.Pubkeep1.service" in wheel
    assert f"{data}/dbus-1/interfaces/im.pubkeep.Pubkeep1.Manager.xml" in wheel
    for name in ("pubkeep_bridge/units/pubkeep.service", "pubkeep_migrations/versions/0001_the_first_schema.py"):
        assert name in wheel
    assert "pubkeep/analysers/blog.schema.json" in wheel
    assert {"migrations/alembic.ini", "systemd/pubkeep.service", "Makefile", "LICENSE"} <= set(sdist)


def test_the_readme_names_every_setting() -> None:
    readme = (ROOT / "README.md").read_text()

    for section in fields(Settings):
        for key in getattr(getattr(Settings(), section.name), "__dataclass_fields__", {}):
            assert f"`{key}`" in readme, f"[{section.name}] {key}"
    assert "`password_command`" in readme


def test_every_source_file_says_its_licence_and_stays_readable() -> None:
    for file in [*ROOT.glob("daemon/**/*.py"), *ROOT.glob("bridge/**/*.py"), *ROOT.glob("migrations/**/*.py")]:
        lines = file.read_text().splitlines()
        assert lines[0] == "# SPDX-License-Identifier: MIT", file
        assert len(lines) <= 400, file


def test_no_wait_for_swallows_a_cancellation() -> None:
    """Before Python 3.12 asyncio.wait_for may lose one that comes as its future is done; asyncio.timeout does not."""
    for file in [*ROOT.glob("daemon/**/*.py"), *ROOT.glob("bridge/**/*.py")]:
        assert "asyncio.wait_for(" not in file.read_text(), file


def test_time_and_chance_come_from_one_place() -> None:
    direct = re.compile(r"\b(time\.time\w*\(|time\.monotonic|uuid\d?\(|random\.\w|secrets\.\w|datetime\.now)")

    for file in ROOT.glob("daemon/pubkeep/**/*.py"):
        if file.name not in ("clock.py", "notify.py"):
            assert not direct.search(file.read_text()), file

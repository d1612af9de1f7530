# SPDX-License-Identifier: MIT
"""On a real `systemd --user`: activation, stop, restart, status, a crash. Needs root, for namespaces of its own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.system, pytest.mark.slow]

MANAGER = Path(__file__).parents[1] / "fixtures" / "systemd" / "with-systemd-user"
ROOT = Path(__file__).parents[2]

SCRIPT = r"""
set -eu
name=im.pubkeep.Pubkeep1
get() { busctl --user --timeout=20 get-property $name /im/pubkeep/Pubkeep1 $name.Manager "$1"; }
pid() { systemctl --user show -P MainPID pubkeep.service; }
is() { [ "$(systemctl --user is-active pubkeep.service)" = "$1" ]; }
until_active() { for _ in $(seq 100); do is active && return; sleep .1; done; exit 9; }

$PUBKEEP setup
systemd-analyze --user verify "$XDG_DATA_HOME/systemd/user/pubkeep.service"
echo "before: $(systemctl --user is-active pubkeep.service || true)"
echo "a call starts it: $(get Version)"
until_active
echo "status: $(systemctl --user is-active pubkeep.service)"
for _ in $(seq 100); do [ "$(get State)" = 's "ready"' ] && break; sleep .1; done
echo "state: $(get State)"
[ -f "$(find "$UHOME" -name pubkeep.db)" ] && echo "there is a database"

first=$(pid)
systemctl --user restart pubkeep.service
second=$(pid)
[ "$first" != "$second" ] && echo "restarted"
systemctl --user reload pubkeep.service && [ "$(pid)" = "$second" ] && echo "reloaded"

kill -9 "$second"
for _ in $(seq 100); do third=$(pid); [ "$third" != 0 ] && [ "$third" != "$second" ] && break; sleep .1; done
until_active
echo "a crash restarts it: $(get Version)"

systemctl --user stop pubkeep.service
echo "stopped: $(systemctl --user show -P Result pubkeep.service)"
$PUBKEEP setup --undo
[ -z "$(find "$XDG_DATA_HOME" -name '*pubkeep*.service' -o -name 'im.pubkeep*')" ] && echo "nothing is left"
"""

EXPECTED = [
    "before: inactive",
    'a call starts it: s "0.1.0"',
    "status: active",
    'state: s "ready"',
    "there is a database",
    "restarted",
    "reloaded",
    'a crash restarts it: s "0.1.0"',
    "stopped: success",
    "nothing is left",
]


def managed(tmp_path: Path, home: Path, script: str) -> "subprocess.CompletedProcess[str]":
    """Run a script with a user manager and its bus around it."""
    (tmp_path / "script").write_text(script)
    environment = {
        **os.environ,
        "UHOME": str(home),
        "SD_LOG": str(tmp_path / "manager.log"),
        "JOURNAL": str(tmp_path / "journal"),
        "PUBKEEP": str(Path(sys.executable).with_name("pubkeep")),
        "PYTHON": sys.executable,
    }
    root = [] if os.getuid() == 0 else ["sudo", "-n", "--preserve-env=UHOME,SD_LOG,JOURNAL,PUBKEEP,PYTHON,PUBKEEP_DBUS"]
    command = [*root, str(MANAGER), str(tmp_path / "script")]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, cwd=ROOT)


def test_the_unit_works_on_a_real_user_manager(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / ".config" / "systemd" / "user").mkdir(parents=True)
    shutil.copy("/usr/lib/systemd/user/dbus.service", home / ".config" / "systemd" / "user")  # not dbus-broker's

    run = managed(tmp_path, home, SCRIPT)

    said = [line for line in run.stdout.splitlines() if line in EXPECTED]
    assert said == EXPECTED, run.stdout + run.stderr + (tmp_path / "manager.log").read_text()[-3000:]
    assert run.returncode == 0


def test_the_seam_works_on_dbus_broker(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    script = """
busctl --user call org.freedesktop.DBus /org/freedesktop/DBus org.freedesktop.DBus ListNames >/dev/null
pgrep -x dbus-broker >/dev/null && echo "dbus-broker runs"
PUBKEEP_TEST_BUS=$DBUS_SESSION_BUS_ADDRESS exec "$PYTHON" -m pytest -q -p no:cacheprovider tests/bridge/test_bus.py
"""

    run = managed(tmp_path, home, script)

    assert run.returncode == 0, run.stdout + run.stderr
    assert "dbus-broker runs" in run.stdout

# SPDX-License-Identifier: MIT
"""`pubkeep setup`: the systemd user unit and the D-Bus activation file of this user."""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

UNIT = "pubkeep.service"
ACTIVATION = "im.pubkeep.Pubkeep1.service"
INSTALLED = "/usr/bin/pubkeepd"
"""The path in the units as distributions install them."""
MARK = "# Made by `pubkeep setup`; `pubkeep setup --undo` removes it.\n"


def run(arguments: argparse.Namespace) -> int:
    """Install, or remove."""
    lines, status = undo() if arguments.undo else install()
    print("\n".join(lines))
    return status


def install() -> tuple[list[str], int]:
    """Write both files, with the path of the pubkeepd beside this program. Returns what to say, and the exit status."""
    program = _program()
    if program is None:
        return ["pubkeep: pubkeepd was not found beside this program nor in $PATH"], 1
    lines = []
    for source, target in _files():
        if target.exists() and not target.read_text(encoding="utf-8").startswith(MARK):
            return [f"pubkeep: {target} is there already and not of `pubkeep setup`; remove it first"], 1
        target.parent.mkdir(parents=True, exist_ok=True)
        text = source.read_text(encoding="utf-8").replace(INSTALLED, str(program))
        target.write_text(MARK + text, encoding="utf-8")
        lines.append(f"wrote {target}")
    return [*lines, *_reload(), "the first call to the name starts the daemon; or: systemctl --user start pubkeep"], 0


def undo() -> tuple[list[str], int]:
    """Remove what `install` wrote, and nothing else."""
    lines = []
    if _manager():
        subprocess.run(["systemctl", "--user", "stop", UNIT], check=False, capture_output=True)
    for _, target in _files():
        if target.exists() and target.read_text(encoding="utf-8").startswith(MARK):
            target.unlink()
            lines.append(f"removed {target}")
    return [*(lines or ["nothing was installed"]), *_reload()], 0


def _files() -> list[tuple[Path, Path]]:
    packaged = Path(__file__).parents[1] / "units"
    source = packaged if packaged.is_dir() else Path(__file__).parents[3] / "systemd"
    data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return [
        (source / UNIT, data / "systemd" / "user" / UNIT),
        (source / ACTIVATION, data / "dbus-1" / "services" / ACTIVATION),
    ]


def _program() -> Path | None:
    beside = Path(sys.argv[0]).absolute().with_name("pubkeepd")
    found = str(beside) if beside.exists() else shutil.which("pubkeepd")
    return Path(found) if found else None


def _manager() -> bool:
    """Whether a systemd user manager runs."""
    return (
        bool(shutil.which("systemctl")) and Path(os.environ.get("XDG_RUNTIME_DIR", "/"), "systemd", "private").exists()
    )


def _reload() -> list[str]:
    """Have both the service manager and the bus read their files again."""
    if not _manager():
        return ["no systemd user manager runs here; the D-Bus activation file starts the daemon without it"]
    subprocess.run(["systemctl", "--user", "daemon-reload"], check=False, capture_output=True)
    reload_bus = ["busctl", "--user", "call", "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus"]
    subprocess.run([*reload_bus, "ReloadConfig"], check=False, capture_output=True)
    return []

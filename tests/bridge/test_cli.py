# SPDX-License-Identifier: MIT
"""What can be typed, what the manual says, and what a terminal never sees."""

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pubkeep_bridge.cli import asking, render
from pubkeep_bridge.cli.arguments import parser

MANUAL = (Path(__file__).parents[2] / "docs" / "pubkeep.md").read_text()
ASKED = MANUAL.partition("## What is asked for")[2].partition("\n## ")[0]
EVERYWHERE = ("--help", "--json", "--bus", "--account", "--password-file", "--no-pager")


def commands(found: argparse.ArgumentParser, prefix: str = "") -> dict[str, argparse.ArgumentParser]:
    """All commands, `account add` among them."""
    result: dict[str, argparse.ArgumentParser] = {}
    for action in found._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, child in action.choices.items():
                result |= commands(child, f"{prefix}{name} ") or {f"{prefix}{name}": child}
    return result


def test_the_manual_names_every_command_and_option() -> None:
    asking.add_flags(flags := argparse.ArgumentParser())
    asked = {option for action in flags._actions for option in action.option_strings}
    rows = {row[0]: row for row in re.findall(r"^\| `([a-z ]+?)(?: [\[A-Z][^`]*)?` \|(.*)\|$", MANUAL, re.MULTILINE)}

    assert set(rows) == set(commands(parser()))
    for name, command in commands(parser()).items():
        for action in command._actions:
            for option in action.option_strings:
                if option.startswith("--"):
                    where = MANUAL if option in EVERYWHERE else ASKED if option in asked else rows[name][1]
                    assert f"`{option}" in where, f"{name} {option}"


def test_the_manual_lists_the_exit_statuses_of_the_program() -> None:
    from pubkeep_bridge.cli import run

    statuses = {run.DONE, run.FAILED, run.USAGE, run.NOTHING, run.NO_DAEMON, run.INTERRUPTED}

    assert set(map(int, re.findall(r"^\| (\d+) \|", MANUAL, re.MULTILINE))) == statuses


def test_every_command_helps() -> None:
    for command in commands(parser()).values():
        assert "--json" in command.format_help()


@pytest.mark.parametrize(
    ("typed", "name", "value"),
    [
        ("publish s n --id one a.xml", "files", ["a.xml"]),
        ("publish --id one s n a.xml --id two b.xml", "files", ["a.xml", "b.xml"]),
        ("publish s n --id one -", "files", ["-"]),
        ("publish s n", "files", []),
        ("create s n --account a@b title=News", "fields", [("title", "News")]),
        ("config set s n --account a@b title=News", "fields", [("title", "News")]),
        ("retract - n --account a@b one two", "ids", ["one", "two"]),
        ("search --type blog spring onions", "words", ["spring", "onions"]),
        ("search onions -radish --type blog -ivy gard*", "words", ["onions", "-radish", "-ivy", "gard*"]),
        ("search x --order-by -published --order-by -/start", "order_by", ["-published", "-/start"]),
        ("search onions -- -radish", "words", ["onions", "-radish"]),
    ],
)
def test_options_may_stand_anywhere(typed: str, name: str, value: object) -> None:
    assert getattr(parser().parse_args(typed.split()), name) == value


def test_a_terminal_obeys_nothing_that_comes_from_the_network() -> None:
    assert render.clean("a\x1b[31mred\x07\u202e\nb\u009b") == "a·[31mred·· b·"
    assert render.fit("日本語", 5) == "日本…"
    assert render.width("e\u0301") == 1
    assert render.clean(family := "\U0001f468\u200d\U0001f469") == family
    assert render.harmless(json.dumps(evil := "\x9b31m\u202e\x1b春", ensure_ascii=False)) == (
        '"\\u009b31m\\u202e\\u001b春"'
    )
    assert json.loads(render.harmless(json.dumps(evil, ensure_ascii=False))) == evil


def test_help_and_usage_need_no_bus_and_import_little() -> None:
    code = (
        "import sys; sys.argv = ['pubkeep', '--help']\n"
        "from pubkeep_bridge.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'asyncio', 'sqlalchemy', 'slixmpp', 'pubkeep', 'xml', 'dbus_fast', 'dbus_next'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)"
    )

    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    assert run.returncode == 0, run.stderr
    assert "search" in run.stdout


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        ("pubkeep_bridge.client", {"pubkeep"}),
        ("pubkeep.__main__", {"sqlalchemy", "slixmpp", "pubkeep.cache", "pubkeep.storage", "pubkeep.xmpp"}),
    ],
    ids=["client", "daemon before it owns its name"],
)
def test_what_is_to_start_soon_imports_little(module: str, heavy: set[str]) -> None:
    code = f"import sys, {module}; sys.exit(len({heavy} & set(sys.modules)))"

    assert subprocess.run([sys.executable, "-c", code]).returncode == 0

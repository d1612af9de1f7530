# SPDX-License-Identifier: MIT
"""Bugs as records, and a copy of the tree with one of them.

A record names a line by its text, not by its number: it may move. A line that is there no more, or twice, is
refused, since the bug would prove nothing.
"""

import re
import shutil
import tomllib
from dataclasses import dataclass
from pathlib import Path

from tests.simulation import SOURCES

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[2]


class Misplaced(Exception):
    """The line of a bug is not there exactly once."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One bug."""

    name: str
    what: str
    """In words: what the program does wrong."""
    file: str
    """Relative to the root."""
    old: str
    """The line, without its indentation."""
    new: str
    within: str = ""
    """The function in which the line is looked for, where the file has it more than once."""
    killed_by: int | None = None
    """A seed that it did not survive: the one to be tried first."""

    @property
    def module(self) -> str:
        """As it is imported."""
        return ".".join(Path(self.file).relative_to("daemon").with_suffix("").parts)


def load(folder: Path = FOLDER) -> list[Mutant]:
    """All bugs, by name."""
    return [Mutant(path.stem, **tomllib.loads(path.read_text())) for path in sorted(folder.glob("*.toml"))]


def note(mutant: Mutant, seed: int | None, folder: Path = FOLDER) -> None:
    """Write down which seed killed it."""
    path = folder / f"{mutant.name}.toml"
    lines = [line for line in path.read_text().splitlines() if not line.startswith("killed_by")]
    lines += [f"killed_by = {seed}"] if seed is not None else []
    path.write_text("\n".join(lines) + "\n")


def planted(text: str, mutant: Mutant) -> str:
    """The file with the bug.

    Raises:
        Misplaced: the line is not there exactly once.
    """
    lines = text.splitlines()
    places = [at for at, line in enumerate(lines) if line.strip() == mutant.old and _inside(lines, at, mutant.within)]
    if len(places) != 1:
        where = f"{mutant.within} of {mutant.file}" if mutant.within else mutant.file
        raise Misplaced(
            f"{mutant.name}: in {where} this line stands {len(places)} times, not once: {mutant.old}\n"
            "write into the bug's record what the line is now, or plant another bug"
        )
    line = lines[places[0]]
    lines[places[0]] = line[: len(line) - len(line.lstrip())] + mutant.new
    return "\n".join(lines) + "\n"


def copy_tree(root: Path) -> None:
    """What a simulated history runs, under another root."""
    for part in SOURCES:
        shutil.copytree(ROOT / part, root / part, ignore=shutil.ignore_patterns("*.toml"))
    (root / "tests/__init__.py").touch()


def plant(mutant: Mutant, root: Path) -> None:
    """Put the bug into a copy of the tree. Raises Misplaced."""
    path = root / mutant.file
    path.write_text(planted(path.read_text(), mutant))
    for compiled in (path.parent / "__pycache__").glob(f"{path.stem}.*"):
        compiled.unlink()


def _inside(lines: list[str], at: int, function: str) -> bool:
    """Whether the innermost function around a line has this name."""
    if not function:
        return True
    depth = _depth(lines[at])
    for line in reversed(lines[:at]):
        if line.strip() and _depth(line) < depth:
            depth = _depth(line)
            if found := re.match(r"\s*(?:async )?def (\w+)\(", line):
                return found[1] == function
            if re.match(r"\s*\) ->", line):  # the end of a signature of several lines
                depth += 1
    return False


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip())

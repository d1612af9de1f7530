# SPDX-License-Identifier: MIT
"""What the two databases say differently in SQL; everything else is the same text for both.

Lists are given as JSON, in one parameter: so a question has one text for any number of values. The full-text table
`item_fts` has a row for each item, whose key is its time key.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from sqlalchemy import Connection

if TYPE_CHECKING:
    from pubkeep.storage.indexing import Indexed


@dataclass(frozen=True, slots=True)
class Expression:
    """A condition on words and marks, in a database's own syntax."""

    text: str
    sure: bool = True
    """Whether everything that it finds is meant."""


class FullText(Protocol):
    """The full-text index of a database."""

    @property
    def exact(self) -> bool:
        """Whether what is found by sure expressions needs no second look."""

    @property
    def time(self) -> str:
        """The time key of a row of `item_fts`."""

    def term(self, words: Sequence[str], *, prefix: bool) -> Expression:
        """Words that follow each other, of which the last may go on."""

    def mark(self, mark: str) -> Expression:
        """A mark (marks.py)."""

    def every(self, parts: Sequence[Expression]) -> Expression:
        """All of them; there is one at least."""

    def either(self, parts: Sequence[Expression]) -> Expression:
        """One of them; there is one at least."""

    def without(self, part: Expression, unwanted: Sequence[Expression]) -> Expression:
        """The first one and none of the others, all of which are sure."""

    def wanted(self, expression: Expression) -> str:
        """As it is looked for; all that is meant is found."""

    def matching(self, parameter: str) -> str:
        """The condition that a row of `item_fts` matches the expression in this parameter."""

    def add(self, connection: Connection, items: Sequence["Indexed"]) -> None:
        """Take in items."""

    def remove(self, connection: Connection, items: Sequence["Indexed"]) -> None:
        """Forget items, as they were."""

    def drop(self, connection: Connection, tkeys: Sequence[int]) -> None:
        """Forget items of which nobody knows any more what they were."""

    def clear(self, connection: Connection) -> None:
        """Forget all."""


class Dialect(Hashable, Protocol):
    """One of the databases."""

    @property
    def full_text(self) -> FullText:
        """Its full-text index."""

    @property
    def first(self) -> str:
        """JOIN of two tables of which the left one leads."""

    def numbers(self, parameter: str) -> str:
        """A SELECT of `value`, the numbers of a JSON list."""

    def among_numbers(self, column: str, parameter: str) -> str:
        """The condition that a column is one of a JSON list of numbers; an index of the column is used."""

    def among_texts(self, column: str, parameter: str) -> str:
        """The same for strings."""

# SPDX-License-Identifier: MIT
"""How far a migration is, for people who wait for it; and the place where it is told to end."""

import threading
from collections.abc import Callable

from pubkeep.errors import Cancelled

Tell = Callable[[str], object]
"""Called with a sentence that says how far it is, as often as that changes."""


def nobody(_words: str) -> None:
    """Whom it is told where nobody wants to know."""


class Report:
    """Of one migration. Used in the thread that migrates; `stop` in any.

    Args:
        tell: called in that thread.
    """

    def __init__(self, tell: Tell = nobody) -> None:
        self._tell = tell
        self._words = ""
        self.stopping = threading.Event()
        """Whether it was told to end."""

    def stop(self) -> None:
        """It is to end as soon as it can; what it did is taken back."""
        self.stopping.set()

    def begin(self, words: str) -> None:
        """Another part begins. Nobody knows how long it takes, so no more than this is said.

        Raises:
            Cancelled: the migration is to end.
        """
        self._words = words
        self._say(words)

    def far(self, done: int, total: int, of: str = "rows", *, part: str = "") -> None:
        """So far is this part, of which more is known.

        Args:
            part: another one than that which began.

        Raises:
            Cancelled: the migration is to end.
        """
        self._words = part or self._words
        self._say(f"{self._words}: {done} of {total} {of}, {100 * done // total} %")

    def _say(self, words: str) -> None:
        if self.stopping.is_set():
            raise Cancelled("the migration: it was told to end, and changes nothing")
        self._tell(words)

# SPDX-License-Identifier: MIT
"""Whether anything has changed of what the states of nodes are computed from."""

from typing import ClassVar


class Watched:
    """Counts each attribute that is set, of all of its kind.

    What changes inside of an attribute is told by `touched`.
    """

    __slots__ = ()
    changes: ClassVar[int] = 0

    def __setattr__(self, name: str, value: object) -> None:
        Watched.changes += 1
        object.__setattr__(self, name, value)

    @staticmethod
    def touched() -> None:
        """Something changed that nobody sees who looks at what is set."""
        Watched.changes += 1

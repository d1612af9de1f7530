# SPDX-License-Identifier: MIT
"""Where numbers of changes come from."""


class Counter:
    """The sequence: grows with each change, never used twice, not in a new file either."""

    def __init__(self, start: int) -> None:
        self.value = start

    def next(self) -> int:
        """The next number."""
        self.value += 1
        return self.value

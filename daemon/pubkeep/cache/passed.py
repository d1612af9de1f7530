# SPDX-License-Identifier: MIT
"""What is remembered for a while of nodes that are not kept: requests for them are passed to the service."""

from collections import OrderedDict
from typing import TypeVar

from pubkeep.clock import Clock
from pubkeep.errors import PubkeepError
from pubkeep.model import Analysis, NodeKey

NEGATIVE = 5.0
"""Seconds since the question that a refusal is remembered."""
IGNORED = 3600.0
"""Seconds until a node that nobody wanted is analysed again."""
REMEMBERED = 10_000
"""Nodes of which analyses and refusals are remembered at most."""

T = TypeVar("T")


class Passed:
    """Analyses and refusals, the last ones."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._analysed: OrderedDict[NodeKey, tuple[Analysis | None, float]] = OrderedDict()
        self._refused: OrderedDict[NodeKey, tuple[PubkeepError, float]] = OrderedDict()

    def check(self, key: NodeKey) -> None:
        """Raise again what the service said a moment ago."""
        refusal = self._refused.get(key)
        if refusal and self._clock.boottime() - refusal[1] < NEGATIVE:
            raise type(refusal[0])(str(refusal[0]))

    def refused(self, key: NodeKey, error: PubkeepError, asked_at: float) -> None:
        """The service says so; it is as old as the question."""
        _remember(self._refused, key, (error, asked_at))

    def analysed(self, key: NodeKey, analysis: Analysis | None) -> None:
        """Nobody wants it."""
        _remember(self._analysed, key, (analysis, self._clock.boottime()))

    def analysis(self, key: NodeKey) -> Analysis | None:
        """What it was taken for when it was analysed."""
        return self._analysed[key][0]

    def unwanted(self, key: NodeKey) -> bool:
        """Whether it was analysed within the last hour, and nobody wanted it."""
        remembered = self._analysed.get(key)
        return remembered is not None and self._clock.boottime() - remembered[1] < IGNORED

    def forget(self, key: NodeKey, *, refusal: bool = True) -> None:
        """What was learnt of it may not hold; without `refusal` only its analysis."""
        self._analysed.pop(key, None)
        if refusal:
            self._refused.pop(key, None)

    def forget_refusals(self, account: str) -> None:
        """All that the account was told."""
        for key in [key for key in self._refused if key.account == account]:
            del self._refused[key]

    def forget_account(self, account: str) -> None:
        """All of it."""
        self.forget_refusals(account)
        for key in [key for key in self._analysed if key.account == account]:
            del self._analysed[key]


def _remember(memory: OrderedDict[NodeKey, T], key: NodeKey, what: T) -> None:
    memory[key] = what
    if len(memory) > REMEMBERED:
        memory.popitem(last=False)

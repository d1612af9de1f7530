# SPDX-License-Identifier: MIT
"""What analysers declare of the JSON that they make."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pubkeep.query.conditions import Path


@dataclass(frozen=True, slots=True)
class Declared:
    """The places that queries are expected to ask for: they are indexed, whoever made the JSON."""

    places: Mapping[Path, frozenset[str]] = field(default_factory=dict)
    """place -> names of the analysers for which a date stands there (RFC 3339), which is compared as a moment."""

    def dates(self, analyser: str) -> frozenset[Path]:
        """The places where this analyser has dates."""
        return frozenset(path for path, names in self.places.items() if analyser in names)

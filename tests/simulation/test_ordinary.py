# SPDX-License-Identifier: MIT
"""In ordinary life nearly all is answered from the cache."""

import pytest

from tests.simulation.ordinary import ordinary

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::ResourceWarning")]


def test_nine_of_ten_reads_of_an_ordinary_hour_come_from_the_cache() -> None:
    counted = ordinary()

    reads = {what: number for what, number in counted.items() if what.startswith("reads")}
    assert reads["reads_cache"] >= 0.9 * sum(reads.values()), reads

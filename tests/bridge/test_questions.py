# SPDX-License-Identifier: MIT
"""How much a caller may ask for, at the door."""

import pytest

from pubkeep.errors import InvalidArgs
from pubkeep_bridge.bus import Variant
from pubkeep_bridge.service.cache import search_request


@pytest.mark.parametrize("limit", [0, 1001, 2**32 - 1])
def test_a_page_of_nothing_and_one_without_an_end_are_refused(limit: int) -> None:
    with pytest.raises(InvalidArgs, match=f"option 'limit': {limit} is not from 1 to 1000"):
        search_request("x", {"limit": Variant("u", limit)})


@pytest.mark.parametrize("limit", [-1, 2**32, 2**63 - 1])
def test_a_number_that_is_none_of_its_type_is_refused(limit: int) -> None:
    with pytest.raises(InvalidArgs, match=f"option 'limit': {limit} is not from 0 to {2**32 - 1}"):
        search_request("x", {"limit": Variant("x", limit)})


@pytest.mark.parametrize("limit", [1, 1000])
def test_what_a_page_may_hold_is_taken_in_any_integer_type(limit: int) -> None:
    for signature in "nqiuxt":
        assert search_request("x", {"limit": Variant(signature, limit)})[1].limit == limit

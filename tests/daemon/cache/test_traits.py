# SPDX-License-Identifier: MIT
"""Which kinds of change a service is taken to tell."""

from collections.abc import Mapping

import pytest

from pubkeep.cache.traits import KINDS, contradicted, dynamic, told, untold
from tests.daemon.cache.service import KEY

OWN = KEY._replace(service=KEY.account)
ONCE = "{urn:xmpp:pubsub-caching-hints:0}"
HINTS = "urn:xmpp:pubsub-caching-hints:0#"


@pytest.mark.parametrize("name", ["alway-notify", "always-notify"])
@pytest.mark.parametrize("prefix", [ONCE, HINTS, "pubsub#"])
@pytest.mark.parametrize("value", ["1", "true"])
def test_a_hint_that_all_is_notified_is_honoured_in_both_spellings(name: str, prefix: str, value: str) -> None:
    promised = told(KEY, {f"{prefix}{name}": value}, {})

    assert promised == {"retract", "purge", "trim"}
    assert set(untold(KEY, promised, frozenset())) == set(KINDS) - promised


@pytest.mark.parametrize("metadata", [{}, {f"{HINTS}always-notify": "0"}, {"pubsub#title": "true"}])
def test_without_a_hint_everything_may_be_kept_to_itself(metadata: Mapping[str, str]) -> None:
    assert untold(KEY, told(KEY, metadata, {}), frozenset()) == KINDS


@pytest.mark.parametrize("value", ["0", "false"])
def test_items_that_differ_from_reader_to_reader_are_known_by_their_hint(value: str) -> None:
    assert dynamic({f"{HINTS}consistent-items": value})
    assert not dynamic({f"{HINTS}consistent-items": "1"})
    assert not dynamic({})


def test_nothing_gets_lost_on_the_way_from_our_own_server() -> None:
    assert "transit" not in untold(OWN, told(OWN, {}, {}), frozenset())


def test_what_was_kept_back_once_is_untold_for_good() -> None:
    promised = told(KEY, {f"{HINTS}always-notify": "1"}, {}) | {"transit"}
    revoked = contradicted(promised, extra=True, missing=False)

    assert revoked == {"retract", "purge", "trim"}
    assert set(untold(KEY, promised, revoked)) == set(KINDS) - {"transit"}
    assert contradicted(promised, extra=False, missing=True) == {"transit"}

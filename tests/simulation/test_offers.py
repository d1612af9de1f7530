# SPDX-License-Identifier: MIT
"""What simulated services offer beside lists, by which an interruption can be caught up with."""

import pytest

from pubkeep.errors import NotSupported
from pubkeep.protocol import ItemsQuery, OrderBy
from tests.simulation.archives import LOST
from tests.simulation.history import History
from tests.simulation.refusals import Refusal
from tests.simulation.services import LONG_PROFILES, PROSODY, Service

NODE = "blog"
LATER = 100.0


def service(name: str, *ops: tuple[str, ...]) -> Service:
    """One with a node to which this happened, a second apart."""
    profile = next(each for each in LONG_PROFILES if each.name == name)
    made = Service("pubsub.localhost", profile, {NODE: History(profile.order)})
    for at, op in enumerate(ops):
        made.change(NODE, float(at), *op)
    return made


def put(*ids: str) -> list[tuple[str, ...]]:
    return [("put", item_id, f"{item_id}{at}") for at, item_id in enumerate(ids)]


def archived(of: Service, number: int = 100, before: str = "") -> list[str]:
    return [item.id for _, item in of.archived(NODE, LATER, number, before).published]


def test_an_archive_has_what_was_published_and_never_what_went() -> None:
    some = service("archives", *put("a", "b", "a"), ("del", "b"), ("purge",))

    assert archived(some) == ["a", "b", "a"]


def test_an_archive_is_read_from_its_end_backwards() -> None:
    some = service("archives", *put("a", "b", "c"))

    last = some.archived(NODE, LATER, 2, "")
    rest = some.archived(NODE, LATER, 2, last.first)

    assert ([item.id for _, item in last.published], last.begins) == (["b", "c"], False)
    assert ([item.id for _, item in rest.published], rest.begins) == (["a"], True)


def test_an_archive_is_late() -> None:
    some = service("archives", *put("a", "b"))  # b at 1.0

    shown = {at: [item.id for _, item in some.archived(NODE, at, 100, "").published] for at in (2.8, 2.9)}

    assert shown == {2.8: ["a"], 2.9: ["a", "b"]}


def test_an_archive_that_is_empty_is_advertised_all_the_same() -> None:
    some = service("orders", *put("a", "b"))

    assert archived(some) == []
    assert "urn:xmpp:mam:2" in some.info().features


def test_an_archive_that_loses_something_loses_no_edit() -> None:
    names = [f"i{n}" for n in range(1, LOST + 2)]
    some = service("loses", *put(*names, names[LOST - 1]))

    assert archived(some) == [*names[: LOST - 1], names[LOST], names[LOST - 1]]


def test_who_archives_nothing_says_so() -> None:
    some = Service("pubsub.localhost", PROSODY, {NODE: History("publish")})

    with pytest.raises(Refusal) as refused:
        some.archived(NODE, LATER, 1, "")

    assert isinstance(refused.value.meaning(), NotSupported)


@pytest.mark.parametrize(
    ("name", "version", "field", "expected"),
    [
        ("orders", "1", "modification", ["a", "c", "b"]),
        ("orders", "1", "creation", ["c", "b", "a"]),
        ("orders", "0", "modification", ["a", "b", "c"]),
        ("orders-long-ago", "0", "modification", ["a", "c", "b"]),
        ("counts", "1", "creation", ["b", "c", "a"]),
    ],
)
def test_an_order_is_honoured_in_one_version_or_ignored_in_silence(
    name: str, version: str, field: str, expected: list[str]
) -> None:
    some = service(name, *put("a", "b", "c", "a"))

    query = ItemsQuery(rsm_max=3, order=OrderBy(field, version))  # type: ignore[arg-type]

    assert [item_id for item_id, _ in some.items(NODE, query)[0]] == expected
    assert any(feature.startswith("urn:xmpp:order-by:") for feature in some.info().features)


def test_the_last_page_comes_with_the_number_of_all() -> None:
    some = service("counts", *put(*(f"i{n}" for n in range(20))))

    items, rsm = some.items(NODE, ItemsQuery(rsm_max=40, rsm_before=""))

    assert [item_id for item_id, _ in items] == [f"i{n}" for n in range(5, 20)]
    assert rsm is not None
    assert (rsm.first, rsm.last, rsm.index, rsm.count) == ("i5", "i19", 5, 20)

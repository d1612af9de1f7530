# SPDX-License-Identifier: MIT
"""register_analyser with its whole meaning."""

import asyncio
from collections.abc import Awaitable
from typing import Any
from xml.etree.ElementTree import Element, SubElement

import pytest

from pubkeep.analysers.registry import Registry, load_entry_points
from pubkeep.errors import Conflict, InvalidArgs, NotFound
from pubkeep.model import Analysis, NodeKey, Parsed
from pubkeep.protocol import WireItem

KEY = NodeKey("alice@localhost", "pubsub.localhost", "urn:x:things")
PEP = NodeKey("alice@localhost", "alice@localhost", "urn:x:things")


def item(namespace: str = "urn:x", text: str = "words") -> WireItem:
    element = Element("{http://jabber.org/protocol/pubsub}item", {"id": "i"})
    SubElement(element, f"{{{namespace}}}thing").text = text
    return WireItem("i", "", element)


async def parsed(registry: Registry, key: NodeKey = KEY) -> Parsed:
    analysis = await registry.analyse(key, item())
    assert analysis is not None
    return await registry.parse(key, analysis, item())


async def test_a_prefix_matches_without_an_item() -> None:
    registry = Registry()
    registry.register_analyser({"name": "a", "type": "thing", "node": "urn:x:", "to_sync": True})

    assert await registry.analyse(KEY, None) == Analysis("a", "thing", to_sync=True)
    assert await registry.analyse(NodeKey("a", "b", "other"), None) is None


async def test_a_namespace_is_learnt_from_the_first_item() -> None:
    registry = Registry()
    registry.register_analyser({"name": "a", "type": "thing", "namespace": "urn:x"})

    assert await registry.analyse(KEY, None) is None
    found = await registry.analyse(KEY, item("urn:x"))
    assert found is not None
    assert (found.name, found.namespace, found.to_sync) == ("a", "urn:x", False)
    assert await registry.analyse(KEY, item("urn:y")) is None


async def test_with_prefix_and_namespace_either_suffices() -> None:
    registry = Registry()
    registry.register_analyser({"name": "a", "type": "thing", "node": "urn:x:", "namespace": "urn:n"})

    assert await registry.analyse(KEY, item("urn:other")) is not None
    assert await registry.analyse(NodeKey("a", "b", "other"), item("urn:n")) is not None


async def test_the_first_in_order_of_registration_decides() -> None:
    registry = Registry()
    registry.register_analyser({"name": "first", "type": "t", "node": "urn:x"})
    registry.register_analyser({"name": "second", "type": "t", "node": "urn:x:things"})

    found = await registry.analyse(KEY, None)

    assert found is not None
    assert found.name == "first"


async def test_an_analysis_without_an_item_is_not_final_where_an_earlier_one_looks_at_items() -> None:
    registry = Registry()
    registry.register_analyser({"name": "by item", "type": "t", "namespace": "urn:x"})
    registry.register_analyser({"name": "by name", "type": "t", "node": "urn:x"})

    guess, sure = await registry.analyse(KEY, None), await registry.analyse(KEY, item())

    assert guess is not None
    assert sure is not None
    assert (guess.name, guess.final) == ("by name", False)
    assert (sure.name, sure.final) == ("by item", True)


@pytest.mark.parametrize(
    ("declaration", "words"),
    [
        ({"type": "t", "node": "n"}, "name is missing"),
        ({"name": "a", "node": "n"}, "type is missing"),
        ({"name": "a", "type": "t"}, "needs a node"),
        ({"name": "a", "type": "t", "node": 3}, "node must be of type str"),
        ({"name": "a", "type": "t", "node": "n", "to_sync": "yes"}, "to_sync must be of type bool"),
        ({"name": "a", "type": "t", "node": "n", "parser": "x"}, "parser must be a function"),
        ({"name": "a", "type": "t", "node": "n", "colour": "x"}, "'colour' is no key"),
    ],
)
def test_what_is_missing_or_wrong_is_named(declaration: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidArgs, match=words):
        Registry().register_analyser(declaration)


def test_a_name_that_is_taken_is_a_conflict() -> None:
    registry = Registry()
    registry.register_analyser({"name": "a", "type": "t", "node": "n"})

    with pytest.raises(Conflict):
        registry.register_analyser({"name": "a", "type": "u", "node": "m"})


async def test_a_parser_may_be_plain_a_coroutine_or_give_anything_awaitable() -> None:
    def plain(account: str, item: Element, service: str | None, node: str) -> dict[str, Any]:
        return {"title": f"{account} {service} {node} {item.get('id')}"}

    async def coroutine(*arguments: Any) -> dict[str, Any]:
        await asyncio.sleep(0)
        return plain(*arguments)

    def future(*arguments: Any) -> Awaitable[dict[str, Any]]:
        done = asyncio.get_running_loop().create_future()
        done.set_result(plain(*arguments))
        return done

    for parser in (plain, coroutine, future):
        registry = Registry()
        registry.register_analyser({"name": "a", "type": "t", "node": "urn:x", "parser": parser})
        assert (await parsed(registry)).title == "alice@localhost pubsub.localhost urn:x:things i"
        assert (await parsed(registry, PEP)).title == "alice@localhost None urn:x:things i"


async def test_a_parser_gets_a_copy_of_the_item() -> None:
    def parser(_account: str, element: Element, *_: Any) -> dict[str, Any]:
        element.clear()
        return {}

    registry = Registry()
    registry.register_analyser({"name": "a", "type": "t", "node": "urn:x", "parser": parser})
    wire = item()

    await registry.parse(KEY, Analysis("a", "t"), wire)

    assert wire.element[0].text == "words"


async def test_match_cb_edits_the_analysis_in_place() -> None:
    async def match(account: str, analysis: dict[str, Any]) -> None:
        analysis |= {"type": "other", "subtype": "sub", "to_sync": True, "colour": ["red"], "owner": account}
        analysis["parser"] = lambda *_: {"title": "from the new parser"}

    registry = Registry()
    registry.register_analyser({"name": "a", "type": "t", "node": "urn:x", "match_cb": match})

    found = await registry.analyse(KEY, item())

    assert found is not None
    assert (found.type, found.subtype, found.to_sync) == ("other", "sub", True)
    assert found.extra == '{"colour": ["red"], "owner": "alice@localhost"}'
    assert (await registry.parse(KEY, found, item())).title == "from the new parser"


async def test_the_parser_of_match_cb_is_found_again_after_a_restart() -> None:
    def match(_account: str, analysis: dict[str, Any]) -> None:
        analysis["parser"] = lambda *_: {"title": "again"}

    registry = Registry()
    registry.register_analyser({"name": "a", "type": "t", "node": "urn:x", "match_cb": match})

    assert (await registry.parse(KEY, Analysis("a", "t"), item())).title == "again"


async def test_an_error_in_match_cb_means_that_the_service_is_always_asked() -> None:
    def match(*_: Any) -> None:
        raise RuntimeError("broken")

    registry = Registry()
    declaration = {"name": "a", "type": "t", "node": "urn:x", "to_sync": True, "match_cb": match}
    registry.register_analyser(declaration)

    found = await registry.analyse(KEY, item())

    assert found is not None
    assert found.to_sync is False
    assert registry.troubles["a"].last == "node 'urn:x:things': broken"


@pytest.mark.parametrize("result", [None, {"x": object()}, {"x": float("nan")}, {"x": "y" * 2_000_000}])
async def test_what_is_no_json_leaves_the_item_raw_with_its_error(result: Any) -> None:
    registry = Registry()
    registry.register_analyser({"name": "a", "type": "t", "node": "urn:x", "parser": lambda *_: result})

    given = await parsed(registry)

    assert given.error.startswith("a: ")
    assert (given.json, given.text) == ("", "words")
    assert registry.troubles["a"].count == 1


async def test_without_a_parser_the_words_are_searchable() -> None:
    registry = Registry()
    registry.register_analyser({"name": "a", "type": "t", "node": "urn:x"})

    assert await parsed(registry) == Parsed(text="words")


async def test_an_analyser_that_is_gone_leaves_raw_items() -> None:
    assert await Registry().parse(KEY, Analysis("gone", "t"), item()) == Parsed(text="words")


async def test_well_known_keys_describe_the_item() -> None:
    result = {
        "title": "T",
        "published": "2024-01-02T03:04:05Z",
        "updated": 7,
        "subtype": "s",
        "text": "found",
        "more": [1],
    }
    registry = Registry()
    registry.register_analyser({"name": "a", "type": "t", "node": "urn:x", "parser": lambda *_: result})

    given = await parsed(registry)

    assert (given.title, given.published, given.updated, given.subtype, given.text) == (
        ("T", 1_704_164_645_000_000, 7, "s", "found")
    )
    assert '"text"' not in given.json
    assert '"more":[1]' in given.json


async def test_the_built_in_ones_come_by_entry_point_and_can_be_tried() -> None:
    registry = Registry()
    load_entry_points(registry)

    assert [(analyser.name, analyser.source) for analyser in registry.all()] == [("blog", "built-in")]
    with pytest.raises(NotFound):
        await registry.test("nothing", "<x/>")
    with pytest.raises(InvalidArgs, match="not an Atom entry"):
        await registry.test("blog", "<x xmlns='urn:x'/>")
    with pytest.raises(InvalidArgs, match="not well-formed"):
        await registry.test("blog", "<x")

# SPDX-License-Identifier: MIT
"""Analysers come, go and change while the daemon is down; what they made of items is made anew, never the items."""

import asyncio
from collections.abc import Mapping
from xml.etree.ElementTree import Element

from pubkeep.analysers.registry import Registry
from pubkeep.model import NodeChange, Policy
from pubkeep.questions import SearchRequest
from tests.daemon.cache.service import KEY
from tests.daemon.cache.stage import QUIET, Stage, play


def registry(name: str = "own", version: int = 1, **keys: object) -> Registry:
    """One analyser of our own, whose parser writes its version beside the title."""

    def parser(_account: str, item: Element, _service: str | None, _node: str) -> Mapping[str, object]:
        return {"title": f"{item.get('id')} by {name} {version}"}

    analysers = Registry()
    declared = {"name": name, "type": "thing", "node": KEY.node, "to_sync": True, "version": version, "parser": parser}
    analysers.register_analyser(declared | keys)
    return analysers


async def restarted(stage: Stage, analysers: Registry) -> list[NodeChange]:
    """The daemon comes back with these. Returns what it signals from then on."""
    await stage.close()
    stage.analysers = analysers
    await stage.open()
    signals: list[NodeChange] = []
    stage.cache.listeners.append(signals.append)
    return signals


async def titles(stage: Stage) -> list[str]:
    """What a search finds, and the database holds."""
    found = await stage.cache.search(SearchRequest(format="json"), [KEY.account])
    return sorted(row.title for row in found.items)


async def synced(analysers: Registry) -> Stage:
    """A stage with this analyser, its node synced."""
    stage = Stage(KEY)
    stage.analysers = analysers
    await stage.enter("synced")
    return stage


def test_what_another_version_parsed_is_parsed_anew_and_told() -> None:
    async def scene() -> None:
        stage = await synced(registry())

        signals = await restarted(stage, registry(version=2))
        await asyncio.sleep(QUIET)

        assert await titles(stage) == ["a by own 2", "b by own 2", "c by own 2"]
        assert [(each.what, each.published) for each in signals if each.published] == [("parsed", ("a", "b", "c"))]
        (record,) = await stage.store.nodes(KEY.account)
        assert record.analysis is not None
        assert record.analysis.version == 2
        signals = await restarted(stage, registry(version=2))
        await asyncio.sleep(QUIET)
        assert signals == []
        await stage.close()

    play(scene)


def test_an_analyser_of_another_name_parses_anew_too() -> None:
    async def scene() -> None:
        stage = await synced(registry())

        await restarted(stage, registry("other"))
        await asyncio.sleep(QUIET)

        assert await titles(stage) == ["a by other 1", "b by other 1", "c by other 1"]
        assert stage.explained()["analyser"] == "other"
        await stage.close()

    play(scene)


def test_parsing_anew_goes_on_where_the_disk_was_full() -> None:
    async def scene() -> None:
        stage = Stage(KEY, items=26)
        stage.analysers = registry()
        await stage.enter("synced")
        await stage.close()
        stage.analysers = registry(version=2)
        stage.disk.failing["event"] = 1

        await stage.open()
        await asyncio.sleep(QUIET)
        assert (await titles(stage))[0] == "a by own 1"
        await restarted(stage, registry(version=2))
        await asyncio.sleep(QUIET)

        assert {title.partition(" by ")[2] for title in await titles(stage)} == {"own 2"}
        await stage.close()

    play(scene)


def test_an_item_that_changes_meanwhile_is_not_written_over() -> None:
    async def scene() -> None:
        stage = await synced(registry())
        await stage.close()
        stage.analysers = registry(version=2)
        await stage.open()
        stage.connect()

        stage.service.items_held["b"] = "changed"
        stage.service.notify(items=(stage.service.item("b", "changed"),))
        await asyncio.sleep(QUIET)

        answer = await stage.read("cache")
        assert ["changed" in row.xml for row in answer.page.items] == [False, True, False]
        assert await titles(stage) == ["a by own 2", "b by own 2", "c by own 2"]
        await stage.close()

    play(scene)


def test_without_its_analyser_a_node_is_kept_as_it_is_and_not_synchronised() -> None:
    async def scene() -> None:
        stage = await synced(registry())

        await restarted(stage, Registry())
        stage.service.sent.clear()
        stage.connect()
        await asyncio.sleep(QUIET)

        assert stage.sent() == ""
        assert await titles(stage) == ["a by own 1", "b by own 1", "c by own 1"]
        assert (await stage.answer("cache"), await stage.answer()) == ("stale", "asked")
        assert "the analyser own that wanted it is missing" in str(stage.explained()["words"])
        await stage.close()

    play(scene)


def test_who_asks_for_it_has_it_synchronised_without_an_analyser() -> None:
    async def scene() -> None:
        stage = await synced(registry())
        await restarted(stage, Registry())
        stage.connect()

        job = await stage.synchronise()

        assert job.state == "done"
        assert await stage.answer() == "copy"
        await restarted(stage, Registry())
        stage.connect()
        await stage.cache.set_policy(KEY, Policy("always"))
        await asyncio.sleep(QUIET)
        assert await stage.answer() == "copy"
        await stage.close()

    play(scene)

# SPDX-License-Identifier: MIT
"""Services that lie, each in one of the ways seen of real ones: what is not so is never served as whole and synced."""

import asyncio

import pytest

from pubkeep.model import NodeState
from tests.fixtures.component import JID, NODE, entry
from tests.fixtures.servers import Server
from tests.system.test_catching_up import Place, change, place

pytestmark = [pytest.mark.system, pytest.mark.slow]
LIES = {
    "truncate": (),
    "stuck": (),
    "repeat": (),
    "count": (),
    "index": (),
    "backwards": (),
    "doubled": (),
    "payload": (),
    "joined": (),
    "empty-archive": ("creation",),
    "order-ignored": ("creation",),
    "disco-empty": (),
    "disco-old": (),
    "late": (),
    "reversed": (),
    "opaque": (),
}
"""Each lie, or oddity, with what makes it matter."""


async def look(there: Place) -> str:
    """One read; what is vouched for must be what the service has."""
    answer = await there.backend.read(JID, NODE, max=1000)
    if answer.source == "cache" and not answer.stale:
        assert [row.id for row in answer.page.items] == await there.service.held()
        return "vouched"
    return answer.source


async def vouched(there: Place) -> None:
    """Look until the copy is vouched for again."""
    async with asyncio.timeout(30):
        while await look(there) != "vouched":
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("lie", LIES)
async def test_what_a_liar_has_is_served_as_it_is_or_not_vouched_for(server: Server, lie: str) -> None:
    async with place(server, lie, *LIES[lie]) as there:
        if lie != "payload":  # notifications that are not believed teach nothing
            await there.learn()

        async with there.backend.away():
            await change(there.service)
        await vouched(there)
        await there.read()
        for number in (10, 20):
            await there.service.publish(f"i{number}", "told")
        await there.service.retract("i30", "i31")
        await there.backend.settled(JID, NODE)

        await there.read()


async def test_an_archive_that_answers_nothing_is_not_believed(server: Server) -> None:
    async with place(server, "creation", "empty-archive") as there:
        await there.learn()

        async with there.backend.away():
            await there.service.publish("i3", "edited", told=False)
        await vouched(there)

        await there.read()
        assert "archive" not in there.explain()["shown"]  # type: ignore[operator]
        asked = await there.service.asked()
        assert "archive" in asked
        assert "page" in asked


async def test_an_order_that_is_ignored_in_silence_is_not_asked_for_again(server: Server) -> None:
    async with place(server, "creation", "order-ignored") as there:
        await there.learn()

        assert "order-by" in there.explain()["distrusted"]  # type: ignore[operator]
        async with there.backend.away():
            await there.service.publish("i3", "edited", told=False)
        await vouched(there)
        await there.read()


async def test_ids_of_another_day_are_found_out_by_the_newest_items(server: Server) -> None:
    async with place(server, "disco-old") as there:
        await there.learn()

        async with there.backend.away():
            await change(there.service)
        await vouched(there)

        await there.read()
        assert "ids" not in there.explain()["proved_by"]  # type: ignore[operator]


async def test_a_difference_that_a_way_had_excluded_revokes_it_for_good(server: Server) -> None:
    async with place(server, "creation", "mam") as there:
        await there.learn()
        async with there.away():
            await change(there.service)
        assert "archive" in there.explain()["proved_by"]  # type: ignore[operator]

        await there.service.edit_in_secret("i7", "what no archive has")
        await there.backend.synchronise(JID, NODE)

        await there.read()
        assert "archive" in there.explain()["distrusted"]  # type: ignore[operator]
        kept = await there.backend.store.traits(there.backend.jid)
        assert "archive" in kept[JID].distrusted
        await there.service.asked()
        async with there.away():
            await there.service.publish("i9", "edited", told=False)
        assert "archive" not in await there.service.asked()


@pytest.mark.parametrize(
    "xml",
    [
        "<message to=TO from='ext.localhost' type='error'>{}</message>",
        "<message to=TO from='ext.localhost/x'>{}</message>",
        "<message to=TO from='ext.localhost'><forwarded xmlns='urn:xmpp:forward:0'>{}</forwarded></message>",
        "<message to=TO from='ext.localhost'><result xmlns='urn:xmpp:mam:2' queryid='archive1' id='1'>"
        "<forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client'>{}</message></forwarded>"
        "</result></message>",
    ],
)
async def test_forged_and_wrapped_notifications_write_nothing(server: Server, xml: str) -> None:
    async with place(server) as there:
        item = f"<item id='forged'>{entry('forged')}</item>"
        event = f"<event xmlns='http://jabber.org/protocol/pubsub#event'><items node='{NODE}'>{item}</items></event>"

        await there.service.say(xml.format(event))
        await there.service.publish("fence", "1")
        await there.backend.settled(JID, NODE)

        answer = await there.read()
        assert "forged" not in [row.id for row in answer.page.items]
        assert there.explain()["state"] == NodeState.SYNCED

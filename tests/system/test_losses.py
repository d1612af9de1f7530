# SPDX-License-Identifier: MIT
"""What is lost or taken away at a real server: nodes, subscriptions, rights, all of it, and the way to it."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from pubkeep.config import CacheSettings
from pubkeep.errors import NotAllowed, NotFound, Unavailable
from pubkeep.model import AccountState, NodeChange, NodeState
from pubkeep.query.document import read
from pubkeep.questions import Answer, SearchRequest
from pubkeep.sync.jobs import Job
from tests.fixtures.author import Author
from tests.fixtures.backend import Backend
from tests.fixtures.every_server import on_every_server
from tests.fixtures.proxy import Proxy
from tests.fixtures.servers import Server
from tests.system.conftest import BLOG, SERVICE, entry, until

pytestmark = [pytest.mark.system, pytest.mark.slow, on_every_server]
READER = "carol"
"""Nobody special at any of the servers."""
NUMBER = 12


@pytest.fixture
async def bob(server: Server) -> AsyncIterator[Author]:
    """The owner of a blog."""
    async with Author(server, "bob") as author:
        await blog(author)
        yield author


async def blog(author: Author, title: str = "Title") -> None:
    """Make a blog with some posts."""
    await author.create(SERVICE, BLOG, max_items="1000", access_model="open")
    for n in range(NUMBER):
        await author.publish(SERVICE, BLOG, f"i{n}", entry(n, title))


@pytest.fixture
async def carol(server: Server, bob: Author) -> AsyncIterator[Backend]:
    """Who has the blog, synced."""
    async with Backend(server, READER, CacheSettings(max_age=5.0, fan_out=0.5)) as backend:
        await backend.settled(SERVICE, BLOG)
        yield backend


async def titles(reader: Backend) -> set[str]:
    """What a frontend reads now."""
    answer = await reader.read(SERVICE, BLOG, max=1000, format="json")
    return {row.title.partition(" ")[0] for row in answer.page.items}


async def found(reader: Backend) -> int:
    """How many items the search finds."""
    return len((await reader.cache.search(SearchRequest(read("Title")), [reader.jid])).items)


async def test_a_server_that_lost_everything_is_noticed(server: Server, bob: Author, carol: Backend) -> None:
    server.kill()
    await carol.becomes(AccountState.WAITING)
    offline = await carol.read(SERVICE, BLOG)
    server.wipe()
    server.start()
    carol.sessions.connect_now(carol.jid)
    await carol.becomes(AccountState.ONLINE)

    assert (offline.stale, len(offline.page.items)) == (True, NUMBER)
    with pytest.raises(NotFound):
        await carol.read(SERVICE, BLOG)
    await until(lambda: state_is(carol, NodeState.GONE))
    assert await found(carol) == 0


async def state_is(reader: Backend, state: NodeState) -> bool:
    """Whether the blog is in this state."""
    return reader.state(SERVICE, BLOG) is state


async def test_a_deleted_node_is_gone_and_its_readers_are_told(bob: Author, carol: Backend) -> None:
    changes: list[NodeChange] = []
    carol.cache.listeners.append(changes.append)

    await bob.owner(SERVICE, BLOG, "delete")
    with pytest.raises(NotFound):  # ejabberd tells nobody by default
        await carol.read(SERVICE, BLOG, freshness="service")
    await until(lambda: state_is(carol, NodeState.GONE))

    assert "deleted" in [change.what for change in changes]
    assert await found(carol) == 0
    with pytest.raises(NotFound):
        await carol.read(SERVICE, BLOG, freshness="cache")


async def test_dates_and_order_are_the_services_also_after_all_was_listed_again(bob: Author, carol: Backend) -> None:
    before = (await carol.read(SERVICE, BLOG, freshness="cache", format="json", extra=True)).page.items

    await carol.sessions.suspend()
    await carol.sessions.wake()
    await carol.becomes(AccountState.ONLINE)
    job = await carol.cache.synchronise(carol.key(SERVICE, BLOG))
    await until(lambda: ended(job))

    again = (await carol.synced(SERVICE, BLOG)).page.items
    dates = [(row.id, row.published) for row in before]
    assert dates == [(f"i{n}", 1_704_067_200_000_000 + n * 1_000_000) for n in range(NUMBER)]
    assert [(row.id, row.published) for row in again] == dates
    held = (await carol.read(SERVICE, BLOG, freshness="cache", format="json", extra=True)).page.items
    assert [row.extra["stored"] for row in held] == [row.extra["stored"] for row in before]


async def test_what_a_service_trims_without_a_word_goes_with_the_next_proof(bob: Author, carol: Backend) -> None:
    node = f"{BLOG}/short"
    await bob.create(SERVICE, node, max_items="5", access_model="open")
    for n in range(5):
        await bob.publish(SERVICE, node, f"i{n}", entry(n))
    await carol.settled(SERVICE, node)

    for n in range(5, 8):
        await bob.publish(SERVICE, node, f"i{n}", entry(n))

    async def whole() -> Answer | None:
        answer = await carol.synced(SERVICE, node)
        return answer if [row.id for row in answer.page.items] == ["i3", "i4", "i5", "i6", "i7"] else None

    answer: Answer = await until(whole)
    assert "trim" in answer.untold


async def test_what_a_purge_leaves_behind_is_there_when_it_is_over(server: Server, carol: Backend, bob: Author) -> None:
    node = f"{BLOG}/open"
    await bob.create(SERVICE, node, max_items="50", access_model="open", publish_model="open")
    await bob.publish(SERVICE, node, "his", entry(1))
    async with Author(server, "alice") as alice:
        await alice.publish(SERVICE, node, "hers", entry(2))  # ejabberd with SQL keeps it: she is not subscribed
    await carol.settled(SERVICE, node)

    await bob.owner(SERVICE, node, "purge")

    async def equal() -> bool:
        ours = await carol.synced(SERVICE, node)
        return (
            {row.id for row in ours.page.items}
            == {item_id for item_id, _ in await bob.items(SERVICE, node)}
            < {"his", "hers"}
        )

    await until(equal)


async def test_a_contact_who_does_not_exist_is_an_error_and_leaves_no_row(carol: Backend, bob: Author) -> None:
    with pytest.raises((NotAllowed, NotFound, Unavailable)):  # Prosody says `forbidden` of nobody, too
        await carol.read("nobody@localhost", BLOG)

    assert carol.state("nobody@localhost", BLOG) is NodeState.UNKNOWN


async def test_a_node_that_is_deleted_and_made_anew_is_read_anew(bob: Author, carol: Backend) -> None:
    await bob.owner(SERVICE, BLOG, "delete")
    await blog(bob, "Other")

    await carol.read(SERVICE, BLOG, freshness="service")
    await carol.settled(SERVICE, BLOG)

    assert await titles(carol) == {"Other"}
    assert await found(carol) == 0


async def test_what_is_published_in_a_node_made_anew_is_told(bob: Author, carol: Backend) -> None:
    await bob.owner(SERVICE, BLOG, "delete")
    await blog(bob, "Other")
    await carol.read(SERVICE, BLOG, freshness="service")
    await carol.settled(SERVICE, BLOG)

    await bob.publish(SERVICE, BLOG, "later", entry(1, "Later"))

    async def told() -> bool:
        answer = await carol.read(SERVICE, BLOG, max=1000, freshness="cache")
        return "later" in {row.id for row in answer.page.items}

    await until(told)


async def test_what_is_published_in_a_node_made_anew_while_we_were_away_is_told(bob: Author, carol: Backend) -> None:
    await carol.sessions.suspend()
    await bob.owner(SERVICE, BLOG, "delete")
    await blog(bob, "Other")
    await carol.sessions.wake()
    await carol.settled(SERVICE, BLOG)

    await bob.publish(SERVICE, BLOG, "later", entry(1, "Later"))

    async def told() -> bool:
        answer = await carol.read(SERVICE, BLOG, max=1000, freshness="cache")
        return "later" in {row.id for row in answer.page.items}

    await until(told, 4)


async def test_who_loses_access_sees_nothing_and_who_regains_it_sees_all(bob: Author, carol: Backend) -> None:
    await bob.affiliate(SERVICE, BLOG, carol.jid, "outcast")
    with pytest.raises(NotAllowed):
        await carol.read(SERVICE, BLOG, freshness="service")
    await until(lambda: state_is(carol, NodeState.DENIED))
    hidden = await found(carol)
    await bob.publish(SERVICE, BLOG, "i0", entry(0, "Secret"))
    with pytest.raises(NotAllowed):
        await carol.read(SERVICE, BLOG, freshness="cache")

    await bob.affiliate(SERVICE, BLOG, carol.jid, "none")
    await carol.read(SERVICE, BLOG, freshness="service")
    await carol.settled(SERVICE, BLOG)

    assert hidden == 0
    assert await titles(carol) == {"Title", "Secret"}
    assert await found(carol) == NUMBER - 1


async def test_what_a_refused_reader_held_is_kept_until_it_may_be_shown_again(bob: Author, carol: Backend) -> None:
    await bob.affiliate(SERVICE, BLOG, carol.jid, "outcast")
    with pytest.raises(NotAllowed):
        await carol.read(SERVICE, BLOG, freshness="service")
    await until(lambda: state_is(carol, NodeState.DENIED))

    before = carol.cache.sequence
    await bob.affiliate(SERVICE, BLOG, carol.jid, "none")
    await carol.read(SERVICE, BLOG, freshness="service")
    await carol.settled(SERVICE, BLOG)
    since = await carol.cache.search(SearchRequest(read("Title"), since=before), [carol.jid])

    assert await found(carol) == NUMBER
    assert len(since.items) == NUMBER  # they are shown again
    assert since.removed == ()


@pytest.fixture
async def elsewhere(server: Server) -> AsyncIterator[Author]:
    """Another program of the reader's."""
    async with Author(server, READER, "elsewhere") as author:
        yield author


async def test_a_subscription_that_somebody_ended_is_made_again_once(
    bob: Author, carol: Backend, elsewhere: Author
) -> None:
    await elsewhere.unsubscribe(SERVICE, BLOG, carol.full_jid)
    await carol.read(SERVICE, BLOG, max_age=0)
    await carol.synced(SERVICE, BLOG)
    await bob.publish(SERVICE, BLOG, "one", entry(1, "Told"))
    await until(lambda: shows(carol, "one"))

    await elsewhere.unsubscribe(SERVICE, BLOG, carol.full_jid)
    await carol.read(SERVICE, BLOG, max_age=0)
    await bob.publish(SERVICE, BLOG, "two", entry(2, "Untold"))

    async def polled() -> bool:
        answer = await carol.read(SERVICE, BLOG, max=1)
        return answer.source == "service" and answer.page.items[-1].id == "two"

    await until(polled)
    assert "ended" in str(carol.cache.explain(carol.key(SERVICE, BLOG))["words"])


async def shows(reader: Backend, item_id: str) -> bool:
    """Whether the copy has it."""
    answer = await reader.read(SERVICE, BLOG, max=1000, freshness="cache")
    return item_id in {row.id for row in answer.page.items}


async def test_behind_a_link_that_swallows_all_nothing_is_synced_after_the_lease(server: Server, bob: Author) -> None:
    settings = CacheSettings(lease=5.0, fan_out=0.5)
    async with Proxy(server.port) as proxy, Backend(server, READER, settings, proxy.port) as reader:
        await reader.synced(SERVICE, BLOG)

        proxy.swallowing = True
        await bob.publish(SERVICE, BLOG, "unseen", entry(1))
        await until(lambda: not_vouched_for(reader))
        quick = await reader.read(SERVICE, BLOG, freshness="quick")
        patient = await reader.read(SERVICE, BLOG)
        proxy.swallowing = False

        assert (quick.source, quick.stale, patient.source, patient.stale) == ("cache", True, "cache", True)
        assert quick.page.items == patient.page.items


async def not_vouched_for(reader: Backend) -> bool:
    """Whether the copy is called stale."""
    answer: Answer = await reader.read(SERVICE, BLOG, freshness="cache")
    return answer.stale


async def ended(job: Job) -> bool:
    """Whether it is over."""
    return job.ended


async def test_a_node_made_anew_between_our_subscription_and_the_listing_is_noticed(
    server: Server, bob: Author
) -> None:
    async with Backend(server, READER, CacheSettings(max_age=5.0, fan_out=0.5)) as reader:

        async def recreate() -> None:
            await bob.owner(SERVICE, BLOG, "delete")
            await blog(bob, "Other")

        job = await reader.cache.synchronise(reader.key(SERVICE, BLOG))
        await asyncio.gather(recreate(), until(lambda: ended(job)))
        await reader.read(SERVICE, BLOG, freshness="service")
        await reader.settled(SERVICE, BLOG)

        assert await titles(reader) == {"Other"}
        await bob.publish(SERVICE, BLOG, "later", entry(1, "Later"))
        await until(lambda: shows(reader, "later"))

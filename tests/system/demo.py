# SPDX-License-Identifier: MIT
"""`make demo`: the main job on a private bus and a private Prosody, with real text, in plain words."""

import argparse
import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pubkeep_bridge.cli import render
from pubkeep_bridge.cli.items import trust
from pubkeep_bridge.client import Account, Pubkeep, connect
from pubkeep_bridge.client.errors import PubkeepError
from tests.fixtures.author import Author
from tests.fixtures.buses import PrivateBus
from tests.fixtures.changelogs import posts
from tests.fixtures.daemon import DaemonProcess
from tests.fixtures.prosody import Prosody
from tests.fixtures.servers import PASSWORD

SERVICE = "pubsub.localhost"
BLOG = "urn:xmpp:microblog:0"
COMMENTS = "urn:xmpp:microblog:0:comments/debian"
POSTS = 1500
COMMENT = (
    "<entry xmlns='http://www.w3.org/2005/Atom'><id>c{n}</id><title>I read about {title}.</title>"
    "<author><name>Alice</name></author><published>2026-01-01T12:00:{n:02}Z</published></entry>"
)


def say(text: str = "") -> None:
    """One line, at once."""
    print(text, flush=True)


@asynccontextmanager
async def world() -> AsyncIterator[tuple[Prosody, PrivateBus, DaemonProcess]]:
    """A server, a bus and a daemon; all gone at the end."""
    prosody, bus = Prosody(), PrivateBus()
    daemon = DaemonProcess(bus.address, prosody)
    try:
        prosody.start()
        yield prosody, bus, daemon
    finally:
        daemon.remove()
        bus.stop()
        prosody.remove()


async def ready(pubkeep: Pubkeep) -> None:
    """Wait until the daemon owns its name."""
    for _ in range(200):
        try:
            await pubkeep.status()
        except PubkeepError:
            await asyncio.sleep(0.02)
        else:
            return


async def opened(pubkeep: Pubkeep) -> None:
    """Wait until its database is open, which may take long on a busy machine."""
    while (await pubkeep.status())["State"] != "ready":
        await asyncio.sleep(0.02)


async def fill(prosody: Prosody) -> int:
    """A blog and its comments, from the changelogs of this machine."""
    entries = posts(POSTS)
    async with Author(prosody, "bob") as bob:
        for node in (BLOG, COMMENTS):
            await bob.create(SERVICE, node, max_items="20000", persist_items="1", access_model="open")
        await bob.publish_all(SERVICE, BLOG, entries)
        comments = [(f"c{n}", COMMENT.format(n=n, title=entries[n][0])) for n in range(20)]
        await bob.publish_all(SERVICE, COMMENTS, comments)
    return len(entries)


async def read(account: Account, words: str, node: str = BLOG) -> None:
    """Read the newest five and say how it went."""
    started = time.perf_counter()
    answer = await account.get_items(SERVICE, node, max=5, format="json")
    took = (time.perf_counter() - started) * 1000
    say(f"\n{words}: {took:.1f} ms, {trust(answer.meta)}")
    for item in answer.items:
        say(f"    {render.date(item.published)}  {item.title}")


async def sync(account: Account) -> None:
    """Show the synchronisation that the first read began."""
    started = time.perf_counter()
    job = await account.synchronise(SERVICE, BLOG)
    async for done, total in job.progress():
        if total:
            filled = 40 * done // total
            end = "\r" if sys.stdout.isatty() else "\n"
            print(f"    [{'#' * filled}{'.' * (40 - filled)}] {done} of {total}", end=end, flush=True)
    result = await job.result()
    took = time.perf_counter() - started
    say(f"    [{'#' * 40}] {result['items']} items in {took:.1f} s{' ' * 10}")


async def show(prosody: Prosody, bus: PrivateBus, daemon: DaemonProcess) -> None:
    """The main job."""
    started = time.perf_counter()
    number = await fill(prosody)
    say(f"bob published {number} posts in {time.perf_counter() - started:.1f} s: changelog entries of this machine.")
    started = time.perf_counter()
    daemon.start()
    async with connect(bus.address) as pubkeep:
        await ready(pubkeep)
        say(f"pubkeepd owns its name after {(time.perf_counter() - started) * 1000:.0f} ms.")
        await opened(pubkeep)
        alice = await pubkeep.add_account("alice@localhost", password=PASSWORD, host="127.0.0.1", port=prosody.port)
        await alice.online()
        say("alice@localhost is online.")
        await read(alice, "First read, nothing is known of this node yet")
        say("\nThe analyser `blog` wants it: it is subscribed and fetched whole.")
        await sync(alice)
        await read(alice, "The same read again")
        started = time.perf_counter()
        found = await pubkeep.search('security -"not affected"', limit=3)
        took = (time.perf_counter() - started) * 1000
        say(f'\nSearch for security -"not affected": {took:.1f} ms, newest first')
        for item in found.items:
            say(f"    {render.date(item.published)}  {item.title}")
        await news(pubkeep, alice, prosody)
        await read(alice, "A node of comments, for the first time", COMMENTS)
        say("\nThe analysers:")
        for analyser in await pubkeep.analysers():
            rule = f"nodes {analyser['node']}* or {analyser['namespace']}"
            say(f"    {analyser['name']}: {rule}; {analyser['matched']} kept")
        say("\nWhy is the blog kept?")
        say(f"    {(await alice.explain(SERVICE, BLOG))['words']}")
        say("\nTry it yourself, in another terminal:")
        say(f"    export DBUS_SESSION_BUS_ADDRESS={bus.address}")
        say("    busctl --user tree im.pubkeep.Pubkeep1")
        say(f"    busctl --user introspect im.pubkeep.Pubkeep1 {alice.path}")
        say(
            f"    busctl --user call im.pubkeep.Pubkeep1 {alice.path} im.pubkeep.Pubkeep1.PubSub GetItems 'ssa{{sv}}'"
            f" {SERVICE} {BLOG} 1 max u 2"
        )
        say(f"    {sys.executable.rpartition('/')[0]}/pubkeep search kernel")
        say(f"    {sys.executable.rpartition('/')[0]}/pubkeep watch")


async def news(pubkeep: Pubkeep, alice: Account, prosody: Prosody) -> None:
    """A post of another account arrives by itself."""
    changes = pubkeep.watch("blog")
    coming = asyncio.ensure_future(anext(changes))
    await asyncio.sleep(0.2)
    async with Author(prosody, "bob") as bob:
        started = time.perf_counter()
        xml = "<entry xmlns='http://www.w3.org/2005/Atom'><id>hello</id><title>Hello, Alice!</title></entry>"
        await bob.publish(SERVICE, BLOG, "hello", xml)
        while "hello" not in (change := await coming).published:
            coming = asyncio.ensure_future(anext(changes))
        took = (time.perf_counter() - started) * 1000
    await changes.aclose()
    told = f"{change.what} of {change.node}: {', '.join(change.published)}"
    say(f"\nbob publishes; {took:.1f} ms later the bus says: {told}")
    answer = await alice.get_items(SERVICE, BLOG, max=1, format="json")
    say(f"    newest now: {answer.items[0].title!r}, {trust(answer.meta)}")


async def main() -> None:
    """Run it; without --once it stays until interrupted."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--once", action="store_true", help="end when all is shown")
    once = parser.parse_args().once
    async with world() as (prosody, bus, daemon):
        await show(prosody, bus, daemon)
        if not once:
            say("\nEverything runs until you press Ctrl-C.")
            await asyncio.Event().wait()


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        sys.exit(0)

# SPDX-License-Identifier: MIT
"""The composition root: builds everything and runs until SIGTERM.

The bus name is owned before the database is open, and before SQLAlchemy and slixmpp are imported: those two
take three times as long as everything else. Who calls meanwhile waits at the gate.
"""

import argparse
import asyncio
import contextlib
import gc
import importlib
import logging
import signal
import sys
from functools import partial
from pathlib import Path
from typing import Any

from pubkeep import __version__
from pubkeep.clock import Clock
from pubkeep.config import Settings, database_place, load
from pubkeep.errors import InvalidArgs, PubkeepError
from pubkeep.logs import set_up
from pubkeep.notify import notify, reloading
from pubkeep_bridge.bus import LIBRARY, Bus, NoBus
from pubkeep_bridge.contract import BUS_NAME
from pubkeep_bridge.service.gate import Core
from pubkeep_bridge.service.sleep import SleepWatch
from pubkeep_bridge.service.tree import Tree

log = logging.getLogger("pubkeepd")

RETRY = 10.0
"""Seconds until the database is tried again where it could not be opened."""
TURN = 0.0005
"""Seconds for which the thread that writes may compute while the event loop waits for its turn."""
FAILED, USAGE = 1, 2


class Daemon:
    """Everything that runs."""

    def __init__(self, settings: Settings, config: Path | None, arguments: dict[str, str]) -> None:
        self._settings = settings
        self._config = config
        self._arguments = arguments
        self._stop = asyncio.Event()
        self._clock = Clock()
        self._place = database_place(settings.storage)
        self._passwords: dict[str, str] = {}
        """Those that were given since the start: where the backend is built anew, nobody has to give them again."""
        self._core: Core | None = None
        self._sessions: Any = None
        self._store: Any = None
        self._sleep: SleepWatch | None = None

    async def run(self) -> int:
        """Run until told to stop. Returns the exit status."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        loop.add_signal_handler(signal.SIGHUP, self._reload)
        try:
            bus = await Bus.connect(self._settings.daemon.bus, fds=True)
        except NoBus as error:
            log.error("%s", error)
            return FAILED
        tree = Tree(bus)
        if not await bus.request_name(BUS_NAME):
            log.error("the name %s is taken: another pubkeepd is running", BUS_NAME)
            return FAILED
        notify("READY=1", "STATUS=opening the database")
        log.info("%s %s owns %s (%s)", "pubkeepd", __version__, BUS_NAME, LIBRARY)
        opening = asyncio.create_task(self._keep_open(tree))
        stopped = asyncio.create_task(self._stop.wait())
        ends: set[asyncio.Future[Any]] = {stopped, bus.disconnected}
        await asyncio.wait({*ends, opening}, return_when=asyncio.FIRST_COMPLETED)
        lost = bus.disconnected.done()
        notify("STOPPING=1")
        log.info("the message bus went away" if lost else "stopping")
        opening.cancel()
        results = await asyncio.gather(opening, return_exceptions=True)
        await tree.close()
        await self._close()
        if not lost:
            await bus.close()
        stopped.cancel()
        crashed = [result for result in results if isinstance(result, Exception)]
        if crashed:
            log.critical("the daemon cannot go on", exc_info=crashed[0])
        return FAILED if lost or crashed else 0

    # -- opening and closing ---------------------------------------------------------------------

    async def _keep_open(self, tree: Tree) -> None:
        """Open the backend, again where that fails, and anew where the database says so (Store.expired).

        The name and the passwords are kept meanwhile: a new process would have to be given them again, and nobody may
        be there who starts it.
        """
        while True:
            try:
                await self._open(tree)
                words, pause = await self._store.expired(), 0.0
            except PubkeepError as error:
                log.error("%s (%s)", error, self._place)
                words, pause = str(error), RETRY
            notify(f"STATUS={words}")
            await tree.detach(words)
            gc.unfreeze()
            with contextlib.suppress(PubkeepError):  # what keeps it from being closed in order is met again
                await self._close()
            await asyncio.sleep(pause)

    async def _open(self, tree: Tree) -> None:
        """Import what is heavy, open the database, take up the accounts."""
        modules = await asyncio.to_thread(_import_backend)
        changes_days = self._settings.storage.changes_days

        def migrating(words: str) -> None:
            notify(f"STATUS={words}")
            tree.migrating(words)

        self._store = await modules["storage.store"].Store.open(self._place, self._clock, changes_days, migrating)
        analysers = modules["analysers.registry"].Registry()
        modules["analysers.registry"].load_entry_points(analysers)
        self._sessions = modules["xmpp.sessions"].Sessions(self._settings.xmpp, self._clock)
        jobs = modules["sync.jobs"].Jobs(self._clock)
        cache = modules["cache.cache"].Cache(
            self._store, self._sessions, analysers, jobs, self._clock, self._settings.cache
        )
        normalise = modules["xmpp.jid"].normalise
        accounts = modules["accounts"].Accounts(
            self._store, self._sessions, cache, self._settings.accounts, self._clock, normalise, self._passwords
        )
        self._sessions.listener, self._sessions.tell = cache, accounts.tell
        await self._sessions.interested(analysers.interests())
        upkeep = modules["storage.upkeep_of"].upkeep_of(self._store.opened)
        maintenance = modules["maintenance"].Maintenance(upkeep, accounts, jobs, cache.heal, self._store.reindex)
        self._core = Core(accounts, cache, analysers, jobs, maintenance)
        tree.attach(self._core)
        await accounts.open()
        tree.gate.open(self._core)
        self._store.told = partial(self._told, tree, cache)
        self._say(tree, self._store.read_only)
        gc.freeze()  # what is imported by now stays: a full collection need not walk it, and pauses half as long
        self._sleep = SleepWatch(self._sessions.suspend, self._sessions.wake)
        await self._sleep.start()

    @classmethod
    def _told(cls, tree: Tree, cache: Any, read_only: str) -> None:
        """The database takes no writes, or takes them again."""
        cls._say(tree, read_only)
        if not read_only:
            cache.written_again()

    @staticmethod
    def _say(tree: Tree, read_only: str) -> None:
        """It is ready, or takes no writes."""
        notify(f"STATUS={read_only or 'ready'}")
        tree.read_only(read_only)

    async def _close(self) -> None:
        """In the order of dependence: who uses something ends before it."""
        if self._sleep is not None:
            await self._sleep.close()
        if self._core is not None:
            await self._core.maintenance.close()
            await self._core.accounts.close()
            await self._sessions.close()
            await self._core.cache.close()
        store, self._store, self._core, self._sleep = self._store, None, None, None
        if store is not None:
            await store.close()

    def _reload(self) -> None:
        """SIGHUP: read the settings again; what needs a restart says so."""
        notify(reloading())
        try:
            settings = load(self._config, arguments=self._arguments)
        except InvalidArgs as error:
            log.error("the settings are kept as they were: %s", error)
        else:
            set_up(settings.daemon.log_level)
            if self._core is not None:
                self._core.accounts.settings = settings.accounts
            for section in ("storage", "xmpp", "cache"):
                if getattr(settings, section) != getattr(self._settings, section):
                    log.warning("[%s] changed: it takes effect at the next start", section)
            log.info("the settings were read again")
        notify("READY=1")


_BACKEND = (
    *("storage.store", "storage.upkeep_of", "xmpp.sessions", "xmpp.jid"),
    *("analysers.registry", "sync.jobs", "cache.cache", "accounts", "maintenance"),
)


def _import_backend() -> dict[str, Any]:
    """In a thread, so that the loop answers meanwhile."""
    return {name: importlib.import_module(f"pubkeep.{name}") for name in _BACKEND}


def main() -> None:
    """`pubkeepd`"""
    parser = argparse.ArgumentParser(
        "pubkeepd",
        description="Keeps a local, searchable, truthful copy of XMPP PubSub nodes and answers for them on D-Bus.",
        epilog="Settings stand in $XDG_CONFIG_HOME/pubkeep/config.toml; each is also an environment variable, "
        "PUBKEEP_SECTION_KEY. Frontends and people use the command `pubkeep`.",
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="read the settings from this file")
    parser.add_argument("--log-level", metavar="LEVEL", help="debug, info, warning or error")
    parser.add_argument("--bus", metavar="BUS", help="session (default) or system")
    parser.add_argument("--database", metavar="FILE", help="keep the database in this file")
    parser.add_argument("--version", action="version", version=f"pubkeepd {__version__}")
    given = parser.parse_args()
    options = {"daemon.log_level": given.log_level, "daemon.bus": given.bus, "storage.path": given.database}
    arguments = {key: value for key, value in options.items() if value is not None}
    try:
        settings = load(given.config, arguments=arguments)
    except InvalidArgs as error:
        print(f"pubkeepd: {error}", file=sys.stderr)  # noqa: T201 (before logging is set up)
        sys.exit(USAGE)
    set_up(settings.daemon.log_level)
    sys.setswitchinterval(TURN)
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(asyncio.run(Daemon(settings, given.config, arguments).run()))


if __name__ == "__main__":
    main()

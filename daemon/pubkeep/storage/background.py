# SPDX-License-Identifier: MIT
"""What a store does behind everything else, as long as nobody else writes.

It fills the indexes that another version made or that are new, drops what is too old to be remembered, and trains
dictionaries. Where something cannot be written it is tried again later: nothing that is held hangs on it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from sqlalchemy import Connection

from pubkeep.clock import Clock
from pubkeep.errors import PubkeepError
from pubkeep.query.declared import Declared
from pubkeep.storage import indexing, keys, training
from pubkeep.storage.beginning import Beginning
from pubkeep.storage.engines import Readers
from pubkeep.storage.history import drop_old
from pubkeep.storage.keys import Keys
from pubkeep.storage.payloads import Payloads
from pubkeep.storage.transactions import Transactions

log = logging.getLogger(__name__)

DAY = 86_400_000_000
"""Microseconds."""
DROP_AGAIN = 6 * 3600.0
"""Seconds between two looks for what is too old to be remembered."""
FILL_AGAIN = 30.0
"""Seconds after which it is tried again to index what could not be."""


class Background(Transactions):
    """The works, and what they keep up."""

    _clock: Clock
    _readers: Readers
    _stored: Payloads
    _keys: Keys
    indexing: bool

    def __init__(self, found: Beginning, changes_days: int) -> None:
        self._dictionaries = found.dictionaries
        self._keys = found.keys
        self._key_numbers = found.key_numbers
        self._declaring = asyncio.Lock()
        """What is declared and what is filled change `_keys`, one after the other."""
        self.indexing = found.filling
        if found.filling and self._begun:
            self._later(self._fill_index())
        if self._begun:
            self._later(self._drop_old(changes_days * DAY))

    def _grown(self, items: int) -> None:
        """Make a dictionary of what is there, now and then, so that what comes takes less room."""
        known = self._dictionaries
        if not known.due(items):
            return
        known.items = items  # once, whatever comes of it

        async def work() -> None:
            try:
                if data := await training.trained(self._readers, known, items):
                    number = max(known.each, default=0) + 1
                    await self._write("save dictionary", lambda c: training.save(c, number, items, data))
                    known.each[number] = data
            except PubkeepError as error:
                log.warning("the database: no dictionary for its payloads: %s", error)

        self._later(work())

    async def declare(self, declared: Declared) -> None:
        """See ports.Finder. Where no run began, indexes that are as is declared are used, and no others are made."""
        if not self._begun:
            self._keys = self._keys.within(declared)
            return

        def work(connection: Connection) -> None:
            self._keys = keys.declare(connection, declared, self._key_numbers)  # the next transaction keeps to them

        async with self._declaring:
            before = self._keys
            try:
                await self._write("declare keys", work)
            except PubkeepError:
                self._keys = before
                raise
        self._later(self._fill_keys())

    async def reindex(self) -> None:
        """Make all indexes anew; until that is done, a search says what it may not find."""

        def work(connection: Connection) -> None:
            self._keys = keys.declare(connection, self._keys.declared, self._key_numbers, anew=True)
            indexing.prepare(connection, self._readers.dialect.full_text, anew=True)

        async with self._declaring:
            before = self._keys, self.indexing
            self.indexing = True  # who writes or searches while it is emptied is to know
            try:
                await self._write("declare keys", work)
            except PubkeepError:
                self._keys, self.indexing = before
                raise
        self._later(self._fill_index())
        self._later(self._fill_keys())

    async def _end_works(self) -> None:
        for work in self._works:
            work.cancel()
        await asyncio.gather(*self._works, return_exceptions=True)

    @staticmethod
    async def _steps(step: Callable[[], Awaitable[bool]], complaint: str, again: float = FILL_AGAIN) -> None:
        """One step after the other, while there are more; what could not be written is tried again after a while."""
        more = True
        while more:
            try:
                more = await step()
            except PubkeepError as error:
                log.warning("the database: %s: %s", complaint, error)
                await asyncio.sleep(again)

    async def _fill_keys(self) -> None:
        async def step() -> bool:
            async with self._declaring:
                more, filled = await self._write("fill keys", lambda c: keys.fill(c, self._keys))
                self._keys = self._keys.filled(filled)
                return more

        await self._steps(step, "what analysers declare could not be indexed")

    async def _fill_index(self) -> None:
        log.info("the words of all items are indexed anew; until that is done, a search may not find the older ones")
        text = self._readers.dialect.full_text
        await self._steps(
            lambda: self._write("fill index", lambda c: indexing.fill(c, text, self._stored)),
            "its words could not be indexed",
        )
        self.indexing = False
        log.info("the words of all items are indexed")

    async def _drop_old(self, age: int) -> None:
        """Forget now and then what went more than so many microseconds ago."""
        while True:
            await self._steps(
                lambda: self._write("drop old", lambda c: drop_old(c, self._clock.wall() - age)),
                "what went long ago is still remembered",
                DROP_AGAIN,
            )
            await asyncio.sleep(DROP_AGAIN)

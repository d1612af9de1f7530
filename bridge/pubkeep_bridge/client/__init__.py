# SPDX-License-Identifier: MIT
"""A typed asyncio client for frontends in Python; it imports nothing of the daemon.

    async with connect() as pubkeep:
        account = await pubkeep.account()
        answer = await account.get_items("pubsub.example.org", "urn:xmpp:microblog:0", max=20, format="json")
        for item in answer.items:
            print(item.title)

* client.py    connect, Pubkeep: the daemon, and what is held over all accounts
* account.py   Account: PubSub as one account sees it
* database.py  the daemon's database as a whole
* jobs.py      long work: progress, cancelling
* values.py    Item, ItemsAnswer, Change, ...
* errors.py    D-Bus error names as one tree of classes
* signals.py   listening before asking
* wire.py      Python values as D-Bus values
"""

from pubkeep_bridge.client.account import Account
from pubkeep_bridge.client.client import Pubkeep, connect
from pubkeep_bridge.client.errors import PubkeepError
from pubkeep_bridge.client.jobs import Job
from pubkeep_bridge.client.values import Change, Item, ItemsAnswer, LoggedChange, SearchAnswer

__all__ = [
    "Account",
    "Change",
    "Item",
    "ItemsAnswer",
    "Job",
    "LoggedChange",
    "Pubkeep",
    "PubkeepError",
    "SearchAnswer",
    "connect",
]

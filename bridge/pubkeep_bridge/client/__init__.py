# SPDX-License-Identifier: MIT
"""A typed asyncio client for frontends in Python; it imports nothing of the daemon.

    async with connect() as pubkeep:
        account = await pubkeep.account()
        answer = await account.get_items("pubsub.example.org", "urn:xmpp:microblog:0", max=20)
        for item in answer.items:
            print(item.title)

* client.py   Pubkeep, Account
* jobs.py     long work: progress, cancelling
* values.py   Item, ItemsAnswer, ...
* errors.py   D-Bus error names as classes
"""

from pubkeep_bridge.client.client import Account, Pubkeep, connect
from pubkeep_bridge.client.errors import PubkeepError
from pubkeep_bridge.client.jobs import Job
from pubkeep_bridge.client.values import Change, Item, ItemsAnswer, SearchAnswer

__all__ = ["Account", "Change", "Item", "ItemsAnswer", "Job", "Pubkeep", "PubkeepError", "SearchAnswer", "connect"]

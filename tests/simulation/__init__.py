# SPDX-License-Identifier: MIT
"""The real cache and the real SQL against simulated services, on a virtual clock: one seed, one history.

* loop.py      an event loop whose time jumps to the next timer
* store.py     the real store, run synchronously in the loop's thread
* services.py  PubSub services that race, keep changes to themselves and lie, and the stream to them
* oracle.py    what every answer must be; knows nothing of the cache but the answers it gives
* world.py     other people's writes, readers, own writes and faults, all from one seed
* __main__.py  `python -m tests.simulation --seeds 300`
"""

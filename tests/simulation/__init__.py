# SPDX-License-Identifier: MIT
"""The real cache and the real SQL against simulated services, on a virtual clock: one seed, one history.

* loop.py      an event loop whose time jumps to the next timer
* store.py     the real store, run synchronously in the loop's thread
* services.py  what PubSub services hold and answer, truthful or lying
* network.py   the stream to them: races, losses, cuts
* oracle.py    what every answer must be; knows nothing of the cache but the answers it gives
* world.py     other people's writes, readers, own writes and faults, all from one seed
* ordinary.py  an hour without surprises
* __main__.py  `python -m tests.simulation --seeds 300`
"""

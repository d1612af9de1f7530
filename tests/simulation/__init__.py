# SPDX-License-Identifier: MIT
"""The real cache and the real SQL against simulated services, on a virtual clock: one seed, one history.

* loop.py      an event loop whose time jumps to the next timer
* store.py     the real store, run synchronously in the loop's thread, on a database in memory
* services.py  what PubSub services hold and answer, truthful or lying (paging.py, archives.py, refusals.py)
* network.py   the streams to them: races, losses, cuts
* history.py   what happened to a node, and all that it may look like
* watcher.py   who looks on at what goes over them
* cells.py     which cells of the table of states were hit, and which cannot be
* oracle.py    what every answer must be; knows nothing of the cache but the answers it gives
* ledger.py    what the database must be after each commit
* daemon.py    the cache as a process: started, stopped, killed
* users.py     who reads, writes and decides
* followers.py  who keeps what Search(since), and what Changes and Lookup tell
* faults.py    what goes wrong, each with its name (faults_within.py: with the daemon itself)
* world.py     all of them together, from one seed
* ending.py    what must come true when nothing happens any more
* ordinary.py  an hour without surprises
* coverage.py  what must have been hit, so that all this proves anything
* runner.py    one seed, and many in several processes
* __main__.py  `python -m tests.simulation --seeds 300`
"""

SOURCES = ("daemon/pubkeep", "migrations", "tests/simulation", "tests/daemon/cache", "tests/fixtures")
"""All that a history runs."""
MICROBLOG = "urn:xmpp:microblog:0"
IGNORED = "urn:xmpp:avatar:data"
"""The nodes: the first is wanted by an analyser, the other by nobody."""

# SPDX-License-Identifier: MIT
"""Bringing nodes to `synced` and keeping them there.

* pager.py      which request comes next, and whether the pages prove the whole node (no I/O)
* syncing.py    one synchronisation: learn, subscribe, list
* listing.py    a listing into the copy, and what it proves
* catching_up.py  after an interruption: what changed, where a few requests prove enough
* strategies.py  the ways of asking for it
* fitting.py    whether what they showed fits together and to the copy (no I/O)
* proofs.py     what each way proves (a table)
* settling.py   asking again for what the settle rule left in doubt
* scheduler.py  which node is next, how many at a time, when again after a failure
* renewing.py   signs of life, proofs and a slow scrub in time, so that no read need wait for them
* jobs.py       long work that callers can watch and cancel
* explain.py    why a node is (not) cached, in words
"""

# SPDX-License-Identifier: MIT
"""Bringing nodes to `synced` and keeping them there.

* pager.py      which request comes next, and whether the pages prove the whole node (no I/O)
* syncing.py    one synchronisation: learn, subscribe, list
* listing.py    a listing into the copy, and what it proves
* catching_up.py  after an interruption: ids and the newest, where that proves enough
* settling.py   asking again for what the settle rule left in doubt
* scheduler.py  which node is next, how many at a time, when again after a failure
* jobs.py       long work that callers can watch and cancel
* explain.py    why a node is (not) cached, in words
"""

# SPDX-License-Identifier: MIT
"""Every request and every event ends here: what may be answered from the copy, and what changes it.

* cache.py     the face: GetItems, writes, search, forgetting
* known.py     what is kept in memory of services and nodes: epochs, proofs, holes
* settle.py    events and answers are not in order: which ids and orders are in doubt
* order.py     which order a service keeps, learnt from what it shows
* verdict.py   may the copy answer this request? One pure function
* asking.py    one meaning for GetItems, whatever the service makes of the wire request
* applying.py  events and answers into the store, inside the node's inbox
* writing.py   publish, retract and the like, and when the next read sees them
"""

# SPDX-License-Identifier: MIT
"""Every request and every event ends here: what may be answered from the copy, and what changes it.

The face
* cache.py       what frontends ask and what sessions tell
* reading.py     GetItems: from the copy where it can be vouched for, from the service otherwise
* adopting.py    which nodes are taken up
* writing.py     publish, retract and the like, and when the next read sees them
* overview.py    what is asked over all that is held
* nodes.py       nodes as wholes: made, deleted, purged, configured, shared, found

What is known
* wanted.py      a node in memory: its proof, its holes
* known.py       all of them, and what may be claimed of each now; `synced` is computed here
* census.py      how many of them are not synced
* watched.py     whether anything changed of what that is computed from
* chosen.py      which of them a filter chooses
* links.py       the way to each service: its epoch, when it was heard, what it showed of itself
* barrier.py     one round trip behind which all that was told is here
* access.py      whether a node may be read: refusals and answers out of order
* traits.py      which kinds of change a service is known to tell
* direction.py   which end of an answer with the newest items is the newer one
* order.py       which order a service keeps, learnt from what it shows
* passed.py      nodes that are not kept: what was refused, what analysers said

What decides
* settle.py      events and answers are not in order: which ids and orders are in doubt
* asking.py      one meaning for GetItems, whatever the service makes of the wire request
* sampling.py    whether a service stores what its notifications show
* fed.py         what an answer that a caller got shows of the copy

What writes
* applying.py    events and answers into the store, inside the node's inbox
* verdicts.py    what a service says of a node as a whole: gone, refused, readable again
* conversion.py  items as they came into items as they are stored
* reparsing.py   what another analyser makes of items that are held
* committing.py  the only way to a node's rows, one transaction after the other
* healing.py     items whose stored bytes are damaged are forgotten, and fetched again
* harm.py        how often that happened to a node, and when it was too often
* parts.py       what all parts work with
"""

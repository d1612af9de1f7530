# SPDX-License-Identifier: MIT
"""The database. Besides the migrations, the only place with SQLAlchemy.

* tables.py    the mapped classes: the schema
* engines.py   connections: one writer thread, pooled readers; a library's errors become ours
* migrate.py   created or migrated at start
* store.py     the face (ports.Store): one public method is one transaction
* writing.py, reading.py, finding.py   its parts
* walking.py, plan.py, candidates.py, sorting.py   of finding.py: one search, its SQL, what is read, orders and cursors
* indexing.py  the full-text index
"""

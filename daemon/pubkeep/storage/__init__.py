# SPDX-License-Identifier: MIT
"""The database. Besides the migrations, the only place with SQLAlchemy.

* tables.py    the mapped classes: the schema
* engines.py   connections: one writer thread, pooled readers; a library's errors become ours
* migrate.py   created or migrated at start
* store.py     the face (ports.Store): one public method is one transaction
* writing.py, reading.py, finding.py   its parts
* text.py      what a person types into a search box -> full-text query
"""

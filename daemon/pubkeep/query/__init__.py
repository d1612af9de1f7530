# SPDX-License-Identifier: MIT
"""The query language: what is asked for, apart from how a database finds it.

* document.py    JSON -> condition, each error with its place; query.schema.json says the same
* typed.py       what a person types -> condition
* conditions.py  the syntax tree
* words.py       text as words, for the index and for what is typed
* values.py      JSON values compared and sorted
* matching.py    the meaning, in Python
* snippets.py    the part of a text that shows why it was found
* scope.py       what is left of it for the items of one node
"""

# SPDX-License-Identifier: MIT
"""Which nodes are wanted, and what their items mean.

* registry.py  registering, matching, parsing (ports.Analysers)
* dates.py     RFC 3339
* blog.py      XEP-0277 and XEP-0472 over Atom (RFC 4287); atom.py reads its entries

Another one is a mapping in a module of its own and one line in pyproject.toml (entry point group
`pubkeep.analysers`); built-in ones have no private door.
"""

# SPDX-License-Identifier: MIT
"""Bugs of one line, planted to show that the simulation sees them: each must die within 300 seeds.

* NAME.toml    one bug: what it is, the file, the line as it is and as it would be, the seed that kills it
* planting.py  reads them, and puts one into a copy of the tree
* running.py   runs seeds on that copy until one fails
* child.py     what runs there, in a process of its own
* __main__.py  `python -m tests.simulation.mutants --all` finds all seeds anew and writes them
"""

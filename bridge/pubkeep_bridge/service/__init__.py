# SPDX-License-Identifier: MIT
"""The daemon's D-Bus objects: they translate and decide nothing.

* objects.py   the object tree: dispatch, properties, introspection and signals, all from the interface XML
* errors.py    our errors <-> D-Bus error names, one table
* options.py   a{sv} arguments, checked
* rows.py      values of the model -> D-Bus
* gate.py      what needs the database waits for it here
* signals.py   NodeChanged and progress, merged
* sleep.py     logind: disconnect in order before a suspend
* manager.py cache.py analysers.py account.py pubsub.py sync.py job.py   one interface each, named as its XML
"""

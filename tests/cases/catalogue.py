# SPDX-License-Identifier: MIT
"""Each failure that was seen in other caches, clients, servers and libraries, and the tests that replay it.

To find one: search this folder for its row, then run the tests that it names. `test_catalogue.py` holds that each named
test is there and runs. Nobody is blamed: these systems were first.
"""

from tests.cases.clients import CLIENTS, MOVIM
from tests.cases.libervia import LIBERVIA
from tests.cases.libraries import DBUS, SLIXMPP
from tests.cases.servers import SERVERS

CASES = (*LIBERVIA, *MOVIM, *CLIENTS, *SERVERS, *SLIXMPP, *DBUS)

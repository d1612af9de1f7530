# SPDX-License-Identifier: MIT
"""What is said to each service, step by step.

bob owns the nodes, alice publishes too, carol reads and is subscribed. Each step is one IQ (or presence) of one
of them; its words are the id of the IQ and stand nowhere twice.
"""

from tests.golden import changing, reading

STEPS = [*reading.STEPS, *changing.STEPS]

# SPDX-License-Identifier: MIT
"""Both sides of D-Bus: the daemon's objects, a client for frontends, the command line."""

__version__ = "0.1.0"

# SPDX-License-Identifier: MIT
"""Pubkeep's backend: sessions, cache, storage. It knows nothing of D-Bus."""

__version__ = "0.1.0"

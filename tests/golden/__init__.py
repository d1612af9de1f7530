# SPDX-License-Identifier: MIT
"""Recorded conversations with the real services: what they said to one script, as they said it.

    python -m tests.golden            compares with what is committed here
    python -m tests.golden --write    records anew

The item layer is read from these files without a server, and the simulated services must say the same.
"""

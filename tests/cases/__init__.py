# SPDX-License-Identifier: MIT
"""How others have failed, and the tests that replay it: begin with `catalogue.py`."""

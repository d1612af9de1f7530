# SPDX-License-Identifier: MIT
"""Fixtures of all tests: real servers, each in a temporary folder, on free ports."""

pytest_plugins = ["tests.fixtures.buses", "tests.fixtures.every_server", "tests.fixtures.daemon"]

# SPDX-License-Identifier: MIT
"""Runs a command on the bus and turns its end into an exit status."""

import argparse
import asyncio
import contextlib
import importlib
import os
import sys

from pubkeep_bridge.bus import NoBus
from pubkeep_bridge.cli import pager, render
from pubkeep_bridge.cli.following import opened
from pubkeep_bridge.client.client import connect
from pubkeep_bridge.client.errors import NotReady, NotRunning, PubkeepError

DONE, FAILED, USAGE, NOTHING, NO_DAEMON, INTERRUPTED = 0, 1, 2, 3, 4, 130

_MODULES = {
    "account": "accounts",
    "status": "accounts",
    "statistics": "accounts",
    "get": "items",
    "publish": "items",
    "retract": "items",
} | (
    dict.fromkeys(("create", "delete", "purge", "config", "affiliations"), "manage")
    | {"database": "database"}
    | dict.fromkeys(("subscriptions", "subscribe", "unsubscribe", "discover"), "manage")
    | dict.fromkeys(("search", "export", "changes", "lookup"), "search")
)
"""Module of each command; the others are in nodes."""
_ALWAYS = ("status", "watch")
"""Commands that a daemon answers whose database is not open."""
_LONG = ("search", "export", "changes", "lookup", "get", "nodes", "analysers", "explain", "discover", "subscriptions")
"""Commands whose output may be longer than a screen."""


def run(arguments: argparse.Namespace) -> int:
    """Run it. Returns the exit status."""
    try:
        status = asyncio.run(_run(arguments))
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except NoBus as error:
        return _say(f"{error}; log in to a desktop, or use dbus-run-session", NO_DAEMON)
    except (NotRunning, NotReady) as error:
        return _say(error, NO_DAEMON)
    except OSError as error:
        return _say(f"{error.filename}: {error.strerror}" if error.filename else error, FAILED)
    except (PubkeepError, UnicodeDecodeError) as error:
        return _say(error, FAILED)
    return status


async def _run(arguments: argparse.Namespace) -> int:
    module = importlib.import_module(f"pubkeep_bridge.cli.{_MODULES.get(arguments.command, 'nodes')}")
    long = arguments.command in _LONG and not (arguments.json or arguments.no_pager)
    arguments.paged = long and pager.wanted()
    status: int = DONE  # where the pager is left
    async with connect(arguments.bus) as pubkeep:
        if arguments.command not in _ALWAYS:
            await opened(pubkeep)
        with pager.paged() if arguments.paged else contextlib.nullcontext():
            status = await getattr(module, arguments.command)(pubkeep, arguments)
    return status


def _say(error: object, status: int) -> int:
    print(render.clean(f"pubkeep: {error}"), file=sys.stderr)
    return status

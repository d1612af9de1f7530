# SPDX-License-Identifier: MIT
"""`pubkeep status` and `pubkeep account`."""

import argparse
import getpass
import sys
from pathlib import Path

from pubkeep_bridge.cli import render
from pubkeep_bridge.cli.run import DONE, NOTHING
from pubkeep_bridge.client import Account, Pubkeep
from pubkeep_bridge.client.client import OPEN


async def status(pubkeep: Pubkeep, arguments: argparse.Namespace) -> int:
    """The daemon and its accounts."""
    state = await pubkeep.status()
    accounts = await pubkeep.accounts()
    if arguments.json:
        render.document(state | {"accounts": [dict(account.properties) for account in accounts]})
        return DONE
    print(
        f"pubkeepd {state['Version']} is {state['State']}"
        + (f": {state['StateMessage']}" if state["StateMessage"] else "")
    )
    if accounts or state["State"] in OPEN:
        _table(accounts)
    return DONE


async def statistics(pubkeep: Pubkeep, arguments: argparse.Namespace) -> int:
    """What the cache did since the daemon started."""
    found = await pubkeep.statistics(arguments.account)
    if arguments.json:
        render.document(found)
    else:
        render.pairs(found)
        if not found:
            render.note("nothing has happened yet")
    return DONE


async def account(pubkeep: Pubkeep, arguments: argparse.Namespace) -> int:
    """`pubkeep account ...`"""
    if arguments.action == "list":
        accounts = await pubkeep.accounts()
        if arguments.json:
            render.document([dict(account.properties) for account in accounts])
        else:
            _table(accounts)
        return DONE if accounts else NOTHING
    if arguments.action == "add":
        given = {"host": arguments.host, "port": arguments.port, "tls": arguments.tls}
        added = await pubkeep.add_account(arguments.jid, password=_password(arguments), **given)
        return _done(arguments, added, "added")
    found = await pubkeep.account(arguments.jid)
    if arguments.action == "remove":
        await found.remove()
        return _done(arguments, found, "removed")
    if arguments.action == "connect":
        await found.connect()
        return _done(arguments, found, "connecting")
    await found.set_password(_password(arguments))
    return _done(arguments, found, "connecting with the new password")


def _password(arguments: argparse.Namespace) -> str:
    """From a file, from standard input, or asked for; never from the arguments, which everybody can see."""
    if arguments.password_file == "-" or (not arguments.password_file and not sys.stdin.isatty()):
        return sys.stdin.readline().rstrip("\n")
    if arguments.password_file:
        return Path(arguments.password_file).read_text(encoding="utf-8").partition("\n")[0]
    return getpass.getpass(f"Password of {arguments.jid}: ")


def _done(arguments: argparse.Namespace, account: Account, what: str) -> int:
    render.result({"jid": account.jid, "path": account.path}, f"{account.jid}: {what}", as_json=arguments.json)
    return DONE


def _table(accounts: list[Account]) -> None:
    rows = [(a.jid, a.properties["State"], a.properties["ErrorMessage"]) for a in accounts]
    if rows:
        render.table(("ACCOUNT", "STATE", ""), rows)
    else:
        render.note("there is no account yet: add one with `pubkeep account add JID`")

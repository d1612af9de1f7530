# SPDX-License-Identifier: MIT
"""`pubkeep get`, `publish`, `retract`."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pubkeep_bridge.cli import render
from pubkeep_bridge.cli.run import DONE, NOTHING
from pubkeep_bridge.client.client import Pubkeep
from pubkeep_bridge.client.values import Item


def service(arguments: argparse.Namespace) -> str:
    """The service as the daemon wants it: a dash is the account's own PEP."""
    return "" if arguments.service == "-" else str(arguments.service)


async def get(pubkeep: Pubkeep, arguments: argparse.Namespace) -> int:
    """Items, oldest first, and how far they can be trusted."""
    account = await pubkeep.account(arguments.account)
    answer = await account.get_items(
        service(arguments),
        arguments.node,
        max=arguments.max,
        before=arguments.before,
        after=arguments.after,
        ids=arguments.ids,
        freshness=arguments.freshness,
        max_age=arguments.max_age,
        format="both" if arguments.json else "xml" if arguments.xml else "json",
    )
    if arguments.json:
        render.document({"items": answer.items, "meta": answer.meta})
    elif arguments.xml:
        for item in answer.items:
            print("".join(char if char in "\t\n" else render.clean(char) for char in item.xml))
        render.note(trust(answer.meta))
    else:
        listing(answer.items)
        render.note(trust(answer.meta))
    return DONE if answer.items else NOTHING


def _contents(name: str) -> str:
    return sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")


async def publish(pubkeep: Pubkeep, arguments: argparse.Namespace) -> int:
    """Publish files, or standard input."""
    account = await pubkeep.account(arguments.account)
    payloads = [_contents(name) for name in arguments.files or ["-"]]
    ids = await account.publish(service(arguments), arguments.node, payloads, ids=arguments.id)
    render.result({"ids": ids}, *ids, as_json=arguments.json)
    return DONE


async def retract(pubkeep: Pubkeep, arguments: argparse.Namespace) -> int:
    """Delete items at the service."""
    account = await pubkeep.account(arguments.account)
    await account.retract(service(arguments), arguments.node, arguments.ids)
    render.result({"ids": arguments.ids}, as_json=arguments.json)
    return DONE


def listing(items: Sequence[Item]) -> None:
    """Items as a table."""
    if items:
        render.table(("DATE", "ID", "TITLE"), [(render.date(i.published), i.id, i.title) for i in items])


def trust(meta: Mapping[str, Any]) -> str:
    """What the answer is worth, in a line."""
    where = f"from the cache ({meta['state']})" if meta["source"] == "cache" else "from the service"
    words = f"{where}, as of {render.date(meta['as_of'])}"
    if meta["stale"]:
        words += f"; STALE: {meta.get('reason', '')}"
    if "count" in meta:
        words += f"; {meta['count']} in all"
    elif meta["more"]:
        words += "; there are more"
    return words

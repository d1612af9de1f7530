# SPDX-License-Identifier: MIT
"""The commands about nodes, what is made of them, and how they change."""

import argparse
import shlex
from pathlib import Path
from typing import Any

from pubkeep_bridge.cli import render
from pubkeep_bridge.cli.following import followed
from pubkeep_bridge.cli.items import service
from pubkeep_bridge.cli.run import DONE, FAILED, NOTHING
from pubkeep_bridge.client import Pubkeep


async def nodes(pubkeep: Pubkeep, arguments: argparse.Namespace) -> int:
    """The nodes that are kept."""
    where = {
        "account": arguments.account,
        "type": arguments.type,
        "state": arguments.state,
        "service": arguments.service,
    }
    found = await pubkeep.nodes(**{key: value for key, value in where.items() if value})
    if arguments.json:
        render.document(found)
    elif found:
        rows = [
            (
                n["state"],
                n["items"],
                n["type"] or "-",
                render.date(n["synced_at"]),
                n["service"],
                n["node"],
                n["message"],
            )
            for n in found
        ]
        render.table(("STATE", "ITEMS", "TYPE", "VERIFIED", "SERVICE", "NODE", ""), rows)
    return DONE if found else NOTHING


async def sync(pubkeep: Pubkeep, arguments: argparse.Namespace) -> int:
    """Fetch a node whole; interrupting cancels the job."""
    account = await pubkeep.account(arguments.account)
    result = await followed(await account.synchronise(service(arguments), arguments.node))
    render.result(result, f"{result['items']} items are here", as_json=arguments.json)
    return DONE


async def verify(pubkeep: Pubkeep, arguments: argparse.Namespace) -> int:
    """Compare the copy with the service."""
    account = await pubkeep.account(arguments.account)
    job = await account.verify(service(arguments), arguments.node, repair=arguments.repair)
    result = await followed(job)
    kinds = (("missing", "not here"), ("extra", "no more there"), ("different", "another there"))
    other = [f"{item_id}: {words}" for kind, words in kinds for item_id in result[kind]]
    last = f"{result['items']} items are here" + ("" if other else ", as at the service")
    render.result(result, *other, last, as_json=arguments.json)
    return FAILED if other and not arguments.repair else DONE


async def policy(pubkeep: Pubkeep, arguments: argparse.Namespace) -> int:
    """Show, or decide, whether a node is kept and how much of it."""
    account = await pubkeep.account(arguments.account)
    place = service(arguments), arguments.node
    given = {"sync": arguments.sync, "max_items": arguments.max_items, "max_age": arguments.max_age}
    if any(value is not None for value in given.values()):
        decided = dict(await account.get_policy(*place)) | {k: v for k, v in given.items() if v is not None}
        await account.set_policy(*place, **decided)  # type: ignore[arg-type]
    found: dict[str, Any] = {**await account.get_policy(*place)}
    if arguments.json:
        render.document(found)
    else:
        render.pairs(found)
    return DONE


async def explain(pubkeep: Pubkeep, arguments: argparse.Namespace) -> int:
    """Why a node is (not) cached."""
    account = await pubkeep.account(arguments.account)
    found: dict[str, Any] = {**await account.explain(service(arguments), arguments.node)}
    if arguments.json:
        render.document(found)
        return DONE
    print(render.clean(found.pop("words")))
    if found["policy"] == "never":
        decide = ["pubkeep", "policy", arguments.service, arguments.node, "--sync", "auto"]
        decide += ["--account", arguments.account] if arguments.account else []
        print(f"decide otherwise: {render.clean(shlex.join(decide))}")
    tried, reasons = found.pop("tried"), found.pop("reasons")
    for name, reason in zip(tried, reasons, strict=True):
        print(f"analyser {render.clean(name)}: {render.clean(reason)}")
    dates = {key: render.date(found[key]) for key in ("verified_at", "next_attempt") if key in found}
    render.pairs({key: value for key, value in (found | dates).items() if value not in ("", [])})
    return DONE


async def forget(pubkeep: Pubkeep, arguments: argparse.Namespace) -> int:
    """Drop our copy."""
    where = {"account": arguments.account, "service": arguments.service, "node": arguments.node, "type": arguments.type}
    number = await pubkeep.forget(
        {key: value for key, value in where.items() if value},
        everything=arguments.everything or None,
        dry_run=arguments.dry_run or None,
    )
    words = f"{number} items {'would go' if arguments.dry_run else 'are forgotten'}"
    render.result({"items": number}, words, as_json=arguments.json)
    return DONE


async def analysers(pubkeep: Pubkeep, arguments: argparse.Namespace) -> int:
    """All analysers, one, or what one makes of a payload."""
    if arguments.name and arguments.test:
        made = await pubkeep.test_analyser(arguments.name, Path(arguments.test).read_text(encoding="utf-8"))
        print(render.harmless(made))
        return DONE
    if arguments.name:
        found = await pubkeep.describe_analyser(arguments.name)
        render.document(found) if arguments.json else render.pairs(found)
        return DONE
    every = await pubkeep.analysers()
    if arguments.json:
        render.document(every)
    else:
        rows = [(a["name"], a["type"], a["matched"], a["source"], a["node"], a["namespace"]) for a in every]
        render.table(("NAME", "TYPE", "NODES", "SOURCE", "PREFIX", "NAMESPACE"), rows)
    return DONE


async def watch(pubkeep: Pubkeep, arguments: argparse.Namespace) -> int:
    """Changes as they happen, until interrupted."""
    async for change in pubkeep.watch(arguments.type):
        if arguments.json:
            render.document(change)
            continue
        ids = ", ".join([*change.published, *(f"-{item_id}" for item_id in change.retracted)])
        print(render.clean(f"{change.what:8} {change.type or '-':8} {change.service} {change.node} {ids}"), flush=True)
    return DONE

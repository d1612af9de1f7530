# SPDX-License-Identifier: MIT
"""The commands about nodes at the service: making, purging, configuring, sharing, finding them."""

import argparse
import sys
from collections.abc import Mapping

from pubkeep_bridge.cli import render
from pubkeep_bridge.cli.items import service
from pubkeep_bridge.cli.run import DONE, FAILED, NOTHING, USAGE
from pubkeep_bridge.client.client import Pubkeep
from pubkeep_bridge.client.errors import STANDARD, InvalidArgs

TRUE, FALSE = ("1", "true", "yes", "on"), ("0", "false", "no", "off")

Value = bool | str | list[str]


async def create(pubkeep: Pubkeep, arguments: argparse.Namespace) -> int:
    """Create a node."""
    account = await pubkeep.account(arguments.account)
    name = await account.create_node(service(arguments), arguments.node, _values(arguments.fields, {}))
    return _done(arguments, name, {"node": name})


async def delete(pubkeep: Pubkeep, arguments: argparse.Namespace) -> int:
    """Delete a node at the service."""
    account = await pubkeep.account(arguments.account)
    if refused := _refused(arguments, "Delete this node"):
        return refused
    await account.delete_node(service(arguments), arguments.node)
    return _done(arguments, "deleted", {"node": arguments.node})


async def purge(pubkeep: Pubkeep, arguments: argparse.Namespace) -> int:
    """Delete all items at the service."""
    account = await pubkeep.account(arguments.account)
    if refused := _refused(arguments, "Delete all items of this node"):
        return refused
    await account.purge_node(service(arguments), arguments.node)
    return _done(arguments, "purged", {"node": arguments.node})


async def config(pubkeep: Pubkeep, arguments: argparse.Namespace) -> int:
    """Show or change the configuration."""
    account = await pubkeep.account(arguments.account)
    where = service(arguments), arguments.node
    if arguments.action == "set":
        await account.configure(*where, _values(arguments.fields, await account.configuration(*where)))
    found = await account.configuration(*where)
    if arguments.json:
        render.document(found)
    else:
        render.pairs({render.clean(key): value for key, value in found.items()})
    return DONE


async def affiliations(pubkeep: Pubkeep, arguments: argparse.Namespace) -> int:
    """Show or change who may do what."""
    account = await pubkeep.account(arguments.account)
    where = service(arguments), arguments.node
    if arguments.action == "set":
        await account.set_affiliations(*where, dict(arguments.affiliations))
    found = await account.affiliations(*where)
    if arguments.json:
        render.document(found)
    else:
        render.table(("AFFILIATION", "JID"), [(word, jid) for jid, word in sorted(found.items())])
    return DONE


async def subscriptions(pubkeep: Pubkeep, arguments: argparse.Namespace) -> int:
    """The account's subscriptions."""
    account = await pubkeep.account(arguments.account)
    found = await account.subscriptions(service(arguments), arguments.node)
    if arguments.json:
        render.document(found)
    elif found:
        rows = [(each["subscription"], each["jid"], each["subid"] or "-", each["node"]) for each in found]
        render.table(("STATE", "JID", "SUBID", "NODE"), rows)
    return DONE if found else NOTHING


async def subscribe(pubkeep: Pubkeep, arguments: argparse.Namespace) -> int:
    """Subscribe this installation."""
    account = await pubkeep.account(arguments.account)
    state = await account.subscribe(service(arguments), arguments.node)
    return _done(arguments, state, {"subscription": state})


async def unsubscribe(pubkeep: Pubkeep, arguments: argparse.Namespace) -> int:
    """End the subscription of this installation."""
    account = await pubkeep.account(arguments.account)
    await account.unsubscribe(service(arguments), arguments.node)
    return _done(arguments, "unsubscribed", {"node": arguments.node})


async def discover(pubkeep: Pubkeep, arguments: argparse.Namespace) -> int:
    """What a service or a node says of itself, and what it lists."""
    account = await pubkeep.account(arguments.account)
    found = await account.discover(service(arguments), arguments.node)
    if arguments.json:
        render.document({"info": found.info, "entries": found.entries})
        return DONE
    render.pairs({render.clean(key): value for key, value in found.info.items() if key not in ("refused", "more")})
    if found.entries:
        print()
        rows = [(each["node"] or "-", each["name"] or "-", each["jid"]) for each in found.entries]
        render.table(("NODE", "NAME", "JID"), rows)
    if "refused" in found.info:
        render.note(f"nothing is listed: {found.info['refused']}")
    if "more" in found.info:
        render.note("there are more")
    return DONE


def _refused(arguments: argparse.Namespace, what: str) -> int:
    """The exit status where it is not meant; 0 after --yes, or after the word was typed at a terminal."""
    if arguments.yes:
        return DONE
    if not sys.stdin.isatty():
        render.note(f"pubkeep: {what.lower()}? Nothing was done; say so with --yes")
        return USAGE
    print(
        render.clean(f"{what}, for everybody: {arguments.node} at {arguments.service}? Type yes: "), end="", flush=True
    )
    if sys.stdin.readline().strip() == "yes":
        return DONE
    render.note("pubkeep: nothing was done")
    return FAILED


def _values(given: list[tuple[str, str]], form: Mapping[str, Value]) -> dict[str, Value]:
    """KEY=VALUE as the form's types want it; a KEY given several times is a list, `KEY=` alone an empty one."""
    values: dict[str, Value] = {}
    for short in dict.fromkeys(key for key, _ in given):
        key = short if "#" in short else f"pubsub#{short}"
        texts = [value for other, value in given if other == short]
        kind = type(form[key]) if key in form else list if len(texts) > 1 else str
        if kind is list:
            values[key] = texts if texts != [""] else []
        elif len(texts) > 1:
            raise _wrong(f"{short}: it is given {len(texts)} times, and has one value")
        elif kind is bool and texts[0].lower() not in TRUE + FALSE:
            raise _wrong(f"{short}: {texts[0]!r} is neither yes nor no")
        else:
            values[key] = texts[0].lower() in TRUE if kind is bool else texts[0]
    return values


def _wrong(words: str) -> InvalidArgs:
    return InvalidArgs(f"{STANDARD}InvalidArgs", words)


def _done(arguments: argparse.Namespace, words: str, document: Mapping[str, str]) -> int:
    render.result(document, words, as_json=arguments.json)
    return DONE

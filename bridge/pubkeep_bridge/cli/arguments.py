# SPDX-License-Identifier: MIT
"""What can be typed. `docs/pubkeep.md` is the manual; a test holds the two against each other."""

import argparse
from collections.abc import Callable
from typing import Any

from pubkeep_bridge.cli import asking

EPILOG = """examples:
  pubkeep account add juliet@example.org
  pubkeep get pubsub.example.org urn:xmpp:microblog:0
  pubkeep search 'spring onions' --type blog

SERVICE is a JID; - means the account's own PEP.
Exit status: 0 done, 1 refused or failed, 2 wrong usage, 3 nothing found, 4 no daemon, 130 interrupted."""


class _Command(argparse.ArgumentParser):
    """Takes options anywhere; argparse takes a list that may be empty for empty where an option stands before it."""

    _mixing = False

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        if self._mixing or any(action.nargs == argparse.PARSER for action in self._actions):
            return super().parse_known_args(args, namespace)
        self._mixing = True
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self._mixing = False

    def _parse_optional(self, arg_string: str) -> Any:
        """Words of a query may begin with a dash, and orders too; what is no short option is one of those."""
        word = arg_string[:1] == "-" and arg_string[:2] != "--" and arg_string not in self._option_string_actions
        return None if word and self.get_default("takes_dashes") else super()._parse_optional(arg_string)


def parser() -> argparse.ArgumentParser:
    """All commands and options."""
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--json", action="store_true", help="print JSON: one document, or one line each for watch")
    shared.add_argument("--bus", default="session", help="session (default), system, or an address")
    shared.add_argument("--no-pager", action="store_true", help="print long output at once")
    one = argparse.ArgumentParser(add_help=False, parents=[shared])
    one.add_argument("--account", default="", metavar="JID", help="which account; the only one by default")
    at = argparse.ArgumentParser(add_help=False, parents=[one])
    at.add_argument("service", help="JID of the service, or - for the account's own PEP")
    node = argparse.ArgumentParser(add_help=False, parents=[at])
    node.add_argument("node", help="name of the node")

    main = argparse.ArgumentParser(
        "pubkeep",
        description="Ask pubkeepd for PubSub items, and see what it keeps.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    main.add_argument("--version", action="version", version=f"pubkeep {_version()}")
    commands: argparse._SubParsersAction[Any] = main.add_subparsers(
        dest="command", required=True, metavar="COMMAND", parser_class=_Command
    )

    def add(name: str, words: str, parent: argparse.ArgumentParser, example: str = "") -> argparse.ArgumentParser:
        command: argparse.ArgumentParser = commands.add_parser(
            name,
            help=words,
            description=f"{words[0].upper()}{words[1:]}.",
            parents=[parent],
            epilog=f"example: pubkeep {name} {example}" if example else "",
        )
        return command

    add("status", "show the daemon and its accounts", shared)
    add("statistics", "show how the cache does: reads, notifications, proofs, nodes", one)
    _account(add("account", "add, list and remove accounts", shared), shared)

    get = add("get", "read items of a node", node, "pubsub.example.org urn:xmpp:microblog:0 --max 5")
    get.add_argument("--max", type=int, metavar="N", help="so many (default 50)")
    get.add_argument("--before", metavar="ID", help="those just before this item")
    get.add_argument("--after", metavar="ID", help="those just after this item")
    get.add_argument("--ids", nargs="+", metavar="ID", help="just these")
    get.add_argument("--freshness", choices=("auto", "cache", "service", "quick"), help="where from (default auto)")
    get.add_argument("--max-age", type=int, metavar="S", help="a copy proved no longer ago will do; 0: one round trip")
    get.add_argument("--xml", action="store_true", help="print the payloads as they are")

    publish = add("publish", "publish items", node, "pubsub.example.org news entry.xml")
    publish.add_argument(
        "files", nargs="*", metavar="FILE", help="one payload each; by default, and as -, standard input"
    )
    publish.add_argument("--id", action="append", metavar="ID", help="the item's id; once for each payload")

    retract = add("retract", "delete items at the service", node, "pubsub.example.org news 1f2e3d")
    retract.add_argument("ids", nargs="+", metavar="ID", help="the items")

    nodes = add("nodes", "list the nodes that are kept", one, "--state error")
    nodes.add_argument("--type", help="of this type")
    nodes.add_argument("--state", help="in this state")
    nodes.add_argument("--service", help="at this service")

    add("sync", "fetch a node whole and keep it, with a progress bar", node, "pubsub.example.org news")
    verify = add("verify", "compare the copy of a node with the service", node, "pubsub.example.org news")
    verify.add_argument("--repair", action="store_true", help="take over what the service has")
    policy = add("policy", "show or decide whether a node is kept", node, "pubsub.example.org news --sync never")
    policy.add_argument("--sync", choices=("auto", "always", "never"), help="auto: the analysers decide")
    policy.add_argument("--max-items", type=int, metavar="N", help="keep only so many of the newest; 0: no such limit")
    policy.add_argument("--max-age", type=int, metavar="S", help="seconds a proof holds; 0: as the setting says")
    add("explain", "say why a node is, or is not, answered from the cache", node, "pubsub.example.org news")

    _manage(add, at, node)

    search = add("search", "find items", shared, "'spring onions' -radish gard* --type blog --after 7d")
    asking.add_flags(search)
    search.add_argument("--order-by", action="append", metavar="ORDER", help="-published, rank, /place/in/json, ...")
    search.add_argument(
        "--limit", type=_number, metavar="N", help="so many (default 20; in a pager as far as it is read)"
    )
    search.add_argument("--all", action="store_true", help="all of them")
    search.add_argument("--cursor", help="go on where a page ended")
    search.add_argument("--since", type=int, metavar="SEQUENCE", help="only what changed after it")

    changes = add(
        "changes", "list what changed after a number, of each item its last change", one, "--since 1790000000000000"
    )
    changes.add_argument("--since", type=int, required=True, metavar="SEQUENCE", help="as search and changes print it")
    changes.add_argument("--service", help="of this service")
    changes.add_argument("--node", help="of this node")
    changes.add_argument("--type", help="of this type")
    changes.add_argument("--limit", type=_number, metavar="N", help="so many (default: all)")

    export = add("export", "write all items that match as JSON Lines", shared, "type:blog after:2026 > blogs.jsonl")
    asking.add_flags(export)
    words = "with payload and json (both, the default), one of them, or none"
    export.add_argument("--format", choices=("both", "xml", "json", "none"), help=words)

    lookup = add("lookup", "show items by their addresses", shared)
    lookup.add_argument("uris", nargs="+", metavar="URI", help="as search and get print them with --json")

    forget = add("forget", "drop our copy of nodes, never the service's", one)
    forget.add_argument("--service", help="of this service")
    forget.add_argument("--node", help="of this node")
    forget.add_argument("--type", help="of this type")
    forget.add_argument("--everything", action="store_true", help="all that is held")
    forget.add_argument("--dry-run", action="store_true", help="only say how many items would go")

    analysers = add("analysers", "list the analysers, or describe one", shared, "blog --test entry.xml")
    analysers.add_argument("name", nargs="?", help="describe this one")
    analysers.add_argument("--test", metavar="FILE", help="show what it makes of a payload")

    _database(add("database", "look after the daemon's database", _NO_OPTIONS), shared)

    watch = add("watch", "print changes as they happen", shared, "--type blog")
    watch.add_argument("--type", default="", help="only of this type")

    setup = add("setup", "install the systemd unit and the activation file for this user", shared)
    setup.add_argument("--undo", action="store_true", help="remove them again")
    return main


def _manage(
    add: Callable[..., argparse.ArgumentParser], at: argparse.ArgumentParser, node: argparse.ArgumentParser
) -> None:
    """What is about nodes at the service."""
    _fields(add("create", "create a node", node, "pubsub.example.org news title=News max_items=100"), "*")
    for name, words in (("delete", "delete a node at the service"), ("purge", "delete all items at the service")):
        command = add(name, f"{words}, for everybody", node, "pubsub.example.org news")
        command.add_argument("--yes", action="store_true", help="do not ask whether it is meant")

    config = add("config", "show or change the configuration of your node", _NO_OPTIONS)
    actions = config.add_subparsers(dest="action", required=True, metavar="ACTION")
    actions.add_parser("get", help="show it", parents=[node])
    _fields(actions.add_parser("set", help="change fields", parents=[node]), "+")

    affiliations = add("affiliations", "show or change who may do what in your node", _NO_OPTIONS)
    actions = affiliations.add_subparsers(dest="action", required=True, metavar="ACTION")
    actions.add_parser("get", help="show them", parents=[node])
    change = actions.add_parser("set", help="change them", parents=[node])
    change.add_argument("affiliations", nargs="+", type=_affiliation, metavar="JID=AFFILIATION", help="none ends one")

    add("subscribe", "subscribe to a node", node, "pubsub.example.org news")
    add("unsubscribe", "end the subscription to a node", node, "pubsub.example.org news")
    for name, words in (
        ("subscriptions", "list your subscriptions at a service, or to a node"),
        ("discover", "show what a service or a node says of itself, and what it lists"),
    ):
        add(name, words, at, "pubsub.example.org").add_argument("node", nargs="?", default="", help="name of the node")


_NO_OPTIONS = argparse.ArgumentParser(add_help=False)


def _fields(command: argparse.ArgumentParser, number: str) -> None:
    words = "a field, pubsub# may be left out; several times for a list"
    command.add_argument("fields", nargs=number, type=_pair, metavar="KEY=VALUE", help=words)


def _number(text: str) -> int:
    if not (text.isdecimal() and int(text)):
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 on")
    return int(text)


def _pair(text: str) -> tuple[str, str]:
    key, separator, value = text.partition("=")
    if not (key and separator):
        raise argparse.ArgumentTypeError(f"{text!r} is not KEY=VALUE")
    return key, value


def _affiliation(text: str) -> tuple[str, str]:
    """A JID may hold the sign itself."""
    jid, separator, word = text.rpartition("=")
    if not (jid and separator):
        raise argparse.ArgumentTypeError(f"{text!r} is not JID=AFFILIATION")
    return jid, word


def _account(command: argparse.ArgumentParser, shared: argparse.ArgumentParser) -> None:
    actions = command.add_subparsers(dest="action", required=True, metavar="ACTION")
    add = actions.add_parser("add", help="add an account; asks for the password", parents=[shared])
    add.add_argument("jid", help="user@example.org")
    add.add_argument("--host", help="where to connect to, instead of what DNS says")
    add.add_argument("--port", type=int, help="and the port")
    add.add_argument("--tls", choices=("required", "direct", "allow-plaintext"), help="default: required")
    password = actions.add_parser("password", help="give another password", parents=[shared])
    password.add_argument("jid", help="the account")
    for action in (add, password):
        action.add_argument("--password-file", metavar="FILE", help="read it from a file's first line; - for stdin")
    actions.add_parser("list", help="list the accounts", parents=[shared])
    for name, words in (("remove", "remove an account and what is held for it"), ("connect", "connect now")):
        actions.add_parser(name, help=words, parents=[shared]).add_argument("jid", help="the account")


def _database(command: argparse.ArgumentParser, shared: argparse.ArgumentParser) -> None:
    actions = command.add_subparsers(dest="action", required=True, metavar="ACTION")
    actions.add_parser("stats", help="show how large it is, and what of", parents=[shared])
    actions.add_parser("check", help="look whether it is whole", parents=[shared])
    actions.add_parser("vacuum", help="write it anew without what is not used", parents=[shared])
    backup = actions.add_parser("backup", help="write a copy of it", parents=[shared])
    backup.add_argument("file", metavar="FILE", help="a file that is not there yet")
    move = actions.add_parser("move", help="write all of it into another database", parents=[shared])
    move.add_argument("--to", metavar="PLACE", required=True, help="a file, or postgresql+asyncpg://user@host/name")


def _version() -> str:
    from pubkeep_bridge import __version__

    return __version__

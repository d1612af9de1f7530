# SPDX-License-Identifier: MIT
"""A python-dbusmock template of the contract, for the tests of frontends.

    python3 -m dbusmock --template .../pubkeep_bridge/mock/pubkeep.py

gives a daemon with one account, juliet@capulet.example, and two posts. Parameters (JSON, -p): `Jid` s,
`State` s. Methods answer with fixed rows; dbusmock's own SetMethod..., AddMethod and EmitSignal change them.
It needs nothing of this project but the interface files; a test holds what it serves against them.
"""

from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import dbus

BUS_NAME = "im.pubkeep.Pubkeep1"
MAIN_OBJ = "/im/pubkeep/Pubkeep1"
MAIN_IFACE = "im.pubkeep.Pubkeep1.Manager"
SYSTEM_BUS = False

ACCOUNT = MAIN_OBJ + "/accounts/1"
JOB = MAIN_OBJ + "/jobs/1"
ITEM = (
    "dbus.Struct(('xmpp://{jid}/pubsub.capulet.example?;node=urn%3Axmpp%3Amicroblog%3A0;item={id}', '{jid}',"
    " 'pubsub.capulet.example', 'urn:xmpp:microblog:0', '{id}', 'blog', '{title}', dbus.Int64(1700000000000000),"
    " dbus.Int64(0), '', '', '{{\"title\":\"{title}\"}}', dbus.Dictionary({{}}, signature='sv')),"
    " signature='sssssssxxsssa{{sv}}')"
)
VALUES = {"b": False, "s": "", "u": dbus.UInt32(0), "t": dbus.UInt64(0)}
EMPTY = "dbus.Dictionary({}, signature='sv')"


def _folder() -> Path:
    here = Path(__file__).resolve().parent
    packaged = here.parent / "interfaces"
    return packaged if packaged.is_dir() else here.parents[2] / "dbus-interfaces"


def _interface(name: str) -> tuple[dict[str, tuple[str, str]], dict[str, str]]:
    """(methods, properties) of an interface of the contract: {name: (in, out)}, {name: type}."""
    root = ET.parse(_folder() / f"{name}.xml").getroot()  # noqa: S314 (our own file)
    methods = {}
    for method in root.iterfind("interface/method"):
        args = [(arg.get("direction", "in"), arg.get("type", "")) for arg in method.findall("arg")]
        takes, gives = ("".join(kind for way, kind in args if way == wanted) for wanted in ("in", "out"))
        methods[method.get("name", "")] = (takes, gives)
    return methods, {each.get("name", ""): each.get("type", "") for each in root.iterfind("interface/property")}


def _codes(jid: str) -> dict[str, str]:
    """What the methods answer; a method that is not named here answers with nothing."""
    posts = [ITEM.format(jid=jid, id=number, title=title) for number, title in enumerate(("Balcony", "Orchard"), 1)]
    items = f"dbus.Array([{', '.join(posts)}])"
    sequence = "dbus.Dictionary({'sequence': dbus.UInt64(2)}, signature='sv')"
    meta = (
        "dbus.Dictionary({'source': 'cache', 'state': 'synced', 'stale': False, 'complete': True, 'more': False,"
        " 'sequence': dbus.UInt64(2), 'first': '1', 'last': '2'}, signature='sv')"
    )
    nodes = (
        f"dbus.Array([dbus.Dictionary({{'account': '{jid}', 'state': 'synced'}}, signature='sv')], signature='a{{sv}}')"
    )
    subscription = (
        f"dbus.Dictionary({{'node': 'urn:xmpp:microblog:0', 'jid': '{jid}', 'subscription': 'subscribed',"
        " 'subid': ''}, signature='sv')"
    )
    discovery = (
        "dbus.Dictionary({'title': 'Mock', 'identities': dbus.Array(['pubsub/leaf'], signature='s'),"
        " 'features': dbus.Array(['http://jabber.org/protocol/pubsub'], signature='s')}, signature='sv')"
    )
    analyser = "dbus.Dictionary({'name': 'blog', 'type': 'blog'}, signature='sv')"
    return {
        "AddAccount": f"ret = dbus.ObjectPath('{ACCOUNT}')",
        "GetItems": f"ret = ({items}, {meta})",
        "Publish": "ret = dbus.Array([str(n) for n, _ in enumerate(args[2], 3)], signature='s')",
        "Subscribe": "ret = dbus.Dictionary({'state': 'subscribed'}, signature='sv')",
        "GetSubscriptions": f"ret = dbus.Array([{subscription}], signature='a{{sv}}')",
        "CreateNode": "ret = args[1]",
        "GetConfiguration": "ret = dbus.Dictionary({'pubsub#title': 'Mock'}, signature='sv')",
        "GetAffiliations": f"ret = dbus.Dictionary({{'{jid}': 'owner'}}, signature='ss')",
        "Discover": f"ret = ({discovery}, dbus.Array([], signature='a{{sv}}'))",
        "Search": f"ret = ({items}, dbus.Array([], signature='s'), {sequence})",
        "Changes": "ret = (dbus.Array([], signature='(tsssssa{sv})'), dbus.UInt64(args[0]), False)",
        "Export": (
            "import os; ours, theirs = os.pipe();"
            """ os.write(theirs, b'{"end": true, "count": 0, "sequence": 0}\\n');"""
            " os.close(theirs); ret = dbus.types.UnixFd(ours)"
        ),
        "Lookup": f"ret = ({items}, dbus.Array([], signature='s'))",
        "GetNodes": f"ret = ({nodes}, {EMPTY})",
        "GetStatistics": "ret = dbus.Dictionary({'reads_cache': dbus.UInt64(1)}, signature='sv')",
        "Forget": "ret = dbus.UInt64(0)",
        "List": f"ret = dbus.Array([{analyser}], signature='a{{sv}}')",
        "Describe": f"ret = {analyser}",
        "Test": "ret = '{}'",
        "Synchronise": f"ret = dbus.ObjectPath('{JOB}')",
        "Verify": f"ret = dbus.ObjectPath('{JOB}')",
        "Check": f"ret = dbus.ObjectPath('{JOB}')",
        "Backup": f"import os; ret = (dbus.ObjectPath('{JOB}'), dbus.types.UnixFd(os.open(os.devnull, os.O_RDONLY)))",
        "Vacuum": f"ret = dbus.ObjectPath('{JOB}')",
        "GetPolicy": "ret = dbus.Dictionary({'sync': 'auto'}, signature='sv')",
        "Explain": "ret = dbus.Dictionary({'words': 'this is a mock'}, signature='sv')",
    }


def load(mock: Any, parameters: dict[str, Any]) -> None:
    """Called by dbusmock."""
    jid = parameters.get("Jid", "juliet@capulet.example")
    codes = _codes(jid)
    given = {
        "Version": "mock",
        "ApiVersion": dbus.UInt32(6),
        "Jid": jid,
        "Enabled": True,
        "Kind": "synchronise",
        "Account": jid,
        "Service": "pubsub.capulet.example",
        "Node": "urn:xmpp:microblog:0",
        "Result": dbus.Dictionary({}, signature="sv"),
    }
    states = {"Manager": "ready", "Account": parameters.get("State", "online"), "Job": "running"}

    def add(target: Any, name: str) -> None:
        full = f"{BUS_NAME}.{name}"
        methods, properties = _interface(full)
        target.AddMethods(full, [(m, takes, gives, codes.get(m, "")) for m, (takes, gives) in methods.items()])
        values = {p: given.get(p, VALUES.get(kind, "")) for p, kind in properties.items()}
        if "State" in values:
            values["State"] = states[name]
        if values:
            target.AddProperties(full, values)

    mock.AddMethods(
        "org.freedesktop.DBus.ObjectManager",
        [
            (
                "GetManagedObjects",
                "",
                "a{oa{sa{sv}}}",
                "ret = {dbus.ObjectPath(k): objects[k].props for k in objects if k.startswith('" + MAIN_OBJ + "/')}",
            )
        ],
    )
    for name in ("Manager", "Cache", "Analysers", "Database"):
        add(mock, name)
    for path, names in ((ACCOUNT, ("Account", "PubSub", "Sync")), (JOB, ("Job",))):
        mock.AddObject(path, f"{BUS_NAME}.{names[0]}", {}, [])
        for name in names:
            add(_object(path), name)


def _object(path: str) -> Any:
    from dbusmock import get_object

    return get_object(path)

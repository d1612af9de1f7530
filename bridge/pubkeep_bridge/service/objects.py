# SPDX-License-Identifier: MIT
"""The object tree: dispatch, properties, introspection and ObjectManager, all from the interface XML.

An interface is a plain class: `interface` names its XML, a coroutine method serves the method of the same
name, a property the property, `set_X` a writable one. Results are lists in the order of the XML.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, ClassVar

from pubkeep.errors import InvalidArgs, LimitExceeded, PubkeepError
from pubkeep_bridge import contract
from pubkeep_bridge.bus import Bus, Call, Variant
from pubkeep_bridge.service.errors import name_of

log = logging.getLogger(__name__)

AT_ONCE = 32
"""Calls of one caller that are worked on at a time."""
WAITING = 1000
"""Calls of one caller that wait; more are LimitExceeded."""

_ERROR = "org.freedesktop.DBus.Error."
_PEER, _INTROSPECTABLE = "org.freedesktop.DBus.Peer", "org.freedesktop.DBus.Introspectable"
_PROPERTIES, _MANAGER = "org.freedesktop.DBus.Properties", "org.freedesktop.DBus.ObjectManager"

_STANDARD_XML = """
  <interface name="org.freedesktop.DBus.Peer">
    <method name="Ping"/>
    <method name="GetMachineId"><arg name="machine_uuid" type="s" direction="out"/></method>
  </interface>
  <interface name="org.freedesktop.DBus.Introspectable">
    <method name="Introspect"><arg name="xml_data" type="s" direction="out"/></method>
  </interface>
  <interface name="org.freedesktop.DBus.Properties">
    <method name="Get">
      <arg name="interface_name" type="s" direction="in"/>
      <arg name="property_name" type="s" direction="in"/>
      <arg name="value" type="v" direction="out"/>
    </method>
    <method name="Set">
      <arg name="interface_name" type="s" direction="in"/>
      <arg name="property_name" type="s" direction="in"/>
      <arg name="value" type="v" direction="in"/>
    </method>
    <method name="GetAll">
      <arg name="interface_name" type="s" direction="in"/>
      <arg name="properties" type="a{sv}" direction="out"/>
    </method>
    <signal name="PropertiesChanged">
      <arg name="interface_name" type="s"/>
      <arg name="changed_properties" type="a{sv}"/>
      <arg name="invalidated_properties" type="as"/>
    </signal>
  </interface>"""
_MANAGER_XML = """
  <interface name="org.freedesktop.DBus.ObjectManager">
    <method name="GetManagedObjects">
      <arg name="object_paths_interfaces_and_properties" type="a{oa{sa{sv}}}" direction="out"/>
    </method>
    <signal name="InterfacesAdded">
      <arg name="object_path" type="o"/>
      <arg name="interfaces_and_properties" type="a{sa{sv}}"/>
    </signal>
    <signal name="InterfacesRemoved">
      <arg name="object_path" type="o"/>
      <arg name="interfaces" type="as"/>
    </signal>
  </interface>"""
_STANDARD = {
    (_PEER, "Ping"): ("", ""),
    (_PEER, "GetMachineId"): ("", "s"),
    (_INTROSPECTABLE, "Introspect"): ("", "s"),
    (_PROPERTIES, "Get"): ("ss", "v"),
    (_PROPERTIES, "Set"): ("ssv", ""),
    (_PROPERTIES, "GetAll"): ("s", "a{sv}"),
    (_MANAGER, "GetManagedObjects"): ("", "a{oa{sa{sv}}}"),
}


class DBusError(Exception):
    """A standard error that is not one of ours."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = _ERROR + name


class Served:
    """Base of the classes that serve an interface."""

    interface: ClassVar[str]


class Objects:
    """What is exported on one connection."""

    def __init__(self, bus: Bus, root: str, load: Callable[[str], contract.Interface] = contract.load) -> None:
        self._bus = bus
        self._load = load
        self._root = root
        self._objects: dict[str, dict[str, Served]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._working: dict[str, int] = {}
        self._waiting: dict[str, deque[Call]] = {}
        self._farewell = ""
        bus.on_call = self._take

    # -- exporting -------------------------------------------------------------------------------

    def export(self, path: str, *served: Served) -> None:
        """Serve these interfaces at a path; the manager tells it, with all properties."""
        interfaces = self._objects[path] = {each.interface: each for each in served}
        if path != self._root:
            told = {name: self._values(each) for name, each in interfaces.items()}
            self._bus.emit(self._root, _MANAGER, "InterfacesAdded", "oa{sa{sv}}", [path, told])

    def unexport(self, path: str) -> None:
        """The object is gone."""
        if (interfaces := self._objects.pop(path, None)) is not None:
            self._bus.emit(self._root, _MANAGER, "InterfacesRemoved", "oas", [path, list(interfaces)])

    def signal(self, path: str, interface: str, member: str, *arguments: object) -> None:
        """Send a signal of the contract."""
        self._bus.emit(path, interface, member, self._load(interface).signals[member], arguments)

    def changed(self, path: str, interface: str, *names: str) -> None:
        """These properties have new values; told as their annotation says."""
        served = self._objects.get(path, {}).get(interface)
        if served is None:
            return
        properties = self._load(interface).properties
        values = {n: _value(served, n, properties[n]) for n in names if properties[n].emits == "true"}
        invalidated = [name for name in names if properties[name].emits == "invalidates"]
        if values or invalidated:
            self._bus.emit(path, _PROPERTIES, "PropertiesChanged", "sa{sv}as", [interface, values, invalidated])

    async def close(self, words: str = "the daemon is stopping") -> None:
        """End the calls that are being worked on; their callers are answered that it is not ready."""
        self._farewell = words
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # -- being called ----------------------------------------------------------------------------

    def _take(self, call: Call) -> None:
        """A bounded number of each caller's calls is worked on at a time."""
        working = self._working.get(call.sender, 0)
        if working >= AT_ONCE:
            waiting = self._waiting.setdefault(call.sender, deque())
            if len(waiting) >= WAITING:
                error = LimitExceeded(f"{call.member}: {WAITING} of your calls wait already")
                self._bus.reply_error(call, name_of(error), str(error))
            else:
                waiting.append(call)
            return
        self._working[call.sender] = working + 1
        task = asyncio.get_running_loop().create_task(self._serve(call))
        self._tasks.add(task)
        task.add_done_callback(partial(self._served, call))

    def _served(self, call: Call, task: asyncio.Task[None]) -> None:
        """A call is done with. (One that was ended before its first step had no chance to say so itself.)"""
        self._tasks.discard(task)
        if task.cancelled():
            self._bus.reply_error(call, "im.pubkeep.Pubkeep1.Error.NotReady", self._farewell)
        self._finished(call.sender)

    def _finished(self, sender: str) -> None:
        self._working[sender] -= 1
        if not self._working[sender]:
            del self._working[sender]
        if waiting := self._waiting.get(sender):
            call = waiting.popleft()
            if not waiting:
                del self._waiting[sender]
            self._take(call)

    async def _serve(self, call: Call) -> None:
        """Answer one call, whatever happens but that it is cancelled."""
        try:
            signature, result = await self._dispatch(call)
            self._bus.reply(call, signature, result)
        except PubkeepError as error:
            self._bus.reply_error(call, name_of(error), str(error))
        except DBusError as error:
            self._bus.reply_error(call, error.name, str(error))
        except Exception:
            log.exception("%s.%s failed", call.interface, call.member)
            words = f"{call.member}: a fault of the daemon; its log says more"
            self._bus.reply_error(call, "im.pubkeep.Pubkeep1.Error.Failed", words)

    async def _dispatch(self, call: Call) -> tuple[str, Sequence[Any]]:
        served = self._objects.get(call.path)
        interface = call.interface or self._find(call, served or {})
        if (interface, call.member) in _STANDARD:
            takes, gives = _STANDARD[interface, call.member]
            _check(call, takes)
            return gives, await self._standard(call, interface)
        if served is None:
            raise DBusError("UnknownObject", f"{call.path}: there is no such object")
        if interface not in served:
            raise DBusError(
                "UnknownInterface", f"{call.path} has no interface {interface or '(any)'} with {call.member}"
            )
        method = self._load(interface).methods.get(call.member)
        if method is None:
            raise DBusError("UnknownMethod", f"{interface} has no method {call.member}")
        _check(call, method.takes)
        result = await getattr(served[interface], call.member)(*call.body, **_caller(served[interface], call))
        return method.gives, result if isinstance(result, list) else [] if result is None else [result]

    def _find(self, call: Call, served: dict[str, Served]) -> str:
        """The interface of a call that names none."""
        for interface in (*served, _PEER, _INTROSPECTABLE, _PROPERTIES):
            if (interface, call.member) in _STANDARD or (
                interface in served and call.member in self._load(interface).methods
            ):
                return interface
        return ""

    async def _standard(self, call: Call, interface: str) -> list[Any]:
        if interface == _PEER:
            return [] if call.member == "Ping" else [_machine_id()]
        if interface == _INTROSPECTABLE:
            return [self._introspect(call.path)]
        if interface == _MANAGER:
            if call.path != self._root:
                raise DBusError("UnknownInterface", f"{call.path} has no interface {interface}; {self._root} has")
            return [
                {
                    path: {name: self._values(each) for name, each in interfaces.items()}
                    for path, interfaces in self._objects.items()
                    if path != self._root
                }
            ]
        if call.path not in self._objects:
            raise DBusError("UnknownObject", f"{call.path}: there is no such object")
        return await self._property(call)

    async def _property(self, call: Call) -> list[Any]:
        name = call.body[0]
        if call.member == "GetAll" and (not name or any((name, m) in _STANDARD for _, m in _STANDARD)):
            return [{}]
        served = self._objects[call.path].get(name)
        if served is None:
            raise DBusError("UnknownInterface", f"{call.path} has no interface {name}")
        if call.member == "GetAll":
            return [self._values(served)]
        wanted = self._load(name).properties.get(call.body[1])
        if wanted is None:
            raise DBusError("UnknownProperty", f"{name} has no property {call.body[1]}")
        if call.member == "Get":
            return [_value(served, call.body[1], wanted)]
        if not wanted.writable:
            raise DBusError("PropertyReadOnly", f"{call.body[1]} cannot be set")
        if call.body[2].signature != wanted.signature:
            raise InvalidArgs(f"{call.body[1]}: it is of type {wanted.signature}, not {call.body[2].signature}")
        await getattr(served, f"set_{call.body[1]}")(call.body[2].value)
        return []

    def _values(self, served: Served) -> dict[str, Any]:
        properties = self._load(served.interface).properties
        return {name: _value(served, name, each) for name, each in properties.items()}

    def _introspect(self, path: str) -> str:
        """The XML of the contract, and the children, so that `busctl tree` finds its way."""
        served = self._objects.get(path, {})
        prefix = path.rstrip("/") + "/"
        children = sorted({p[len(prefix) :].partition("/")[0] for p in self._objects if p.startswith(prefix)})
        parts = [
            '<!DOCTYPE node PUBLIC "-//freedesktop//DTD D-BUS Object Introspection 1.0//EN"\n'
            ' "http://www.freedesktop.org/standards/dbus/1.0/introspect.dtd">\n<node>',
            _STANDARD_XML if served else "",
            _MANAGER_XML if path == self._root else "",
            *(f"\n  {self._load(name).xml}" for name in served),
            *(f'\n  <node name="{child}"/>' for child in children),
            "\n</node>\n",
        ]
        return "".join(parts)


def _caller(served: Served, call: Call) -> dict[str, str]:
    """Methods that want to know who calls say so by their keyword `sender`."""
    return {"sender": call.sender} if call.member in getattr(served, "wants_sender", ()) else {}


def _check(call: Call, takes: str) -> None:
    if call.signature != takes:
        raise InvalidArgs(f"{call.member}: it takes ({takes or 'nothing'}), not ({call.signature or 'nothing'})")


def _value(served: Served, name: str, declared: contract.Property) -> Any:
    return Variant(declared.signature, getattr(served, name))


def _machine_id() -> str:
    for path in ("/etc/machine-id", "/var/lib/dbus/machine-id"):
        try:
            with open(path, encoding="ascii") as file:  # noqa: PTH123 (one line, read at most once a minute)
                return file.read().strip()
        except OSError:
            continue
    raise DBusError("FileNotFound", "this machine has no machine id")

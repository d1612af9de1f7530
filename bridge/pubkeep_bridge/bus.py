# SPDX-License-Identifier: MIT
"""The seam to the D-Bus library: the only import of dbus-next or dbus-fast.

Both are used for connecting, for messages and for marshalling, and nothing above: their service and proxy
classes answer unknown objects with the wrong error, know no annotations, leak file descriptors, show
tracebacks to callers (dbus-next) and end the connection when the socket is full (both).

dbus-fast is taken where it is installed in a tested version; `PUBKEEP_DBUS=next` or `fast` forces one.
"""

import array
import asyncio
import contextlib
import importlib
import logging
import os
import socket
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

log = logging.getLogger(__name__)

MAX_MESSAGE = 24 * 1024 * 1024
"""Bytes of one message; the system bus takes 32 MiB, and a reply stops at 16 MiB."""
NO_REPLY = 1
_TESTED = ((1, 84), (6, 0))
_DAEMON = ("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus")


class BusError(Exception):
    """An error reply. `name` is the D-Bus error name, the text its message."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name


class NoBus(Exception):
    """There is no bus, or it went away."""


def _usable_fast() -> Any:
    """dbus-fast, if it is there in a tested version with the private names that our writer needs."""
    try:
        library = importlib.import_module("dbus_fast")
        aio = importlib.import_module("dbus_fast.aio")
    except ImportError:
        return None
    found = str(importlib.import_module("dbus_fast.__version__").__version__)
    version = tuple(int(part) for part in found.split(".")[:2])
    fits = _TESTED[0] <= version < _TESTED[1] and hasattr(library.Message, "_marshall")
    if not fits or not hasattr(aio.MessageBus, "_finalize"):
        log.warning("dbus-fast %s is not a version that was tested; dbus-next is used", found)
        return None
    return library


def _choose() -> tuple[str, Any, Any]:
    wanted = os.environ.get("PUBKEEP_DBUS", "")
    if wanted not in ("", "next", "fast"):
        raise SystemExit(f"PUBKEEP_DBUS={wanted}: it must be next or fast")
    fast = _usable_fast() if wanted != "next" else None
    if wanted == "fast" and fast is None:
        raise SystemExit("PUBKEEP_DBUS=fast: dbus-fast is not installed; pip install 'pubkeep[fast]'")
    name = "dbus_fast" if fast is not None else "dbus_next"
    return name, importlib.import_module(name), importlib.import_module(f"{name}.aio")


LIBRARY, _library, _aio = _choose()
"""The name of the library in use, for people."""
Variant = _library.Variant
"""Variant(signature, value), with both as attributes."""
_Message, _Type, _Flag = _library.Message, _library.MessageType, _library.MessageFlag


@dataclass(frozen=True, slots=True)
class Call:
    """A method call that came in."""

    sender: str
    serial: int
    path: str
    interface: str
    member: str
    signature: str
    body: Sequence[Any]
    wants_reply: bool


@dataclass(frozen=True, slots=True)
class Signal:
    """A signal that came in."""

    sender: str
    path: str
    interface: str
    member: str
    body: Sequence[Any]


class Descriptor(int):
    """A file descriptor in a reply; it is closed here when it was sent."""


class _Writer:
    """Writes messages in order and survives a full socket; stands in for the writers of both libraries."""

    def __init__(self, bus: Any, *, fds: bool) -> None:
        self._bus = bus
        self._socket: socket.socket = bus._sock
        self._fds = fds
        self._queue: deque[tuple[memoryview, list[int], asyncio.Future[None] | None]] = deque()
        self._sent = 0
        self._waiting = False
        self._loop = asyncio.get_running_loop()

    def schedule_write(self, message: Any = None, future: "asyncio.Future[None] | None" = None) -> None:
        """Called by the library, and by `Bus`."""
        if message is not None:
            data = message._marshall(self._fds)
            if len(data) > MAX_MESSAGE:
                raise ValueError(f"a message of {len(data)} bytes")
            self._queue.append((memoryview(data), list(message.unix_fds or ()), future))
        if self._bus.unique_name and not self._waiting:
            self._write()

    def _write(self) -> None:
        try:
            while self._queue:
                data, fds, future = self._queue[0]
                if fds and not self._sent:
                    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))]
                    self._sent += self._socket.sendmsg([data], rights)
                else:
                    self._sent += self._socket.send(data[self._sent :])
                if self._sent < len(data):
                    continue
                self._queue.popleft()
                self._sent = 0
                _close(fds)
                if future is not None and not future.done():
                    future.set_result(None)
        except (BlockingIOError, InterruptedError):
            if not self._waiting:
                self._waiting = True
                self._loop.add_writer(self._socket.fileno(), self._write)
            return
        except OSError as error:
            self._stop_waiting()
            self._bus._finalize(error)
            return
        self._stop_waiting()

    def close(self) -> None:
        """Nothing is sent any more."""
        for _, fds, _ in self._queue:
            _close(fds)
        self._queue.clear()

    def _stop_waiting(self) -> None:
        if self._waiting:
            self._waiting = False
            self._loop.remove_writer(self._socket.fileno())


class Bus:
    """A connection to a message bus."""

    def __init__(self, bus: Any) -> None:
        self._bus = bus
        self._signals: dict[int, tuple[dict[str, str], Callable[[Signal], None]]] = {}
        self._next = 0
        self.on_call: Callable[[Call], None] | None = None
        """Takes method calls; without it every call is UnknownObject."""
        self.disconnected: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done when the bus went away."""

    @classmethod
    async def connect(cls, address: str = "session", *, fds: bool = False) -> "Bus":
        """Connect to `session`, `system`, or an address.

        Args:
            fds: file descriptors may be sent and come in replies; those that come in calls are closed.

        Raises:
            NoBus: with a sentence that says what to do.
        """
        if address == "session":
            address = os.environ.get("DBUS_SESSION_BUS_ADDRESS") or f"unix:path={os.environ.get('XDG_RUNTIME_DIR')}/bus"
        elif address == "system":
            address = os.environ.get("DBUS_SYSTEM_BUS_ADDRESS") or "unix:path=/run/dbus/system_bus_socket"
        raw = None
        try:
            raw = _aio.MessageBus(address, negotiate_unix_fd=fds)
            await raw.connect()
        except Exception as error:  # noqa: BLE001 (the libraries raise whatever comes up)
            if raw is not None and raw._sock is not None:
                raw._sock.close()
            raise NoBus(f"the message bus at {address} cannot be reached: {error}") from None
        raw._writer = _Writer(raw, fds=fds)
        bus = cls(raw)
        raw.add_message_handler(bus._incoming)
        bus._watch = asyncio.ensure_future(bus._wait_for_end())
        return bus

    _watch: "asyncio.Future[None]"

    @property
    def unique_name(self) -> str:
        """Our own name, `:1.42`."""
        return str(self._bus.unique_name)

    async def close(self) -> None:
        """Leave the bus."""
        self._bus.disconnect()
        await self.disconnected

    async def _wait_for_end(self) -> None:
        with contextlib.suppress(Exception):
            await self._bus.wait_for_disconnect()
        self._bus._writer.close()
        self._bus._sock.close()  # dbus-next only shuts it down
        if not self.disconnected.done():
            self.disconnected.set_result(None)

    # -- calling ---------------------------------------------------------------------------------

    async def call(
        self,
        destination: str,
        path: str,
        interface: str,
        member: str,
        signature: str = "",
        body: Sequence[Any] = (),
        timeout: float = 25.0,  # noqa: ASYNC109 (it is the caller's, as in every D-Bus binding)
    ) -> list[Any]:
        """Call a method.

        Raises:
            BusError: an error reply, or org.freedesktop.DBus.Error.NoReply after `timeout` seconds.
            NoBus: the bus went away.
        """
        message = _Message(
            destination=destination,
            path=path,
            interface=interface,
            member=member,
            signature=signature,
            body=list(body),
        )
        reply = asyncio.ensure_future(self._bus.call(message))
        await asyncio.wait({reply, self._watch}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        if not reply.done():
            reply.cancel()
            if self._watch.done():
                raise NoBus("the bus went away")
            raise BusError("org.freedesktop.DBus.Error.NoReply", f"{member}: no answer within {timeout:g} s")
        answer = reply.result()
        if answer.message_type is _Type.ERROR:
            raise BusError(answer.error_name or "", str(answer.body[0]) if answer.body else "")
        kinds = (kind.token for kind in answer.signature_tree.types)
        return [answer.unix_fds[each] if kind == "h" else each for kind, each in zip(kinds, answer.body, strict=True)]

    async def request_name(self, name: str) -> bool:
        """Own this name; False where somebody else does. Nobody queues."""
        reply = await self.call(*_DAEMON, "RequestName", "su", [name, 4])
        return reply[0] in (1, 4)

    async def owner_uid(self, name: str) -> int:
        """The user id behind a connection, as the bus knows it."""
        return int((await self.call(*_DAEMON, "GetConnectionUnixUser", "s", [name]))[0])

    async def subscribe(self, callback: Callable[[Signal], None], **rule: str) -> Callable[[], Awaitable[None]]:
        """Call back for each signal that matches: `sender`, `path`, `interface`, `member`, `arg0`.

        Returns:
            A coroutine function that ends it.
        """
        text = ",".join(["type='signal'", *(f"{key}='{value}'" for key, value in rule.items())])
        self._next += 1
        number = self._next
        self._signals[number] = (rule, callback)
        await self.call(*_DAEMON, "AddMatch", "s", [text])

        async def end() -> None:
            del self._signals[number]
            with contextlib.suppress(BusError, NoBus):
                await self.call(*_DAEMON, "RemoveMatch", "s", [text])

        return end

    # -- being called ----------------------------------------------------------------------------

    def reply(self, call: Call, signature: str, body: Sequence[Any]) -> None:
        """Answer a call.

        Raises:
            ValueError: the message would be larger than MAX_MESSAGE.
        """
        fds = [int(each) for each in body if isinstance(each, Descriptor)]
        if not call.wants_reply or self.disconnected.done():
            _close(fds)
            return
        self._send(
            _Message(
                message_type=_Type.METHOD_RETURN,
                reply_serial=call.serial,
                destination=call.sender,
                signature=signature,
                body=[fds.index(each) if isinstance(each, Descriptor) else each for each in body],
                unix_fds=fds,
            )
        )

    def reply_error(self, call: Call, name: str, message: str) -> None:
        """Answer a call with an error; what D-Bus cannot carry in a string is replaced."""
        if call.wants_reply:
            text = message.replace("\0", "\ufffd").encode(errors="replace").decode()
            self._send(
                _Message(
                    message_type=_Type.ERROR,
                    reply_serial=call.serial,
                    destination=call.sender,
                    error_name=name,
                    signature="s",
                    body=[text],
                )
            )

    def emit(self, path: str, interface: str, member: str, signature: str, body: Sequence[Any]) -> None:
        """Send a signal to whom it concerns."""
        self._send(
            _Message(
                message_type=_Type.SIGNAL,
                path=path,
                interface=interface,
                member=member,
                signature=signature,
                body=list(body),
            )
        )

    def _send(self, message: Any) -> None:
        if not self.disconnected.done():
            message.serial = self._bus.next_serial()
            self._bus._writer.schedule_write(message)

    def _incoming(self, message: Any) -> bool | None:
        """The library's message handler: True keeps it from answering by itself."""
        if message.message_type is _Type.METHOD_CALL:
            _close(message.unix_fds)
            call = Call(
                message.sender or "",
                message.serial,
                message.path or "",
                message.interface or "",
                message.member or "",
                message.signature,
                message.body,
                not message.flags & _Flag.NO_REPLY_EXPECTED,
            )
            if self.on_call is not None:
                self.on_call(call)
            else:
                self.reply_error(call, "org.freedesktop.DBus.Error.UnknownObject", f"{call.path}: nothing is here")
            return True
        if message.message_type is _Type.SIGNAL:
            _close(message.unix_fds)
            signal = Signal(
                message.sender or "", message.path or "", message.interface or "", message.member or "", message.body
            )
            for rule, callback in list(self._signals.values()):
                if _matches(rule, signal):
                    callback(signal)
        return None


def _matches(rule: dict[str, str], signal: Signal) -> bool:
    """Whether a signal is one that was asked for; a well-known sender is the bus daemon's to check."""
    return (
        rule.get("path") in (None, signal.path)
        and rule.get("interface") in (None, signal.interface)
        and rule.get("member") in (None, signal.member)
        and ("arg0" not in rule or (bool(signal.body) and signal.body[0] == rule["arg0"]))
    )


def _close(fds: Sequence[int] | None) -> None:
    """File descriptors that nobody asked for must not pile up."""
    for fd in fds or ():
        with contextlib.suppress(OSError):
            os.close(fd)

# SPDX-License-Identifier: MIT
"""Telling systemd how the daemon does: sd_notify(3), which is one datagram."""

import os
import socket
import time


def notify(*lines: str) -> None:
    """Send `READY=1`, `STATUS=...` and the like; does nothing where nobody asked for it."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
        try:
            channel.sendto("\n".join(lines).encode(), address)
        except OSError:
            return  # the service manager is gone; nobody else wants to know


def reloading() -> str:
    """The first line of a reload (sd_notify(3), RELOADING=1)."""
    return f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}"

# SPDX-License-Identifier: MIT
"""Logging to stderr: with sd-daemon(3) priority prefixes under systemd, readable in a terminal.

No secret may reach a logger: passwords live in one place (accounts.py), and slixmpp, which would log
its SASL exchange, is never let below INFO.
"""

import logging
import os
import sys

_PRIORITIES = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))


class _Formatter(logging.Formatter):
    """A line a record; each line of a traceback gets the prefix, since the journal takes them apart."""

    def __init__(self, *, journal: bool) -> None:
        super().__init__("%(name)s: %(message)s" if journal else "%(asctime)s %(levelname)-7s %(name)s: %(message)s")
        self._journal = journal

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        if not self._journal:
            return text
        priority = next((number for level, number in _PRIORITIES if record.levelno >= level), 7)
        return "\n".join(f"<{priority}>{line}" for line in text.splitlines())


def under_systemd() -> bool:
    """Whether stderr goes to the journal (systemd.exec(5), $JOURNAL_STREAM)."""
    stream = os.environ.get("JOURNAL_STREAM", "")
    try:
        stat = os.fstat(sys.stderr.fileno())
    except OSError:
        return False
    return stream == f"{stat.st_dev}:{stat.st_ino}"


def set_up(level: str) -> None:
    """Log from this level on. May be called again to change it."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter(journal=under_systemd()))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in ("slixmpp", "alembic", "sqlalchemy", "aiosqlite", "dbus_fast", "asyncio"):
        logging.getLogger(name).setLevel(max(logging.getLogger().level, logging.WARNING))

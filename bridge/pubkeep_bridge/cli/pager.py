# SPDX-License-Identifier: MIT
"""Long output in a terminal goes through $PAGER, as with git: `less -FRX`, which ends by itself where it fits.

It is written as it is read: who looks at the first screen only has no more fetched than fits into a pipe.
"""

import contextlib
import io
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import IO, Any, TextIO, cast

DEFAULT = "less"
LESS = "FRX"
"""$LESS where it is not set: end where it fits, show colours, leave on the screen what was shown."""


@contextlib.contextmanager
def paged() -> Iterator[None]:
    """What is printed goes through the pager; what is noted comes when it has ended.

    It starts with the first output. When it is left, the output is over; that is no error.
    """
    screen, notes = Screen(sys.stdout), io.StringIO()
    try:
        with (
            contextlib.suppress(BrokenPipeError),
            contextlib.redirect_stdout(cast(TextIO, screen)),
            contextlib.redirect_stderr(notes),
        ):
            yield
    finally:
        screen.end()
        sys.stderr.write(notes.getvalue())


def wanted() -> bool:
    """Whether anybody looks at it page by page."""
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb" and os.environ.get("PAGER") not in ("", "cat")


class Screen(io.TextIOBase):
    """A terminal behind a pager."""

    def __init__(self, terminal: TextIO) -> None:
        self._terminal = terminal
        self._pager: subprocess.Popen[str] | None = None
        self._pipe: IO[str] | None = None
        self._on_interrupt: Any = None

    def isatty(self) -> bool:
        """People look at it."""
        return True

    def write(self, text: str) -> int:
        """Raises BrokenPipeError where it was left."""
        if self._pipe is None:
            self._pipe = self._start()
        return self._pipe.write(text)

    def flush(self) -> None:
        """Raises BrokenPipeError where it was left."""
        if self._pager is not None and self._pager.poll() is not None:
            raise BrokenPipeError
        if self._pipe is not None:
            self._pipe.flush()

    def end(self) -> None:
        """Wait until it was read."""
        if self._pager is None:
            return
        with contextlib.suppress(BrokenPipeError):
            self._pager.communicate()
        signal.signal(signal.SIGINT, self._on_interrupt)

    def _start(self) -> IO[str]:
        command = shlex.split(os.environ.get("PAGER", DEFAULT))
        environ = {"LESS": LESS, **os.environ}
        try:
            self._pager = subprocess.Popen(
                command, env=environ, stdin=subprocess.PIPE, encoding=self._terminal.encoding, errors="replace"
            )
        except OSError:
            return self._terminal
        self._on_interrupt = signal.signal(signal.SIGINT, signal.SIG_IGN)  # less takes it, and stays
        assert self._pager.stdin is not None
        return self._pager.stdin

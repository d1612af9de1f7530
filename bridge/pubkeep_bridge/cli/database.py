# SPDX-License-Identifier: MIT
"""`pubkeep database`: the daemon owns the file, so it is asked over the bus; nothing here opens it."""

import argparse
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

from pubkeep_bridge.cli import render
from pubkeep_bridge.cli.following import followed
from pubkeep_bridge.cli.run import DONE, FAILED
from pubkeep_bridge.client.client import Pubkeep
from pubkeep_bridge.client.database import Database

AT_ONCE = 1 << 20
"""Bytes copied in one go."""


async def database(pubkeep: Pubkeep, arguments: argparse.Namespace) -> int:
    """`pubkeep database ...`"""
    return await _ACTIONS[arguments.action](pubkeep.database, arguments)


async def _stats(asked: Database, arguments: argparse.Namespace) -> int:
    found = await asked.statistics()
    if arguments.json:
        render.document(found)
    else:
        render.pairs({key: _bytes(int(size)) if key.startswith("bytes") else size for key, size in found.items()})
    return DONE


async def _check(asked: Database, arguments: argparse.Namespace) -> int:
    result = await followed(await asked.check())
    words = result["problems"] or [f"{result['items']} items are here, and all is well"]
    render.result(result, *words, as_json=arguments.json)
    return FAILED if result["problems"] else DONE


async def _vacuum(asked: Database, arguments: argparse.Namespace) -> int:
    result = await followed(await asked.vacuum())
    words = f"{_bytes(result['before'])} before, {_bytes(result['after'])} now"
    render.result(result, words, as_json=arguments.json)
    return DONE


async def _backup(asked: Database, arguments: argparse.Namespace) -> int:
    """Written here, with the rights of who typed it; a file that is there is left alone."""
    file = Path(arguments.file)
    target = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        job, copy = await asked.backup()
        try:
            size = (await followed(job))["bytes"]
            _copy(copy, target, size)
        finally:
            os.close(copy)
    except BaseException:
        file.unlink(missing_ok=True)
        raise
    finally:
        os.close(target)
    render.result({"file": str(file), "bytes": size}, f"{file}: {_bytes(size)}", as_json=arguments.json)
    return DONE


async def _move(asked: Database, arguments: argparse.Namespace) -> int:
    place = arguments.to if "://" in arguments.to else str(Path(arguments.to).expanduser().absolute())
    result = await followed(await asked.move(place))
    setting = "url" if "://" in place else "path"
    words = f"{result['rows']} rows are there; to use it, set [storage] {setting} and start pubkeepd again"
    render.result({"place": place, **result}, words, as_json=arguments.json)
    return DONE


_ACTIONS: dict[str, Callable[[Database, argparse.Namespace], Awaitable[int]]] = {
    "stats": _stats,
    "check": _check,
    "vacuum": _vacuum,
    "backup": _backup,
    "move": _move,
}


def _copy(source: int, target: int, size: int) -> None:
    """All of it, and on the disk. Raises OSError."""
    done = 0
    while done < size:
        if not (part := os.pread(source, min(AT_ONCE, size - done), done)):
            raise OSError(f"the copy ends after {done} of {size} bytes")
        done += os.write(target, part)
        os.lseek(target, done, os.SEEK_SET)
    os.fsync(target)


def _bytes(size: int) -> str:
    """As people read it."""
    number, unit = float(size), "bytes"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if number < 1024:
            break
        number, unit = number / 1024, larger
    return f"{number:.1f} {unit}" if unit != "bytes" else f"{size} bytes"

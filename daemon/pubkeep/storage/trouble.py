# SPDX-License-Identifier: MIT
"""The errors of the databases and their libraries become ours, without SQL, paths or secrets in the message."""

import errno
import logging
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from pubkeep.errors import (
    Cancelled,
    Damaged,
    Failed,
    PubkeepError,
    ReadOnly,
    StorageFull,
    Unavailable,
    UnknownObject,
)

log = logging.getLogger(__name__)

_FULL = "the database: the disk is full; make room, nothing that is held is lost"
READ_ONLY = (
    "the database: it cannot be written; have its disk mounted for writing, and its folder and files owned by who runs "
    "the daemon. All goes on by itself as soon as it can be written"
)
_STANDBY = (
    "the database: its server takes no writes: it is a standby, or default_transaction_read_only is on; change that, "
    "or name another server in [storage] url. All goes on by itself as soon as it takes them"
)
_NO_VALUE = "the database: a number is too large, or a text has half a character; it is not stored"
_REMOVED = "the database: the account or the node that this belongs to was removed meanwhile"
_AWAY = "the database: its server cannot be reached, or is stopping; what is asked is tried again as soon as it is back"


@contextmanager
def our_errors() -> Iterator[None]:
    """Turn the errors of SQLite, PostgreSQL and their libraries into ours."""
    try:
        yield
    except PubkeepError:
        raise
    except _of_libraries() as error:
        original = error.orig if isinstance(error, DBAPIError) else error
        raise _translated(original or error) from error
    except (OverflowError, UnicodeEncodeError) as error:  # a parser may give any number, and half a surrogate pair
        raise Failed(_NO_VALUE) from error


def is_damage(error: BaseException) -> bool:
    """Whether SQLite says that the file is damaged, or Python that there stands what nobody can have written."""
    name = getattr(error, "sqlite_errorname", "") or ""
    if isinstance(error, UnicodeDecodeError):  # SQLite quotes what it cannot make sense of
        return True
    return name.startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT")) or str(error).startswith("Could not decode to UTF-8")


def _of_libraries() -> tuple[type[Exception], ...]:
    """Their errors; asyncpg is imported by those only who have chosen PostgreSQL."""
    asyncpg = sys.modules.get("asyncpg")
    own = (asyncpg.PostgresError, asyncpg.InterfaceError) if asyncpg is not None else ()
    return (SQLAlchemyError, sqlite3.Error, UnicodeDecodeError, OSError, *own)


def _translated(error: BaseException) -> PubkeepError:
    state = getattr(error, "sqlstate", None) or getattr(error.__cause__, "sqlstate", None)
    found = _of_sqlite(error) if state is None else _of_postgresql(str(state))
    if found is None:
        log.error("the database: %s: %s", getattr(error, "sqlite_errorname", type(error).__name__), error)
        found = Failed("the database: a request failed; the log says more")
    return found


def _of_sqlite(error: BaseException) -> PubkeepError | None:
    name = getattr(error, "sqlite_errorname", "") or ""
    number = getattr(error, "errno", None)
    if name == "SQLITE_FULL" or number == errno.ENOSPC:
        return StorageFull(_FULL)
    if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")) or number in (errno.EACCES, errno.EROFS):
        return ReadOnly(READ_ONLY)
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return Unavailable("the database: another program keeps it locked; close that program and try again")
    if name == "SQLITE_INTERRUPT":
        return Cancelled("the database: what was going on was told to end, and changed nothing")
    if is_damage(error):
        return Damaged("the database: its file is damaged; it is set aside and built anew, try again in a moment")
    if name.startswith("SQLITE_IOERR"):
        return Failed("the database: the disk reports an error; the system's log says more")
    if name == "SQLITE_CONSTRAINT_FOREIGNKEY":
        return UnknownObject(_REMOVED)
    asyncpg = sys.modules.get("asyncpg")
    away = (OSError,) if asyncpg is None else (OSError, asyncpg.InterfaceError)
    return Unavailable(_AWAY) if isinstance(error, away) or isinstance(error.__cause__, away) else None


def _of_postgresql(state: str) -> PubkeepError | None:
    """By the class or the code of the state (PostgreSQL 15, appendix A)."""
    match state[:2], state:
        case ("08", _) | (_, "57P01" | "57P02" | "57P03" | "57P05" | "53300"):
            return Unavailable(_AWAY)
        case (_, "55P03"):
            return Unavailable(
                "the database: another daemon keeps its accounts in it; stop that one, or choose another"
            )
        case (_, "53100"):
            return StorageFull(_FULL)
        case (_, "57014" | "53200" | "53400"):
            return Unavailable("the database: its server took too long, or has no room for more work; try again later")
        case ("28", _):
            return Unavailable(
                "the database: its server refuses the user or the password; a password stands in ~/.pgpass or is set "
                "as PGPASSWORD"
            )
        case ("22", _):
            return Failed(_NO_VALUE)
        case ("3D", _):
            return Unavailable("the database: its server has no database of this name; create it (createdb)")
        case (_, "25006"):
            return ReadOnly(_STANDBY)
        case (_, "42501"):
            return Unavailable("the database: its user may not write there; it needs a schema of its own")
        case (_, "23503"):
            return UnknownObject(_REMOVED)
    return None

# SPDX-License-Identifier: MIT
"""Settings: TOML file, then environment, then command line, later ones winning.

The file is `$XDG_CONFIG_HOME/pubkeep/config.toml`; a setting `[section] key` is also the environment
variable `PUBKEEP_SECTION_KEY`. Everything is checked at start: an error names the file, the line and
the key, and says what was expected. Nothing secret stands here: `password_command` is a command
that prints the password.
"""

import os
import re
import tomllib
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pubkeep.errors import InvalidArgs

MIB = 1024 * 1024
LogLevel = Literal["debug", "info", "warning", "error"]


def setting(default: Any, low: float | None = None, high: float | None = None) -> Any:
    """A field with a default and, for numbers, the range that is accepted."""
    return field(default=default, metadata={"low": low, "high": high})


@dataclass(frozen=True, slots=True)
class DaemonSettings:
    """[daemon]"""

    log_level: LogLevel = "info"
    bus: Literal["session", "system"] = "session"


@dataclass(frozen=True, slots=True)
class StorageSettings:
    """[storage]"""

    path: Path | None = None
    """The database file; by default `pubkeep.db` in $STATE_DIRECTORY or $XDG_DATA_HOME/pubkeep."""
    url: str = ""
    """A database of a PostgreSQL server instead: `postgresql+asyncpg://user@host/name`."""
    changes_days: int = setting(30, 1, 3650)
    """So long it is remembered what is gone, for frontends that were away."""


@dataclass(frozen=True, slots=True)
class XmppSection:
    """[xmpp]: seconds, where nothing else is said."""

    ca_certs: Path | None = None
    """Certificates to trust beside the system's, for servers with a private authority."""
    keepalive_interval: float = setting(60.0, 1, 3600)
    keepalive_timeout: float = setting(30.0, 1, 600)
    reply_timeout: float = setting(20.0, 1, 24)
    negotiation_timeout: float = setting(30.0, 1, 300)
    max_delay: float = setting(300.0, 1, 3600)
    """The longest wait between two attempts to connect."""
    max_stanza: int = setting(64 * MIB, MIB, 1024 * MIB)
    """Bytes: a service that does not page sends a whole node as one stanza. A longer one ends the connection."""
    max_item: int = setting(MIB // 2, MIB // 16, 16 * MIB)
    """Bytes: twice what servers accept from their users. A longer item is kept without its payload."""


@dataclass(frozen=True, slots=True)
class CacheSettings:
    """[cache]"""

    max_age: float = setting(900.0, 1, 86400)
    """Seconds a proof of up to 1,000 items holds where the service may keep changes to itself."""
    lease: float = setting(60.0, 5, 60)
    """Seconds an answer may be behind the last sign of life of its service (CACHE.md promises 60)."""
    fan_out: float = setting(2.0, 0, 60)
    """Seconds by which a service may tell a change later than it can be read."""
    concurrent_syncs: int = setting(4, 1, 32)
    scrub: float = setting(1.0, 0, 24)
    """Share of all nodes listed anew each day, read or not; 0: none."""
    max_items: int = setting(200_000, 100, 10_000_000)
    """Items of one node: beyond, it is not kept whole."""
    catch_up: int = setting(200, 10, 10_000_000)
    """Items from which on a few requests may prove a node after an interruption, instead of a list of all."""


@dataclass(frozen=True, slots=True)
class AccountSettings:
    """[accounts."JID"]"""

    password_command: tuple[str, ...] = ()
    """Program and arguments; the first line it prints is the password."""


@dataclass(frozen=True, slots=True)
class Settings:
    """All of them."""

    daemon: DaemonSettings = field(default_factory=DaemonSettings)
    storage: StorageSettings = field(default_factory=StorageSettings)
    xmpp: XmppSection = field(default_factory=XmppSection)
    cache: CacheSettings = field(default_factory=CacheSettings)
    accounts: Mapping[str, AccountSettings] = field(default_factory=dict)


def config_path(environ: Mapping[str, str] = os.environ) -> Path:
    """Where the settings file is, whether it exists or not."""
    home = environ.get("XDG_CONFIG_HOME") or str(Path(environ.get("HOME", "~")).expanduser() / ".config")
    return Path(environ.get("PUBKEEP_CONFIG") or Path(home) / "pubkeep" / "config.toml")


def database_path(environ: Mapping[str, str] = os.environ) -> Path:
    """Where the database is by default: $STATE_DIRECTORY of systemd, else $XDG_DATA_HOME/pubkeep."""
    if state := environ.get("STATE_DIRECTORY", "").partition(":")[0]:
        return Path(state) / "pubkeep.db"
    home = environ.get("XDG_DATA_HOME") or str(Path(environ.get("HOME", "~")).expanduser() / ".local" / "share")
    return Path(home) / "pubkeep" / "pubkeep.db"


def database_place(settings: StorageSettings, environ: Mapping[str, str] = os.environ) -> Path | str:
    """Where the database is: a file, or the URL of a server's."""
    return settings.url or settings.path or database_path(environ)


def database_url(text: str, where: str = "the URL") -> str:
    """The URL of a database of PostgreSQL.

    Raises:
        InvalidArgs: it is none, or there is a password in it; the message begins with `where`.
    """
    try:
        parts = urlsplit(text)
        named, _ = parts.path.strip("/"), parts.port
    except ValueError as error:
        raise InvalidArgs(f"{where}: {error}") from None
    if parts.password is not None:
        raise InvalidArgs(f"{where} must not have the password in it: it stands in ~/.pgpass, or is set as PGPASSWORD")
    if parts.scheme not in ("postgresql", "postgresql+asyncpg") or not named:
        raise InvalidArgs(f"{where} must be of the form postgresql+asyncpg://user@host/name")
    return text.replace(parts.scheme, "postgresql+asyncpg", 1)


def load(
    path: Path | None = None, environ: Mapping[str, str] = os.environ, arguments: Mapping[str, str] | None = None
) -> Settings:
    """Read all settings.

    Args:
        path: the file; None: the usual place, where it may be missing.
        environ: where `PUBKEEP_SECTION_KEY` is looked up.
        arguments: `section.key` -> text from the command line.

    Raises:
        InvalidArgs: with file, line and key; or the variable or option.
    """
    file = path or config_path(environ)
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        if path is not None:
            raise InvalidArgs(f"{file}: no such file") from None
        text = ""
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidArgs(f"{file}: cannot be read: {error}") from None
    settings = _from_toml(text, file)
    for section in fields(settings):
        if section.name == "accounts":
            continue
        part = getattr(settings, section.name)
        for key in fields(part):
            variable = f"PUBKEEP_{section.name}_{key.name}".upper()
            given = (arguments or {}).get(f"{section.name}.{key.name}")
            if given is not None:
                part = replace(part, **{key.name: _from_text(part, key.name, given, "command line")})
            elif variable in environ:
                part = replace(part, **{key.name: _from_text(part, key.name, environ[variable], variable)})
        settings = replace(settings, **{section.name: part})
    if settings.storage.url and settings.storage.path:
        raise InvalidArgs("[storage] path and url: there is one database; choose one of them")
    return settings


def _from_toml(text: str, file: Path) -> Settings:
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidArgs(f"{file}: {error}") from None
    known = {section.name: section for section in fields(Settings)}
    parts: dict[str, Any] = {}
    for name, value in table.items():
        where = f"{file}, line {_line(text, name)}"
        if name not in known:
            raise InvalidArgs(f"{where}: there is no section [{name}]; sections are {', '.join(known)}")
        if not isinstance(value, dict):
            raise InvalidArgs(f"{where}: {name} is a section: write [{name}] above its keys")
        if name == "accounts":
            parts[name] = {
                jid.lower(): _section(AccountSettings, entry, text, file, f'accounts."{jid}"')
                for jid, entry in value.items()
            }
        else:
            parts[name] = _section(known[name].default_factory, value, text, file, name)  # type: ignore[arg-type]
    return Settings(**parts)


def _section(kind: type[Any], table: object, text: str, file: Path, name: str) -> Any:
    if not isinstance(table, dict):
        raise InvalidArgs(f"{file}, line {_line(text, name)}: [{name}] is a section")
    types_of = typing.get_type_hints(kind)
    values = {}
    for key, value in table.items():
        where = f"{file}, line {_line(text, key, name)}: [{name}] {key}"
        if key not in types_of:
            raise InvalidArgs(f"{where} is not a setting; there are {', '.join(types_of)}")
        values[key] = _checked(kind, key, value, where)
    return kind(**values)


def _checked(kind: type[Any], key: str, value: Any, where: str) -> Any:
    """The value in the type of the field, or InvalidArgs saying what was expected."""
    wanted = typing.get_type_hints(kind)[key]
    limits = next(item.metadata for item in fields(kind) if item.name == key)
    if typing.get_origin(wanted) is Literal:
        if value in typing.get_args(wanted):
            return value
        raise InvalidArgs(f"{where} must be one of {', '.join(typing.get_args(wanted))}, not {value!r}")
    if typing.get_origin(wanted) in (types.UnionType, typing.Union):
        if isinstance(value, str) and value:
            return Path(value).expanduser()
        raise InvalidArgs(f"{where} must be the path of a file, not {value!r}")
    if wanted is str:
        if isinstance(value, str):
            return database_url(value, where) if value else value
        raise InvalidArgs(f"{where} must be a text, not {value!r}")
    if typing.get_origin(wanted) is tuple:
        if isinstance(value, list) and value and all(isinstance(word, str) for word in value):
            return tuple(value)
        raise InvalidArgs(f'{where} must be a list of a program and its arguments: ["pass", "show", "xmpp"]')
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if number and (wanted is float or isinstance(value, int)) and limits["low"] <= value <= limits["high"]:
        return wanted(value)
    kind_name = "a whole number" if wanted is int else "a number"
    raise InvalidArgs(f"{where} must be {kind_name} from {limits['low']} to {limits['high']}, not {value!r}")


def _from_text(part: Any, key: str, text: str, where: str) -> Any:
    wanted = typing.get_type_hints(type(part))[key]
    value: Any = text
    if wanted in (int, float):
        try:
            value = wanted(text)
        except ValueError:
            value = text
    return _checked(type(part), key, value, f"{where}: {key}")


def _line(text: str, key: str, section: str = "") -> int:
    """The line that a key or section stands in, since tomllib forgets it; 1 where it is written oddly."""
    lines = text.splitlines()
    start = 0
    word = re.escape(key)
    if section:
        start = next((number for number, line in enumerate(lines) if line.strip().strip("[] ") == section), 0)
    pattern = re.compile(rf'^\s*(\[\s*)?["\']?{word}["\']?\s*([=\].]|$)|[{{,]\s*{word}\s*=')
    return next((n + 1 for n, line in enumerate(lines) if n >= start and pattern.search(line)), 1)

# SPDX-License-Identifier: MIT
"""Settings: where from, and what is said of mistakes."""

from pathlib import Path

import pytest

from pubkeep.config import database_path, database_place, load
from pubkeep.errors import InvalidArgs


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "config.toml"
    file.write_text(text)
    return file


def test_command_line_wins_over_environment_over_file(tmp_path: Path) -> None:
    file = written(tmp_path, '[cache]\nmax_age = 100\nlease = 20\n[daemon]\nlog_level = "error"\n')

    settings = load(file, {"PUBKEEP_CACHE_MAX_AGE": "200"}, {"daemon.log_level": "debug"})

    assert (settings.cache.max_age, settings.cache.lease, settings.daemon.log_level) == (200.0, 20.0, "debug")


def test_no_file_means_the_defaults(tmp_path: Path) -> None:
    assert load(None, {"XDG_CONFIG_HOME": str(tmp_path)}).cache.max_age == 900.0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[cache]\n\nmax_agee = 3", "line 3: .cache. max_agee is not a setting; there are max_age"),
        ('[cache]\nmax_age = "x"', "line 2: .cache. max_age must be a number from 1 to 86400, not 'x'"),
        ("[cache]\nconcurrent_syncs = 2.5", "line 2: .cache. concurrent_syncs must be a whole number"),
        ("[cache]\nmax_age = true", "must be a number"),
        ("[daemon]\nlog_level = 'loud'", "must be one of debug, info, warning, error, not 'loud'"),
        ("[nope]\nx = 1", "line 1: there is no section .nope.; sections are daemon"),
        ("cache = 1", "line 1: cache is a section"),
        ("[xmpp\n", "line 1"),
        ("[accounts.'a@b']\npassword_command = 'pass'", "line 2: .* must be a list of a program and its arguments"),
        ("[accounts.'a@b']\npassword = 'secret'", "password is not a setting"),
    ],
)
def test_a_mistake_names_file_line_and_key(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(InvalidArgs, match=f"config.toml.*{words}") as error:
        load(written(tmp_path, text), {})

    assert "secret" not in str(error.value)


def test_a_wrong_variable_or_option_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgs, match="PUBKEEP_CACHE_LEASE: lease must be a number from 5 to 60, not 'soon'"):
        load(written(tmp_path, ""), {"PUBKEEP_CACHE_LEASE": "soon"})
    with pytest.raises(InvalidArgs, match="command line: log_level must be one of"):
        load(written(tmp_path, ""), {}, {"daemon.log_level": "loud"})
    with pytest.raises(InvalidArgs, match="no such file"):
        load(tmp_path / "missing.toml", {})


def test_the_database_is_where_systemd_or_the_desktop_wants_it() -> None:
    assert database_path({"STATE_DIRECTORY": "/var/lib/x:/other"}) == Path("/var/lib/x/pubkeep.db")
    assert database_path({"XDG_DATA_HOME": "/data"}) == Path("/data/pubkeep/pubkeep.db")
    assert database_path({"HOME": "/home/juliet"}) == Path("/home/juliet/.local/share/pubkeep/pubkeep.db")


def test_a_database_of_a_server_is_named_by_its_url(tmp_path: Path) -> None:
    settings = load(written(tmp_path, '[storage]\nurl = "postgresql://juliet@db.example/pubkeep"'), {})

    assert database_place(settings.storage, {}) == "postgresql+asyncpg://juliet@db.example/pubkeep"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('url = "mysql://x/y"', r"line 2: \[storage\] url must be of the form postgresql\+asyncpg://user@host/name"),
        ('url = "postgresql://host"', "must be of the form"),
        ('url = "postgresql://juliet:secret@host/name"', "must not have the password in it: it stands in ~/.pgpass"),
        ('url = "postgresql://host:x/name"', "line 2: .*Port could not be cast"),
        ("url = 5", "url must be a text, not 5"),
        ('url = "postgresql://host/name"\npath = "/x"', "there is one database; choose one of them"),
    ],
)
def test_a_url_that_is_none_is_refused_and_says_no_secret(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(InvalidArgs, match=words) as raised:
        load(written(tmp_path, f"[storage]\n{text}"), {})

    assert "secret" not in str(raised.value)

# SPDX-License-Identifier: MIT
"""Where passwords come from, and what is never sent without encryption."""

from collections.abc import Iterator
from typing import Any

import pytest

from pubkeep_bridge.client import Account
from pubkeep_bridge.client.errors import PubkeepError
from tests.fixtures.prosody import Prosody
from tests.fixtures.servers import PASSWORD
from tests.system.conftest import World, until

pytestmark = pytest.mark.system


@pytest.fixture
def naked() -> Iterator[Prosody]:
    """A server that offers no encryption."""
    server = Prosody(encryption=False)
    server.start()
    yield server
    server.remove()


async def restarted(world: World) -> Account:
    """The account after a restart of the daemon, which has forgotten what was in memory."""
    world.daemon.stop()
    await world.start()
    return (await until(world.pubkeep.accounts))[0]  # type: ignore[no-any-return]


async def test_a_server_without_encryption_is_refused_unless_it_is_this_machines_and_we_say_so(
    world: World, naked: Prosody
) -> None:
    address: dict[str, Any] = {"host": "127.0.0.1", "port": naked.port}
    account = await world.pubkeep.add_account("alice@localhost", password=PASSWORD, **address)
    with pytest.raises(PubkeepError, match="no encryption"):
        await account.online()
    await account.remove()

    account = await world.pubkeep.add_account("alice@localhost", password=PASSWORD, tls="allow-plaintext", **address)

    await account.online()


async def test_a_certificate_that_is_not_trusted_is_shown(world: World) -> None:
    world.daemon.stop()
    del world.daemon.environ["PUBKEEP_XMPP_CA_CERTS"]
    await world.start()
    account = await world.pubkeep.add_account(
        "alice@localhost", password=PASSWORD, host="127.0.0.1", port=world.server.port
    )

    async def shown() -> bool:
        return "certificate is not trusted" in (await account.refresh())["ErrorMessage"]

    await until(shown)
    assert account.properties["State"] == "waiting"


async def test_a_password_command_is_asked_after_a_restart(world: World) -> None:
    await world.add()
    config = world.daemon.folder / "config" / "pubkeep" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text(f'[accounts."alice@localhost"]\npassword_command = ["echo", "{PASSWORD}"]\n')

    account = await restarted(world)

    await account.online()
    assert PASSWORD not in world.log()


async def test_a_password_command_that_fails_is_said_without_what_it_printed(world: World) -> None:
    await world.add()
    config = world.daemon.folder / "config" / "pubkeep" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text('[accounts."alice@localhost"]\npassword_command = ["sh", "-c", "echo hidden; exit 3"]\n')

    account = await restarted(world)

    with pytest.raises(PubkeepError, match="password_command 'sh' ended with status 3") as error:
        await account.online()
    assert "hidden" not in str(error.value) + world.log()


async def test_a_systemd_credential_named_after_the_account_is_read(world: World) -> None:
    await world.add()
    credentials = world.daemon.folder / "credentials"
    credentials.mkdir()
    (credentials / "alice@localhost").write_text(f"{PASSWORD}\n")
    world.daemon.environ["CREDENTIALS_DIRECTORY"] = str(credentials)

    await (await restarted(world)).online()


async def test_an_account_that_is_disabled_stays_offline_after_a_restart(world: World) -> None:
    account = await world.add()
    bus = world.pubkeep._bus
    from pubkeep_bridge.bus import Variant

    body = ["im.pubkeep.Pubkeep1.Account", "Enabled", Variant("b", False)]
    await bus.call("im.pubkeep.Pubkeep1", account.path, "org.freedesktop.DBus.Properties", "Set", "ssv", body)
    offline = (await account.refresh())["State"]
    again = await restarted(world)

    assert offline == "offline"
    assert (again.path, again.properties["Enabled"], again.properties["State"]) == (account.path, False, "offline")

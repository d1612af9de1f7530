# SPDX-License-Identifier: MIT
"""What looks after an open database, whichever it is."""

from pubkeep.storage.opening import SqliteFile
from pubkeep.storage.place import Opened, OpenedServer
from pubkeep.storage.server_upkeep import ServerUpkeep
from pubkeep.storage.upkeep import FileUpkeep
from pubkeep.upkeep import Upkeep


def upkeep_of(opened: Opened) -> Upkeep:
    """That of this one."""
    if isinstance(opened, OpenedServer):
        return ServerUpkeep(opened)
    assert isinstance(opened, SqliteFile)
    return FileUpkeep(opened)

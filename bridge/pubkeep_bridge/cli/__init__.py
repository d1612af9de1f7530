# SPDX-License-Identifier: MIT
"""The command `pubkeep`: a frontend like any other, over the bus only.

* arguments.py asking.py   what can be typed; what searches ask for
* accounts.py items.py nodes.py search.py manage.py   the commands
* database.py              `pubkeep database`
* following.py             long work, with its progress
* render.py                text for people: columns, dates, nothing that a terminal would obey
* pager.py                 long output in a terminal
* setup.py                 units and activation file of the user

Exit status: 0 done, 1 refused or failed, 2 wrong usage, 3 nothing found, 4 no daemon, 130 interrupted.
"""

import sys


def main() -> None:
    """Run a command and exit with its status."""
    from pubkeep_bridge.cli.arguments import parser  # only what is used is imported, for speed

    arguments = parser().parse_args()
    if arguments.command == "setup":
        from pubkeep_bridge.cli.setup import run as run_setup

        sys.exit(run_setup(arguments))
    from pubkeep_bridge.cli.run import run

    sys.exit(run(arguments))

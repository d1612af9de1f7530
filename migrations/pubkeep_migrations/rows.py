# SPDX-License-Identifier: MIT
"""Many rows, a batch at a time, so that whoever waits for a revision sees how far it is."""

from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

AT_ONCE = 500


def batches(table: str, key: str, *columns: str) -> Iterator[Sequence[Any]]:
    """The rows of a table in the order of its key, a number above 0; each begins with the key, the columns follow.

    How many are done of all is told to `rows` of the configuration's attributes, where the daemon migrates.
    """
    tell = (config.attributes if (config := op.get_context().config) else {}).get("rows")
    bind = op.get_bind()
    names = ", ".join((key, *columns))
    sql = sa.text(f"SELECT {names} FROM {table} WHERE {key} > :after ORDER BY {key} LIMIT {AT_ONCE}")  # noqa: S608
    total = bind.execute(sa.text(f"SELECT count(*) FROM {table}")).scalar() or 0  # noqa: S608
    after = done = 0
    while rows := bind.execute(sql, {"after": after}).all():
        yield rows
        after, done = rows[-1][0], done + len(rows)
        if tell is not None:
            tell(done, total)

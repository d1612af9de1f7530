# SPDX-License-Identifier: MIT
"""The statements of a write that concern many items: a list is one parameter, so that each is prepared once."""

from functools import cache

from sqlalchemy import TextClause, text

from pubkeep.storage.dialect import Dialect

TKEY_BITS = 20
"""A million items may share a second."""


class Statements:
    """Those of one database. `some` is a list as JSON."""

    def __init__(self, dialect: Dialect) -> None:
        some, numbers = dialect.among_texts("item_id", "some"), dialect.numbers("some")
        self.last_tkeys: TextClause = text(
            f"SELECT value, (SELECT max(tkey) FROM item WHERE tkey >= value << {TKEY_BITS}"  # noqa: S608 (constants only)
            f" AND tkey < (value + 1) << {TKEY_BITS}) AS last FROM ({numbers}) AS seconds"
        )
        self.held: TextClause = text(
            "SELECT item_id, number, digest, publisher, tkey, stored, analyser, version, received"  # noqa: S608
            f" FROM item WHERE node = :node AND {some}"
        )
        self.old: TextClause = text(
            "SELECT item.tkey, item.node, item.publisher, item.analyser, item.json, item.digest, payload.data,"  # noqa: S608
            " item.number FROM item LEFT JOIN payload ON payload.item = item.number"
            f" WHERE {dialect.among_numbers('item.number', 'some')}"
        )
        self.drop_payloads: TextClause = text(f"DELETE FROM payload WHERE {dialect.among_numbers('item', 'some')}")  # noqa: S608
        self.drop_items: TextClause = text(f"DELETE FROM item WHERE {dialect.among_numbers('number', 'some')}")  # noqa: S608
        self.drop_changes: TextClause = text(
            f"DELETE FROM change WHERE node = :of AND {some}"  # noqa: S608
        )


@cache
def statements(dialect: Dialect) -> Statements:
    """Built once: for a single event building them takes longer than running them."""
    return Statements(dialect)

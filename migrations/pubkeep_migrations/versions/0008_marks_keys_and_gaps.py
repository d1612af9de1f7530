# SPDX-License-Identifier: MIT
"""The full-text index has marks beside the words; what analysers declare of their JSON is indexed.

What changed can be told of nodes, too, and of which numbers nothing is known.
"""

import sqlalchemy as sa
from alembic import op

from pubkeep_migrations.rows import batches

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

Big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "key",
        sa.Column("number", Big, autoincrement=False, nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("behind", Big, nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_key")),
    )
    op.create_table(
        "item_key",
        sa.Column("key", Big, autoincrement=False, nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.Column("tkey", Big, autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("key", "value", "tkey", name=op.f("pk_item_key")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "gap",
        sa.Column("after", Big, autoincrement=False, nullable=False),
        sa.Column("first", Big, nullable=False),
        sa.PrimaryKeyConstraint("after", name=op.f("pk_gap")),
    )
    op.add_column("item", sa.Column("received", Big, nullable=False, server_default="0"))
    received = sa.text("UPDATE item SET received = sequence WHERE number BETWEEN :first AND :last")
    for rows in batches("item", "number"):
        op.get_bind().execute(received, {"first": rows[0][0], "last": rows[-1][0]})
    op.execute("DELETE FROM change WHERE item_id = '' AND node != 0")  # they did not say of which node
    op.create_index(op.f("ix_change_at"), "change", ["at"])
    of_node = sa.text("item_id = ''")
    op.create_index("ix_change_of_node", "change", ["uri"], sqlite_where=of_node, postgresql_where=of_node)
    _new_index("words, marks")


def downgrade() -> None:
    _new_index("words")
    op.drop_index("ix_change_of_node", "change")
    op.drop_index(op.f("ix_change_at"), "change")
    op.drop_column("item", "received")
    op.drop_table("gap")
    op.drop_table("item_key")
    op.drop_table("key")


def _new_index(columns: str) -> None:
    """Filled while the daemon runs."""
    op.execute("DELETE FROM derived WHERE name = 'words'")
    if op.get_context().dialect.name == "postgresql":
        op.execute("DELETE FROM item_fts")
        return
    op.execute("DROP TABLE item_fts")
    op.execute(f"CREATE VIRTUAL TABLE item_fts USING fts5({columns}, content='', tokenize='ascii')")

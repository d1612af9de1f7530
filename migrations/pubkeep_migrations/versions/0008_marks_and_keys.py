# SPDX-License-Identifier: MIT
"""The full-text index has marks beside the words; what analysers declare of their JSON is indexed."""

import sqlalchemy as sa
from alembic import op

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
    _new_index("words, marks")


def downgrade() -> None:
    _new_index("words")
    op.drop_table("item_key")
    op.drop_table("key")


def _new_index(columns: str) -> None:
    """Filled while the daemon runs."""
    op.execute("DROP TABLE item_fts")
    op.execute(f"CREATE VIRTUAL TABLE item_fts USING fts5({columns}, content='', tokenize='ascii')")
    op.execute("DELETE FROM derived WHERE name = 'words'")

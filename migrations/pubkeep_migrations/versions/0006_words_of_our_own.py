# SPDX-License-Identifier: MIT
"""The full-text index is given words (pubkeep/query/words.py) and splits them at spaces only."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "derived",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("behind", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_derived")),
    )
    if op.get_context().dialect.name == "postgresql":
        op.execute("DELETE FROM item_fts")
        return
    op.execute("DROP TABLE item_fts")
    # Filled while the daemon runs.
    op.execute("CREATE VIRTUAL TABLE item_fts USING fts5(words, content='', tokenize='ascii')")


def downgrade() -> None:
    op.drop_table("derived")
    if op.get_context().dialect.name == "postgresql":
        return
    op.execute("DROP TABLE item_fts")
    op.execute(
        "CREATE VIRTUAL TABLE item_fts USING fts5("
        "text, content='item_text', content_rowid='tkey', tokenize='unicode61 remove_diacritics 2')"
    )
    op.execute("INSERT INTO item_fts(item_fts) VALUES ('rebuild')")

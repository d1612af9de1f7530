# SPDX-License-Identifier: MIT
"""Subscriptions that could not be ended when their nodes were forgotten."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "leftover",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account"], ["account.jid"], name=op.f("fk_leftover_account_account"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("account", "service", "name", name=op.f("pk_leftover")),
    )


def downgrade() -> None:
    op.drop_table("leftover")

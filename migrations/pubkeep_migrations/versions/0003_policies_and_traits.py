# SPDX-License-Identifier: MIT
"""What people decided about nodes, and what services showed of themselves."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


Big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "policy",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("sync", sa.Text(), nullable=False),
        sa.Column("max_items", Big, nullable=False),
        sa.Column("max_age", Big, nullable=False),
        sa.ForeignKeyConstraint(
            ["account"], ["account.jid"], name=op.f("fk_policy_account_account"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("account", "service", "name", name=op.f("pk_policy")),
    )
    op.create_table(
        "service",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("item_order", sa.Text(), nullable=False),
        sa.Column("reversed", sa.Integer(), nullable=True),
        sa.Column("rsm", sa.Integer(), nullable=True),
        sa.Column("fan_out", sa.Float(), nullable=True),
        sa.Column("revoked", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account"], ["account.jid"], name=op.f("fk_service_account_account"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("account", "service", name=op.f("pk_service")),
    )


def downgrade() -> None:
    op.drop_table("service")
    op.drop_table("policy")

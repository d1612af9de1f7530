# SPDX-License-Identifier: MIT
"""When a node was hidden or shown again, so that `since` can tell."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


Big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    with op.batch_alter_table("node") as batch_op:
        batch_op.add_column(sa.Column("turned", Big, server_default="0", nullable=False))


def downgrade() -> None:
    with op.batch_alter_table("node") as batch_op:
        batch_op.drop_column("turned")

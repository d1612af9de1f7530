# SPDX-License-Identifier: MIT
"""Which ways of asking work at a service, and which were shown to be wrong."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("service", sa.Column("shown", sa.Text(), server_default="", nullable=False))
    op.add_column("service", sa.Column("distrusted", sa.Text(), server_default="", nullable=False))


def downgrade() -> None:
    op.drop_column("service", "distrusted")
    op.drop_column("service", "shown")

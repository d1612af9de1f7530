# SPDX-License-Identifier: MIT
"""The first schema."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


Big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "account",
        sa.Column("number", Big, autoincrement=True, nullable=False),
        sa.Column("jid", sa.Text(), nullable=False),
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("uid", Big, nullable=False),
        sa.Column("enabled", sa.Integer(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("port", sa.Integer(), nullable=False),
        sa.Column("tls", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_account")),
        sa.UniqueConstraint("jid", name=op.f("uq_account_jid")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "change",
        sa.Column("sequence", Big, autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("node", Big, nullable=False),
        sa.Column("item_id", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("uri", sa.Text(), nullable=False),
        sa.Column("at", Big, nullable=False),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_change")),
        sa.UniqueConstraint("node", "item_id", name=op.f("uq_change_node_item_id")),
    )
    op.create_table(
        "item_text",
        sa.Column("tkey", Big, autoincrement=False, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tkey", name=op.f("pk_item_text")),
    )
    op.create_table(
        "node",
        sa.Column("number", Big, nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("analyser", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("subtype", sa.Text(), nullable=False),
        sa.Column("to_sync", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("final", sa.Integer(), nullable=False),
        sa.Column("namespace", sa.Text(), nullable=False),
        sa.Column("extra", sa.Text(), nullable=False),
        sa.Column("wanted_by", sa.Text(), nullable=False),
        sa.Column("copy", sa.Text(), nullable=False),
        sa.Column("items", Big, nullable=False),
        sa.Column("newest", Big, nullable=False),
        sa.Column("sequence", Big, nullable=False),
        sa.Column("verified_at", Big, nullable=False),
        sa.Column("subscribed", sa.Integer(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["account.jid"], name=op.f("fk_node_account_account")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_node")),
        sa.UniqueConstraint("account", "service", "name", name=op.f("uq_node_account_service_name")),
    )
    op.create_table(
        "item",
        sa.Column("number", Big, nullable=False),
        sa.Column("node", Big, nullable=False),
        sa.Column("item_id", sa.Text(), nullable=False),
        sa.Column("pos", Big, nullable=False),
        sa.Column("tkey", Big, nullable=False),
        sa.Column("publisher", sa.Text(), nullable=False),
        sa.Column("created", Big, nullable=False),
        sa.Column("published", Big, nullable=False),
        sa.Column("updated", Big, nullable=False),
        sa.Column("stored", Big, nullable=False),
        sa.Column("subtype", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("json", sa.Text(), nullable=False),
        sa.Column("analyser", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("sequence", Big, nullable=False),
        sa.ForeignKeyConstraint(["node"], ["node.number"], name=op.f("fk_item_node_node")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_item")),
        sa.UniqueConstraint("node", "item_id", name=op.f("uq_item_node_item_id")),
        sa.UniqueConstraint("tkey", name=op.f("uq_item_tkey")),
    )
    with op.batch_alter_table("item", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_item_node_pos"), ["node", "pos"], unique=False)
        batch_op.create_index(batch_op.f("ix_item_sequence"), ["sequence"], unique=False)

    op.create_table(
        "payload",
        sa.Column("item", Big, nullable=False),
        sa.Column("xml", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["item"], ["item.number"], name=op.f("fk_payload_item_item"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("item", name=op.f("pk_payload")),
    )
    # Derived, and rebuilt from item_text at will: no later revision has to change it.
    if op.get_context().dialect.name == "postgresql":
        op.execute("CREATE TABLE item_fts (tkey BIGINT PRIMARY KEY, words TSVECTOR NOT NULL)")
        op.execute("CREATE INDEX item_fts_words ON item_fts USING gin (words)")
    else:
        op.execute(
            "CREATE VIRTUAL TABLE item_fts USING fts5("
            "text, content='item_text', content_rowid='tkey', tokenize='unicode61 remove_diacritics 2')"
        )


def downgrade() -> None:
    op.execute("DROP TABLE item_fts")
    op.drop_table("payload")
    with op.batch_alter_table("item", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_item_sequence"))
        batch_op.drop_index(batch_op.f("ix_item_node_pos"))

    op.drop_table("item")
    op.drop_table("node")
    op.drop_table("item_text")
    op.drop_table("change")
    op.drop_table("account")

# SPDX-License-Identifier: MIT
"""Payloads are compressed, with the text of the item behind the XML; dictionaries for that are stored."""

from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op
from zstandard import ZstdCompressionDict, ZstdCompressor, ZstdDecompressor, get_frame_parameters, train_dictionary

from pubkeep_migrations.rows import batches

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

Big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Rows = Sequence[tuple[int, Any]]
"""Numbers of items, and what the column of their payloads has."""
ENOUGH, SAMPLES, DICTIONARY, LEVEL = 1000, 2000, 112_640, 3


def upgrade() -> None:
    op.create_table(
        "dictionary",
        sa.Column("number", Big, autoincrement=False, nullable=False),
        sa.Column("items", Big, nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_dictionary")),
    )
    pack = _packer(op.get_bind())

    def packed(rows: Rows) -> list[object]:
        texts = _of_items("text", "item JOIN item_text USING (tkey)", rows)
        return [pack(f"{xml}\0{texts.get(item, '')}".encode()) for item, xml in rows]

    _replace("xml", "data", sa.LargeBinary(), packed)
    op.drop_table("item_text")


def downgrade() -> None:
    op.create_table(
        "item_text",
        sa.Column("tkey", Big, autoincrement=False, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tkey", name=op.f("pk_item_text")),
    )
    unpack, insert = _unpacker(op.get_bind()), sa.text("INSERT INTO item_text (tkey, text) VALUES (:tkey, :text)")

    def parted(rows: Rows) -> list[object]:
        tkeys, both = _of_items("tkey", "item", rows), [unpack(data).decode().partition("\0") for _, data in rows]
        texts = [{"tkey": tkeys[item], "text": text} for (item, _), (_, _, text) in zip(rows, both, strict=True)]
        op.get_bind().execute(insert, texts)
        return [xml for xml, _, _ in both]

    _replace("data", "xml", sa.Text(), parted)
    op.drop_table("dictionary")


def _replace(old: str, new: str, kind: Any, change: Callable[[Rows], list[object]]) -> None:
    """The table anew, with another column of payloads."""
    op.rename_table("payload", "payload_before")
    if op.get_context().dialect.name == "postgresql":  # names of constraints are of the whole schema there
        op.execute("ALTER TABLE payload_before RENAME CONSTRAINT pk_payload TO pk_payload_before")
        op.execute("ALTER TABLE payload_before DROP CONSTRAINT fk_payload_item_item")
    op.create_table(
        "payload",
        sa.Column("item", Big, nullable=False),
        sa.Column(new, kind, nullable=False),
        sa.ForeignKeyConstraint(["item"], ["item.number"], name=op.f("fk_payload_item_item"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("item", name=op.f("pk_payload")),
    )
    insert = sa.text(f"INSERT INTO payload (item, {new}) VALUES (:item, :new)")  # noqa: S608 (constants only)
    for rows in batches("payload_before", "item", old):
        changed = zip(rows, change(rows), strict=True)
        op.get_bind().execute(insert, [{"item": item, "new": value} for (item, _), value in changed])
    op.drop_table("payload_before")


def _of_items(column: str, tables: str, rows: Rows) -> dict[int, Any]:
    """This column of the items whose payloads these are."""
    sql = sa.text(f"SELECT number, {column} FROM {tables} WHERE number BETWEEN :first AND :last")  # noqa: S608
    return {row[0]: row[1] for row in op.get_bind().execute(sql, {"first": rows[0][0], "last": rows[-1][0]})}


def _packer(connection: sa.Connection) -> Callable[[bytes], bytes]:
    """With a dictionary, where there is enough to make one of."""
    newest = connection.execute(sa.text("SELECT max(item) FROM payload")).scalar() or 0
    if newest < ENOUGH:
        return ZstdCompressor(level=LEVEL).compress
    numbers = [max(1, newest * at // SAMPLES) for at in range(1, SAMPLES + 1)]
    sql = sa.text(
        "SELECT xml, coalesce(text, '') FROM payload JOIN item ON number = payload.item"
        " LEFT JOIN item_text USING (tkey) WHERE payload.item IN :numbers"
    ).bindparams(sa.bindparam("numbers", expanding=True))
    rows = connection.execute(sql, {"numbers": numbers})
    samples: list[Any] = [f"{xml}\0{text}".encode() for xml, text in rows]
    data = train_dictionary(DICTIONARY, samples, dict_id=1, level=LEVEL).as_bytes()
    insert = sa.text("INSERT INTO dictionary (number, items, data) VALUES (1, :items, :data)")
    connection.execute(insert, {"items": newest, "data": data})
    return ZstdCompressor(level=LEVEL, dict_data=ZstdCompressionDict(data)).compress


def _unpacker(connection: sa.Connection) -> Callable[[bytes], bytes]:
    made = {0: ZstdDecompressor()}
    for number, data in connection.execute(sa.text("SELECT number, data FROM dictionary")):
        made[number] = ZstdDecompressor(dict_data=ZstdCompressionDict(data))
    return lambda data: made[get_frame_parameters(data).dict_id].decompress(data)

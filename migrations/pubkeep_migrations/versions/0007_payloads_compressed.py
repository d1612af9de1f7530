# SPDX-License-Identifier: MIT
"""Payloads are compressed, with the text of the item behind the XML; dictionaries for that are stored."""

from collections.abc import Callable, Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op
from zstandard import ZstdCompressionDict, ZstdCompressor, ZstdDecompressor, get_frame_parameters, train_dictionary

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

Big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
AT_ONCE = 500
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
    _replace("xml", "data", sa.LargeBinary(), lambda item, xml: pack(f"{xml}\0{_text(item)}".encode()))
    op.drop_table("item_text")


def downgrade() -> None:
    op.create_table(
        "item_text",
        sa.Column("tkey", Big, autoincrement=False, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tkey", name=op.f("pk_item_text")),
    )
    unpack, insert = _unpacker(op.get_bind()), sa.text("INSERT INTO item_text (tkey, text) VALUES (:tkey, :text)")
    tkey = sa.text("SELECT tkey FROM item WHERE number = :item")

    def parted(item: int, data: bytes) -> str:
        xml, _, text = unpack(data).decode().partition("\0")
        op.get_bind().execute(insert, {"tkey": op.get_bind().execute(tkey, {"item": item}).scalar(), "text": text})
        return xml

    _replace("data", "xml", sa.Text(), parted)
    op.drop_table("dictionary")


def _replace(old: str, new: str, kind: Any, change: Callable[[int, Any], object]) -> None:
    """The table anew, with another column of payloads."""
    op.rename_table("payload", "payload_before")
    if op.get_context().dialect.name == "postgresql":  # names of constraints are of the whole schema there
        op.execute("ALTER TABLE payload_before DROP CONSTRAINT pk_payload")
        op.execute("ALTER TABLE payload_before DROP CONSTRAINT fk_payload_item_item")
    op.create_table(
        "payload",
        sa.Column("item", Big, nullable=False),
        sa.Column(new, kind, nullable=False),
        sa.ForeignKeyConstraint(["item"], ["item.number"], name=op.f("fk_payload_item_item"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("item", name=op.f("pk_payload")),
    )
    insert = sa.text(f"INSERT INTO payload (item, {new}) VALUES (:item, :new)")  # noqa: S608 (constants only)
    for rows in _batches(f"SELECT item, {old} FROM payload_before WHERE item > :after ORDER BY item LIMIT {AT_ONCE}"):  # noqa: S608
        op.get_bind().execute(insert, [{"item": item, "new": change(item, value)} for item, value in rows])
    op.drop_table("payload_before")


def _batches(sql: str) -> Iterator[list[tuple[int, Any]]]:
    after = 0
    while rows := [(row[0], row[1]) for row in op.get_bind().execute(sa.text(sql), {"after": after})]:
        yield rows
        after = rows[-1][0]


def _text(item: int) -> str:
    sql = "SELECT text FROM item_text JOIN item USING (tkey) WHERE number = :item"
    return op.get_bind().execute(sa.text(sql), {"item": item}).scalar() or ""


def _packer(connection: sa.Connection) -> Callable[[bytes], bytes]:
    """With a dictionary, where there is enough to make one of."""
    newest = connection.execute(sa.text("SELECT max(item) FROM payload")).scalar() or 0
    if newest < ENOUGH:
        return ZstdCompressor(level=LEVEL).compress
    numbers = [max(1, newest * at // SAMPLES) for at in range(1, SAMPLES + 1)]
    sql = sa.text("SELECT item, xml FROM payload WHERE item IN :numbers").bindparams(
        sa.bindparam("numbers", expanding=True)
    )
    rows = connection.execute(sql, {"numbers": numbers})
    samples: list[Any] = [f"{xml}\0{_text(item)}".encode() for item, xml in rows]
    data = train_dictionary(DICTIONARY, samples, dict_id=1, level=LEVEL).as_bytes()
    insert = sa.text("INSERT INTO dictionary (number, items, data) VALUES (1, :items, :data)")
    connection.execute(insert, {"items": newest, "data": data})
    return ZstdCompressor(level=LEVEL, dict_data=ZstdCompressionDict(data)).compress


def _unpacker(connection: sa.Connection) -> Callable[[bytes], bytes]:
    made = {0: ZstdDecompressor()}
    for number, data in connection.execute(sa.text("SELECT number, data FROM dictionary")):
        made[number] = ZstdDecompressor(dict_data=ZstdCompressionDict(data))
    return lambda data: made[get_frame_parameters(data).dict_id].decompress(data)

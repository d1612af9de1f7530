# SPDX-License-Identifier: MIT
"""The mapped classes: the schema, and what plug-ins may read.

Hot tables hold plain integers and text, since the compiled reads skip result processors. Dates are
microseconds since the Unix epoch, 0 = unknown. The full-text table `item_fts` is not mapped: it is
derived from the payloads (indexing.py) and made by the migrations.
"""

from sqlalchemy import (
    BigInteger,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

Big = BigInteger().with_variant(Integer, "sqlite")
"""64 bits on every engine; on SQLite only INTEGER may be a rowid."""

FTS_TABLES = "item_fts"
"""Prefix of the full-text table and its shadow tables, which no migration compares."""


class Base(DeclarativeBase):
    """Names for all constraints, so that migrations can find them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class AccountRow(Base):
    """An account; numbers are never used twice, so object paths are not."""

    __tablename__ = "account"
    __table_args__ = {"sqlite_autoincrement": True}

    number: Mapped[int] = mapped_column(Big, primary_key=True, autoincrement=True)
    jid: Mapped[str] = mapped_column(Text, unique=True)
    resource: Mapped[str] = mapped_column(Text)
    uid: Mapped[int] = mapped_column(Big)
    enabled: Mapped[int] = mapped_column(Integer)
    host: Mapped[str] = mapped_column(Text)
    port: Mapped[int] = mapped_column(Integer)
    tls: Mapped[str] = mapped_column(Text)


class NodeRow(Base):
    """A node somebody wants. Whether it is synced stands nowhere: that is computed at each read."""

    __tablename__ = "node"
    __table_args__ = (UniqueConstraint("account", "service", "name"),)

    number: Mapped[int] = mapped_column(Big, primary_key=True)
    account: Mapped[str] = mapped_column(Text, ForeignKey("account.jid"))
    service: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    analyser: Mapped[str] = mapped_column(Text)
    type: Mapped[str] = mapped_column(Text)
    subtype: Mapped[str] = mapped_column(Text)
    to_sync: Mapped[int] = mapped_column(Integer)
    version: Mapped[int] = mapped_column(Integer)
    final: Mapped[int] = mapped_column(Integer)
    namespace: Mapped[str] = mapped_column(Text)
    extra: Mapped[str] = mapped_column(Text)
    wanted_by: Mapped[str] = mapped_column(Text)
    copy: Mapped[str] = mapped_column(Text)
    items: Mapped[int] = mapped_column(Big)
    newest: Mapped[int] = mapped_column(Big)
    sequence: Mapped[int] = mapped_column(Big)
    turned: Mapped[int] = mapped_column(Big, server_default="0")
    """Number of the change that last hid its items (denied, gone) or showed them again."""
    verified_at: Mapped[int] = mapped_column(Big)
    subscribed: Mapped[int] = mapped_column(Integer)
    title: Mapped[str] = mapped_column(Text)
    error: Mapped[str] = mapped_column(Text)


class PolicyRow(Base):
    """What a person decided about a node, kept or not."""

    __tablename__ = "policy"

    account: Mapped[str] = mapped_column(Text, ForeignKey("account.jid", ondelete="CASCADE"), primary_key=True)
    service: Mapped[str] = mapped_column(Text, primary_key=True)
    name: Mapped[str] = mapped_column(Text, primary_key=True)
    sync: Mapped[str] = mapped_column(Text)
    max_items: Mapped[int] = mapped_column(Big)
    max_age: Mapped[int] = mapped_column(Big)


class ServiceRow(Base):
    """What a service showed of itself to an account; null is unknown."""

    __tablename__ = "service"

    account: Mapped[str] = mapped_column(Text, ForeignKey("account.jid", ondelete="CASCADE"), primary_key=True)
    service: Mapped[str] = mapped_column(Text, primary_key=True)
    item_order: Mapped[str] = mapped_column(Text)
    reversed: Mapped[int | None] = mapped_column(Integer)
    rsm: Mapped[int | None] = mapped_column(Integer)
    fan_out: Mapped[float | None] = mapped_column(Float)
    revoked: Mapped[str] = mapped_column(Text)
    """Kinds of change, parted by spaces."""
    shown: Mapped[str] = mapped_column(Text, server_default="")
    """Ways of asking that work, parted by spaces."""
    distrusted: Mapped[str] = mapped_column(Text, server_default="")
    """Ways of asking that were shown to be wrong, parted by spaces."""


class LeftoverRow(Base):
    """A subscription that we made, nobody needs any more, and could not be ended yet."""

    __tablename__ = "leftover"

    account: Mapped[str] = mapped_column(Text, ForeignKey("account.jid", ondelete="CASCADE"), primary_key=True)
    service: Mapped[str] = mapped_column(Text, primary_key=True)
    name: Mapped[str] = mapped_column(Text, primary_key=True)


class ItemRow(Base):
    """An item. `tkey` orders all items by time and is the rowid of the full-text table."""

    __tablename__ = "item"
    __table_args__ = (
        UniqueConstraint("node", "item_id"),
        UniqueConstraint("tkey"),
        Index(None, "node", "pos"),
        Index(None, "sequence"),
    )

    number: Mapped[int] = mapped_column(Big, primary_key=True)
    node: Mapped[int] = mapped_column(Big, ForeignKey("node.number"))
    item_id: Mapped[str] = mapped_column(Text)
    pos: Mapped[int] = mapped_column(Big)
    """Place in the service's own order, oldest first."""
    tkey: Mapped[int] = mapped_column(Big)
    publisher: Mapped[str] = mapped_column(Text)
    created: Mapped[int] = mapped_column(Big)
    published: Mapped[int] = mapped_column(Big)
    updated: Mapped[int] = mapped_column(Big)
    stored: Mapped[int] = mapped_column(Big)
    subtype: Mapped[str] = mapped_column(Text)
    title: Mapped[str] = mapped_column(Text)
    json: Mapped[str] = mapped_column(Text)
    analyser: Mapped[str] = mapped_column(Text)
    version: Mapped[int] = mapped_column(Integer)
    error: Mapped[str] = mapped_column(Text)
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    sequence: Mapped[int] = mapped_column(Big)
    received: Mapped[int] = mapped_column(Big, server_default="0")
    """Number of the change that brought this payload; later ones only made something else of it."""


class PayloadRow(Base):
    """The raw XML and what a person reads in it (payloads.py), apart: reads of many rows without it are cheaper.

    The full-text index has the words of that, and must be told what it held.
    """

    __tablename__ = "payload"

    item: Mapped[int] = mapped_column(Big, ForeignKey("item.number", ondelete="CASCADE"), primary_key=True)
    data: Mapped[bytes] = mapped_column(LargeBinary)


class DictionaryRow(Base):
    """What payloads were compressed with; none is ever deleted, since old payloads need it."""

    __tablename__ = "dictionary"

    number: Mapped[int] = mapped_column(Big, primary_key=True, autoincrement=False)
    items: Mapped[int] = mapped_column(Big)
    """The highest number of an item when it was trained."""
    data: Mapped[bytes] = mapped_column(LargeBinary)


class KeyRow(Base):
    """A place in the JSON of items that is indexed (keys.py)."""

    __tablename__ = "key"

    number: Mapped[int] = mapped_column(Big, primary_key=True, autoincrement=False)
    place: Mapped[str] = mapped_column(Text)
    """A JSON pointer; empty: nobody declares it any more, and its rows go."""
    made_by: Mapped[str] = mapped_column(Text)
    """Version, and the analysers for which dates stand there."""
    behind: Mapped[int] = mapped_column(Big)
    """Items with this number or a lower one are still to come; 0: all are there."""


class ItemKeyRow(Base):
    """What stands in an item at such a place."""

    __tablename__ = "item_key"
    __table_args__ = {"sqlite_with_rowid": False}

    key: Mapped[int] = mapped_column(Big, primary_key=True, autoincrement=False)
    value: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    """As query/values.sort_key makes it."""
    tkey: Mapped[int] = mapped_column(Big, primary_key=True, autoincrement=False)


class DerivedRow(Base):
    """What is made from items and can be made again, and how far that is."""

    __tablename__ = "derived"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    version: Mapped[str] = mapped_column(Text)
    """Of what made it."""
    behind: Mapped[int] = mapped_column(Big)
    """Items with this number or a lower one are still to come; 0: all are there."""


class ChangeRow(Base):
    """What changed and has no row of its own: items that are gone, one row each, and nodes (empty item_id).

    Of items that are there, `item.sequence` is the log.
    """

    __tablename__ = "change"
    __table_args__ = (
        UniqueConstraint("node", "item_id"),
        Index(None, "at"),
        Index("ix_change_of_node", "uri", sqlite_where=text("item_id = ''"), postgresql_where=text("item_id = ''")),
    )

    sequence: Mapped[int] = mapped_column(Big, primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(Text)
    node: Mapped[int] = mapped_column(Big)
    item_id: Mapped[str] = mapped_column(Text)
    account: Mapped[str] = mapped_column(Text)
    type: Mapped[str] = mapped_column(Text)
    uri: Mapped[str] = mapped_column(Text)
    """Of the item, or the node (as of an item with an empty id): it may be gone."""
    at: Mapped[int] = mapped_column(Big)


class GapRow(Base):
    """Numbers that no run gives (history.py): those between the last one stored before a run and its first one."""

    __tablename__ = "gap"

    after: Mapped[int] = mapped_column(Big, primary_key=True, autoincrement=False)
    first: Mapped[int] = mapped_column(Big)

"""The outbox: alarms and notices, written in the transaction of their cause."""

from sqlalchemy import BigInteger, Column, Identity, Index, Integer, Table, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB

from store.tables.base import at, metadata, text

outbox = Table(
    "outbox",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    text("message_id"),
    text("topic"),
    Column("body", JSONB, nullable=False),
    at("created_at"),
    at("due_at"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    at("posted_at", null=True),
    UniqueConstraint("message_id"),
    Index("outbox_open_idx", "due_at", postgresql_where="posted_at IS NULL"),
)

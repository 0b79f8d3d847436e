"""Payments, refunds and the journal."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
)
from sqlalchemy.dialects.postgresql import JSONB

from store.tables.base import at, fen, metadata, text

captures = Table(
    "captures",
    metadata,
    Column("capture_id", Text, primary_key=True),
    text("payment_id"),
    fen("amount_fen"),
    text("currency"),
    at("captured_at"),
    text("fate"),
    text("reason", default=""),
    at("at"),
    CheckConstraint("fate IN ('ACCEPTED', 'STRAY')", name="fate"),
    Index("captures_one_accepted_idx", "payment_id", unique=True, postgresql_where="fate = 'ACCEPTED'"),
)

# The inbox: written before the provider gets its 2xx, kept for ever.
payment_notifications = Table(
    "payment_notifications",
    metadata,
    Column("notification_id", Text, primary_key=True),
    text("capture_id"),
    Column("capture", JSONB, nullable=False),
    at("received_at"),
    at("due_at"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    at("settled_at", null=True),
    text("outcome", null=True),
    Index(
        "payment_notifications_open_idx",
        "due_at",
        postgresql_where="settled_at IS NULL",
    ),
)

refunds = Table(
    "refunds",
    metadata,
    Column("refund_no", Text, primary_key=True),
    Column("order_no", BigInteger, nullable=True),
    text("payment_id"),
    text("capture_id"),
    fen("amount_fen"),
    text("currency"),
    text("reason"),
    text("state"),
    text("detail", default=""),
    at("requested_at"),
    at("done_at", null=True),
    CheckConstraint("state IN ('REQUESTED', 'DONE', 'REFUSED')", name="state"),
    Index(None, "order_no"),
    Index(None, "capture_id"),
)

# Double entry: the legs of a posting sum to zero per currency, which a deferred trigger checks at commit.
journal_postings = Table(
    "journal_postings",
    metadata,
    Column("key", Text, primary_key=True),
    text("kind"),
    text("reference"),
    at("at"),
    Index(None, "reference"),
)

journal_legs = Table(
    "journal_legs",
    metadata,
    text("key"),
    Column("leg", Integer, nullable=False),
    text("account"),
    text("currency"),
    Column("amount_fen", BigInteger, nullable=False),
    PrimaryKeyConstraint("key", "leg"),
    ForeignKeyConstraint(["key"], ["journal_postings.key"]),
    Index(None, "account"),
)

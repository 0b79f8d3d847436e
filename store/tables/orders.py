"""The order book: orders, their lines, their sub-orders, and who did what."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import JSONB

from store.tables.base import at, fen, metadata, operations, text

order_operations = operations("order_operations")

orders = Table(
    "orders",
    metadata,
    Column("order_no", BigInteger, primary_key=True),
    Column("buyer_id", BigInteger, nullable=False),
    text("caller"),
    text("device_id"),
    text("ip"),
    Column("address", JSONB, nullable=False),
    text("address_key"),
    text("phone_key"),
    fen("goods_fen"),
    fen("amount_due_fen"),
    text("currency"),
    text("payment"),
    text("status"),
    text("close_reason", null=True),
    at("placed_at"),
    at("pay_by", null=True),
    text("payment_link", null=True),
    text("capture_id", null=True),
    at("paid_at", null=True),
    at("completed_at", null=True),
    at("closed_at", null=True),
    CheckConstraint("(status = 'CLOSED') = (close_reason IS NOT NULL)", name="closed_with_reason"),
    Index(None, "placed_at"),
    Index(None, "buyer_id", "placed_at"),
    Index("orders_unpaid_idx", "buyer_id", postgresql_where="status = 'PENDING_PAYMENT'"),
    Index(None, "address_key", "placed_at"),
    Index(None, "device_id", "placed_at"),
    Index(None, "phone_key", "placed_at"),
)

order_lines = Table(
    "order_lines",
    metadata,
    Column("order_no", BigInteger, nullable=False),
    Column("line_no", Integer, nullable=False),
    text("sku"),
    text("title"),
    text("merchant"),
    text("warehouse"),
    Column("quantity", Integer, CheckConstraint("quantity > 0", name="quantity"), nullable=False),
    fen("unit_price_fen"),
    fen("goods_fen"),
    fen("pay_fen"),
    PrimaryKeyConstraint("order_no", "line_no"),
    ForeignKeyConstraint(["order_no"], ["orders.order_no"]),
    Index(None, "merchant"),
    Index(None, "sku"),
)

sub_orders = Table(
    "sub_orders",
    metadata,
    Column("order_no", BigInteger, nullable=False),
    Column("idx", Integer, CheckConstraint("idx BETWEEN 1 AND 99", name="idx"), nullable=False),
    Column("buyer_id", BigInteger, nullable=False),
    text("sub_order_no"),
    text("merchant"),
    text("warehouse"),
    text("fulfilment", default="AWAITING"),
    text("review", default="NONE"),
    text("status"),
    fen("goods_fen"),
    fen("pay_fen"),
    text("after_sale", default="NONE"),
    at("created_at"),
    text("carrier", null=True),
    text("tracking_no", null=True),
    at("handed_over_at", null=True),
    at("shipped_at", null=True),
    at("delivered_at", null=True),
    at("received_at", null=True),
    at("closed_at", null=True),
    text("close_reason", null=True),
    PrimaryKeyConstraint("order_no", "idx"),
    UniqueConstraint("sub_order_no"),
    ForeignKeyConstraint(["order_no"], ["orders.order_no"]),
    CheckConstraint("(status = 'CLOSED') = (close_reason IS NOT NULL)", name="closed_with_reason"),
    Index(None, "merchant", "status", "order_no", "idx"),
    Index(None, "buyer_id", "status"),
)

sub_order_lines = Table(
    "sub_order_lines",
    metadata,
    Column("order_no", BigInteger, nullable=False),
    Column("idx", Integer, nullable=False),
    Column("line_no", Integer, nullable=False),
    Column("first_unit", Integer, nullable=False),
    Column("last_unit", Integer, nullable=False),
    fen("goods_fen"),
    fen("pay_fen"),
    PrimaryKeyConstraint("order_no", "idx", "line_no"),
    CheckConstraint("1 <= first_unit AND first_unit <= last_unit", name="units"),
    ForeignKeyConstraint(["order_no", "idx"], ["sub_orders.order_no", "sub_orders.idx"]),
)

tracking_events = Table(
    "tracking_events",
    metadata,
    Column("order_no", BigInteger, nullable=False),
    Column("idx", Integer, nullable=False),
    text("event_id"),
    text("kind"),
    text("place"),
    at("at"),
    PrimaryKeyConstraint("order_no", "idx", "event_id"),
)

reviews = Table(
    "reviews",
    metadata,
    Column("order_no", BigInteger, nullable=False),
    Column("idx", Integer, nullable=False),
    Column("rating", Integer, CheckConstraint("rating BETWEEN 1 AND 5", name="rating"), nullable=False),
    text("text"),
    at("at"),
    PrimaryKeyConstraint("order_no", "idx"),
)

# What waits for a person, until it no longer does. `subject` is '' for the order, else a sub-order's number.
attentions = Table(
    "attentions",
    metadata,
    Column("order_no", BigInteger, nullable=False),
    text("subject"),
    text("topic"),
    text("text"),
    at("since"),
    PrimaryKeyConstraint("order_no", "subject", "topic"),
)

# Who did what, when. Only ever added to.
order_events = Table(
    "order_events",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("order_no", BigInteger, nullable=False),
    text("subject", default=""),
    text("actor"),
    text("action"),
    text("detail", default=""),
    at("at"),
    Index(None, "order_no", "id"),
)

"""The order book: orders, their lines, their sub-orders, and who did what."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    UniqueConstraint,
    false,
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
    fen("shipping_fen"),
    fen("amount_due_fen"),
    text("currency"),
    Column("coupons", JSONB, nullable=False),
    Column("rules", JSONB, nullable=False),
    Column("terms", JSONB, nullable=False),
    Column("plan", JSONB(none_as_null=True), nullable=True),
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
    Index("orders_open_idx", "order_no", postgresql_where="status NOT IN ('COMPLETED', 'REVIEWED', 'CLOSED')"),
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
    Column("version", Integer, nullable=False),
    text("digest"),
    text("title"),
    text("merchant"),
    text("warehouse", null=True),
    Column("quantity", Integer, CheckConstraint("quantity > 0", name="quantity"), nullable=False),
    fen("unit_price_fen"),
    fen("goods_fen"),
    fen("pay_fen"),
    text("delivery_mode"),
    Column("ships_from", Date, nullable=True),
    text("handling"),
    fen("weight_g"),
    fen("volume_cm3"),
    text("policy"),
    Column("closed", Integer, nullable=False, server_default="0"),
    Column("gift", JSONB(none_as_null=True), nullable=True),
    Column("snapshot", JSONB(none_as_null=True), nullable=True),
    PrimaryKeyConstraint("order_no", "line_no"),
    ForeignKeyConstraint(["order_no"], ["orders.order_no"]),
    CheckConstraint("pay_fen <= goods_fen", name="pay"),
    CheckConstraint("closed BETWEEN 0 AND quantity", name="closed"),
    Index(None, "merchant"),
    Index(None, "sku"),
)

# What each promotion took off each line, and who pays for it. It is written once, with the order.
order_line_shares = Table(
    "order_line_shares",
    metadata,
    Column("order_no", BigInteger, nullable=False),
    Column("line_no", Integer, nullable=False),
    text("promotion_id"),
    fen("amount_fen"),
    fen("merchant_fen"),
    fen("platform_fen"),
    PrimaryKeyConstraint("order_no", "line_no", "promotion_id"),
    ForeignKeyConstraint(["order_no", "line_no"], ["order_lines.order_no", "order_lines.line_no"]),
    CheckConstraint("amount_fen = merchant_fen + platform_fen", name="funded"),
)

sub_orders = Table(
    "sub_orders",
    metadata,
    Column("order_no", BigInteger, nullable=False),
    Column("idx", Integer, CheckConstraint("idx BETWEEN 1 AND 99", name="idx"), nullable=False),
    Column("buyer_id", BigInteger, nullable=False),
    text("sub_order_no"),
    text("merchant"),
    text("delivery_mode"),
    Column("ships_from", Date, nullable=True),
    text("handling"),
    text("warehouse", null=True),
    Column("flags", JSONB, nullable=False),
    Column("stocked", Boolean, nullable=False, server_default=false()),
    Column("granted", JSONB(none_as_null=True), nullable=True),
    text("fulfilment", default="AWAITING"),
    text("review", default="NONE"),
    text("status"),
    fen("goods_fen"),
    fen("pay_fen"),
    fen("shipping_fen"),
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
    at("settled_at", null=True),
    PrimaryKeyConstraint("order_no", "idx"),
    UniqueConstraint("sub_order_no"),
    ForeignKeyConstraint(["order_no"], ["orders.order_no"]),
    CheckConstraint("(status = 'CLOSED') = (close_reason IS NOT NULL)", name="closed_with_reason"),
    Index(None, "merchant", "status", "order_no", "idx"),
    Index(None, "buyer_id", "status"),
    Index("sub_orders_unsettled_idx", "received_at", postgresql_where="settled_at IS NULL AND received_at IS NOT NULL"),
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
    Column("refunded", Integer, nullable=False, server_default="0"),  # this many units, from the first, have gone back
    PrimaryKeyConstraint("order_no", "idx", "line_no"),
    CheckConstraint("1 <= first_unit AND first_unit <= last_unit", name="units"),
    CheckConstraint("refunded BETWEEN 0 AND last_unit - first_unit + 1", name="refunded"),
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

# The marks of what waits for a person, each kept as long as it does. `subject` is '' for the order itself, else the
# number of a sub-order or of an after-sale case, or the id of a stray payment's run.
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

# Who did what, when. The table only grows, and the database itself chains it: each row's hash is over the row and the
# hash before it. `body` holds evidence, as canonical JSON.
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
    text("body", null=True),
    Column("chain", SmallInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),
    text("prev_sha256"),
    text("sha256"),
    UniqueConstraint("chain", "seq"),
    Index(None, "order_no", "id"),
)

# The last link of each evidence chain.
evidence_tips = Table(
    "evidence_tips",
    metadata,
    Column(
        "chain",
        SmallInteger,
        CheckConstraint("chain BETWEEN 0 AND 63", name="chain"),
        primary_key=True,
        autoincrement=False,
    ),
    Column("seq", BigInteger, nullable=False),
    text("sha256"),
)

"""The tables, one block per ledger. No foreign key crosses ledgers: stock shards by SKU, orders by buyer.

Amounts are whole fen in BIGINT; order numbers are BIGINT here and strings everywhere else. Operation keys are
permanent and live in the ledger whose effect they guard.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    false,
    func,
)
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData(
    naming_convention={
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ck": "%(table_name)s_%(constraint_name)s_check",
        "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
        "pk": "%(table_name)s_pkey",
    }
)


def _at(name: str, *, null: bool = False) -> Column[object]:
    return Column(name, DateTime(timezone=True), nullable=null, server_default=None if null else func.now())


def _text(name: str, *, null: bool = False, default: str | None = None) -> Column[object]:
    return Column(name, Text, nullable=null, server_default=default)


def _fen(name: str) -> Column[object]:
    return Column(name, BigInteger, CheckConstraint(f"{name} >= 0", name=name), nullable=False)


def _operations(name: str) -> Table:
    """What a ledger has done, by operation key, with the answer it gave."""
    return Table(name, metadata, Column("key", Text, primary_key=True), Column("result", JSONB), _at("at"))


# --- checkout: one row per caller's key, for ever; the number is minted here and nowhere else

checkout_keys = Table(
    "checkout_keys",
    metadata,
    _text("caller"),
    _text("idempotency_key"),
    _text("body_sha256"),
    Column("order_no", BigInteger, nullable=False, unique=True),
    _at("at"),
    PrimaryKeyConstraint("caller", "idempotency_key"),
)

placements = Table(
    "placements",
    metadata,
    Column("order_no", BigInteger, primary_key=True),
    Column("outcome", JSONB, nullable=False),
    _at("at"),
)

# --- orders

order_operations = _operations("order_operations")

orders = Table(
    "orders",
    metadata,
    Column("order_no", BigInteger, primary_key=True),
    Column("buyer_id", BigInteger, nullable=False),
    _text("caller"),
    _text("device_id"),
    _text("ip"),
    Column("address", JSONB, nullable=False),
    _text("address_key"),
    _text("phone_key"),
    _fen("goods_fen"),
    _fen("amount_due_fen"),
    _text("currency"),
    _text("payment"),
    _text("status"),
    _text("close_reason", null=True),
    _at("placed_at"),
    _at("pay_by", null=True),
    _text("payment_link", null=True),
    _text("capture_id", null=True),
    _at("paid_at", null=True),
    _at("completed_at", null=True),
    _at("closed_at", null=True),
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
    _text("sku"),
    _text("title"),
    _text("merchant"),
    _text("warehouse"),
    Column("quantity", Integer, CheckConstraint("quantity > 0", name="quantity"), nullable=False),
    _fen("unit_price_fen"),
    _fen("goods_fen"),
    _fen("pay_fen"),
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
    _text("sub_order_no"),
    _text("merchant"),
    _text("warehouse"),
    _text("fulfilment", default="AWAITING"),
    _text("review", default="NONE"),
    _text("status"),
    _fen("goods_fen"),
    _fen("pay_fen"),
    _text("after_sale", default="NONE"),
    _at("created_at"),
    _text("carrier", null=True),
    _text("tracking_no", null=True),
    _at("handed_over_at", null=True),
    _at("shipped_at", null=True),
    _at("delivered_at", null=True),
    _at("received_at", null=True),
    _at("closed_at", null=True),
    _text("close_reason", null=True),
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
    _fen("goods_fen"),
    _fen("pay_fen"),
    PrimaryKeyConstraint("order_no", "idx", "line_no"),
    CheckConstraint("1 <= first_unit AND first_unit <= last_unit", name="units"),
    ForeignKeyConstraint(["order_no", "idx"], ["sub_orders.order_no", "sub_orders.idx"]),
)

tracking_events = Table(
    "tracking_events",
    metadata,
    Column("order_no", BigInteger, nullable=False),
    Column("idx", Integer, nullable=False),
    _text("event_id"),
    _text("kind"),
    _text("place"),
    _at("at"),
    PrimaryKeyConstraint("order_no", "idx", "event_id"),
)

reviews = Table(
    "reviews",
    metadata,
    Column("order_no", BigInteger, nullable=False),
    Column("idx", Integer, nullable=False),
    Column("rating", Integer, CheckConstraint("rating BETWEEN 1 AND 5", name="rating"), nullable=False),
    _text("text"),
    _at("at"),
    PrimaryKeyConstraint("order_no", "idx"),
)

# What waits for a person, until it no longer does. `subject` is '' for the order, else a sub-order's number.
attentions = Table(
    "attentions",
    metadata,
    Column("order_no", BigInteger, nullable=False),
    _text("subject"),
    _text("topic"),
    _text("text"),
    _at("since"),
    PrimaryKeyConstraint("order_no", "subject", "topic"),
)

# Who did what, when. Only ever added to.
order_events = Table(
    "order_events",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("order_no", BigInteger, nullable=False),
    _text("subject", default=""),
    _text("actor"),
    _text("action"),
    _text("detail", default=""),
    _at("at"),
    Index(None, "order_no", "id"),
)

# --- stock, by SKU

stock_operations = _operations("stock_operations")

stock = Table(
    "stock",
    metadata,
    Column("sku", Text, primary_key=True),
    _fen("sellable_total"),
    _fen("available"),
    _fen("reserved"),
    _fen("deducted"),
    CheckConstraint("sellable_total = available + reserved + deducted", name="adds_up"),
)

stock_reservations = Table(
    "stock_reservations",
    metadata,
    Column("order_no", BigInteger, nullable=False),
    Column("line_no", Integer, nullable=False),
    _text("sku"),
    Column("quantity", Integer, CheckConstraint("quantity > 0", name="quantity"), nullable=False),
    _text("state"),
    Column("restocked", Integer, nullable=False, server_default="0"),
    _at("at"),
    PrimaryKeyConstraint("order_no", "line_no"),
    CheckConstraint("state IN ('RESERVED', 'DEDUCTED', 'RELEASED')", name="state"),
    CheckConstraint("restocked BETWEEN 0 AND quantity", name="restocked"),
    CheckConstraint("restocked = 0 OR state = 'DEDUCTED'", name="restocked_after_deducted"),
    Index(None, "sku", "state"),
)

# --- money

captures = Table(
    "captures",
    metadata,
    Column("capture_id", Text, primary_key=True),
    _text("payment_id"),
    _fen("amount_fen"),
    _text("currency"),
    _at("captured_at"),
    _text("fate"),
    _text("reason", default=""),
    _at("at"),
    CheckConstraint("fate IN ('ACCEPTED', 'STRAY')", name="fate"),
    Index("captures_one_accepted_idx", "payment_id", unique=True, postgresql_where="fate = 'ACCEPTED'"),
)

# The inbox: written before the provider gets its 2xx, kept for ever.
payment_notifications = Table(
    "payment_notifications",
    metadata,
    Column("notification_id", Text, primary_key=True),
    _text("capture_id"),
    Column("capture", JSONB, nullable=False),
    _at("received_at"),
    _at("due_at"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    _at("settled_at", null=True),
    _text("outcome", null=True),
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
    _text("payment_id"),
    _text("capture_id"),
    _fen("amount_fen"),
    _text("currency"),
    _text("reason"),
    _text("state"),
    _text("detail", default=""),
    _at("requested_at"),
    _at("done_at", null=True),
    CheckConstraint("state IN ('REQUESTED', 'DONE', 'REFUSED')", name="state"),
    Index(None, "order_no"),
    Index(None, "capture_id"),
)

# Double entry: the legs of a posting sum to zero per currency, which a deferred trigger checks at commit.
journal_postings = Table(
    "journal_postings",
    metadata,
    Column("key", Text, primary_key=True),
    _text("kind"),
    _text("reference"),
    _at("at"),
    Index(None, "reference"),
)

journal_legs = Table(
    "journal_legs",
    metadata,
    _text("key"),
    Column("leg", Integer, nullable=False),
    _text("account"),
    _text("currency"),
    Column("amount_fen", BigInteger, nullable=False),
    PrimaryKeyConstraint("key", "leg"),
    ForeignKeyConstraint(["key"], ["journal_postings.key"]),
    Index(None, "account"),
)

# --- outbox: alarms and notices, written with their cause

outbox = Table(
    "outbox",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    _text("message_id"),
    _text("topic"),
    Column("body", JSONB, nullable=False),
    _at("created_at"),
    _at("due_at"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    _at("posted_at", null=True),
    UniqueConstraint("message_id"),
    Index("outbox_open_idx", "due_at", postgresql_where="posted_at IS NULL"),
)

# --- catalog

products = Table(
    "products",
    metadata,
    Column("sku", Text, primary_key=True),
    _text("merchant"),
    _text("title"),
    _fen("price_fen"),
    _text("warehouse"),
    Column("limited", Boolean, nullable=False, server_default=false()),
    _at("changed_at"),
)

# --- risk

# kind: BUYER, DEVICE, ADDRESS, PHONE or IP_RANGE; value in the form that domain.risk normalises it to.
block_entries = Table(
    "block_entries",
    metadata,
    _text("kind"),
    _text("value"),
    _text("reason"),
    _text("author"),
    _at("at"),
    _at("expires_at", null=True),
    PrimaryKeyConstraint("kind", "value"),
)

# Thresholds and weights, one row per change; the newest counts.
risk_settings = Table(
    "risk_settings",
    metadata,
    Column("version", BigInteger, Identity(always=True), primary_key=True),
    Column("settings", JSONB, nullable=False),
    _text("author"),
    _at("at"),
)

risk_verdicts = Table(
    "risk_verdicts",
    metadata,
    Column("order_no", BigInteger, primary_key=True),
    _text("verdict"),
    Column("score", Integer, nullable=False),
    Column("reasons", JSONB, nullable=False),
    Column("settings_version", BigInteger, nullable=True),
    _at("at"),
)

risk_decisions = Table(
    "risk_decisions",
    metadata,
    Column("order_no", BigInteger, primary_key=True),
    _text("decision"),
    _text("author"),
    _text("note"),
    _at("at"),
)

"""After-sale: the cases of sub-orders that have shipped."""

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
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import JSONB

from store.tables.base import at, metadata, text

# One row for each caller's key, kept for ever. The case's number is minted here; the case itself is written by its run.
after_sale_keys = Table(
    "after_sale_keys",
    metadata,
    text("caller"),
    text("idempotency_key"),
    text("body_sha256"),
    text("sub_order_no"),
    text("case_no"),
    at("at"),
    PrimaryKeyConstraint("caller", "idempotency_key"),
    UniqueConstraint("case_no"),
    Index(None, "sub_order_no"),
)

# `since` is when the case came into its state, `due_at` when the clock acts on it, `said` what a party wrote last.
after_sales = Table(
    "after_sales",
    metadata,
    Column("case_no", Text, primary_key=True),
    Column("order_no", BigInteger, nullable=False),
    Column("idx", Integer, nullable=False),
    text("sub_order_no"),
    Column("buyer_id", BigInteger, nullable=False),
    text("merchant"),
    text("kind"),
    text("reason"),
    text("status"),
    Column("revision", Integer, nullable=False, server_default="1"),
    Column("quote", JSONB, nullable=False),
    text("said", default=""),
    text("carrier", null=True),
    text("tracking_no", null=True),
    Column("inspected", JSONB(none_as_null=True), nullable=True),
    Column("amount_fen", BigInteger, CheckConstraint("amount_fen >= 0", name="amount_fen"), nullable=True),
    at("requested_at"),
    at("since"),
    at("due_at", null=True),
    at("sent_back_at", null=True),
    at("ended_at", null=True),
    ForeignKeyConstraint(["order_no", "idx"], ["sub_orders.order_no", "sub_orders.idx"]),
    CheckConstraint("kind IN ('REFUND_ONLY', 'RETURN_AND_REFUND')", name="kind"),
    CheckConstraint(
        "(ended_at IS NOT NULL) = (status IN ('REFUNDED', 'REFUSED', 'WITHDRAWN', 'EXPIRED'))", name="ended"
    ),
    CheckConstraint("(status = 'REFUNDED') = (amount_fen IS NOT NULL)", name="refunded"),
    Index(None, "order_no", "idx"),
    Index("after_sales_open_idx", "since", postgresql_where="ended_at IS NULL"),
)

after_sale_lines = Table(
    "after_sale_lines",
    metadata,
    text("case_no"),
    Column("line_no", Integer, nullable=False),
    Column("quantity", Integer, CheckConstraint("quantity > 0", name="quantity"), nullable=False),
    PrimaryKeyConstraint("case_no", "line_no"),
    ForeignKeyConstraint(["case_no"], ["after_sales.case_no"]),
)

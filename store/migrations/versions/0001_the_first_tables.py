"""The first tables."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "attentions",
        sa.Column("order_no", sa.BigInteger(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("order_no", "subject", "topic", name=op.f("attentions_pkey")),
    )
    op.create_table(
        "block_entries",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("kind", "value", name=op.f("block_entries_pkey")),
    )
    op.create_table(
        "captures",
        sa.Column("capture_id", sa.Text(), nullable=False),
        sa.Column("payment_id", sa.Text(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("captured_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("fate", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("fate IN ('ACCEPTED', 'STRAY')", name=op.f("captures_fate_check")),
        sa.PrimaryKeyConstraint("capture_id", name=op.f("captures_pkey")),
    )
    op.create_index(
        "captures_one_accepted_idx", "captures", ["payment_id"], unique=True, postgresql_where="fate = 'ACCEPTED'"
    )
    op.create_table(
        "checkout_keys",
        sa.Column("caller", sa.Text(), nullable=False),
        sa.Column("idempotency_key", sa.Text(), nullable=False),
        sa.Column("body_sha256", sa.Text(), nullable=False),
        sa.Column("order_no", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("caller", "idempotency_key", name=op.f("checkout_keys_pkey")),
        sa.UniqueConstraint("order_no", name=op.f("checkout_keys_order_no_key")),
    )
    op.create_table(
        "journal_postings",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("journal_postings_pkey")),
    )
    op.create_index(op.f("journal_postings_reference_idx"), "journal_postings", ["reference"], unique=False)
    op.create_table(
        "order_events",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("order_no", sa.BigInteger(), nullable=False),
        sa.Column("subject", sa.Text(), server_default="", nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), server_default="", nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("order_events_pkey")),
    )
    op.create_index(op.f("order_events_order_no_id_idx"), "order_events", ["order_no", "id"], unique=False)
    op.create_table(
        "order_operations",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("result", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("order_operations_pkey")),
    )
    op.create_table(
        "orders",
        sa.Column("order_no", sa.BigInteger(), nullable=False),
        sa.Column("buyer_id", sa.BigInteger(), nullable=False),
        sa.Column("caller", sa.Text(), nullable=False),
        sa.Column("device_id", sa.Text(), nullable=False),
        sa.Column("ip", sa.Text(), nullable=False),
        sa.Column("address", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("address_key", sa.Text(), nullable=False),
        sa.Column("phone_key", sa.Text(), nullable=False),
        sa.Column("goods_fen", sa.BigInteger(), nullable=False),
        sa.Column("amount_due_fen", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("payment", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("close_reason", sa.Text(), nullable=True),
        sa.Column("placed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("pay_by", sa.DateTime(timezone=True), nullable=True),
        sa.Column("payment_link", sa.Text(), nullable=True),
        sa.Column("capture_id", sa.Text(), nullable=True),
        sa.Column("paid_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(status = 'CLOSED') = (close_reason IS NOT NULL)", name=op.f("orders_closed_with_reason_check")
        ),
        sa.PrimaryKeyConstraint("order_no", name=op.f("orders_pkey")),
    )
    op.create_index(op.f("orders_address_key_placed_at_idx"), "orders", ["address_key", "placed_at"], unique=False)
    op.create_index(op.f("orders_buyer_id_placed_at_idx"), "orders", ["buyer_id", "placed_at"], unique=False)
    op.create_index(op.f("orders_device_id_placed_at_idx"), "orders", ["device_id", "placed_at"], unique=False)
    op.create_index(op.f("orders_phone_key_placed_at_idx"), "orders", ["phone_key", "placed_at"], unique=False)
    op.create_index(op.f("orders_placed_at_idx"), "orders", ["placed_at"], unique=False)
    op.create_index(
        "orders_unpaid_idx", "orders", ["buyer_id"], unique=False, postgresql_where="status = 'PENDING_PAYMENT'"
    )
    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("body", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("posted_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("outbox_pkey")),
        sa.UniqueConstraint("message_id", name=op.f("outbox_message_id_key")),
    )
    op.create_index("outbox_open_idx", "outbox", ["due_at"], unique=False, postgresql_where="posted_at IS NULL")
    op.create_table(
        "payment_notifications",
        sa.Column("notification_id", sa.Text(), nullable=False),
        sa.Column("capture_id", sa.Text(), nullable=False),
        sa.Column("capture", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("notification_id", name=op.f("payment_notifications_pkey")),
    )
    op.create_index(
        "payment_notifications_open_idx",
        "payment_notifications",
        ["due_at"],
        unique=False,
        postgresql_where="settled_at IS NULL",
    )
    op.create_table(
        "placements",
        sa.Column("order_no", sa.BigInteger(), nullable=False),
        sa.Column("outcome", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("order_no", name=op.f("placements_pkey")),
    )
    op.create_table(
        "products",
        sa.Column("sku", sa.Text(), nullable=False),
        sa.Column("merchant", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("price_fen", sa.BigInteger(), nullable=False),
        sa.Column("warehouse", sa.Text(), nullable=False),
        sa.Column("limited", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("sku", name=op.f("products_pkey")),
    )
    op.create_table(
        "refunds",
        sa.Column("refund_no", sa.Text(), nullable=False),
        sa.Column("order_no", sa.BigInteger(), nullable=True),
        sa.Column("payment_id", sa.Text(), nullable=False),
        sa.Column("capture_id", sa.Text(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), server_default="", nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state IN ('REQUESTED', 'DONE', 'REFUSED')", name=op.f("refunds_state_check")),
        sa.PrimaryKeyConstraint("refund_no", name=op.f("refunds_pkey")),
    )
    op.create_index(op.f("refunds_capture_id_idx"), "refunds", ["capture_id"], unique=False)
    op.create_index(op.f("refunds_order_no_idx"), "refunds", ["order_no"], unique=False)
    op.create_table(
        "reviews",
        sa.Column("order_no", sa.BigInteger(), nullable=False),
        sa.Column("idx", sa.Integer(), nullable=False),
        sa.Column("rating", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("order_no", "idx", name=op.f("reviews_pkey")),
    )
    op.create_table(
        "risk_decisions",
        sa.Column("order_no", sa.BigInteger(), nullable=False),
        sa.Column("decision", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("order_no", name=op.f("risk_decisions_pkey")),
    )
    op.create_table(
        "risk_settings",
        sa.Column("version", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("settings", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("version", name=op.f("risk_settings_pkey")),
    )
    op.create_table(
        "risk_verdicts",
        sa.Column("order_no", sa.BigInteger(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("score", sa.Integer(), nullable=False),
        sa.Column("reasons", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("settings_version", sa.BigInteger(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("order_no", name=op.f("risk_verdicts_pkey")),
    )
    op.create_table(
        "stock",
        sa.Column("sku", sa.Text(), nullable=False),
        sa.Column("sellable_total", sa.BigInteger(), nullable=False),
        sa.Column("available", sa.BigInteger(), nullable=False),
        sa.Column("reserved", sa.BigInteger(), nullable=False),
        sa.Column("deducted", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("sellable_total = available + reserved + deducted", name=op.f("stock_adds_up_check")),
        sa.PrimaryKeyConstraint("sku", name=op.f("stock_pkey")),
    )
    op.create_table(
        "stock_operations",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("result", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("stock_operations_pkey")),
    )
    op.create_table(
        "stock_reservations",
        sa.Column("order_no", sa.BigInteger(), nullable=False),
        sa.Column("line_no", sa.Integer(), nullable=False),
        sa.Column("sku", sa.Text(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("restocked", sa.Integer(), server_default="0", nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "restocked = 0 OR state = 'DEDUCTED'", name=op.f("stock_reservations_restocked_after_deducted_check")
        ),
        sa.CheckConstraint(
            "state IN ('RESERVED', 'DEDUCTED', 'RELEASED')", name=op.f("stock_reservations_state_check")
        ),
        sa.CheckConstraint("restocked BETWEEN 0 AND quantity", name=op.f("stock_reservations_restocked_check")),
        sa.PrimaryKeyConstraint("order_no", "line_no", name=op.f("stock_reservations_pkey")),
    )
    op.create_index(op.f("stock_reservations_sku_state_idx"), "stock_reservations", ["sku", "state"], unique=False)
    op.create_table(
        "tracking_events",
        sa.Column("order_no", sa.BigInteger(), nullable=False),
        sa.Column("idx", sa.Integer(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("order_no", "idx", "event_id", name=op.f("tracking_events_pkey")),
    )
    op.create_table(
        "journal_legs",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("leg", sa.Integer(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["key"], ["journal_postings.key"], name=op.f("journal_legs_key_fkey")),
        sa.PrimaryKeyConstraint("key", "leg", name=op.f("journal_legs_pkey")),
    )
    op.create_index(op.f("journal_legs_account_idx"), "journal_legs", ["account"], unique=False)
    op.create_table(
        "order_lines",
        sa.Column("order_no", sa.BigInteger(), nullable=False),
        sa.Column("line_no", sa.Integer(), nullable=False),
        sa.Column("sku", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("merchant", sa.Text(), nullable=False),
        sa.Column("warehouse", sa.Text(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("unit_price_fen", sa.BigInteger(), nullable=False),
        sa.Column("goods_fen", sa.BigInteger(), nullable=False),
        sa.Column("pay_fen", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["order_no"], ["orders.order_no"], name=op.f("order_lines_order_no_fkey")),
        sa.PrimaryKeyConstraint("order_no", "line_no", name=op.f("order_lines_pkey")),
    )
    op.create_index(op.f("order_lines_merchant_idx"), "order_lines", ["merchant"], unique=False)
    op.create_index(op.f("order_lines_sku_idx"), "order_lines", ["sku"], unique=False)
    op.create_table(
        "sub_orders",
        sa.Column("order_no", sa.BigInteger(), nullable=False),
        sa.Column("idx", sa.Integer(), nullable=False),
        sa.Column("buyer_id", sa.BigInteger(), nullable=False),
        sa.Column("sub_order_no", sa.Text(), nullable=False),
        sa.Column("merchant", sa.Text(), nullable=False),
        sa.Column("warehouse", sa.Text(), nullable=False),
        sa.Column("fulfilment", sa.Text(), server_default="AWAITING", nullable=False),
        sa.Column("review", sa.Text(), server_default="NONE", nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("goods_fen", sa.BigInteger(), nullable=False),
        sa.Column("pay_fen", sa.BigInteger(), nullable=False),
        sa.Column("after_sale", sa.Text(), server_default="NONE", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("carrier", sa.Text(), nullable=True),
        sa.Column("tracking_no", sa.Text(), nullable=True),
        sa.Column("handed_over_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("shipped_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("close_reason", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "(status = 'CLOSED') = (close_reason IS NOT NULL)", name=op.f("sub_orders_closed_with_reason_check")
        ),
        sa.ForeignKeyConstraint(["order_no"], ["orders.order_no"], name=op.f("sub_orders_order_no_fkey")),
        sa.PrimaryKeyConstraint("order_no", "idx", name=op.f("sub_orders_pkey")),
        sa.UniqueConstraint("sub_order_no", name=op.f("sub_orders_sub_order_no_key")),
    )
    op.create_index(op.f("sub_orders_buyer_id_status_idx"), "sub_orders", ["buyer_id", "status"], unique=False)
    op.create_index(
        op.f("sub_orders_merchant_status_order_no_idx_idx"),
        "sub_orders",
        ["merchant", "status", "order_no", "idx"],
        unique=False,
    )
    op.create_table(
        "sub_order_lines",
        sa.Column("order_no", sa.BigInteger(), nullable=False),
        sa.Column("idx", sa.Integer(), nullable=False),
        sa.Column("line_no", sa.Integer(), nullable=False),
        sa.Column("first_unit", sa.Integer(), nullable=False),
        sa.Column("last_unit", sa.Integer(), nullable=False),
        sa.Column("goods_fen", sa.BigInteger(), nullable=False),
        sa.Column("pay_fen", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("1 <= first_unit AND first_unit <= last_unit", name=op.f("sub_order_lines_units_check")),
        sa.ForeignKeyConstraint(
            ["order_no", "idx"],
            ["sub_orders.order_no", "sub_orders.idx"],
            name=op.f("sub_order_lines_order_no_idx_fkey"),
        ),
        sa.PrimaryKeyConstraint("order_no", "idx", "line_no", name=op.f("sub_order_lines_pkey")),
    )

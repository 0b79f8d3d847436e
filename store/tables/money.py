"""Payments, refunds, the journal and the merchants' statements."""

from sqlalchemy import (
    BigInteger,
    Boolean,
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

# The inbox: a notification is written here before the provider gets its 2xx, and kept for ever.
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
    Index(
        "payment_notifications_stray_idx",
        "settled_at",
        postgresql_where="outcome NOT IN ('ACCEPTED', 'DUPLICATE')",
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
    Index("refunds_open_idx", "order_no", postgresql_where="state <> 'DONE'"),
    Index(None, "capture_id"),
)

# What one operation gave back of a sub-order: the worth of the units, the shipping, what was withheld for gifts that
# the buyer keeps, and the discounts on the units by who funded them. `refund_no` is NULL when it comes to nothing.
piece_refunds = Table(
    "piece_refunds",
    metadata,
    text("key"),
    Column("order_no", BigInteger, nullable=False),
    Column("idx", Integer, nullable=False),
    fen("goods_fen"),
    fen("shipping_fen"),
    fen("withheld_fen"),
    fen("merchant_fen"),
    fen("platform_fen"),
    Column("before_shipping", Boolean, nullable=False),
    text("reason"),
    text("refund_no", null=True),
    at("at"),
    PrimaryKeyConstraint("key", "idx"),
    CheckConstraint("withheld_fen <= goods_fen + shipping_fen", name="withheld_of_it"),
    Index(None, "order_no", "idx"),
    Index("piece_refunds_withheld_idx", "order_no", "idx", postgresql_where="withheld_fen > 0"),
)

piece_refund_lines = Table(
    "piece_refund_lines",
    metadata,
    text("key"),
    Column("idx", Integer, nullable=False),
    Column("line_no", Integer, nullable=False),
    Column("first_unit", Integer, nullable=False),
    Column("last_unit", Integer, nullable=False),
    fen("pay_fen"),
    PrimaryKeyConstraint("key", "idx", "line_no"),
    ForeignKeyConstraint(["key", "idx"], ["piece_refunds.key", "piece_refunds.idx"]),
    CheckConstraint("1 <= first_unit AND first_unit <= last_unit", name="units"),
)

# The gifts that the buyer keeps although what they were given for went back: the value of each is taken off once.
kept_gifts = Table(
    "kept_gifts",
    metadata,
    Column("order_no", BigInteger, nullable=False),
    Column("line_no", Integer, nullable=False),
    text("key"),
    fen("value_fen"),
    PrimaryKeyConstraint("order_no", "line_no"),
)

# The journal is double-entry: a posting's legs sum to zero per currency, which a deferred trigger checks at commit.
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

# The statements that tell a merchant what it is owed. One merchant's statements are numbered without gaps.
statements = Table(
    "statements",
    metadata,
    Column("statement_no", Text, primary_key=True),
    text("merchant"),
    Column("number", Integer, CheckConstraint("number > 0", name="number"), nullable=False),
    text("currency"),
    at("until"),
    Column("total_fen", BigInteger, nullable=False),
    at("made_at"),
    UniqueConstraint("merchant", "number"),
)

# One row for each posting on a merchant's account: a sub-order that was settled, or a refund after that. `statement_no`
# is NULL until the next statement takes the row in, and never changes afterwards.
statement_rows = Table(
    "statement_rows",
    metadata,
    text("key"),
    text("statement_no", null=True),
    text("merchant"),
    Column("order_no", BigInteger, nullable=False),
    text("sub_order_no"),
    text("currency"),
    fen("goods_fen"),
    Column("subsidy_fen", BigInteger, nullable=False),
    fen("shipping_fen"),
    Column("fee_fen", BigInteger, nullable=False),
    fen("refunds_fen"),
    Column("net_fen", BigInteger, nullable=False),
    at("at"),
    PrimaryKeyConstraint("key", "sub_order_no"),
    ForeignKeyConstraint(["key"], ["journal_postings.key"]),
    ForeignKeyConstraint(["statement_no"], ["statements.statement_no"], deferrable=True, initially="DEFERRED"),
    CheckConstraint("net_fen = goods_fen + subsidy_fen + shipping_fen - fee_fen - refunds_fen", name="adds_up"),
    Index(None, "sub_order_no"),
    Index(None, "statement_no"),
    Index("statement_rows_open_idx", "merchant", postgresql_where="statement_no IS NULL"),
)

"""Promotions, the coupons that buyers have, and the members' tiers and points."""

from sqlalchemy import BigInteger, CheckConstraint, Column, DateTime, Identity, Index, Table, Text

from store.tables.base import at, fen, metadata, operations, text

# A promotion's document never changes; the columns beside it are copied from it, to find it by. A row changes only
# once, when the promotion is stopped.
promotions = Table(
    "promotions",
    metadata,
    Column("promotion_id", Text, primary_key=True),
    text("level"),
    text("merchant", null=True),
    at("starts_at", null=True),
    at("ends_at", null=True),
    text("document"),
    text("digest"),
    at("loaded_at"),
    at("stopped_at", null=True),
    text("stopped_by", null=True),
    CheckConstraint("digest = encode(sha256(convert_to(document, 'UTF8')), 'hex')", name="digest"),
    CheckConstraint("(stopped_at IS NULL) = (stopped_by IS NULL)", name="stopped_by_somebody"),
    Index(None, "merchant", "ends_at"),
)

coupon_operations = operations("coupon_operations")

# A coupon is taken by at most one order at a time. `order_no` is set while that order has taken or redeemed it.
coupons = Table(
    "coupons",
    metadata,
    Column("coupon_id", Text, primary_key=True),
    text("promotion_id"),
    Column("buyer_id", BigInteger, nullable=False),
    at("expires_at", null=True),
    text("state"),
    Column("order_no", BigInteger, nullable=True),
    CheckConstraint("state IN ('AVAILABLE', 'TAKEN', 'REDEEMED', 'EXPIRED')", name="state"),
    CheckConstraint("(state IN ('TAKEN', 'REDEEMED')) = (order_no IS NOT NULL)", name="of_an_order"),
    CheckConstraint("state <> 'EXPIRED' OR expires_at IS NOT NULL", name="expired"),
    Index(None, "buyer_id"),
    Index("coupons_order_no_idx", "order_no", postgresql_where="order_no IS NOT NULL"),
    Index("coupons_taken_idx", "order_no", postgresql_where="state = 'TAKEN'"),
)

# The coupons' history, which only grows. `entry` is ISSUED, TAKEN, REDEEMED, GIVEN_BACK or EXPIRED.
coupon_entries = Table(
    "coupon_entries",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    text("coupon_id"),
    text("entry"),
    Column("order_no", BigInteger, nullable=True),
    Column("at", DateTime(timezone=True), nullable=False),
    Index(None, "coupon_id", "id"),
)

members = Table(
    "members",
    metadata,
    Column("buyer_id", BigInteger, primary_key=True, autoincrement=False),
    text("tier"),
    at("changed_at"),
)

# Members' points. The table only grows; the balance is the sum of `points`. `entry` is EARNED or TAKEN_BACK, or SPENT
# by whatever lets members spend them. `short` is how many points could not be taken back, since they had been spent.
point_entries = Table(
    "point_entries",
    metadata,
    Column("key", Text, primary_key=True),
    Column("buyer_id", BigInteger, nullable=False),
    text("entry"),
    Column("points", BigInteger, nullable=False),
    fen("short"),
    Column("order_no", BigInteger, nullable=True),
    text("sub_order_no", null=True),
    Column("at", DateTime(timezone=True), nullable=False),
    CheckConstraint("entry IN ('EARNED', 'TAKEN_BACK', 'SPENT')", name="entry"),
    CheckConstraint("(entry = 'EARNED' AND points >= 0) OR (entry <> 'EARNED' AND points <= 0)", name="direction"),
    CheckConstraint("short = 0 OR entry = 'TAKEN_BACK'", name="short_of"),
    Index(None, "buyer_id", "at"),
    Index(None, "sub_order_no"),
)

"""The two stock ledgers: sellable by SKU and channel, physical by SKU and warehouse.

`stock_operations` has one row for each order that has asked for sellable stock, with the first answer to each step;
the order's number is the key. `stock_reservations` has the order's lines. `stock_entries` says how each counter
changed, and why.
"""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
)
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from store.tables.base import at, fen, metadata, operations, text

# Tables whose rows change leave room on their pages, so that a change touches no index.
_CHANGES = {"fillfactor": 70}


def pieces(name: str) -> Column[object]:
    return Column(name, BigInteger, CheckConstraint(f"{name} >= 0", name=name), nullable=False, server_default="0")


def quantity() -> Column[object]:
    return Column("quantity", Integer, CheckConstraint("quantity > 0", name="quantity"), nullable=False)


stock = Table(
    "stock",
    metadata,
    text("sku"),
    text("channel", default="main"),
    fen("sellable_total"),
    fen("available"),
    fen("reserved"),
    fen("deducted"),
    PrimaryKeyConstraint("sku", "channel"),
    CheckConstraint("sellable_total = available + reserved + deducted", name="adds_up"),
    postgresql_with=_CHANGES,
)

stock_operations = Table(
    "stock_operations",
    metadata,
    Column("order_no", BigInteger, primary_key=True, autoincrement=False),
    Column("buyer_id", BigInteger, nullable=False),
    Column("placed_at", DateTime(timezone=True), nullable=False),
    text("outcome", default="TAKEN"),
    Column("refusal", JSONB),
    Column("released_pieces", BigInteger),
    Column("deducted", JSONB),
    CheckConstraint("outcome IN ('TAKEN', 'REFUSED', 'RELEASED_BEFORE')", name="outcome"),
    CheckConstraint("(outcome = 'REFUSED') = (refusal IS NOT NULL)", name="refusal"),
    postgresql_with=_CHANGES,
)
# The orders that may still hold something: few rows among many, and the ones that an audit looks through.
Index(
    "stock_operations_open_idx",
    stock_operations.c.placed_at,
    postgresql_where=sql("outcome = 'TAKEN' AND released_pieces IS NULL AND deducted IS NULL"),
)
# Purchase limits look orders up by their buyer; a buyer of 0 means nobody.
Index("stock_operations_buyer_id_idx", stock_operations.c.buyer_id, postgresql_where=sql("buyer_id <> 0"))

stock_reservations = Table(
    "stock_reservations",
    metadata,
    Column("order_no", BigInteger, nullable=False),
    Column("line_no", Integer, nullable=False),
    text("sku"),
    text("channel", default="main"),
    quantity(),
    text("policy", default="RESERVE_ON_PLACEMENT"),
    text("state"),
    Column("restocked", Integer, nullable=False, server_default="0"),
    at("at"),
    PrimaryKeyConstraint("order_no", "line_no"),
    CheckConstraint("state IN ('RESERVED', 'PROMISED', 'DEDUCTED', 'RELEASED')", name="state"),
    CheckConstraint("policy IN ('RESERVE_ON_PLACEMENT', 'DEDUCT_ON_PAYMENT')", name="policy"),
    CheckConstraint("state <> 'PROMISED' OR policy = 'DEDUCT_ON_PAYMENT'", name="promised_by_policy"),
    CheckConstraint("restocked BETWEEN 0 AND quantity", name="restocked"),
    CheckConstraint("restocked = 0 OR state = 'DEDUCTED'", name="restocked_after_deducted"),
    postgresql_with=_CHANGES,
)
stock_restocks = Table(
    "stock_restocks",
    metadata,
    Column("order_no", BigInteger, nullable=False),
    text("reason_key"),
    pieces("pieces"),
    at("at"),
    PrimaryKeyConstraint("order_no", "reason_key"),
)

purchase_limits = Table(
    "purchase_limits",
    metadata,
    Column("sku", Text, primary_key=True),
    pieces("pieces"),
    Column("window_s", BigInteger, CheckConstraint("window_s > 0", name="window_s"), nullable=False),
    text("actor"),
    at("changed_at"),
)

# One row for each kind of change that one transaction made to one counter, for any number of orders: `pieces` has the
# number for each of `order_nos`. `gone` is what was deducted or, from a warehouse, shipped.
stock_entries = Table(
    "stock_entries",
    metadata,
    text("sku"),
    Column("id", BigInteger, Identity(always=True)),
    text("channel", null=True),
    text("warehouse", null=True),
    text("kind"),
    Column("available", BigInteger, nullable=False),
    Column("reserved", BigInteger, nullable=False),
    Column("gone", BigInteger, nullable=False),
    Column("order_nos", ARRAY(BigInteger)),
    Column("pieces", ARRAY(Integer)),
    text("key", null=True),
    text("actor", default="order"),
    text("reason", default=""),
    at("at"),
    CheckConstraint(
        "kind IN ('reserve', 'deduct', 'release', 'restock', 'receive', 'adjust', 'ship')",
        name="kind",
    ),
    CheckConstraint("(channel IS NULL) <> (warehouse IS NULL)", name="one_ledger"),
    CheckConstraint("cardinality(order_nos) = cardinality(pieces)", name="orders_with_pieces"),
    PrimaryKeyConstraint("sku", "id"),
)
Index("stock_entries_key_idx", stock_entries.c.key, unique=True, postgresql_where=sql("key IS NOT NULL"))

merchant_warehouses = Table(
    "merchant_warehouses",
    metadata,
    text("merchant"),
    text("warehouse"),
    at("since"),
    PrimaryKeyConstraint("merchant", "warehouse"),
)

physical_stock = Table(
    "physical_stock",
    metadata,
    text("sku"),
    text("warehouse"),
    pieces("total"),
    pieces("available"),
    pieces("reserved"),
    pieces("shipped"),
    PrimaryKeyConstraint("sku", "warehouse"),
    CheckConstraint("total = available + reserved + shipped", name="adds_up"),
    postgresql_with=_CHANGES,
)

physical_operations = operations("physical_operations")

physical_reservations = Table(
    "physical_reservations",
    metadata,
    Column("order_no", BigInteger, nullable=False),
    text("sub_order_no"),
    Column("line_no", Integer, nullable=False),
    text("sku"),
    text("warehouse"),
    quantity(),
    text("state", default="RESERVED"),
    at("at"),
    PrimaryKeyConstraint("sub_order_no", "line_no", "warehouse"),
    CheckConstraint("state IN ('RESERVED', 'SHIPPED', 'RESHELVED')", name="state"),
    Index(None, "order_no"),
    Index("physical_reservations_open_idx", "order_no", postgresql_where=sql("state = 'RESERVED'")),
    postgresql_with=_CHANGES,
)

# The pieces that a sub-order does not need any more, by the refund they belong to: a late `take_goods` takes that many
# fewer.
physical_reshelvings = Table(
    "physical_reshelvings",
    metadata,
    text("sub_order_no"),
    text("reason_key"),
    Column("line_no", Integer, nullable=False),
    quantity(),
    at("at"),
    PrimaryKeyConstraint("sub_order_no", "reason_key", "line_no"),
)

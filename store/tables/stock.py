"""The stock ledger, by SKU."""

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, Integer, PrimaryKeyConstraint, Table, Text

from store.tables.base import at, fen, metadata, operations, text

stock_operations = operations("stock_operations")

stock = Table(
    "stock",
    metadata,
    Column("sku", Text, primary_key=True),
    fen("sellable_total"),
    fen("available"),
    fen("reserved"),
    fen("deducted"),
    CheckConstraint("sellable_total = available + reserved + deducted", name="adds_up"),
)

stock_reservations = Table(
    "stock_reservations",
    metadata,
    Column("order_no", BigInteger, nullable=False),
    Column("line_no", Integer, nullable=False),
    text("sku"),
    Column("quantity", Integer, CheckConstraint("quantity > 0", name="quantity"), nullable=False),
    text("state"),
    Column("restocked", Integer, nullable=False, server_default="0"),
    at("at"),
    PrimaryKeyConstraint("order_no", "line_no"),
    CheckConstraint("state IN ('RESERVED', 'DEDUCTED', 'RELEASED')", name="state"),
    CheckConstraint("restocked BETWEEN 0 AND quantity", name="restocked"),
    CheckConstraint("restocked = 0 OR state = 'DEDUCTED'", name="restocked_after_deducted"),
    Index(None, "sku", "state"),
)

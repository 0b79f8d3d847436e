"""What checkout keeps: one row for each caller's key, for ever. An order's number is minted here and nowhere else."""

from sqlalchemy import BigInteger, Column, PrimaryKeyConstraint, Table
from sqlalchemy.dialects.postgresql import JSONB

from store.tables.base import at, metadata, text

checkout_keys = Table(
    "checkout_keys",
    metadata,
    text("caller"),
    text("idempotency_key"),
    text("body_sha256"),
    Column("order_no", BigInteger, nullable=False, unique=True),
    at("at"),
    PrimaryKeyConstraint("caller", "idempotency_key"),
)

placements = Table(
    "placements",
    metadata,
    Column("order_no", BigInteger, primary_key=True),
    Column("outcome", JSONB, nullable=False),
    at("at"),
)

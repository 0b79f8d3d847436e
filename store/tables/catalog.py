"""The catalog: every version of every product, what is on sale now, and each merchant's choices."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    ForeignKeyConstraint,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    false,
)
from sqlalchemy.dialects.postgresql import JSONB

from store.tables.base import at, fen, metadata, text

# This table only grows. `digest` is the digest of the canonical text in `snapshot`, so that evidence does not depend on
# how a later program would write down the same product.
product_versions = Table(
    "product_versions",
    metadata,
    text("sku"),
    Column("version", Integer, CheckConstraint("version >= 1", name="version"), nullable=False),
    Column("product", JSONB, nullable=False),
    text("snapshot"),
    text("digest"),
    text("author"),
    at("at"),
    PrimaryKeyConstraint("sku", "version"),
)

# `home` is the warehouse that the product is preferably shipped from.
products = Table(
    "products",
    metadata,
    Column("sku", Text, primary_key=True),
    Column("version", Integer, nullable=False),
    text("digest"),
    text("merchant"),
    fen("price_fen"),
    text("category", null=True),
    text("delivery_mode"),
    Column("ships_from", Date, nullable=True),
    text("handling"),
    fen("weight_g"),
    fen("volume_cm3"),
    text("title"),
    text("description"),
    Column("images", JSONB, nullable=False),
    Column("services", JSONB, nullable=False),
    Column("attributes", JSONB, nullable=False),
    text("home", null=True),
    Column("limited", Boolean, nullable=False, server_default=false()),
    at("changed_at"),
    ForeignKeyConstraint(["sku", "version"], ["product_versions.sku", "product_versions.version"]),
)

# A merchant without a row has chosen nothing, and has the defaults.
merchants = Table(
    "merchants",
    metadata,
    Column("merchant", Text, primary_key=True),
    text("stock_policy"),
    at("changed_at"),
    CheckConstraint("stock_policy IN ('RESERVE_ON_PLACEMENT', 'DEDUCT_ON_PAYMENT')", name="stock_policy"),
)

# `warehouse` is '' for all warehouses of the merchant that have no template of their own.
freight_templates = Table(
    "freight_templates",
    metadata,
    text("merchant"),
    text("warehouse"),
    Column("first_g", BigInteger, CheckConstraint("first_g > 0", name="first_g"), nullable=False),
    fen("first_fee_fen"),
    Column("further_g", BigInteger, CheckConstraint("further_g > 0", name="further_g"), nullable=False),
    fen("further_fee_fen"),
    Column("free_from_fen", BigInteger, CheckConstraint("free_from_fen >= 0", name="free_from_fen"), nullable=True),
    PrimaryKeyConstraint("merchant", "warehouse"),
)

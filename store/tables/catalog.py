"""What is on sale."""

from sqlalchemy import Boolean, Column, Table, Text, false

from store.tables.base import at, fen, metadata, text

products = Table(
    "products",
    metadata,
    Column("sku", Text, primary_key=True),
    text("merchant"),
    text("title"),
    fen("price_fen"),
    text("warehouse"),
    Column("limited", Boolean, nullable=False, server_default=false()),
    at("changed_at"),
)

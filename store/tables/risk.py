"""What the risk check goes by, and what it and people have decided."""

from sqlalchemy import BigInteger, Column, Identity, Integer, PrimaryKeyConstraint, Table
from sqlalchemy.dialects.postgresql import JSONB

from store.tables.base import at, metadata, text

# `kind` is BUYER, DEVICE, ADDRESS, PHONE or IP_RANGE; `value` is in the normal form of `domain.risk.identity`.
block_entries = Table(
    "block_entries",
    metadata,
    text("kind"),
    text("value"),
    text("reason"),
    text("author"),
    at("at"),
    at("expires_at", null=True),
    PrimaryKeyConstraint("kind", "value"),
)

# Thresholds and weights, one row for each change; the newest is in force.
risk_settings = Table(
    "risk_settings",
    metadata,
    Column("version", BigInteger, Identity(always=True), primary_key=True),
    Column("settings", JSONB, nullable=False),
    text("author"),
    at("at"),
)

risk_verdicts = Table(
    "risk_verdicts",
    metadata,
    Column("order_no", BigInteger, primary_key=True),
    text("verdict"),
    Column("score", Integer, nullable=False),
    Column("reasons", JSONB, nullable=False),
    Column("settings_version", BigInteger, nullable=True),
    at("at"),
)

risk_decisions = Table(
    "risk_decisions",
    metadata,
    Column("order_no", BigInteger, primary_key=True),
    text("decision"),
    text("author"),
    text("note"),
    at("at"),
)

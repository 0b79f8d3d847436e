"""The tables, grouped by ledger. No foreign key crosses ledgers, since stock is sharded by SKU and orders by buyer.

Amounts are whole fen in BIGINT; order numbers are BIGINT here and strings everywhere else. Operation keys are
permanent and are kept in the ledger whose effect they guard.
"""

from store.tables.after_sale import after_sale_keys, after_sale_lines, after_sales
from store.tables.base import metadata
from store.tables.catalog import freight_templates, merchants, product_versions, products
from store.tables.checkout import checkout_keys, placements
from store.tables.messages import outbox
from store.tables.money import (
    captures,
    journal_legs,
    journal_postings,
    kept_gifts,
    payment_notifications,
    piece_refund_lines,
    piece_refunds,
    refunds,
    statement_rows,
    statements,
)
from store.tables.orders import (
    attentions,
    evidence_tips,
    order_events,
    order_line_shares,
    order_lines,
    order_operations,
    orders,
    reviews,
    sub_order_lines,
    sub_orders,
    tracking_events,
)
from store.tables.promotions import coupon_entries, coupon_operations, coupons, members, point_entries, promotions
from store.tables.risk import block_entries, risk_decisions, risk_settings, risk_verdicts
from store.tables.stock import (
    merchant_warehouses,
    physical_operations,
    physical_reservations,
    physical_reshelvings,
    physical_stock,
    purchase_limits,
    stock,
    stock_entries,
    stock_operations,
    stock_reservations,
    stock_restocks,
)

__all__ = [
    "after_sale_keys",
    "after_sale_lines",
    "after_sales",
    "attentions",
    "block_entries",
    "captures",
    "checkout_keys",
    "coupon_entries",
    "coupon_operations",
    "coupons",
    "evidence_tips",
    "freight_templates",
    "journal_legs",
    "journal_postings",
    "kept_gifts",
    "members",
    "merchant_warehouses",
    "merchants",
    "metadata",
    "order_events",
    "order_line_shares",
    "order_lines",
    "order_operations",
    "orders",
    "outbox",
    "payment_notifications",
    "physical_operations",
    "physical_reservations",
    "physical_reshelvings",
    "physical_stock",
    "piece_refund_lines",
    "piece_refunds",
    "placements",
    "point_entries",
    "product_versions",
    "products",
    "promotions",
    "purchase_limits",
    "refunds",
    "reviews",
    "risk_decisions",
    "risk_settings",
    "risk_verdicts",
    "statement_rows",
    "statements",
    "stock",
    "stock_entries",
    "stock_operations",
    "stock_reservations",
    "stock_restocks",
    "sub_order_lines",
    "sub_orders",
    "tracking_events",
]

"""The CHECKs on money, pieces and ratings that the first migration had left out."""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_NOT_NEGATIVE = {
    "captures": ("amount_fen",),
    "order_lines": ("goods_fen", "pay_fen", "unit_price_fen"),
    "orders": ("amount_due_fen", "goods_fen"),
    "products": ("price_fen",),
    "refunds": ("amount_fen",),
    "sub_order_lines": ("goods_fen", "pay_fen"),
    "sub_orders": ("goods_fen", "pay_fen"),
}
_OTHERS = (
    ("order_lines", "quantity", "quantity > 0"),
    ("reviews", "rating", "rating BETWEEN 1 AND 5"),
    ("sub_orders", "idx", "idx BETWEEN 1 AND 99"),
)


def upgrade() -> None:
    checks = [(table, name, f"{name} >= 0") for table, names in _NOT_NEGATIVE.items() for name in names]
    for table, name, condition in (*checks, *_OTHERS):
        op.execute(f"ALTER TABLE {table} ADD CONSTRAINT {table}_{name}_check CHECK ({condition})")

"""Partial indexes for the audit, which looks through few rows among many."""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "CREATE INDEX orders_open_idx ON orders (order_no) WHERE status NOT IN ('COMPLETED', 'REVIEWED', 'CLOSED')"
    )
    op.execute(
        "CREATE INDEX physical_reservations_open_idx ON physical_reservations (order_no) WHERE state = 'RESERVED'"
    )
    op.execute("CREATE INDEX coupons_taken_idx ON coupons (order_no) WHERE state = 'TAKEN'")
    op.execute("CREATE INDEX refunds_open_idx ON refunds (order_no) WHERE state <> 'DONE'")

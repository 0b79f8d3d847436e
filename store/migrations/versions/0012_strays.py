"""An index of the stray payments, for looking up whether each of them has been paid back."""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "CREATE INDEX payment_notifications_stray_idx ON payment_notifications (settled_at)"
        " WHERE outcome NOT IN ('ACCEPTED', 'DUPLICATE')"
    )

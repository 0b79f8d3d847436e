"""One word for one thing, in tables and keys and kept answers too: *owed*, and pieces that are *re-shelved*."""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_STATEMENTS = (
    "ALTER TABLE physical_put_backs RENAME TO physical_reshelvings",
    "ALTER TABLE physical_reshelvings RENAME CONSTRAINT physical_put_backs_pkey TO physical_reshelvings_pkey",
    "ALTER TABLE physical_reshelvings"
    " RENAME CONSTRAINT physical_put_backs_quantity_check TO physical_reshelvings_quantity_check",
    "ALTER TABLE physical_reservations DROP CONSTRAINT physical_reservations_state_check",
    "UPDATE physical_reservations SET state = 'RESHELVED' WHERE state = 'PUT_BACK'",
    "ALTER TABLE physical_reservations ADD CONSTRAINT physical_reservations_state_check"
    " CHECK (state IN ('RESERVED', 'SHIPPED', 'RESHELVED'))",
    "UPDATE physical_operations SET key = regexp_replace(key, '^([0-9]+)/put_back', '\\1/reshelve')"
    " WHERE key ~ '^[0-9]+/put_back'",
    # The answers that closings keep under their keys, as they are read by a run that starts over.
    "UPDATE order_operations SET result ="
    " regexp_replace(regexp_replace(result::text, '\"pay_back\":', '\"owed\":', 'g'),"
    " '\"put_back(_pieces)?\":', '\"reshelve\\1\":', 'g')::jsonb"
    " WHERE result::text ~ '\"(pay|put)_back'",
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)

"""Triggers that guard what the tables' own constraints can't express."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# Postings must sum to zero, and some tables may only grow.
_GUARDS = (
    """
    CREATE FUNCTION journal_sums_to_zero() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF EXISTS (
        SELECT 1 FROM journal_legs WHERE key = NEW.key GROUP BY currency HAVING sum(amount_fen) <> 0
      ) THEN
        RAISE EXCEPTION 'the legs of posting % do not sum to zero', NEW.key USING ERRCODE = 'check_violation';
      END IF;
      RETURN NULL;
    END $$
    """,
    """
    CREATE CONSTRAINT TRIGGER journal_sums_to_zero AFTER INSERT ON journal_legs
      DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION journal_sums_to_zero()
    """,
    """
    CREATE FUNCTION only_ever_added_to() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      RAISE EXCEPTION '% is only ever added to', TG_TABLE_NAME USING ERRCODE = 'check_violation';
    END $$
    """,
    *(
        f"CREATE TRIGGER only_ever_added_to BEFORE UPDATE OR DELETE ON {table} "
        "FOR EACH ROW EXECUTE FUNCTION only_ever_added_to()"
        for table in (
            "journal_postings",
            "journal_legs",
            "order_events",
            "risk_verdicts",
            "risk_decisions",
            "risk_settings",
        )
    ),
)


def upgrade() -> None:
    for statement in _GUARDS:
        op.execute(statement)

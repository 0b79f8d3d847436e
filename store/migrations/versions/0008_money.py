"""Refunds by pieces, statements of what merchants are owed, and members' points."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_TABLES = (
    """
    ALTER TABLE sub_order_lines ADD COLUMN refunded integer NOT NULL DEFAULT 0,
      ADD CONSTRAINT sub_order_lines_refunded_check CHECK (refunded BETWEEN 0 AND last_unit - first_unit + 1)
    """,
    "ALTER TABLE sub_orders ADD COLUMN settled_at timestamptz",
    "CREATE INDEX sub_orders_unsettled_idx ON sub_orders (received_at) "
    "WHERE settled_at IS NULL AND received_at IS NOT NULL",
    """
    CREATE TABLE piece_refunds (
      key text NOT NULL,
      order_no bigint NOT NULL,
      idx integer NOT NULL,
      goods_fen bigint NOT NULL CONSTRAINT piece_refunds_goods_fen_check CHECK (goods_fen >= 0),
      shipping_fen bigint NOT NULL CONSTRAINT piece_refunds_shipping_fen_check CHECK (shipping_fen >= 0),
      withheld_fen bigint NOT NULL CONSTRAINT piece_refunds_withheld_fen_check CHECK (withheld_fen >= 0),
      merchant_fen bigint NOT NULL CONSTRAINT piece_refunds_merchant_fen_check CHECK (merchant_fen >= 0),
      platform_fen bigint NOT NULL CONSTRAINT piece_refunds_platform_fen_check CHECK (platform_fen >= 0),
      before_shipping boolean NOT NULL,
      reason text NOT NULL,
      refund_no text,
      at timestamptz NOT NULL DEFAULT now(),
      CONSTRAINT piece_refunds_pkey PRIMARY KEY (key, idx),
      CONSTRAINT piece_refunds_withheld_of_it_check CHECK (withheld_fen <= goods_fen + shipping_fen)
    )
    """,
    "CREATE INDEX piece_refunds_order_no_idx_idx ON piece_refunds (order_no, idx)",
    "CREATE INDEX piece_refunds_withheld_idx ON piece_refunds (order_no, idx) WHERE withheld_fen > 0",
    """
    CREATE TABLE piece_refund_lines (
      key text NOT NULL,
      idx integer NOT NULL,
      line_no integer NOT NULL,
      first_unit integer NOT NULL,
      last_unit integer NOT NULL,
      pay_fen bigint NOT NULL CONSTRAINT piece_refund_lines_pay_fen_check CHECK (pay_fen >= 0),
      CONSTRAINT piece_refund_lines_pkey PRIMARY KEY (key, idx, line_no),
      CONSTRAINT piece_refund_lines_key_idx_fkey FOREIGN KEY (key, idx) REFERENCES piece_refunds (key, idx),
      CONSTRAINT piece_refund_lines_units_check CHECK (1 <= first_unit AND first_unit <= last_unit)
    )
    """,
    """
    CREATE TABLE kept_gifts (
      order_no bigint NOT NULL,
      line_no integer NOT NULL,
      key text NOT NULL,
      value_fen bigint NOT NULL CONSTRAINT kept_gifts_value_fen_check CHECK (value_fen >= 0),
      CONSTRAINT kept_gifts_pkey PRIMARY KEY (order_no, line_no)
    )
    """,
    """
    CREATE TABLE statements (
      statement_no text NOT NULL CONSTRAINT statements_pkey PRIMARY KEY,
      merchant text NOT NULL,
      number integer NOT NULL CONSTRAINT statements_number_check CHECK (number > 0),
      currency text NOT NULL,
      until timestamptz NOT NULL DEFAULT now(),
      total_fen bigint NOT NULL,
      made_at timestamptz NOT NULL DEFAULT now(),
      CONSTRAINT statements_merchant_number_key UNIQUE (merchant, number)
    )
    """,
    """
    CREATE TABLE statement_rows (
      key text NOT NULL CONSTRAINT statement_rows_key_fkey REFERENCES journal_postings (key),
      statement_no text CONSTRAINT statement_rows_statement_no_fkey REFERENCES statements (statement_no)
        DEFERRABLE INITIALLY DEFERRED,
      merchant text NOT NULL,
      order_no bigint NOT NULL,
      sub_order_no text NOT NULL,
      currency text NOT NULL,
      goods_fen bigint NOT NULL CONSTRAINT statement_rows_goods_fen_check CHECK (goods_fen >= 0),
      subsidy_fen bigint NOT NULL,
      shipping_fen bigint NOT NULL CONSTRAINT statement_rows_shipping_fen_check CHECK (shipping_fen >= 0),
      fee_fen bigint NOT NULL,
      refunds_fen bigint NOT NULL CONSTRAINT statement_rows_refunds_fen_check CHECK (refunds_fen >= 0),
      net_fen bigint NOT NULL,
      at timestamptz NOT NULL DEFAULT now(),
      CONSTRAINT statement_rows_pkey PRIMARY KEY (key, sub_order_no),
      CONSTRAINT statement_rows_adds_up_check
        CHECK (net_fen = goods_fen + subsidy_fen + shipping_fen - fee_fen - refunds_fen)
    )
    """,
    "CREATE INDEX statement_rows_sub_order_no_idx ON statement_rows (sub_order_no)",
    "CREATE INDEX statement_rows_statement_no_idx ON statement_rows (statement_no)",
    "CREATE INDEX statement_rows_open_idx ON statement_rows (merchant) WHERE statement_no IS NULL",
    """
    CREATE TABLE point_entries (
      key text NOT NULL CONSTRAINT point_entries_pkey PRIMARY KEY,
      buyer_id bigint NOT NULL,
      entry text NOT NULL,
      points bigint NOT NULL,
      short bigint NOT NULL CONSTRAINT point_entries_short_check CHECK (short >= 0),
      order_no bigint,
      sub_order_no text,
      at timestamptz NOT NULL,
      CONSTRAINT point_entries_entry_check CHECK (entry IN ('EARNED', 'TAKEN_BACK', 'SPENT')),
      CONSTRAINT point_entries_direction_check
        CHECK ((entry = 'EARNED' AND points >= 0) OR (entry <> 'EARNED' AND points <= 0)),
      CONSTRAINT point_entries_short_of_check CHECK (short = 0 OR entry = 'TAKEN_BACK')
    )
    """,
    "CREATE INDEX point_entries_buyer_id_at_idx ON point_entries (buyer_id, at)",
    "CREATE INDEX point_entries_sub_order_no_idx ON point_entries (sub_order_no)",
    """
    CREATE TABLE physical_put_backs (
      sub_order_no text NOT NULL,
      reason_key text NOT NULL,
      line_no integer NOT NULL,
      quantity integer NOT NULL CONSTRAINT physical_put_backs_quantity_check CHECK (quantity > 0),
      at timestamptz NOT NULL DEFAULT now(),
      CONSTRAINT physical_put_backs_pkey PRIMARY KEY (sub_order_no, reason_key, line_no)
    )
    """,
)

# Triggers for what a CHECK can't express, since it does not know the row before the change.
_GUARDS = (
    *(
        f"CREATE TRIGGER only_ever_added_to BEFORE UPDATE OR DELETE ON {table} "
        "FOR EACH ROW EXECUTE FUNCTION only_ever_added_to()"
        for table in ("piece_refunds", "piece_refund_lines", "kept_gifts", "statements", "point_entries")
    ),
    """
    CREATE FUNCTION statement_rows_are_stated_once() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF TG_OP = 'UPDATE' AND OLD.statement_no IS NULL
        AND to_jsonb(NEW) - 'statement_no' = to_jsonb(OLD) - 'statement_no'
      THEN
        RETURN NEW;
      END IF;
      RAISE EXCEPTION 'row % of the statements never changes, but for being stated once', OLD.key
        USING ERRCODE = 'check_violation';
    END $$
    """,
    "CREATE TRIGGER statement_rows_are_stated_once BEFORE UPDATE OR DELETE ON statement_rows "
    "FOR EACH ROW EXECUTE FUNCTION statement_rows_are_stated_once()",
)

# Of the sub-orders that were closed before, everything has gone back.
_CLOSED_BEFORE = (
    """
    UPDATE sub_order_lines l SET refunded = last_unit - first_unit + 1
    FROM sub_orders s WHERE s.order_no = l.order_no AND s.idx = l.idx AND s.status = 'CLOSED'
    """,
    """
    INSERT INTO piece_refunds
      (key, order_no, idx, goods_fen, shipping_fen, withheld_fen, merchant_fen, platform_fen, before_shipping, reason,
       at)
    SELECT sub_order_no || '/cancel', order_no, idx, pay_fen, shipping_fen, 0, 0, 0, true, close_reason,
      closed_at
    FROM sub_orders WHERE status = 'CLOSED'
    """,
    """
    INSERT INTO piece_refund_lines (key, idx, line_no, first_unit, last_unit, pay_fen)
    SELECT s.sub_order_no || '/cancel', l.idx, l.line_no, l.first_unit, l.last_unit, l.pay_fen
    FROM sub_order_lines l JOIN sub_orders s USING (order_no, idx) WHERE s.status = 'CLOSED'
    """,
)

# From now on shipping has an account of its own, and so have refunds that are decided but not done.
_ACCOUNTS = (
    """
    CREATE TEMPORARY TABLE moved_by_0008 ON COMMIT DROP AS
    SELECT 'shipping/' || o.order_no AS key, 'SHIPPING' AS kind, o.order_no, 'shipping' AS account, o.currency,
      coalesce((SELECT sum(shipping_fen) FROM sub_orders s WHERE s.order_no = o.order_no AND s.status <> 'CLOSED'),
        o.shipping_fen)::bigint AS fen
    FROM orders o WHERE o.capture_id IS NOT NULL AND o.status <> 'CLOSED'
    UNION ALL
    SELECT 'owe/' || refund_no, 'REFUND_DECIDED', order_no, 'refunds', currency, amount_fen
    FROM refunds WHERE order_no IS NOT NULL AND state <> 'DONE'
    """,
    "INSERT INTO journal_postings (key, kind, reference) "
    "SELECT key, kind, order_no::text FROM moved_by_0008 WHERE fen > 0",
    "INSERT INTO journal_legs (key, leg, account, currency, amount_fen) "
    "SELECT key, 1, 'orders', currency, fen FROM moved_by_0008 WHERE fen > 0 "
    "UNION ALL SELECT key, 2, account, currency, -fen FROM moved_by_0008 WHERE fen > 0",
)


def upgrade() -> None:
    for statement in (*_TABLES, *_CLOSED_BEFORE, *_ACCOUNTS, *_GUARDS):
        op.execute(statement)

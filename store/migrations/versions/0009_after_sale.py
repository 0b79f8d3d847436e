"""After-sale: the cases, their pieces, and the keys under which they were asked for."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_TABLES = (
    """
    CREATE TABLE after_sale_keys (
      caller text NOT NULL,
      idempotency_key text NOT NULL,
      body_sha256 text NOT NULL,
      sub_order_no text NOT NULL,
      case_no text NOT NULL CONSTRAINT after_sale_keys_case_no_key UNIQUE,
      at timestamptz NOT NULL DEFAULT now(),
      CONSTRAINT after_sale_keys_pkey PRIMARY KEY (caller, idempotency_key)
    )
    """,
    "CREATE INDEX after_sale_keys_sub_order_no_idx ON after_sale_keys (sub_order_no)",
    """
    CREATE TABLE after_sales (
      case_no text NOT NULL CONSTRAINT after_sales_pkey PRIMARY KEY,
      order_no bigint NOT NULL,
      idx integer NOT NULL,
      sub_order_no text NOT NULL,
      buyer_id bigint NOT NULL,
      merchant text NOT NULL,
      kind text NOT NULL,
      reason text NOT NULL,
      status text NOT NULL,
      revision integer NOT NULL DEFAULT 1,
      quote jsonb NOT NULL,
      said text NOT NULL DEFAULT '',
      carrier text,
      tracking_no text,
      inspected jsonb,
      amount_fen bigint CONSTRAINT after_sales_amount_fen_check CHECK (amount_fen >= 0),
      requested_at timestamptz NOT NULL DEFAULT now(),
      since timestamptz NOT NULL DEFAULT now(),
      due_at timestamptz,
      sent_back_at timestamptz,
      ended_at timestamptz,
      CONSTRAINT after_sales_order_no_idx_fkey FOREIGN KEY (order_no, idx) REFERENCES sub_orders (order_no, idx),
      CONSTRAINT after_sales_kind_check CHECK (kind IN ('REFUND_ONLY', 'RETURN_AND_REFUND')),
      CONSTRAINT after_sales_ended_check
        CHECK ((ended_at IS NOT NULL) = (status IN ('REFUNDED', 'REFUSED', 'WITHDRAWN', 'EXPIRED'))),
      CONSTRAINT after_sales_refunded_check CHECK ((status = 'REFUNDED') = (amount_fen IS NOT NULL))
    )
    """,
    "CREATE INDEX after_sales_order_no_idx_idx ON after_sales (order_no, idx)",
    "CREATE INDEX after_sales_open_idx ON after_sales (since) WHERE ended_at IS NULL",
    """
    CREATE TABLE after_sale_lines (
      case_no text NOT NULL CONSTRAINT after_sale_lines_case_no_fkey REFERENCES after_sales (case_no),
      line_no integer NOT NULL,
      quantity integer NOT NULL CONSTRAINT after_sale_lines_quantity_check CHECK (quantity > 0),
      CONSTRAINT after_sale_lines_pkey PRIMARY KEY (case_no, line_no)
    )
    """,
)

_GUARDS = (
    *(
        f"CREATE TRIGGER only_ever_added_to BEFORE UPDATE OR DELETE ON {table} "
        "FOR EACH ROW EXECUTE FUNCTION only_ever_added_to()"
        for table in ("after_sale_keys", "after_sale_lines")
    ),
    """
    CREATE FUNCTION after_sales_end_once() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF TG_OP = 'UPDATE' AND OLD.ended_at IS NULL AND NEW.revision = OLD.revision + 1 THEN
        RETURN NEW;
      END IF;
      RAISE EXCEPTION 'case % has ended, or was changed by somebody else meanwhile', OLD.case_no
        USING ERRCODE = 'check_violation';
    END $$
    """,
    "CREATE TRIGGER after_sales_end_once BEFORE UPDATE OR DELETE ON after_sales "
    "FOR EACH ROW EXECUTE FUNCTION after_sales_end_once()",
)


def upgrade() -> None:
    for statement in (*_TABLES, *_GUARDS):
        op.execute(statement)

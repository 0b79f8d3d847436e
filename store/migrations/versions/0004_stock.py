"""Stock by channel and by warehouse, with policies, purchase limits and entries."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_SELLABLE = (
    "ALTER TABLE stock ADD COLUMN channel text NOT NULL DEFAULT 'main'",
    "ALTER TABLE stock DROP CONSTRAINT stock_pkey, ADD CONSTRAINT stock_pkey PRIMARY KEY (sku, channel)",
    # The first migration left these CHECKs out.
    """
    ALTER TABLE stock
      ADD CONSTRAINT stock_sellable_total_check CHECK (sellable_total >= 0),
      ADD CONSTRAINT stock_available_check CHECK (available >= 0),
      ADD CONSTRAINT stock_reserved_check CHECK (reserved >= 0),
      ADD CONSTRAINT stock_deducted_check CHECK (deducted >= 0)
    """,
    "ALTER TABLE stock SET (fillfactor = 70)",
    """
    ALTER TABLE stock_reservations
      ADD COLUMN channel text NOT NULL DEFAULT 'main',
      ADD COLUMN policy text NOT NULL DEFAULT 'RESERVE_ON_PLACEMENT',
      ADD CONSTRAINT stock_reservations_quantity_check CHECK (quantity > 0),
      DROP CONSTRAINT stock_reservations_state_check,
      ADD CONSTRAINT stock_reservations_state_check
        CHECK (state IN ('RESERVED', 'PROMISED', 'DEDUCTED', 'RELEASED')),
      ADD CONSTRAINT stock_reservations_policy_check
        CHECK (policy IN ('RESERVE_ON_PLACEMENT', 'DEDUCT_ON_PAYMENT')),
      ADD CONSTRAINT stock_reservations_promised_by_policy_check
        CHECK (state <> 'PROMISED' OR policy = 'DEDUCT_ON_PAYMENT')
    """,
    "ALTER TABLE stock_reservations SET (fillfactor = 70)",
    # A change of state no longer touches an index; what is open is found by its order.
    "DROP INDEX stock_reservations_sku_state_idx",
)

# An operation's key was a text for each verb; from now on it is a row for each order.
_OPERATIONS = (
    "ALTER TABLE stock_operations RENAME TO stock_operations_by_verb",
    "ALTER TABLE stock_operations_by_verb RENAME CONSTRAINT stock_operations_pkey TO stock_operations_by_verb_pkey",
    """
    CREATE TABLE stock_operations (
      order_no bigint NOT NULL CONSTRAINT stock_operations_pkey PRIMARY KEY,
      buyer_id bigint NOT NULL,
      placed_at timestamptz NOT NULL,
      outcome text NOT NULL DEFAULT 'TAKEN'
        CONSTRAINT stock_operations_outcome_check CHECK (outcome IN ('TAKEN', 'REFUSED', 'RELEASED_BEFORE')),
      refusal jsonb,
      released_pieces bigint,
      deducted jsonb,
      CONSTRAINT stock_operations_refusal_check CHECK ((outcome = 'REFUSED') = (refusal IS NOT NULL))
    ) WITH (fillfactor = 70)
    """,
    "CREATE INDEX stock_operations_open_idx ON stock_operations (placed_at)"
    " WHERE outcome = 'TAKEN' AND released_pieces IS NULL AND deducted IS NULL",
    "CREATE INDEX stock_operations_buyer_id_idx ON stock_operations (buyer_id) WHERE buyer_id <> 0",
    """
    CREATE TABLE stock_restocks (
      order_no bigint NOT NULL,
      reason_key text NOT NULL,
      pieces bigint NOT NULL DEFAULT '0' CONSTRAINT stock_restocks_pieces_check CHECK (pieces >= 0),
      at timestamptz NOT NULL DEFAULT now(),
      CONSTRAINT stock_restocks_pkey PRIMARY KEY (order_no, reason_key)
    )
    """,
    """
    INSERT INTO stock_operations (order_no, buyer_id, placed_at, outcome, refusal, released_pieces, deducted)
    SELECT by_order.order_no, coalesce(o.buyer_id, 0), by_order.at,
      CASE WHEN reserved IS NULL OR reserved @> '{"released_before": true}' THEN 'RELEASED_BEFORE'
           WHEN reserved @> '{"short": []}' AND NOT reserved @> '{"short": [{}]}' THEN 'TAKEN' ELSE 'REFUSED' END,
      CASE WHEN reserved @> '{"short": [{}]}' THEN reserved END, released, deducted
    FROM (
      SELECT split_part(key, '/', 1)::bigint AS order_no, min(at) AS at,
        (jsonb_agg(result) FILTER (WHERE key LIKE '%/reserve')) -> 0 AS reserved,
        (max((result ->> 'pieces')::bigint) FILTER (WHERE key LIKE '%/release')) AS released,
        (jsonb_agg(result) FILTER (WHERE key LIKE '%/deduct')) -> 0 AS deducted
      FROM stock_operations_by_verb WHERE key NOT LIKE '%/restock/%' GROUP BY 1
    ) AS by_order LEFT JOIN orders o USING (order_no)
    """,
    """
    INSERT INTO stock_restocks (order_no, reason_key, pieces, at)
    SELECT split_part(key, '/', 1)::bigint, substr(key, strpos(key, '/restock/') + 9), (result ->> 'pieces')::bigint, at
    FROM stock_operations_by_verb WHERE key LIKE '%/restock/%'
    """,
    "DROP TABLE stock_operations_by_verb",
)

_NEW = (
    """
    CREATE TABLE purchase_limits (
      sku text NOT NULL CONSTRAINT purchase_limits_pkey PRIMARY KEY,
      pieces bigint NOT NULL DEFAULT '0' CONSTRAINT purchase_limits_pieces_check CHECK (pieces >= 0),
      window_s bigint NOT NULL CONSTRAINT purchase_limits_window_s_check CHECK (window_s > 0),
      actor text NOT NULL,
      changed_at timestamptz NOT NULL DEFAULT now()
    )
    """,
    """
    CREATE TABLE stock_entries (
      sku text NOT NULL,
      id bigint GENERATED ALWAYS AS IDENTITY,
      channel text,
      warehouse text,
      kind text NOT NULL CONSTRAINT stock_entries_kind_check CHECK (
        kind IN ('reserve', 'deduct', 'release', 'restock', 'receive', 'adjust', 'ship')),
      available bigint NOT NULL,
      reserved bigint NOT NULL,
      gone bigint NOT NULL,
      order_nos bigint[],
      pieces integer[],
      key text,
      actor text NOT NULL DEFAULT 'order',
      reason text NOT NULL DEFAULT '',
      at timestamptz NOT NULL DEFAULT now(),
      CONSTRAINT stock_entries_pkey PRIMARY KEY (sku, id),
      CONSTRAINT stock_entries_one_ledger_check CHECK ((channel IS NULL) <> (warehouse IS NULL)),
      CONSTRAINT stock_entries_orders_with_pieces_check CHECK (cardinality(order_nos) = cardinality(pieces))
    )
    """,
    "CREATE UNIQUE INDEX stock_entries_key_idx ON stock_entries (key) WHERE key IS NOT NULL",
    # Counters from before have no history: each gets one entry, so that the entries add up to the counters.
    """
    INSERT INTO stock_entries (sku, channel, kind, available, reserved, gone, actor, reason)
    SELECT sku, channel, 'adjust', available, reserved, deducted, 'migration', 'what there was before the entries'
    FROM stock
    """,
    "CREATE TRIGGER only_ever_added_to BEFORE UPDATE OR DELETE ON stock_entries"
    " FOR EACH ROW EXECUTE FUNCTION only_ever_added_to()",
)

_PHYSICAL = (
    """
    CREATE TABLE merchant_warehouses (
      merchant text NOT NULL,
      warehouse text NOT NULL,
      since timestamptz NOT NULL DEFAULT now(),
      CONSTRAINT merchant_warehouses_pkey PRIMARY KEY (merchant, warehouse)
    )
    """,
    """
    CREATE TABLE physical_stock (
      sku text NOT NULL,
      warehouse text NOT NULL,
      total bigint NOT NULL DEFAULT '0' CONSTRAINT physical_stock_total_check CHECK (total >= 0),
      available bigint NOT NULL DEFAULT '0' CONSTRAINT physical_stock_available_check CHECK (available >= 0),
      reserved bigint NOT NULL DEFAULT '0' CONSTRAINT physical_stock_reserved_check CHECK (reserved >= 0),
      shipped bigint NOT NULL DEFAULT '0' CONSTRAINT physical_stock_shipped_check CHECK (shipped >= 0),
      CONSTRAINT physical_stock_pkey PRIMARY KEY (sku, warehouse),
      CONSTRAINT physical_stock_adds_up_check CHECK (total = available + reserved + shipped)
    ) WITH (fillfactor = 70)
    """,
    """
    CREATE TABLE physical_operations (
      key text NOT NULL CONSTRAINT physical_operations_pkey PRIMARY KEY,
      result jsonb,
      at timestamptz NOT NULL DEFAULT now()
    )
    """,
    """
    CREATE TABLE physical_reservations (
      order_no bigint NOT NULL,
      sub_order_no text NOT NULL,
      line_no integer NOT NULL,
      sku text NOT NULL,
      warehouse text NOT NULL,
      quantity integer NOT NULL CONSTRAINT physical_reservations_quantity_check CHECK (quantity > 0),
      state text NOT NULL DEFAULT 'RESERVED'
        CONSTRAINT physical_reservations_state_check CHECK (state IN ('RESERVED', 'SHIPPED', 'PUT_BACK')),
      at timestamptz NOT NULL DEFAULT now(),
      CONSTRAINT physical_reservations_pkey PRIMARY KEY (sub_order_no, line_no, warehouse)
    ) WITH (fillfactor = 70)
    """,
    "CREATE INDEX physical_reservations_order_no_idx ON physical_reservations (order_no)",
)


def upgrade() -> None:
    for statement in (*_SELLABLE, *_OPERATIONS, *_NEW, *_PHYSICAL):
        op.execute(statement)

"""What orders, lines and sub-orders keep of the trade: shipping, discounts, versions, terms and plans."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_CHANGES = (
    """
    ALTER TABLE orders
      ADD shipping_fen bigint NOT NULL DEFAULT 0 CONSTRAINT orders_shipping_fen_check CHECK (shipping_fen >= 0),
      ADD coupons jsonb NOT NULL DEFAULT '[]',
      ADD rules jsonb NOT NULL DEFAULT '{}',
      ADD terms jsonb NOT NULL DEFAULT '{}',
      ADD plan jsonb
    """,
    "ALTER TABLE orders ALTER shipping_fen DROP DEFAULT, ALTER coupons DROP DEFAULT, ALTER rules DROP DEFAULT, "
    "ALTER terms DROP DEFAULT",
    """
    ALTER TABLE order_lines
      ADD version integer NOT NULL DEFAULT 1,
      ADD digest text NOT NULL DEFAULT '',
      ADD delivery_mode text NOT NULL DEFAULT 'PHYSICAL',
      ADD ships_from date,
      ADD handling text NOT NULL DEFAULT 'ORDINARY',
      ADD weight_g bigint NOT NULL DEFAULT 0 CONSTRAINT order_lines_weight_g_check CHECK (weight_g >= 0),
      ADD volume_cm3 bigint NOT NULL DEFAULT 0 CONSTRAINT order_lines_volume_cm3_check CHECK (volume_cm3 >= 0),
      ADD policy text NOT NULL DEFAULT 'RESERVE_ON_PLACEMENT',
      ADD closed integer NOT NULL DEFAULT 0,
      ADD gift jsonb,
      ADD snapshot jsonb,
      ADD CONSTRAINT order_lines_pay_check CHECK (pay_fen <= goods_fen),
      ADD CONSTRAINT order_lines_closed_check CHECK (closed BETWEEN 0 AND quantity),
      ALTER warehouse DROP NOT NULL
    """,
    "ALTER TABLE order_lines ALTER version DROP DEFAULT, ALTER digest DROP DEFAULT, ALTER delivery_mode DROP DEFAULT, "
    "ALTER handling DROP DEFAULT, ALTER weight_g DROP DEFAULT, ALTER volume_cm3 DROP DEFAULT, "
    "ALTER policy DROP DEFAULT",
    """
    CREATE TABLE order_line_shares (
      order_no bigint NOT NULL,
      line_no integer NOT NULL,
      promotion_id text NOT NULL,
      amount_fen bigint NOT NULL CONSTRAINT order_line_shares_amount_fen_check CHECK (amount_fen >= 0),
      merchant_fen bigint NOT NULL CONSTRAINT order_line_shares_merchant_fen_check CHECK (merchant_fen >= 0),
      platform_fen bigint NOT NULL CONSTRAINT order_line_shares_platform_fen_check CHECK (platform_fen >= 0),
      CONSTRAINT order_line_shares_pkey PRIMARY KEY (order_no, line_no, promotion_id),
      CONSTRAINT order_line_shares_order_no_line_no_fkey FOREIGN KEY (order_no, line_no)
        REFERENCES order_lines (order_no, line_no),
      CONSTRAINT order_line_shares_funded_check CHECK (amount_fen = merchant_fen + platform_fen)
    )
    """,
    """
    ALTER TABLE sub_orders
      ADD delivery_mode text NOT NULL DEFAULT 'PHYSICAL',
      ADD ships_from date,
      ADD handling text NOT NULL DEFAULT 'ORDINARY',
      ADD flags jsonb NOT NULL DEFAULT '[]',
      ADD stocked boolean NOT NULL DEFAULT false,
      ADD granted jsonb,
      ADD shipping_fen bigint NOT NULL DEFAULT 0 CONSTRAINT sub_orders_shipping_fen_check CHECK (shipping_fen >= 0),
      ALTER warehouse DROP NOT NULL
    """,
    "ALTER TABLE sub_orders ALTER delivery_mode DROP DEFAULT, ALTER handling DROP DEFAULT, ALTER flags DROP DEFAULT, "
    "ALTER shipping_fen DROP DEFAULT",
)


def upgrade() -> None:
    for change in _CHANGES:
        op.execute(change)

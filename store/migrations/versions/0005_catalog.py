"""Every version of a product, the merchants' stock policies, and their freight templates."""

import hashlib
import json

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_CATALOG = (
    """
    CREATE TABLE product_versions (
      sku text NOT NULL,
      version integer NOT NULL CONSTRAINT product_versions_version_check CHECK (version >= 1),
      product jsonb NOT NULL,
      snapshot text NOT NULL,
      digest text NOT NULL,
      author text NOT NULL,
      at timestamptz NOT NULL DEFAULT now(),
      CONSTRAINT product_versions_pkey PRIMARY KEY (sku, version)
    )
    """,
    "CREATE TRIGGER only_ever_added_to BEFORE UPDATE OR DELETE ON product_versions "
    "FOR EACH ROW EXECUTE FUNCTION only_ever_added_to()",
    "ALTER TABLE products RENAME warehouse TO home",
    """
    ALTER TABLE products
      ALTER home DROP NOT NULL,
      ADD version integer NOT NULL DEFAULT 1,
      ADD digest text NOT NULL DEFAULT '',
      ADD category text,
      ADD delivery_mode text NOT NULL DEFAULT 'PHYSICAL',
      ADD ships_from date,
      ADD handling text NOT NULL DEFAULT 'ORDINARY',
      ADD weight_g bigint NOT NULL DEFAULT 0 CONSTRAINT products_weight_g_check CHECK (weight_g >= 0),
      ADD volume_cm3 bigint NOT NULL DEFAULT 0 CONSTRAINT products_volume_cm3_check CHECK (volume_cm3 >= 0),
      ADD description text NOT NULL DEFAULT '',
      ADD images jsonb NOT NULL DEFAULT '[]',
      ADD services jsonb NOT NULL DEFAULT '[]',
      ADD attributes jsonb NOT NULL DEFAULT '{}'
    """,
    """
    ALTER TABLE products
      ALTER version DROP DEFAULT, ALTER digest DROP DEFAULT, ALTER delivery_mode DROP DEFAULT,
      ALTER handling DROP DEFAULT, ALTER weight_g DROP DEFAULT, ALTER volume_cm3 DROP DEFAULT,
      ALTER description DROP DEFAULT, ALTER images DROP DEFAULT, ALTER services DROP DEFAULT,
      ALTER attributes DROP DEFAULT
    """,
    """
    CREATE TABLE merchants (
      merchant text CONSTRAINT merchants_pkey PRIMARY KEY,
      stock_policy text NOT NULL CONSTRAINT merchants_stock_policy_check
        CHECK (stock_policy IN ('RESERVE_ON_PLACEMENT', 'DEDUCT_ON_PAYMENT')),
      changed_at timestamptz NOT NULL DEFAULT now()
    )
    """,
    """
    CREATE TABLE freight_templates (
      merchant text NOT NULL,
      warehouse text NOT NULL,
      first_g bigint NOT NULL CONSTRAINT freight_templates_first_g_check CHECK (first_g > 0),
      first_fee_fen bigint NOT NULL CONSTRAINT freight_templates_first_fee_fen_check CHECK (first_fee_fen >= 0),
      further_g bigint NOT NULL CONSTRAINT freight_templates_further_g_check CHECK (further_g > 0),
      further_fee_fen bigint NOT NULL CONSTRAINT freight_templates_further_fee_fen_check CHECK (further_fee_fen >= 0),
      free_from_fen bigint CONSTRAINT freight_templates_free_from_fen_check CHECK (free_from_fen >= 0),
      CONSTRAINT freight_templates_pkey PRIMARY KEY (merchant, warehouse)
    )
    """,
)

_PRODUCTS_HAVE_THEIR_VERSION = """
    ALTER TABLE products ADD CONSTRAINT products_sku_version_fkey
      FOREIGN KEY (sku, version) REFERENCES product_versions (sku, version)
"""


def upgrade() -> None:
    for change in _CATALOG:
        op.execute(change)
    _first_versions()
    op.execute(_PRODUCTS_HAVE_THEIR_VERSION)


_SHIPPING = {
    "category": None,
    "delivery_mode": "PHYSICAL",
    "ships_from": None,
    "handling": "ORDINARY",
    "weight_g": 0,
    "volume_cm3": 0,
}
_FIRST = sa.text(
    "INSERT INTO product_versions (sku, version, product, snapshot, digest, author, at) "
    "VALUES (:sku, 1, CAST(:product AS jsonb), :snapshot, :digest, 'migration', :at)"
)


def _first_versions() -> None:
    """Make what is on sale version 1 of each product."""
    db = op.get_bind()
    for row in db.execute(sa.text("SELECT sku, merchant, price_fen, title, changed_at FROM products")).mappings().all():
        said = {name: row[name] for name in ("sku", "merchant", "price_fen", "title")}
        page = {**said, "description": "", "images": [], "attributes": {}, "services": []}
        snapshot = json.dumps(page, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        version = {
            "sku": row["sku"],
            "product": json.dumps(page | _SHIPPING),
            "snapshot": snapshot,
            "digest": hashlib.sha256(snapshot.encode()).hexdigest(),
            "at": row["changed_at"],
        }
        db.execute(_FIRST, version)
        db.execute(sa.text("UPDATE products SET digest = :digest WHERE sku = :sku"), version)

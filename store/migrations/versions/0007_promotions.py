"""Promotions, the coupon ledger and the members' tiers."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_TABLES = (
    """
    CREATE TABLE promotions (
      promotion_id text NOT NULL CONSTRAINT promotions_pkey PRIMARY KEY,
      level text NOT NULL,
      merchant text,
      starts_at timestamptz,
      ends_at timestamptz,
      document text NOT NULL,
      digest text NOT NULL,
      loaded_at timestamptz NOT NULL DEFAULT now(),
      stopped_at timestamptz,
      stopped_by text,
      CONSTRAINT promotions_digest_check CHECK (digest = encode(sha256(convert_to(document, 'UTF8')), 'hex')),
      CONSTRAINT promotions_stopped_by_somebody_check CHECK ((stopped_at IS NULL) = (stopped_by IS NULL))
    )
    """,
    "CREATE INDEX promotions_merchant_ends_at_idx ON promotions (merchant, ends_at)",
    """
    CREATE TABLE coupon_operations (
      key text NOT NULL CONSTRAINT coupon_operations_pkey PRIMARY KEY,
      result jsonb,
      at timestamptz NOT NULL DEFAULT now()
    )
    """,
    """
    CREATE TABLE coupons (
      coupon_id text NOT NULL CONSTRAINT coupons_pkey PRIMARY KEY,
      promotion_id text NOT NULL,
      buyer_id bigint NOT NULL,
      expires_at timestamptz,
      state text NOT NULL,
      order_no bigint,
      CONSTRAINT coupons_state_check CHECK (state IN ('AVAILABLE', 'TAKEN', 'REDEEMED', 'EXPIRED')),
      CONSTRAINT coupons_of_an_order_check CHECK ((state IN ('TAKEN', 'REDEEMED')) = (order_no IS NOT NULL)),
      CONSTRAINT coupons_expired_check CHECK (state <> 'EXPIRED' OR expires_at IS NOT NULL)
    )
    """,
    "CREATE INDEX coupons_buyer_id_idx ON coupons (buyer_id)",
    "CREATE INDEX coupons_order_no_idx ON coupons (order_no) WHERE order_no IS NOT NULL",
    """
    CREATE TABLE coupon_entries (
      id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT coupon_entries_pkey PRIMARY KEY,
      coupon_id text NOT NULL,
      entry text NOT NULL,
      order_no bigint,
      at timestamptz NOT NULL
    )
    """,
    "CREATE INDEX coupon_entries_coupon_id_id_idx ON coupon_entries (coupon_id, id)",
    """
    CREATE TABLE members (
      buyer_id bigint NOT NULL CONSTRAINT members_pkey PRIMARY KEY,
      tier text NOT NULL,
      changed_at timestamptz NOT NULL DEFAULT now()
    )
    """,
)

# Triggers for what a CHECK can't express, since it does not know the row before the change.
_GUARDS = (
    """
    CREATE FUNCTION promotions_never_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF TG_OP = 'UPDATE' AND OLD.stopped_at IS NULL
        AND to_jsonb(NEW) - '{stopped_at,stopped_by}'::text[] = to_jsonb(OLD) - '{stopped_at,stopped_by}'::text[]
      THEN
        RETURN NEW;
      END IF;
      RAISE EXCEPTION 'promotion % never changes, but for being stopped once', OLD.promotion_id
        USING ERRCODE = 'check_violation';
    END $$
    """,
    "CREATE TRIGGER promotions_never_change BEFORE UPDATE OR DELETE ON promotions "
    "FOR EACH ROW EXECUTE FUNCTION promotions_never_change()",
    """
    CREATE FUNCTION coupons_step_by_step() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF TG_OP = 'UPDATE'
        AND (OLD.state, NEW.state) IN (
          ('AVAILABLE', 'TAKEN'),
          ('TAKEN', 'REDEEMED'), ('TAKEN', 'AVAILABLE'), ('TAKEN', 'EXPIRED'),
          ('REDEEMED', 'AVAILABLE'), ('REDEEMED', 'EXPIRED')
        )
        AND (OLD.order_no IS NULL OR NEW.order_no IS NULL OR OLD.order_no = NEW.order_no)
        AND to_jsonb(NEW) - '{state,order_no}'::text[] = to_jsonb(OLD) - '{state,order_no}'::text[]
      THEN
        RETURN NEW;
      END IF;
      RAISE EXCEPTION 'coupon % can not do this: it is %', OLD.coupon_id, OLD.state USING ERRCODE = 'check_violation';
    END $$
    """,
    "CREATE TRIGGER coupons_step_by_step BEFORE UPDATE OR DELETE ON coupons "
    "FOR EACH ROW EXECUTE FUNCTION coupons_step_by_step()",
    "CREATE TRIGGER only_ever_added_to BEFORE UPDATE OR DELETE ON coupon_entries "
    "FOR EACH ROW EXECUTE FUNCTION only_ever_added_to()",
)


def upgrade() -> None:
    for statement in (*_TABLES, *_GUARDS):
        op.execute(statement)

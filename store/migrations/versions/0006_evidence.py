"""Hash chains for the log of who did what when, which show what was changed or removed later."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# The text that is hashed has each part as its length in bytes, a colon, the part itself and a comma, so that no two
# rows give the same text; a missing body has the length "-". `domain.records.evidence` says the same in Python.
_FUNCTIONS = (
    """
    CREATE FUNCTION evidence_part(part text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
      SELECT coalesce(octet_length(convert_to(part, 'UTF8')) || ':' || part, '-:') || ','
    $$
    """,
    """
    CREATE FUNCTION evidence_sha256(event order_events) RETURNS text LANGUAGE plpgsql STABLE AS $$
    BEGIN
      RETURN encode(sha256(convert_to(
        evidence_part(event.prev_sha256) || evidence_part(event.chain::text) || evidence_part(event.seq::text)
          || evidence_part(event.order_no::text) || evidence_part(event.subject) || evidence_part(event.actor)
          || evidence_part(event.action) || evidence_part(event.detail)
          || evidence_part((extract(epoch FROM event.at) * 1000000)::bigint::text) || evidence_part(event.body),
        'UTF8')), 'hex');
    END $$
    """,
    # This locks the tip of the order's chain until the transaction ends: the next one to add to the chain waits, so
    # that no link is left out and none has two successors.
    """
    CREATE FUNCTION chain_order_event() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE tip evidence_tips;
    BEGIN
      NEW.chain := NEW.order_no % 1000000 % 64;
      SELECT * INTO tip FROM evidence_tips WHERE chain = NEW.chain FOR UPDATE;
      IF NOT FOUND THEN
        INSERT INTO evidence_tips (chain, seq, sha256) VALUES (NEW.chain, 0, '') ON CONFLICT DO NOTHING;
        SELECT * INTO tip FROM evidence_tips WHERE chain = NEW.chain FOR UPDATE;
      END IF;
      NEW.seq := tip.seq + 1;
      NEW.prev_sha256 := tip.sha256;
      NEW.sha256 := evidence_sha256(NEW);
      UPDATE evidence_tips SET seq = NEW.seq, sha256 = NEW.sha256 WHERE chain = NEW.chain;
      RETURN NEW;
    END $$
    """,
    # A trigger that is fired from within another one has a depth of 2.
    """
    CREATE FUNCTION moves_with_its_chain() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF pg_trigger_depth() < 2 THEN
        RAISE EXCEPTION '% only moves with its chain', TG_TABLE_NAME USING ERRCODE = 'check_violation';
      END IF;
      RETURN NEW;
    END $$
    """,
)

# Chains the events from before, in the order in which they were written. The tips are written once, at the end, since a
# row that is changed again and again within one transaction becomes slower each time.
_CHAIN_THE_PAST = """
    DO $$
    DECLARE
      event order_events;
      seqs bigint[] := array_fill(0::bigint, ARRAY[64]);
      hashes text[] := array_fill(''::text, ARRAY[64]);
      i integer;
    BEGIN
      FOR event IN SELECT * FROM order_events ORDER BY id LOOP
        i := event.order_no % 1000000 % 64 + 1;
        event.chain := i - 1;
        event.seq := seqs[i] + 1;
        event.prev_sha256 := hashes[i];
        event.sha256 := evidence_sha256(event);
        UPDATE order_events SET chain = event.chain, seq = event.seq, prev_sha256 = event.prev_sha256,
          sha256 = event.sha256 WHERE id = event.id;
        seqs[i] := event.seq;
        hashes[i] := event.sha256;
      END LOOP;
      INSERT INTO evidence_tips (chain, seq, sha256)
        SELECT n - 1, seqs[n], hashes[n] FROM generate_series(1, 64) AS n WHERE seqs[n] > 0;
    END $$
"""

_TABLES = (
    "ALTER TABLE order_events ADD body text, ADD chain smallint, ADD seq bigint, ADD prev_sha256 text, ADD sha256 text",
    """
    CREATE TABLE evidence_tips (
      chain smallint CONSTRAINT evidence_tips_pkey PRIMARY KEY
        CONSTRAINT evidence_tips_chain_check CHECK (chain BETWEEN 0 AND 63),
      seq bigint NOT NULL,
      sha256 text NOT NULL
    )
    """,
)

_FROM_NOW_ON = (
    "ALTER TABLE order_events ENABLE TRIGGER only_ever_added_to",
    """
    ALTER TABLE order_events
      ALTER chain SET NOT NULL, ALTER seq SET NOT NULL, ALTER prev_sha256 SET NOT NULL, ALTER sha256 SET NOT NULL,
      ADD CONSTRAINT order_events_chain_seq_key UNIQUE (chain, seq)
    """,
    "CREATE TRIGGER chain_order_event BEFORE INSERT ON order_events FOR EACH ROW EXECUTE FUNCTION chain_order_event()",
    "CREATE TRIGGER moves_with_its_chain BEFORE INSERT OR UPDATE OR DELETE ON evidence_tips "
    "FOR EACH ROW EXECUTE FUNCTION moves_with_its_chain()",
)


def upgrade() -> None:
    changes = (
        *_TABLES,
        *_FUNCTIONS,
        "ALTER TABLE order_events DISABLE TRIGGER only_ever_added_to",
        _CHAIN_THE_PAST,
        *_FROM_NOW_ON,
    )
    for change in changes:
        op.execute(change)

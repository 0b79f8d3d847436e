"""The SQL of `reserve`, each statement for any number of orders.

A parameter with a value for every order or line is one text, an array in PostgreSQL's notation
(`store.database.asyncpg_direct.array`)."""

from store.database.asyncpg_direct import moment

# `l` has a row per line. What is wanted of a counter is added up, since one UPDATE changes a row only once.
_LINES = """
  l AS MATERIALIZED (
    SELECT * FROM unnest($1::text::bigint[], $2::text::int[], $3::text::text[], $4::text::text[],
      $5::text::int[], $6::text::bool[]) AS l(order_no, line_no, sku, channel, quantity, taken)
  ),
  wanted AS MATERIALIZED (
    SELECT sku, channel, coalesce(sum(quantity) FILTER (WHERE taken), 0) AS pieces FROM l GROUP BY sku, channel
  )"""

# Where a counter was not moved (nobody has received the SKU) or a limit is exceeded, the lines' SKU becomes NULL, which
# the column refuses, and so the whole statement is undone.
_WRITE = """
  moved AS (
    UPDATE stock s SET available = s.available - w.pieces, reserved = s.reserved + w.pieces
    FROM wanted w {only} WHERE s.sku = w.sku AND s.channel = w.channel
    RETURNING 1
  ),
  held AS (
    INSERT INTO stock_reservations (order_no, line_no, sku, channel, quantity, policy, state)
    SELECT order_no, line_no,
      CASE WHEN (SELECT count(*) FROM moved) = (SELECT count(*) FROM wanted) {within} THEN sku END,
      channel, quantity,
      CASE WHEN taken THEN 'RESERVE_ON_PLACEMENT' ELSE 'DEDUCT_ON_PAYMENT' END,
      CASE WHEN taken THEN 'RESERVED' ELSE 'PROMISED' END
    FROM l
  )
  INSERT INTO stock_entries (sku, channel, kind, available, reserved, gone, order_nos, pieces)
  SELECT sku, channel, 'reserve', -sum(quantity), sum(quantity), 0, array_agg(order_no), array_agg(quantity)
  FROM l WHERE taken GROUP BY sku, channel"""

_NEW_ORDERS = f"""
    INSERT INTO stock_operations (order_no, buyer_id, placed_at)
    SELECT order_no, buyer_id, coalesce({moment("at_us")}, now())
    FROM unnest({{0}}::text::bigint[], {{1}}::text::bigint[], {{2}}::text::bigint[]) AS o(order_no, buyer_id, at_us)
    ORDER BY order_no"""

# Its parameters are the lines, then the orders. A SKU with a limit is treated as if nobody had received it.
ALL_AT_ONCE = f"""
WITH {_LINES},
  orders AS ({_NEW_ORDERS.format("$7", "$8", "$9")}
    RETURNING order_no
  ),
  locked AS MATERIALIZED (
    SELECT s.sku, s.channel FROM stock s JOIN wanted w USING (sku, channel)
    WHERE (SELECT count(*) FROM orders) > 0
      AND NOT EXISTS (SELECT FROM purchase_limits p WHERE p.sku = s.sku)
    ORDER BY s.sku, s.channel FOR UPDATE OF s
  ),
  {_WRITE.format(only="JOIN locked USING (sku, channel)", within="")}
"""

# Locks the new orders, then the limits (one applies to all channels, so its row is where the placements of a SKU meet),
# then the stock. The order is certain, since each of these parts asks for the count of the one before.
_LOCKED = f"""
WITH orders AS ({_NEW_ORDERS.format("$1", "$2", "$3")}
    {{conflict}}
    RETURNING order_no
  ),
  limits AS MATERIALIZED (
    SELECT sku, pieces, window_s FROM unnest($4::text::text[]) AS asked(sku) JOIN purchase_limits p USING (sku)
    WHERE (SELECT count(*) FROM orders) >= 0 ORDER BY sku FOR UPDATE OF p
  ),
  counters AS MATERIALIZED (
    SELECT sku, channel, available FROM unnest($5::text::text[], $6::text::text[]) AS asked(sku, channel)
    JOIN stock s USING (sku, channel)
    WHERE (SELECT count(*) FROM limits) >= 0 ORDER BY sku, channel FOR UPDATE OF s
  )"""

# With limits, all at once takes two statements: what a limit counts is seen only by one that begins under the locks.
LOCK = _LOCKED.format(conflict="") + "SELECT count(*) FROM counters"

# Each line comes with its buyer and time. A batch's window reaches back from the earliest of a buyer's orders, which
# may be too strict but is never too lax.
ALL_WITHIN_LIMITS = f"""
WITH {_LINES},
  asked AS MATERIALIZED (
    SELECT b.buyer_id, b.sku, p.pieces, sum(b.quantity) AS wanted,
      min(coalesce({moment("b.at_us")}, now()))
        - max(p.window_s) * interval '1 second' AS since
    FROM unnest($7::text::bigint[], $8::text::bigint[], $3::text::text[], $5::text::int[])
      AS b(buyer_id, at_us, sku, quantity)
    JOIN purchase_limits p USING (sku)
    WHERE b.buyer_id <> 0 GROUP BY b.buyer_id, b.sku, p.pieces
  ),
  over AS (
    SELECT FROM asked a WHERE a.pieces < a.wanted + coalesce((
      SELECT sum(r.quantity - r.restocked) FROM stock_operations o
      JOIN stock_reservations r ON r.order_no = o.order_no AND r.sku = a.sku AND r.state <> 'RELEASED'
      WHERE o.buyer_id = a.buyer_id AND o.buyer_id <> 0 AND o.placed_at > a.since
    ), 0)
  ),
  {_WRITE.format(only="", within="AND NOT EXISTS (SELECT FROM over)")}
"""

LOOK = (
    _LOCKED.format(conflict="ON CONFLICT DO NOTHING")
    + """
SELECT order_no, NULL AS sku, NULL AS channel, NULL::bigint AS pieces, NULL::bigint AS window_s FROM orders
UNION ALL SELECT NULL, sku, NULL, pieces, window_s FROM limits
UNION ALL SELECT NULL, sku, channel, available, NULL FROM counters
"""
)

KNOWN = """
SELECT order_no, outcome, refusal::text, released_pieces
FROM unnest($1::bigint[]) AS asked(order_no) JOIN stock_operations USING (order_no)
"""

BOUGHT = """
SELECT asked.n, sum(r.quantity - r.restocked)::bigint AS pieces
FROM unnest($1::int[], $2::bigint[], $3::text[], $4::timestamptz[], $5::bigint[])
  AS asked(n, buyer_id, sku, at, window_s)
JOIN stock_operations o ON o.buyer_id = asked.buyer_id AND o.buyer_id <> 0
  AND o.placed_at > coalesce(asked.at, now()) - asked.window_s * interval '1 second'
JOIN stock_reservations r ON r.order_no = o.order_no AND r.sku = asked.sku
WHERE r.state <> 'RELEASED'
GROUP BY asked.n
"""

GRANT = f"WITH {_LINES}, {_WRITE.format(only='', within='')}"

REFUSE = """
UPDATE stock_operations o SET outcome = 'REFUSED', refusal = refused.answer::jsonb
FROM unnest($1::bigint[], $2::text[]) AS refused(order_no, answer) WHERE o.order_no = refused.order_no
"""

HELD = """
SELECT order_no, line_no, sku, quantity
FROM unnest($1::bigint[]) AS asked(order_no) JOIN stock_reservations USING (order_no)
"""

"""The audit's questions to the books."""

# The next numbers under which something is held, or whose order has not ended. Each part has an index of its own.
HELD = """
WITH due AS (
  (SELECT order_no FROM orders WHERE order_no > :after AND status NOT IN ('COMPLETED', 'REVIEWED', 'CLOSED')
   ORDER BY order_no LIMIT :most)
  UNION
  (SELECT order_no FROM stock_operations
   WHERE order_no > :after AND outcome = 'TAKEN' AND released_pieces IS NULL AND deducted IS NULL
   ORDER BY order_no LIMIT :most)
  UNION
  (SELECT order_no FROM physical_reservations WHERE order_no > :after AND state = 'RESERVED'
   GROUP BY order_no ORDER BY order_no LIMIT :most)
  UNION
  (SELECT order_no FROM coupons WHERE order_no > :after AND state = 'TAKEN'
   GROUP BY order_no ORDER BY order_no LIMIT :most)
  UNION
  (SELECT order_no FROM refunds WHERE order_no > :after AND state <> 'DONE'
   GROUP BY order_no ORDER BY order_no LIMIT :most)
)
SELECT order_no FROM due ORDER BY order_no LIMIT :most
"""

# How each of them stands. A refund of what has shipped is an after-sale case's, which has a run of its own.
STANDS = """
SELECT n.order_no, o.status,
  p.outcome -> 'refusal' IS NOT NULL AND p.outcome -> 'refusal' <> 'null' AS refused,
  EXISTS (SELECT FROM sub_orders s WHERE s.order_no = n.order_no) AS split,
  CASE WHEN o.status = 'PENDING_PAYMENT' THEN o.pay_by
    WHEN o.status = 'AWAITING_SHIPMENT' AND NOT EXISTS (SELECT FROM sub_orders s WHERE s.order_no = n.order_no)
    THEN coalesce(o.paid_at, o.placed_at) + interval '1 second' *
      ((o.terms ->> 'review_window_s')::int + (o.terms ->> 'escalation_window_s')::int)
    WHEN o.status IS NULL AND p.outcome IS NULL THEN op.placed_at
  END AS due,
  op.outcome = 'TAKEN' AND op.released_pieces IS NULL AND op.deducted IS NULL AS stock,
  (SELECT count(*) FROM coupons c WHERE c.order_no = n.order_no AND c.state = 'TAKEN') AS coupons,
  ARRAY(
    SELECT DISTINCT r.sub_order_no FROM physical_reservations r
    LEFT JOIN sub_orders s USING (order_no, sub_order_no)
    WHERE r.order_no = n.order_no AND r.state = 'RESERVED'
      AND coalesce(s.status, 'CLOSED') IN ('COMPLETED', 'REVIEWED', 'CLOSED')
    ORDER BY 1
  ) AS goods,
  (SELECT count(*) FROM refunds f WHERE f.order_no = n.order_no AND f.state <> 'DONE' AND NOT EXISTS (
    SELECT FROM piece_refunds b JOIN sub_orders s USING (order_no, idx)
    WHERE b.refund_no = f.refund_no AND s.shipped_at IS NOT NULL
  )) AS refunds,
  ARRAY(
    SELECT s.sub_order_no FROM sub_orders s
    WHERE s.order_no = n.order_no AND s.status NOT IN ('COMPLETED', 'REVIEWED', 'CLOSED') ORDER BY s.idx
  ) AS parts,
  (SELECT count(*) FROM order_events e WHERE e.order_no = n.order_no AND e.action = :restart) AS restarts,
  coalesce(o.completed_at, o.closed_at, o.placed_at, op.placed_at) AS since
FROM unnest(CAST(:numbers AS bigint[])) AS n(order_no)
LEFT JOIN orders o USING (order_no)
LEFT JOIN placements p USING (order_no)
LEFT JOIN stock_operations op USING (order_no)
ORDER BY n.order_no
"""

# Each row is one counter of one ledger. One statement sees one moment: counters and what they count go together.
SELLABLE = """
WITH held AS (
  SELECT sku, channel, sum(quantity) FILTER (WHERE state = 'RESERVED') AS reserved,
    sum(quantity - restocked) FILTER (WHERE state = 'DEDUCTED') AS gone
  FROM stock_reservations GROUP BY sku, channel
), entered AS (
  SELECT sku, channel, sum(available) AS available, sum(reserved) AS reserved, sum(gone) AS gone
  FROM stock_entries WHERE channel IS NOT NULL GROUP BY sku, channel
)
SELECT sku, channel AS place, coalesce(s.sellable_total, 0) AS total,
  coalesce(s.available, 0) AS available, coalesce(s.reserved, 0) AS reserved, coalesce(s.deducted, 0) AS gone,
  coalesce(h.reserved, 0)::bigint AS held_reserved, coalesce(h.gone, 0)::bigint AS held_gone,
  coalesce(e.available, 0)::bigint AS entered_available, coalesce(e.reserved, 0)::bigint AS entered_reserved,
  coalesce(e.gone, 0)::bigint AS entered_gone
FROM stock s FULL JOIN held h USING (sku, channel) FULL JOIN entered e USING (sku, channel)
"""

PHYSICAL = """
WITH held AS (
  SELECT sku, warehouse, sum(quantity) FILTER (WHERE state = 'RESERVED') AS reserved,
    sum(quantity) FILTER (WHERE state = 'SHIPPED') AS gone
  FROM physical_reservations GROUP BY sku, warehouse
), entered AS (
  SELECT sku, warehouse, sum(available) AS available, sum(reserved) AS reserved, sum(gone) AS gone
  FROM stock_entries WHERE warehouse IS NOT NULL GROUP BY sku, warehouse
)
SELECT sku, warehouse AS place, coalesce(s.total, 0) AS total,
  coalesce(s.available, 0) AS available, coalesce(s.reserved, 0) AS reserved, coalesce(s.shipped, 0) AS gone,
  coalesce(h.reserved, 0)::bigint AS held_reserved, coalesce(h.gone, 0)::bigint AS held_gone,
  coalesce(e.available, 0)::bigint AS entered_available, coalesce(e.reserved, 0)::bigint AS entered_reserved,
  coalesce(e.gone, 0)::bigint AS entered_gone
FROM physical_stock s FULL JOIN held h USING (sku, warehouse) FULL JOIN entered e USING (sku, warehouse)
"""

DIFFERS = """
SELECT * FROM ({counters}) AS c
WHERE total <> available + reserved + gone OR least(available, reserved, gone) < 0
  OR (reserved, gone) IS DISTINCT FROM (held_reserved, held_gone)
  OR (available, reserved, gone) IS DISTINCT FROM (entered_available, entered_reserved, entered_gone)
ORDER BY sku, place LIMIT :most
"""

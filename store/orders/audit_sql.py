"""The audit's questions to the order book, the coupons and the refunds."""

# The next numbers under which coupons are taken or refunds not done, or whose order has not ended. Each part has an
# index of its own.
HELD = """
WITH due AS (
  (SELECT order_no FROM orders WHERE order_no > :after AND status NOT IN ('COMPLETED', 'REVIEWED', 'CLOSED')
   ORDER BY order_no LIMIT :most)
  UNION
  (SELECT order_no FROM coupons WHERE order_no > :after AND state = 'TAKEN'
   GROUP BY order_no ORDER BY order_no LIMIT :most)
  UNION
  (SELECT order_no FROM refunds WHERE order_no > :after AND state <> 'DONE'
   GROUP BY order_no ORDER BY order_no LIMIT :most)
)
SELECT order_no FROM due ORDER BY order_no LIMIT :most
"""

# What the books know of each of them. A refund of what has shipped is an after-sale case's, which has a run of its
# own.
KNOWN = """
SELECT n.order_no, o.status,
  p.outcome -> 'refusal' IS NOT NULL AND p.outcome -> 'refusal' <> 'null' AS refused,
  EXISTS (SELECT FROM sub_orders s WHERE s.order_no = n.order_no) AS split,
  CASE WHEN o.status = 'PENDING_PAYMENT' THEN o.pay_by
    WHEN o.status = 'AWAITING_SHIPMENT' AND NOT EXISTS (SELECT FROM sub_orders s WHERE s.order_no = n.order_no)
    THEN coalesce(o.paid_at, o.placed_at) + interval '1 second' *
      ((o.terms ->> 'review_window_s')::int + (o.terms ->> 'escalation_window_s')::int)
  END AS due,
  p.outcome IS NOT NULL AS answered,
  (SELECT count(*) FROM coupons c WHERE c.order_no = n.order_no AND c.state = 'TAKEN') AS coupons,
  (SELECT count(*) FROM refunds f WHERE f.order_no = n.order_no AND f.state <> 'DONE' AND NOT EXISTS (
    SELECT FROM piece_refunds b JOIN sub_orders s USING (order_no, idx)
    WHERE b.refund_no = f.refund_no AND s.shipped_at IS NOT NULL
  )) AS refunds,
  ARRAY(
    SELECT s.sub_order_no FROM sub_orders s
    WHERE s.order_no = n.order_no AND s.status NOT IN ('COMPLETED', 'REVIEWED', 'CLOSED') ORDER BY s.idx
  ) AS parts,
  (SELECT count(*) FROM order_events e WHERE e.order_no = n.order_no AND e.action = :restart) AS restarts,
  coalesce(o.completed_at, o.closed_at, o.placed_at) AS since
FROM unnest(CAST(:numbers AS bigint[])) AS n(order_no)
LEFT JOIN orders o USING (order_no)
LEFT JOIN placements p USING (order_no)
ORDER BY n.order_no
"""

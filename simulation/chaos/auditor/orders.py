"""Orders: their status is folded correctly, each step happened once, and each order ends."""

from simulation.chaos.auditor.violation import Check

FOLDED, TWICE, FOR_EVER, LOST = "status folded right", "nothing twice", "nothing for ever", "nothing lost"

STATUS: tuple[Check, ...] = (
    (
        "a split order's status is not what its sub-orders make it",
        """SELECT * FROM (
             SELECT o.order_no, o.status, array_agg(s.status) AS parts, CASE
                 WHEN bool_and(s.status = 'CLOSED') THEN 'CLOSED'
                 WHEN bool_and(s.status IN ('CLOSED', 'REVIEWED')) THEN 'REVIEWED'
                 WHEN bool_and(s.status IN ('CLOSED', 'REVIEWED', 'COMPLETED')) THEN 'COMPLETED'
                 WHEN bool_and(s.status IN ('CLOSED', 'REVIEWED', 'COMPLETED', 'SHIPPED')) THEN 'SHIPPED'
                 WHEN bool_or(s.status IN ('REVIEWED', 'COMPLETED', 'SHIPPED')) THEN 'PARTIALLY_SHIPPED'
                 ELSE 'AWAITING_SHIPMENT' END AS folded
             FROM orders o JOIN sub_orders s USING (order_no) GROUP BY o.order_no) AS f WHERE status <> folded""",
    ),
    (
        "an unsplit order's status is not what its payment makes it",
        """SELECT order_no, status, payment FROM orders o
           WHERE NOT EXISTS (SELECT FROM sub_orders s WHERE s.order_no = o.order_no) AND status <> 'CLOSED'
             AND status <> CASE payment WHEN 'PAID' THEN 'AWAITING_SHIPMENT' ELSE 'PENDING_PAYMENT' END""",
    ),
    (
        "a sub-order's status is not what its facts make it",
        """SELECT sub_order_no, status, fulfilment, review FROM sub_orders WHERE status <> CASE
             WHEN fulfilment = 'CLOSED' THEN 'CLOSED' WHEN review = 'REVIEWED' THEN 'REVIEWED'
             WHEN fulfilment = 'RECEIVED' THEN 'COMPLETED' WHEN fulfilment = 'SHIPPED' THEN 'SHIPPED'
             WHEN fulfilment = 'STUCK' THEN 'EXCEPTION' ELSE 'AWAITING_SHIPMENT' END""",
    ),
    (
        "a sub-order has facts that exclude each other",
        """SELECT sub_order_no, status FROM sub_orders
           WHERE (status = 'CLOSED') <> (close_reason IS NOT NULL AND closed_at IS NOT NULL)
             OR (status = 'CLOSED' AND (shipped_at IS NOT NULL OR received_at IS NOT NULL))
             OR (status IN ('SHIPPED', 'COMPLETED', 'REVIEWED') AND shipped_at IS NULL)
             OR (status IN ('COMPLETED', 'REVIEWED') AND received_at IS NULL)""",
    ),
    (
        "an order was split before it was paid",
        "SELECT DISTINCT order_no FROM orders JOIN sub_orders USING (order_no) WHERE payment <> 'PAID'",
    ),
)

ONCE: tuple[Check, ...] = (
    (
        "something that happens once is in the log twice",
        """SELECT order_no, subject, action, count(*) FROM order_events
           WHERE action IN ('PLACE', 'PAY', 'SPLIT', 'SHIP', 'DELIVER', 'CONFIRM_RECEIPT', 'REVIEW', 'CLOSE_LINES')
           GROUP BY order_no, subject, action HAVING count(*) > 1""",
    ),
    (
        "an order or sub-order was closed twice",
        """SELECT order_no, subject, array_agg(action) FROM order_events WHERE action IN ('CANCEL', 'EXPIRE', 'REJECT')
           GROUP BY order_no, subject HAVING count(*) > 1""",
    ),
    (
        "a refund is in the log twice",
        """SELECT order_no, detail FROM order_events WHERE action = 'REFUND'
           GROUP BY order_no, detail HAVING count(*) > 1""",
    ),
    (
        "two keys of one caller have one order, or a placement has no key",
        """SELECT order_no FROM placements LEFT JOIN checkout_keys USING (order_no)
           GROUP BY order_no HAVING count(idempotency_key) <> 1""",
    ),
)

PLACED: tuple[Check, ...] = (
    (
        "checkout's answer and the order do not agree",
        """SELECT p.order_no, p.outcome FROM placements p LEFT JOIN orders o USING (order_no)
           WHERE (p.outcome ->> 'refusal' IS NULL) <> (o.order_no IS NOT NULL)
             OR (p.outcome ->> 'amount_due_fen')::bigint <> o.amount_due_fen""",
    ),
    (
        "an order has no answer to its checkout, or no entry of its placement in the log",
        """SELECT order_no FROM orders o WHERE NOT EXISTS (SELECT FROM placements p WHERE p.order_no = o.order_no)
             OR NOT EXISTS (SELECT FROM order_events e WHERE e.order_no = o.order_no AND e.action = 'PLACE')""",
    ),
)

ENDED: tuple[Check, ...] = (
    (
        "an order is at no ending",
        "SELECT order_no, status FROM orders WHERE status NOT IN ('COMPLETED', 'REVIEWED', 'CLOSED')",
    ),
    (
        "an order is at no ending, and no person is asked for",
        """SELECT order_no, status FROM orders o WHERE status NOT IN ('COMPLETED', 'REVIEWED', 'CLOSED')
             AND NOT EXISTS (SELECT FROM attentions a WHERE a.order_no = o.order_no)""",
    ),
    (
        "a sub-order is at no ending",
        "SELECT sub_order_no, status FROM sub_orders WHERE status NOT IN ('COMPLETED', 'REVIEWED', 'CLOSED')",
    ),
    (
        "a person is still asked for an order that has ended",
        """SELECT order_no, subject, topic, text FROM attentions JOIN orders USING (order_no)
           WHERE status IN ('COMPLETED', 'REVIEWED', 'CLOSED')""",
    ),
    ("a message was not posted", "SELECT message_id, attempts FROM outbox WHERE posted_at IS NULL"),
)

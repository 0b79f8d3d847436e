"""Coupons: taken by at most one order at a time, and their buyer's again when the order closes."""

from simulation.chaos.auditor.violation import Check

PROMISE = "coupons"

ALWAYS: tuple[Check, ...] = (
    (
        "a coupon's history has a step that can't follow the one before",
        """SELECT * FROM (
             SELECT coupon_id, entry, order_no, lag(entry) OVER w AS before, lag(order_no) OVER w AS order_before
             FROM coupon_entries WINDOW w AS (PARTITION BY coupon_id ORDER BY id)) AS steps
           WHERE NOT CASE entry
             WHEN 'ISSUED' THEN before IS NULL
             WHEN 'TAKEN' THEN before IN ('ISSUED', 'GIVEN_BACK')
             WHEN 'REDEEMED' THEN before = 'TAKEN' AND order_no = order_before
             ELSE before IN ('TAKEN', 'REDEEMED') AND order_no = order_before END""",
    ),
    (
        "a coupon is not where its history left it",
        """SELECT c.coupon_id, c.state, c.order_no, e.entry, e.order_no AS of FROM coupons c JOIN LATERAL (
             SELECT entry, order_no FROM coupon_entries WHERE coupon_id = c.coupon_id
             ORDER BY id DESC LIMIT 1) e ON true
           WHERE c.state <> CASE e.entry WHEN 'ISSUED' THEN 'AVAILABLE' WHEN 'GIVEN_BACK' THEN 'AVAILABLE'
             ELSE e.entry END
             OR (c.state IN ('TAKEN', 'REDEEMED') AND c.order_no <> e.order_no)""",
    ),
    (
        "a coupon is taken by an order of another buyer",
        "SELECT c.coupon_id, order_no FROM coupons c JOIN orders o USING (order_no) WHERE c.buyer_id <> o.buyer_id",
    ),
)

AT_THE_END: tuple[Check, ...] = (
    (
        "one coupon has made two orders cheaper",
        """SELECT coupon, array_agg(order_no) FROM orders, jsonb_array_elements_text(coupons) AS coupon
           WHERE status <> 'CLOSED' GROUP BY coupon HAVING count(*) > 1""",
    ),
    ("a coupon is taken by an order that has ended", "SELECT coupon_id, order_no FROM coupons WHERE state = 'TAKEN'"),
    (
        "a closed order keeps its coupon",
        """SELECT coupon_id, order_no, status FROM coupons LEFT JOIN orders USING (order_no)
           WHERE state IN ('TAKEN', 'REDEEMED') AND status IS DISTINCT FROM 'COMPLETED'
             AND status IS DISTINCT FROM 'REVIEWED'""",
    ),
    (
        "an order was made cheaper by a coupon that it has not redeemed",
        """SELECT o.order_no, coupon, c.state, c.order_no AS of
           FROM orders o, jsonb_array_elements_text(o.coupons) AS coupon
           LEFT JOIN coupons c ON c.coupon_id = coupon
           WHERE o.status <> 'CLOSED' AND (c.state IS DISTINCT FROM 'REDEEMED' OR c.order_no <> o.order_no)""",
    ),
)

"""Money: each capture has one fate, each refund is made once, and what is kept is what the live orders cost."""

from simulation.chaos.auditor.violation import Check

PROMISE = "money"

# After-sale refunds, which come later than the order's own closings, have reasons like this. They count separately.
AFTER_SALE = "AFTER_SALE%"

_KEPT = """
  SELECT o.order_no, o.amount_due_fen, o.status, o.capture_id,
    CASE WHEN o.status = 'CLOSED' THEN 0 ELSE live.fen END AS worth_fen
  FROM orders o LEFT JOIN (
    SELECT order_no, sum(pay_fen + shipping_fen) FILTER (WHERE status <> 'CLOSED') AS fen, count(*) AS parts
    FROM sub_orders GROUP BY order_no) live USING (order_no)
  WHERE o.capture_id IS NOT NULL AND (o.status = 'CLOSED' OR live.parts > 0)"""

ALWAYS: tuple[Check, ...] = (
    (
        "a posting does not sum to zero, or has one leg only",
        """SELECT key FROM journal_postings LEFT JOIN journal_legs USING (key)
           GROUP BY key, currency HAVING sum(amount_fen) <> 0 OR count(leg) < 2""",
    ),
    (
        "a capture and its posting do not agree",
        """SELECT c.capture_id, c.fate, c.amount_fen, l.key, l.amount_fen FROM captures c LEFT JOIN journal_legs l
             ON l.key = CASE c.fate WHEN 'ACCEPTED' THEN 'capture/' ELSE 'stray/' END || c.capture_id
             AND l.account = 'provider'
           WHERE (l.amount_fen, l.currency) IS DISTINCT FROM (c.amount_fen, c.currency)""",
    ),
    (
        "the journal knows money that came in without a capture",
        """SELECT key FROM journal_postings WHERE kind IN ('CAPTURE', 'STRAY') AND NOT EXISTS (
             SELECT FROM captures WHERE key IN ('capture/' || capture_id, 'stray/' || capture_id))""",
    ),
    (
        "a refund and its posting do not agree",
        """SELECT r.refund_no, r.state, r.amount_fen, l.amount_fen FROM refunds r LEFT JOIN journal_legs l
             ON l.key = 'refund/' || r.refund_no AND l.account = 'provider'
           WHERE (r.state = 'DONE' AND (l.amount_fen, l.currency) IS DISTINCT FROM (-r.amount_fen, r.currency))
             OR (r.state <> 'DONE' AND l.key IS NOT NULL)""",
    ),
    (
        "more is refunded of a capture than was captured",
        """SELECT capture_id, c.amount_fen, sum(r.amount_fen) FROM refunds r JOIN captures c USING (capture_id)
           GROUP BY capture_id, c.amount_fen HAVING sum(r.amount_fen) > c.amount_fen""",
    ),
    (
        "a refund is of a capture that is not known, or of another payment or currency",
        """SELECT refund_no FROM refunds r LEFT JOIN captures c USING (capture_id)
           WHERE (r.payment_id, r.currency) IS DISTINCT FROM (c.payment_id, c.currency)""",
    ),
    (
        "an order counts as paid by a capture that is not its price, accepted and its own",
        """SELECT o.order_no, o.capture_id, c.fate, c.amount_fen FROM orders o LEFT JOIN captures c USING (capture_id)
           WHERE o.capture_id IS NOT NULL AND (c.payment_id, c.fate, c.amount_fen, c.currency)
             IS DISTINCT FROM (o.order_no::text, 'ACCEPTED', o.amount_due_fen, o.currency)""",
    ),
    (
        "a capture was accepted for an order that does not know of it",
        """SELECT c.capture_id, c.payment_id FROM captures c
           LEFT JOIN orders o ON o.order_no::text = c.payment_id AND o.capture_id = c.capture_id
           WHERE c.fate = 'ACCEPTED' AND o.order_no IS NULL""",
    ),
    (
        "an order's lines do not add up to what is due",
        """SELECT o.order_no, o.amount_due_fen, o.shipping_fen, sum(l.pay_fen) FROM orders o
           LEFT JOIN order_lines l USING (order_no) GROUP BY o.order_no
           HAVING coalesce(sum(l.pay_fen), 0) + o.shipping_fen <> o.amount_due_fen""",
    ),
    (
        "a line and its shares of the promotions do not add up",
        """SELECT l.order_no, l.line_no, l.goods_fen, l.pay_fen, s.fen FROM order_lines l LEFT JOIN (
             SELECT order_no, line_no, sum(amount_fen) AS fen FROM order_line_shares GROUP BY order_no, line_no) s
             USING (order_no, line_no)
           WHERE l.goods_fen - coalesce(s.fen, 0) <> l.pay_fen OR l.goods_fen <> l.unit_price_fen * l.quantity""",
    ),
    (
        "a split order's parts do not add up to its lines",
        """SELECT o.order_no, l.fen, s.fen FROM (
             SELECT order_no, sum(pay_fen) FILTER (WHERE closed = 0) AS fen FROM order_lines GROUP BY order_no) l
           JOIN (
             SELECT order_no, sum(pay_fen) AS fen, sum(shipping_fen) AS shipping FROM sub_orders GROUP BY order_no) s
             USING (order_no) JOIN orders o USING (order_no)
           WHERE l.fen <> s.fen OR s.shipping NOT IN (o.shipping_fen, 0)""",
    ),
    (
        "a sub-order's lines do not add up to it",
        """SELECT s.sub_order_no FROM sub_orders s LEFT JOIN sub_order_lines l USING (order_no, idx)
           GROUP BY s.order_no, s.idx
           HAVING s.pay_fen <> coalesce(sum(l.pay_fen), 0) OR s.goods_fen <> coalesce(sum(l.goods_fen), 0)""",
    ),
    (
        "a line's pieces are in no sub-order, or in two",
        """SELECT l.order_no, l.line_no, l.quantity, count(unit) FROM order_lines l
           JOIN (SELECT DISTINCT order_no FROM sub_orders) split USING (order_no)
           LEFT JOIN sub_order_lines p USING (order_no, line_no)
           LEFT JOIN LATERAL generate_series(p.first_unit, p.last_unit) AS unit ON true WHERE l.closed = 0
           GROUP BY l.order_no, l.line_no
           HAVING count(unit) <> l.quantity OR count(DISTINCT unit) <> l.quantity OR max(unit) <> l.quantity""",
    ),
    (
        "what is (to be) refunded of an order is not what is closed of it",
        f"""SELECT order_no, amount_due_fen, worth_fen, coalesce(r.fen, 0) FROM ({_KEPT}) kept LEFT JOIN (
             SELECT order_no, sum(amount_fen) AS fen FROM refunds WHERE reason NOT LIKE '{AFTER_SALE}'
             GROUP BY order_no) r USING (order_no)
           WHERE amount_due_fen - coalesce(r.fen, 0) <> coalesce(worth_fen, 0)""",
    ),
    (
        "the stray money in the journal is not what is still to be sent back",
        """WITH ours AS (SELECT currency, -sum(amount_fen) AS fen FROM journal_legs WHERE account = 'stray'
             GROUP BY currency),
           owed AS (SELECT currency, sum(c.amount_fen) AS fen FROM captures c WHERE fate = 'STRAY' AND NOT EXISTS (
             SELECT FROM refunds r WHERE r.capture_id = c.capture_id AND r.state = 'DONE') GROUP BY currency)
           SELECT * FROM ours FULL JOIN owed USING (currency) WHERE coalesce(ours.fen, 0) <> coalesce(owed.fen, 0)""",
    ),
)

AT_THE_END: tuple[Check, ...] = (
    ("a refund is not done", "SELECT refund_no, state, detail FROM refunds WHERE state <> 'DONE'"),
    (
        "a notification is not settled",
        "SELECT notification_id, attempts FROM payment_notifications WHERE settled_at IS NULL",
    ),
    (
        "a stray capture has not one refund of all of it",
        """SELECT capture_id FROM captures LEFT JOIN refunds r USING (capture_id) WHERE fate = 'STRAY'
           GROUP BY capture_id, captures.amount_fen
           HAVING count(r.refund_no) <> 1 OR sum(r.amount_fen) <> captures.amount_fen""",
    ),
)

"""Bad states that no ledger would make, each with what the auditor must say of it."""

CLOSED_PAID = "SELECT order_no FROM orders WHERE status = 'CLOSED' AND capture_id IS NOT NULL LIMIT 1"
SPLIT = "SELECT order_no FROM sub_orders WHERE status <> 'CLOSED' LIMIT 1"
ONE_LIVE_PART = "(SELECT sub_order_no FROM sub_orders WHERE status <> 'CLOSED' LIMIT 1)"
GRANTED = "SELECT sub_order_no FROM sub_orders WHERE jsonb_array_length(granted) > 0 LIMIT 1"
REDEEMED = "SELECT coupon_id FROM coupons WHERE state = 'REDEEMED' LIMIT 1"

AGAIN = """INSERT INTO order_events
  (order_no, subject, actor, action, detail, at, body, chain, seq, prev_sha256, sha256)
  SELECT order_no, subject, actor, action, detail, at, body, chain, seq, prev_sha256, sha256 FROM order_events"""
IS_SHIPPED, IS_DEDUCTED = "state = 'SHIPPED'", "state = 'DEDUCTED'"
IS_REFUND, IS_PLACE = "kind = 'REFUND'", "action = 'PLACE'"


def one_row(table: str, where: str = "true") -> str:
    """A condition that is true of one row."""
    return f"ctid = (SELECT ctid FROM {table} WHERE {where} LIMIT 1)"


# What is reported, and what was done to the database.
CORRUPTIONS: list[tuple[str, tuple[str, ...]]] = [
    # --- stock
    ("a counter is negative", (f"UPDATE stock SET available = -1 WHERE {one_row('stock')}",)),
    (
        "the sellable counters do not add up to their total",
        (f"UPDATE stock SET sellable_total = sellable_total + 1 WHERE {one_row('stock')}",),
    ),
    (
        "the sellable counters are not what the reservations say",
        (f"UPDATE stock SET deducted = deducted + 1, available = available - 1 WHERE {one_row('stock')}",),
    ),
    (
        "the sellable counters are not what the entries add up to",
        (f"DELETE FROM stock_entries WHERE {one_row('stock_entries', 'channel IS NOT NULL')}",),
    ),
    (
        "an order's pieces moved more or less often than its reservation says",
        (
            "INSERT INTO stock_entries (sku, channel, kind, available, reserved, gone, order_nos, pieces)"
            " SELECT sku, channel, kind, available, reserved, gone, order_nos, pieces FROM stock_entries"
            " WHERE kind = 'deduct' LIMIT 1",
        ),
    ),
    (
        "a warehouse's counters do not add up, or are negative",
        (f"UPDATE physical_stock SET total = total + 1 WHERE {one_row('physical_stock')}",),
    ),
    (
        "a warehouse's counters are not what its reservations say",
        (f"DELETE FROM physical_reservations WHERE {one_row('physical_reservations', IS_SHIPPED)}",),
    ),
    (
        "a warehouse's counters are not what the entries add up to",
        (f"DELETE FROM stock_entries WHERE {one_row('stock_entries', 'warehouse IS NOT NULL')}",),
    ),
    (
        "more pieces are set aside in warehouses for a sub-order than it has",
        (
            "UPDATE physical_reservations SET quantity = quantity + 1"
            f" WHERE {one_row('physical_reservations', IS_SHIPPED)}",
        ),
    ),
    (
        "something is still reserved",
        (f"UPDATE stock_reservations SET state = 'RESERVED' WHERE {one_row('stock_reservations', IS_DEDUCTED)}",),
    ),
    (
        "a closed order still holds pieces",
        (f"UPDATE orders SET status = 'CLOSED', close_reason = 'UNPAID' WHERE order_no = ({SPLIT})",),
    ),
    (
        "pieces are held for an order that was never taken",
        (f"UPDATE stock_reservations SET order_no = 42 WHERE {one_row('stock_reservations', IS_DEDUCTED)}",),
    ),
    (
        "what is sold of a SKU is not the pieces of the orders that are not closed",
        (f"UPDATE sub_order_lines SET last_unit = last_unit + 1 WHERE order_no = ({SPLIT})",),
    ),
    (
        "something is still set aside in a warehouse",
        (f"UPDATE physical_reservations SET state = 'RESERVED' WHERE {one_row('physical_reservations', IS_SHIPPED)}",),
    ),
    (
        "a parcel's pieces did not leave its warehouse with it, or left it without it",
        (f"UPDATE physical_reservations SET state = 'RESHELVED' WHERE {one_row('physical_reservations', IS_SHIPPED)}",),
    ),
    # --- money
    (
        "a posting does not sum to zero, or has one leg only",
        (f"UPDATE journal_legs SET amount_fen = amount_fen + 1 WHERE {one_row('journal_legs')}",),
    ),
    (
        "a posting does not sum to zero, or has one leg only",
        ("INSERT INTO journal_postings (key, kind, reference) VALUES ('x', 'CAPTURE', 'x')",),
    ),
    (
        "a capture and its posting do not agree",
        (f"UPDATE captures SET amount_fen = amount_fen + 1 WHERE {one_row('captures')}",),
    ),
    (
        "the journal knows money that came in without a capture",
        (f"DELETE FROM captures WHERE {one_row('captures')}",),
    ),
    (
        "a refund and its posting do not agree",
        (
            f"DELETE FROM journal_postings WHERE {one_row('journal_postings', IS_REFUND)}",
            "DELETE FROM journal_legs l WHERE NOT EXISTS (SELECT FROM journal_postings p WHERE p.key = l.key)",
        ),
    ),
    (
        "more is refunded of a capture than was captured",
        (
            "INSERT INTO refunds (refund_no, payment_id, capture_id, amount_fen, currency, reason, state)"
            " SELECT refund_no || 'x', payment_id, capture_id, amount_fen, currency, reason, state FROM refunds"
            " LIMIT 1",
        ),
    ),
    (
        "a refund is of a capture that is not known, or of another payment or currency",
        (f"UPDATE refunds SET currency = 'XXX' WHERE {one_row('refunds')}",),
    ),
    (
        "an order counts as paid by a capture that is not its price, accepted and its own",
        (f"UPDATE orders SET amount_due_fen = amount_due_fen + 1 WHERE order_no = ({SPLIT})",),
    ),
    (
        "a capture was accepted for an order that does not know of it",
        (f"UPDATE orders SET capture_id = NULL WHERE order_no = ({SPLIT})",),
    ),
    (
        "an order's lines do not add up to what is due",
        (f"UPDATE order_lines SET pay_fen = pay_fen - 1 WHERE {one_row('order_lines')}",),
    ),
    (
        "a line and its shares of the promotions do not add up",
        (f"UPDATE order_line_shares SET amount_fen = amount_fen + 1 WHERE {one_row('order_line_shares')}",),
    ),
    (
        "a split order's parts do not add up to its lines",
        (f"UPDATE sub_orders SET pay_fen = pay_fen + 1 WHERE {one_row('sub_orders')}",),
    ),
    (
        "a sub-order's lines do not add up to it",
        (f"UPDATE sub_order_lines SET pay_fen = pay_fen + 1 WHERE {one_row('sub_order_lines')}",),
    ),
    (
        "a line's pieces are in no sub-order, or in two",
        (
            f"UPDATE sub_order_lines SET first_unit = first_unit + 1, last_unit = last_unit + 1"
            f" WHERE {one_row('sub_order_lines')}",
        ),
    ),
    (
        "what is (to be) refunded of an order is not what is closed of it",
        (f"UPDATE refunds SET amount_fen = amount_fen - 1 WHERE order_no = ({CLOSED_PAID})",),
    ),
    (
        "the stray money in the journal is not what is still to be sent back",
        (f"UPDATE refunds SET state = 'REQUESTED' WHERE {one_row('refunds', 'order_no IS NULL')}",),
    ),
    ("a refund is not done", (f"UPDATE refunds SET state = 'REQUESTED' WHERE {one_row('refunds')}",)),
    (
        "a notification is not settled",
        (f"UPDATE payment_notifications SET settled_at = NULL WHERE {one_row('payment_notifications')}",),
    ),
    (
        "a stray capture has not one refund of all of it",
        (f"DELETE FROM refunds WHERE {one_row('refunds', 'order_no IS NULL')}",),
    ),
    # --- money, against the provider
    (
        "a capture is not what the provider says",
        (f"UPDATE captures SET payment_id = 'x' WHERE {one_row('captures')}",),
    ),
    (
        "a refund is done, and the provider did not make it",
        (f"UPDATE refunds SET refund_no = 'never-heard-of' WHERE {one_row('refunds')}",),
    ),
    (
        "the provider took money that nobody knows of",
        (f"DELETE FROM captures WHERE {one_row('captures')}",),
    ),
    (
        "the provider sent money back that nobody asked for",
        (f"DELETE FROM refunds WHERE {one_row('refunds')}",),
    ),
    (
        "the journal and the provider differ",
        ("UPDATE journal_legs SET amount_fen = amount_fen * 2 WHERE key = (SELECT key FROM journal_legs LIMIT 1)",),
    ),
    (
        "what is kept of a payment is not what its order is worth",
        (f"UPDATE sub_orders SET status = 'CLOSED' WHERE sub_order_no = {ONE_LIVE_PART}",),
    ),
    # --- coupons
    (
        "a coupon's history has a step that can't follow the one before",
        (
            "INSERT INTO coupon_entries (coupon_id, entry, order_no, at) SELECT coupon_id, entry, order_no, now()"
            " FROM coupon_entries WHERE entry = 'REDEEMED' LIMIT 1",
        ),
    ),
    (
        "a coupon is not where its history left it",
        (f"UPDATE coupons SET state = 'AVAILABLE', order_no = NULL WHERE coupon_id = ({REDEEMED})",),
    ),
    (
        "a coupon is taken by an order of another buyer",
        (f"UPDATE coupons SET buyer_id = buyer_id + 1 WHERE coupon_id = ({REDEEMED})",),
    ),
    (
        "one coupon has made two orders cheaper",
        (
            f"UPDATE orders SET coupons = jsonb_build_array(({REDEEMED})) WHERE order_no IN"
            " (SELECT order_no FROM orders WHERE status <> 'CLOSED' LIMIT 2)",
        ),
    ),
    (
        "a coupon is taken by an order that has ended",
        (f"UPDATE coupons SET state = 'TAKEN' WHERE coupon_id = ({REDEEMED})",),
    ),
    (
        "a closed order keeps its coupon",
        (
            "UPDATE orders SET status = 'CLOSED' WHERE order_no ="
            f" (SELECT order_no FROM coupons WHERE coupon_id = ({REDEEMED}))",
        ),
    ),
    (
        "an order was made cheaper by a coupon that it has not redeemed",
        (f"DELETE FROM coupons WHERE coupon_id = ({REDEEMED})",),
    ),
    # --- status
    (
        "a split order's status is not what its sub-orders make it",
        (f"UPDATE orders SET status = 'AWAITING_SHIPMENT' WHERE order_no = ({SPLIT})",),
    ),
    (
        "an unsplit order's status is not what its payment makes it",
        (
            "UPDATE orders SET status = 'COMPLETED', close_reason = NULL WHERE order_no = (SELECT order_no"
            " FROM orders o"
            " WHERE NOT EXISTS (SELECT FROM sub_orders s WHERE s.order_no = o.order_no) LIMIT 1)",
        ),
    ),
    (
        "a sub-order's status is not what its facts make it",
        (f"UPDATE sub_orders SET fulfilment = 'AWAITING', review = 'NONE' WHERE sub_order_no = {ONE_LIVE_PART}",),
    ),
    (
        "a sub-order has facts that exclude each other",
        (f"UPDATE sub_orders SET shipped_at = NULL WHERE sub_order_no = {ONE_LIVE_PART}",),
    ),
    (
        "an order was split before it was paid",
        (f"UPDATE orders SET payment = 'UNPAID' WHERE order_no = ({SPLIT})",),
    ),
    # --- twice, and lost
    (
        "something that happens once is in the log twice",
        (f"{AGAIN} WHERE action = 'SHIP' LIMIT 1",),
    ),
    (
        "an order or sub-order was closed twice",
        (f"{AGAIN} WHERE action = 'CANCEL' LIMIT 1",),
    ),
    (
        "a refund is in the log twice",
        (f"{AGAIN} WHERE action = 'REFUND' LIMIT 1",),
    ),
    (
        "two keys of one caller have one order, or a placement has no key",
        (f"DELETE FROM checkout_keys WHERE {one_row('checkout_keys')}",),
    ),
    (
        "checkout's answer and the order do not agree",
        (f"UPDATE placements SET outcome = outcome || '{{\"amount_due_fen\": 1}}' WHERE order_no = ({SPLIT})",),
    ),
    (
        "an order has no answer to its checkout, or no entry of its placement in the log",
        (f"DELETE FROM placements WHERE order_no = ({SPLIT})",),
    ),
    ("an acknowledged order is not there", (f"DELETE FROM orders WHERE order_no = ({SPLIT})",)),
    (
        "an order is not what its buyer was told",
        (f"UPDATE orders SET buyer_id = buyer_id + 1 WHERE order_no = ({SPLIT})",),
    ),
    (
        "an order's lines are not what was asked for",
        (f"UPDATE order_lines SET sku = 'ANOTHER' WHERE order_no = ({SPLIT})",),
    ),
    (
        "there is an order that nobody placed",
        (f"UPDATE checkout_keys SET idempotency_key = 'nobody''s' WHERE order_no = ({SPLIT})",),
    ),
    (
        "a parcel was handed over twice, or to a wrong merchant, or is of no sub-order",
        (
            "DELETE FROM sub_orders WHERE sub_order_no = (SELECT sub_order_no FROM sub_orders"
            " WHERE handed_over_at IS NOT NULL LIMIT 1)",
        ),
    ),
    (
        "a parcel holds other pieces than its sub-order",
        (
            "UPDATE sub_order_lines SET last_unit = last_unit + 1 WHERE (order_no, idx) = (SELECT order_no, idx"
            " FROM sub_orders WHERE handed_over_at IS NOT NULL LIMIT 1)",
        ),
    ),
    (
        "a parcel is noted as handed over, and its merchant has none",
        (
            "UPDATE sub_orders SET sub_order_no = 'x' WHERE sub_order_no = (SELECT sub_order_no FROM sub_orders"
            " WHERE handed_over_at IS NOT NULL LIMIT 1)",
        ),
    ),
    (
        "a buyer has not as many codes as were paid for",
        (f"UPDATE sub_orders SET granted = granted || granted WHERE sub_order_no = ({GRANTED})",),
    ),
    (
        "a buyer has a code that was not given for this",
        (f"UPDATE sub_orders SET granted = '[\"ANOTHER\"]' WHERE sub_order_no = ({GRANTED})",),
    ),
    # --- for ever
    ("an order is at no ending", (f"UPDATE orders SET status = 'SHIPPED' WHERE order_no = ({SPLIT})",)),
    (
        "an order is at no ending, and no person is asked for",
        (f"UPDATE orders SET status = 'SHIPPED' WHERE order_no = ({SPLIT})",),
    ),
    (
        "a sub-order is at no ending",
        (f"UPDATE sub_orders SET status = 'SHIPPED' WHERE sub_order_no = {ONE_LIVE_PART}",),
    ),
    (
        "a person is still asked for an order that has ended",
        (f"INSERT INTO attentions SELECT order_no, '', 'refund', 'stuck' FROM orders WHERE order_no = ({SPLIT})",),
    ),
    ("a message was not posted", (f"UPDATE outbox SET posted_at = NULL WHERE {one_row('outbox')}",)),
    # --- evidence
    ("the log's chain is broken", (f"UPDATE order_events SET detail = 'x' WHERE {one_row('order_events')}",)),
    (
        "the log's chain is broken",
        (f"DELETE FROM order_events WHERE seq = 1 AND {one_row('order_events', 'seq = 1')}",),
    ),
    (
        "the log's chain does not end where its tip says",
        (f"UPDATE evidence_tips SET seq = seq + 1 WHERE {one_row('evidence_tips')}",),
    ),
    (
        "the log does not say what was sold, at what price and under which rules",
        (f"UPDATE order_events SET body = NULL WHERE {one_row('order_events', IS_PLACE)}",),
    ),
    (
        "a line is not what the log says was placed",
        (f"UPDATE order_lines SET digest = 'x' WHERE {one_row('order_lines')}",),
    ),
]

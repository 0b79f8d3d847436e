"""Stock: the counters add up, reservations end once, and nothing is held for what has ended."""

from simulation.chaos.auditor.violation import Check

PROMISE = "stock"

ALWAYS: tuple[Check, ...] = (
    (
        "a counter is negative",
        "SELECT sku, available, reserved, deducted FROM stock WHERE least(available, reserved, deducted) < 0",
    ),
    (
        "the sellable counters do not add up to their total",
        "SELECT * FROM stock WHERE sellable_total <> available + reserved + deducted",
    ),
    (
        "the sellable counters are not what the reservations say",
        """SELECT s.sku, s.reserved, s.deducted, r.held, r.sold FROM stock s LEFT JOIN (
             SELECT sku, channel, sum(quantity) FILTER (WHERE state = 'RESERVED') AS held,
               sum(quantity - restocked) FILTER (WHERE state = 'DEDUCTED') AS sold
             FROM stock_reservations GROUP BY sku, channel) r USING (sku, channel)
           WHERE s.reserved <> coalesce(r.held, 0) OR s.deducted <> coalesce(r.sold, 0)""",
    ),
    (
        "the sellable counters are not what the entries add up to",
        """SELECT s.sku, s.available, s.reserved, s.deducted, e.available, e.reserved, e.gone FROM stock s LEFT JOIN (
             SELECT sku, channel, sum(available) AS available, sum(reserved) AS reserved, sum(gone) AS gone
             FROM stock_entries WHERE channel IS NOT NULL GROUP BY sku, channel) e USING (sku, channel)
           WHERE (s.available, s.reserved, s.deducted)
             <> (coalesce(e.available, 0), coalesce(e.reserved, 0), coalesce(e.gone, 0))""",
    ),
    (
        "an order's pieces moved more or less often than its reservation says",
        """WITH moved AS (
             SELECT o.order_no, e.sku, sum(o.pieces) FILTER (WHERE e.kind = 'reserve') AS reserved,
               sum(o.pieces) FILTER (WHERE e.kind = 'release') AS released,
               sum(o.pieces) FILTER (WHERE e.kind = 'deduct') AS deducted,
               sum(o.pieces) FILTER (WHERE e.kind = 'restock') AS restocked
             FROM stock_entries e, unnest(e.order_nos, e.pieces) AS o(order_no, pieces)
             WHERE e.channel IS NOT NULL GROUP BY o.order_no, e.sku),
           told AS (
             SELECT order_no, sku, sum(quantity) FILTER (WHERE policy = 'RESERVE_ON_PLACEMENT') AS reserved,
               sum(quantity) FILTER (WHERE policy = 'RESERVE_ON_PLACEMENT' AND state = 'RELEASED') AS released,
               sum(quantity) FILTER (WHERE state = 'DEDUCTED') AS deducted, nullif(sum(restocked), 0) AS restocked
             FROM stock_reservations GROUP BY order_no, sku)
           SELECT order_no, sku, m.*, t.* FROM moved m FULL JOIN told t USING (order_no, sku)
           WHERE (m.reserved, m.released, m.deducted, m.restocked)
             IS DISTINCT FROM (t.reserved, t.released, t.deducted, t.restocked)""",
    ),
    (
        "a warehouse's counters do not add up, or are negative",
        "SELECT * FROM physical_stock WHERE total <> available + reserved + shipped"
        " OR least(available, reserved, shipped) < 0",
    ),
    (
        "a warehouse's counters are not what its reservations say",
        """SELECT p.sku, p.warehouse, p.reserved, p.shipped, r.held, r.gone FROM physical_stock p LEFT JOIN (
             SELECT sku, warehouse, sum(quantity) FILTER (WHERE state = 'RESERVED') AS held,
               sum(quantity) FILTER (WHERE state = 'SHIPPED') AS gone
             FROM physical_reservations GROUP BY sku, warehouse) r USING (sku, warehouse)
           WHERE p.reserved <> coalesce(r.held, 0) OR p.shipped <> coalesce(r.gone, 0)""",
    ),
    (
        "a warehouse's counters are not what the entries add up to",
        """SELECT p.sku, p.warehouse, p.available, p.reserved, p.shipped, e.* FROM physical_stock p LEFT JOIN (
             SELECT sku, warehouse, sum(available) AS a, sum(reserved) AS r, sum(gone) AS g
             FROM stock_entries WHERE warehouse IS NOT NULL GROUP BY sku, warehouse) e USING (sku, warehouse)
           WHERE (p.available, p.reserved, p.shipped) <> (coalesce(e.a, 0), coalesce(e.r, 0), coalesce(e.g, 0))""",
    ),
    (
        "more pieces are set aside in warehouses for a sub-order than it has",
        """SELECT r.sub_order_no, r.line_no, r.pieces, l.pieces FROM (
             SELECT sub_order_no, line_no, sum(quantity) AS pieces FROM physical_reservations
             WHERE state <> 'RESHELVED' GROUP BY sub_order_no, line_no) r
           JOIN sub_orders s USING (sub_order_no) LEFT JOIN (
             SELECT order_no, idx, line_no, sum(last_unit - first_unit + 1) AS pieces
             FROM sub_order_lines GROUP BY order_no, idx, line_no) l
             ON l.order_no = s.order_no AND l.idx = s.idx AND l.line_no = r.line_no
           WHERE r.pieces > coalesce(l.pieces, 0)""",
    ),
)

AT_THE_END: tuple[Check, ...] = (
    (
        "something is still reserved",
        "SELECT order_no, line_no, sku, state FROM stock_reservations WHERE state IN ('RESERVED', 'PROMISED')",
    ),
    (
        "a closed order still holds pieces",
        """SELECT order_no, line_no, sku, quantity, restocked FROM stock_reservations JOIN orders USING (order_no)
           WHERE status = 'CLOSED' AND state = 'DEDUCTED' AND restocked < quantity""",
    ),
    (
        "pieces are held for an order that was never taken",
        """SELECT order_no, line_no, sku, state FROM stock_reservations r
           WHERE state <> 'RELEASED' AND NOT EXISTS (SELECT FROM orders o WHERE o.order_no = r.order_no)""",
    ),
    (
        "what is sold of a SKU is not the pieces of the orders that are not closed",
        """SELECT sku, s.deducted, coalesce(live.pieces, 0) AS pieces FROM
             (SELECT sku, sum(deducted) AS deducted FROM stock GROUP BY sku) s LEFT JOIN (
               SELECT l.sku, sum(p.last_unit - p.first_unit + 1) AS pieces FROM sub_order_lines p
               JOIN sub_orders o USING (order_no, idx) JOIN order_lines l USING (order_no, line_no)
               WHERE o.status <> 'CLOSED' GROUP BY l.sku) live USING (sku)
           WHERE s.deducted <> coalesce(live.pieces, 0)""",
    ),
    (
        "something is still set aside in a warehouse",
        "SELECT sub_order_no, sku, warehouse FROM physical_reservations WHERE state = 'RESERVED'",
    ),
    (
        "a parcel's pieces did not leave its warehouse with it, or left it without it",
        """SELECT sub_order_no, s.status, r.state FROM physical_reservations r JOIN sub_orders s USING (sub_order_no)
           WHERE (r.state = 'SHIPPED') <> (s.status <> 'CLOSED')""",
    ),
)

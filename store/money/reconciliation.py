"""Does the money add up? Asked of the database alone, each question in SQL: what it finds is wrong.

Shares no code with the ledgers: they may be wrong in the same way.
"""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

_BALANCES = """
SELECT p.reference, l.currency, sum(l.amount_fen) FILTER (WHERE l.account = 'orders') AS orders,
  sum(l.amount_fen) FILTER (WHERE l.account = 'shipping') AS shipping,
  sum(l.amount_fen) FILTER (WHERE l.account = 'refunds') AS refunds
FROM journal_postings p JOIN journal_legs l USING (key) GROUP BY p.reference, l.currency
"""

# What went back of each sub-order, as its refunds say.
_BACK = """
SELECT order_no, idx, sum(greatest(goods_fen - withheld_fen, 0)) AS goods,
  sum(goods_fen + shipping_fen - withheld_fen - greatest(goods_fen - withheld_fen, 0)) AS shipping
FROM piece_refunds GROUP BY order_no, idx
"""

# What buyers have paid for goods and for shipping that is neither settled nor owed back: order by order.
_UNSETTLED = f"""
SELECT s.order_no, sum(s.pay_fen - coalesce(b.goods, 0)) AS goods,
  sum(s.shipping_fen - coalesce(b.shipping, 0)) AS shipping
FROM sub_orders s LEFT JOIN ({_BACK}) b USING (order_no, idx) WHERE s.settled_at IS NULL GROUP BY s.order_no
"""

QUESTIONS = {
    "postings that do not sum to zero": (
        "SELECT key FROM journal_legs GROUP BY key, currency HAVING sum(amount_fen) <> 0"
    ),
    "accepted captures that the journal has not, or otherwise": (
        "SELECT c.capture_id FROM captures c LEFT JOIN journal_legs l"
        " ON l.key = 'capture/' || c.capture_id AND l.account = 'provider'"
        " WHERE c.fate = 'ACCEPTED' AND (l.amount_fen, l.currency) IS DISTINCT FROM (c.amount_fen, c.currency)"
    ),
    "split orders whose goods or shipping are not what the order book says": (
        f"SELECT o.order_no FROM orders o LEFT JOIN ({_BALANCES}) b"
        "  ON b.reference = o.order_no::text AND b.currency = o.currency"
        f" LEFT JOIN ({_UNSETTLED}) u USING (order_no)"
        " WHERE EXISTS (SELECT 1 FROM sub_orders s WHERE s.order_no = o.order_no)"
        " AND (coalesce(-b.orders, 0), coalesce(-b.shipping, 0))"
        " <> (coalesce(u.goods, 0), coalesce(u.shipping, 0))"
    ),
    "orders that have money in another currency than theirs": (
        f"SELECT o.order_no FROM orders o JOIN ({_BALANCES}) b ON b.reference = o.order_no::text"
        " WHERE b.currency <> o.currency AND (b.orders <> 0 OR b.shipping <> 0 OR b.refunds <> 0)"
    ),
    "closed orders that still have a buyer's money": (
        f"SELECT o.order_no FROM orders o JOIN ({_BALANCES}) b ON b.reference = o.order_no::text"
        " WHERE o.status = 'CLOSED' AND (b.orders <> 0 OR b.shipping <> 0)"
        " AND NOT EXISTS (SELECT 1 FROM piece_refunds r WHERE r.order_no = o.order_no AND r.withheld_fen > 0)"
    ),
    "orders that owe another refund than is to be made": (
        f"SELECT o.order_no FROM orders o JOIN ({_BALANCES}) b"
        "  ON b.reference = o.order_no::text AND b.currency = o.currency"
        " WHERE coalesce(-b.refunds, 0) <> (SELECT coalesce(sum(amount_fen), 0) FROM refunds r"
        " WHERE r.order_no = o.order_no AND r.state <> 'DONE')"
    ),
    "orders that are paid back more than was paid": (
        "SELECT o.order_no FROM orders o JOIN refunds r USING (order_no)"
        " GROUP BY o.order_no, o.amount_due_fen HAVING sum(r.amount_fen) > o.amount_due_fen"
    ),
    "lines of which other pieces went back than were refunded": (
        "SELECT l.order_no, l.idx, l.line_no FROM sub_order_lines l LEFT JOIN ("
        "  SELECT p.order_no, p.idx, r.line_no, sum(r.last_unit - r.first_unit + 1) AS pieces"
        "  FROM piece_refunds p JOIN piece_refund_lines r USING (key, idx) GROUP BY p.order_no, p.idx, r.line_no"
        ") r USING (order_no, idx, line_no) WHERE l.refunded <> coalesce(r.pieces, 0)"
    ),
    "units that went back twice": (
        "SELECT a.key, a.line_no FROM piece_refund_lines a JOIN piece_refunds pa USING (key, idx)"
        " JOIN piece_refunds pb ON pb.order_no = pa.order_no AND pb.idx = pa.idx AND pb.key <> pa.key"
        " JOIN piece_refund_lines b ON b.key = pb.key AND b.idx = pb.idx AND b.line_no = a.line_no"
        " WHERE a.first_unit <= b.last_unit AND b.first_unit <= a.last_unit"
    ),
    "refunds by pieces whose lines do not add up": (
        "SELECT p.key FROM piece_refunds p JOIN piece_refund_lines l USING (key, idx)"
        " GROUP BY p.key, p.idx, p.goods_fen HAVING sum(l.pay_fen) <> p.goods_fen"
    ),
    "refunds by pieces that are another amount at the provider": (
        "SELECT p.key FROM piece_refunds p LEFT JOIN refunds r USING (refund_no)"
        " GROUP BY p.key, r.amount_fen"
        " HAVING sum(p.goods_fen + p.shipping_fen - p.withheld_fen) <> coalesce(r.amount_fen, 0)"
    ),
    "merchants' postings that no statement row has, or otherwise": (
        "SELECT coalesce(l.key, r.key) FROM (SELECT key, account, sum(amount_fen) AS fen FROM journal_legs"
        "  WHERE account LIKE 'merchant/%' GROUP BY key, account) l"
        " FULL JOIN (SELECT key, 'merchant/' || merchant AS account, sum(net_fen) AS fen FROM statement_rows"
        "  GROUP BY key, merchant) r USING (key, account)"
        " WHERE coalesce(-l.fen, 0) <> coalesce(r.fen, 0)"
    ),
    "statements whose rows do not add up": (
        "SELECT s.statement_no FROM statements s LEFT JOIN statement_rows r USING (statement_no)"
        " GROUP BY s.statement_no HAVING s.total_fen <> coalesce(sum(r.net_fen), 0)"
    ),
    "settled sub-orders without a posting, or with more than one": (
        "SELECT s.sub_order_no FROM sub_orders s"
        " LEFT JOIN journal_postings p ON p.key = 'settle/' || s.sub_order_no"
        " WHERE (s.settled_at IS NULL) <> (p.key IS NULL)"
    ),
    "members whose points are not those of what they kept": (
        "SELECT sub_order_no FROM point_entries WHERE sub_order_no IS NOT NULL"
        " GROUP BY sub_order_no HAVING sum(points) < 0 OR count(*) FILTER (WHERE entry = 'EARNED') <> 1"
    ),
}


async def mismatches(engine: AsyncEngine) -> list[str]:
    """What does not add up, in words, with the first few that it is about; empty when all does."""
    found = []
    async with engine.connect() as db:
        for what, question in QUESTIONS.items():
            rows = (await db.execute(text(f"{question} LIMIT 5"))).all()
            if rows:
                found.append(f"{what}: {', '.join('/'.join(map(str, row)) for row in rows)}")
    return found

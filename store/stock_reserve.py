"""`reserve`, for many orders in one transaction.

First as if all of it fitted: one statement, which a CHECK or a key undoes as a whole if it doesn't (too little
stock, an order that has asked before, a SKU nobody knows, a SKU with a purchase limit). Then with care: lock, look,
and grant one after the other.

Locks are taken in one order everywhere: the orders by number, the limits by SKU, the stock by SKU and channel.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from time import monotonic

from sqlalchemy.ext.asyncio import AsyncEngine

from activities.stock import Reserved, ReserveStock
from store.raw import Connection, Row, autocommit, is_constraint, transaction
from store.stock_grant import GRANTED, Counted, Limit, Shelf, is_taken

# A row of `l` per line. What is wanted of a counter is added up, since an UPDATE changes a row once.
_LINES = """
  l AS MATERIALIZED (
    SELECT * FROM unnest($1::bigint[], $2::int[], $3::text[], $4::text[], $5::int[], $6::bool[])
      AS l(order_no, line_no, sku, channel, quantity, taken)
  ),
  wanted AS MATERIALIZED (
    SELECT sku, channel, coalesce(sum(quantity) FILTER (WHERE taken), 0) AS pieces FROM l GROUP BY sku, channel
  )"""

# Where a counter was not moved (nobody has received the SKU), the lines' SKU is NULL, and that is refused: nothing is
# held of nothing.
_WRITE = """
  moved AS (
    UPDATE stock s SET available = s.available - w.pieces, reserved = s.reserved + w.pieces
    FROM wanted w {only} WHERE s.sku = w.sku AND s.channel = w.channel
    RETURNING 1
  ),
  held AS (
    INSERT INTO stock_reservations (order_no, line_no, sku, channel, quantity, policy, state)
    SELECT order_no, line_no,
      CASE WHEN (SELECT count(*) FROM moved) = (SELECT count(*) FROM wanted) THEN sku END,
      channel, quantity,
      CASE WHEN taken THEN 'RESERVE_ON_PLACEMENT' ELSE 'DEDUCT_ON_PAYMENT' END,
      CASE WHEN taken THEN 'RESERVED' ELSE 'PROMISED' END
    FROM l
  )
  INSERT INTO stock_entries (sku, channel, kind, available, reserved, gone, order_nos, pieces)
  SELECT sku, channel, 'reserve', -sum(quantity), sum(quantity), 0, array_agg(order_no), array_agg(quantity)
  FROM l WHERE taken GROUP BY sku, channel"""

_ALL_AT_ONCE = f"""
WITH {_LINES},
  orders AS (
    INSERT INTO stock_operations (order_no, buyer_id, placed_at)
    SELECT order_no, buyer_id, coalesce(placed_at, now())
    FROM unnest($7::bigint[], $8::bigint[], $9::timestamptz[]) AS o(order_no, buyer_id, placed_at)
    ORDER BY order_no
    RETURNING order_no
  ),
  locked AS MATERIALIZED (
    SELECT s.sku, s.channel FROM stock s JOIN wanted w USING (sku, channel)
    WHERE (SELECT count(*) FROM orders) > 0
      AND NOT EXISTS (SELECT FROM purchase_limits p WHERE p.sku = s.sku)
    ORDER BY s.sku, s.channel FOR UPDATE OF s
  ),
  {_WRITE.format(only="JOIN locked USING (sku, channel)")}
"""

# One look, in this order: the orders that are new, the limits (one holds in all channels: its row is where the
# placements of a SKU meet), the stock. Each waits for the one before by asking for its count.
_LOOK = """
WITH claimed AS (
    INSERT INTO stock_operations (order_no, buyer_id, placed_at)
    SELECT order_no, buyer_id, coalesce(placed_at, now())
    FROM unnest($1::bigint[], $2::bigint[], $3::timestamptz[]) AS o(order_no, buyer_id, placed_at)
    ORDER BY order_no
    ON CONFLICT DO NOTHING
    RETURNING order_no
  ),
  limits AS MATERIALIZED (
    SELECT sku, pieces, window_s FROM unnest($4::text[]) AS asked(sku) JOIN purchase_limits p USING (sku)
    WHERE (SELECT count(*) FROM claimed) >= 0 ORDER BY sku FOR UPDATE OF p
  ),
  counters AS MATERIALIZED (
    SELECT sku, channel, available FROM unnest($5::text[], $6::text[]) AS asked(sku, channel)
    JOIN stock s USING (sku, channel)
    WHERE (SELECT count(*) FROM limits) >= 0 ORDER BY sku, channel FOR UPDATE OF s
  )
SELECT order_no, NULL AS sku, NULL AS channel, NULL::bigint AS pieces, NULL::bigint AS window_s FROM claimed
UNION ALL SELECT NULL, sku, NULL, pieces, window_s FROM limits
UNION ALL SELECT NULL, sku, channel, available, NULL FROM counters
"""

_KNOWN = """
SELECT order_no, outcome, refusal::text
FROM unnest($1::bigint[]) AS asked(order_no) JOIN stock_operations USING (order_no)
"""

_BOUGHT = """
SELECT asked.n, sum(r.quantity - r.restocked)::bigint AS pieces
FROM unnest($1::int[], $2::bigint[], $3::text[], $4::timestamptz[], $5::bigint[])
  AS asked(n, buyer_id, sku, at, window_s)
JOIN stock_operations o ON o.buyer_id = asked.buyer_id AND o.buyer_id <> 0
  AND o.placed_at > coalesce(asked.at, now()) - asked.window_s * interval '1 second'
JOIN stock_reservations r ON r.order_no = o.order_no AND r.sku = asked.sku
WHERE r.state <> 'RELEASED'
GROUP BY asked.n
"""

_GRANT = f"WITH {_LINES}, {_WRITE.format(only='')}"

_REFUSE = """
UPDATE stock_operations o SET outcome = 'REFUSED', refusal = refused.answer::jsonb
FROM unnest($1::bigint[], $2::text[]) AS refused(order_no, answer) WHERE o.order_no = refused.order_no
"""

Orders = Mapping[int, ReserveStock]

CAREFUL_S = 1.0


class Reserving:
    """A batch in one transaction: all at once if that may do, with care if not."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._careful_until = 0.0

    async def __call__(self, requests: Sequence[ReserveStock]) -> list[Reserved]:
        """Answers in the order of the requests. The first request of an order is the one that counts."""
        orders: dict[int, ReserveStock] = {}
        for request in requests:
            orders.setdefault(int(request.order_no), request)
        if await self._all_at_once(orders):
            return [GRANTED] * len(requests)
        async with transaction(self._engine) as db:
            answers = await with_care(db, orders)
        return [answers[int(request.order_no)] for request in requests]

    async def _all_at_once(self, orders: Orders) -> bool:
        """Whether all of it fitted. What did not fit now will hardly fit in the next moment, so that is not tried."""
        if monotonic() < self._careful_until:
            return False
        async with autocommit(self._engine) as db:
            try:
                await db.execute(_ALL_AT_ONCE, *_lines(orders.values()), *_heads(orders))
            except Exception as refused:
                if not is_constraint(refused):
                    raise
                self._careful_until = monotonic() + CAREFUL_S
                return False
        return True


async def with_care(db: Connection, orders: Orders) -> dict[int, Reserved]:
    """Within a transaction: the keys first, then the locked stock, and grant in the order of arrival."""
    counters: list[Counted] = sorted({(line.sku, order.channel) for order in orders.values() for line in order.lines})
    skus, channels = [sku for sku, _ in counters], [channel for _, channel in counters]
    rows = await db.fetch(_LOOK, *_heads(orders), sorted(set(skus)), skus, channels)
    claimed = {row["order_no"] for row in rows if row["order_no"] is not None}
    answers = await _first_answers(db, [order_no for order_no in orders if order_no not in claimed])
    new = {order_no: request for order_no, request in orders.items() if order_no in claimed}
    if new:
        shelf = await _shelf(db, new, rows)
        fresh = {order_no: shelf.ask(request) for order_no, request in new.items()}
        await _write(db, new, fresh)
        answers |= fresh
    return answers


async def _first_answers(db: Connection, order_nos: Sequence[int]) -> dict[int, Reserved]:
    """What those that have asked before were told."""
    rows = await db.fetch(_KNOWN, order_nos) if order_nos else []
    told = {"TAKEN": GRANTED, "RELEASED_BEFORE": Reserved(short=[], released_before=True)}
    return {row["order_no"]: told.get(row["outcome"]) or Reserved.model_validate_json(row["refusal"]) for row in rows}


async def _shelf(db: Connection, orders: Orders, rows: Sequence[Row]) -> Shelf:
    limits = {row["sku"]: Limit(row["pieces"], row["window_s"]) for row in rows if row["window_s"] is not None}
    available = {(row["sku"], row["channel"]): row["pieces"] for row in rows if row["channel"] is not None}
    return Shelf(available, limits, await _bought(db, orders, limits) if limits else {})


async def _bought(db: Connection, orders: Orders, limits: Mapping[str, Limit]) -> dict[tuple[str, str], int]:
    """What the buyers have of the limited SKUs. In a statement of its own, after the lock: it sees what whoever
    held the lock before has written."""
    asked = [
        (order, sku)
        for order in orders.values()
        if order.buyer_id
        for sku in {line.sku for line in order.lines}
        if sku in limits
    ]
    rows = await db.fetch(
        _BOUGHT,
        list(range(len(asked))),
        [order.buyer_id for order, _ in asked],
        [sku for _, sku in asked],
        [order.at for order, _ in asked],
        [limits[sku].window_s for _, sku in asked],
    )
    return {(asked[row["n"]][0].order_no, asked[row["n"]][1]): row["pieces"] for row in rows}


async def _write(db: Connection, orders: Orders, answers: Mapping[int, Reserved]) -> None:
    granted = [orders[order_no] for order_no, answer in answers.items() if answer is GRANTED]
    if granted:
        await db.execute(_GRANT, *_lines(granted))
    refused = {order_no: answer for order_no, answer in answers.items() if answer is not GRANTED}
    if refused:
        await db.execute(_REFUSE, list(refused), [answer.model_dump_json() for answer in refused.values()])


def _heads(orders: Orders) -> tuple[list[int], list[int], list[datetime | None]]:
    return list(orders), [order.buyer_id for order in orders.values()], [order.at for order in orders.values()]


def _lines(orders: Iterable[ReserveStock]) -> tuple[list[int], list[int], list[str], list[str], list[int], list[bool]]:
    every = [(order, line) for order in orders for line in order.lines]
    return (
        [int(order.order_no) for order, _ in every],
        [line.line_no for _, line in every],
        [line.sku for _, line in every],
        [order.channel for order, _ in every],
        [line.quantity for _, line in every],
        [is_taken(line) for _, line in every],
    )
